package oauth

import (
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

func stateOf(t *testing.T, c *Client, r Request) string {
	t.Helper()
	_, u := start(t, c, r)
	return u.Query().Get("state")
}

func TestOpen(t *testing.T) {
	c := newProvider(t).inBubble()
	binding := NewBinding()
	request := Request{
		ReturnTo: "/orders/7?tab=a&x=%2F#top", Binding: binding, Restarts: 1,
		Params: Params{Provider: "Google", LoginHint: "ada@example.com", Prompt: "login", Lang: "de", IdPIdentifier: "corp", Signup: true},
	}

	t.Run("gives back what was started", func(t *testing.T) {
		a, u := start(t, c, request)
		got, err := c.Open(u.Query().Get("state"), binding)
		if err != nil {
			t.Fatal(err)
		}
		if age := time.Since(got.IssuedAt); age < 0 || age > time.Minute {
			t.Errorf("issued at %v", got.IssuedAt)
		}
		want := Pending{ReturnTo: request.ReturnTo, Restarts: 1, Key: a.Key, IssuedAt: got.IssuedAt, Params: request.Params}
		if d := cmp.Diff(want, got, ignoreUnexported); d != "" {
			t.Error(d)
		}
	})

	t.Run("keeps a silent login silent, whatever else has no room", func(t *testing.T) {
		crowd := strings.Repeat("h", maxParam)
		for _, params := range []Params{
			{Prompt: "none"}, {Prompt: "none", Provider: "Google"}, {Prompt: "none", LoginHint: crowd, Provider: crowd},
		} {
			for _, returnTo := range []string{"/", "/" + strings.Repeat("x", 2000)} {
				p, err := c.Open(stateOf(t, c, Request{ReturnTo: returnTo, Binding: binding, Params: params}), binding)
				if err != nil || !p.Params.Silent() {
					t.Errorf("%+v, returning to %d bytes: %+v, %v", params, len(returnTo), p.Params, err)
				}
			}
		}
		if p, err := c.Open(stateOf(t, c, request), binding); err != nil || p.Params.Silent() {
			t.Errorf("%+v counts as silent, %v", p.Params, err)
		}
	})

	t.Run("keeps how old the sign-in may be, whatever else has no room", func(t *testing.T) {
		crowd := strings.Repeat("h", maxParam)
		for _, params := range []Params{
			{}, {Prompt: "login"}, {Prompt: "none"}, {Provider: "Google", Signup: true}, {LoginHint: crowd, Provider: crowd},
		} {
			for _, age := range []time.Duration{time.Second, 15 * time.Minute, 400 * 24 * time.Hour} {
				for _, returnTo := range []string{"/", "/" + strings.Repeat("x", 400), "/" + strings.Repeat("x", 2000), "/?" + strings.Repeat("x", 2000)} {
					params.MaxAge = age
					p, err := c.Open(stateOf(t, c, Request{ReturnTo: returnTo, Binding: binding, Params: params}), binding)
					if err != nil || p.Params.MaxAge != age || !strings.HasPrefix(returnTo, p.ReturnTo) || p.ReturnTo == "" ||
						p.Params.Silent() != params.Silent() || p.Params.Signup != params.Signup {
						t.Errorf("%+v, returning to %d bytes: %+v, %v", params, len(returnTo), p, err)
					}
				}
			}
		}
	})

	t.Run("opens no state of a version to come", func(t *testing.T) {
		for _, version := range []byte{0, 3} {
			b := make([]byte, stateHead+stateAge)
			b[0] = version << versionShift
			sealed := c.opts.Ring.Seal(stateLabel, b, []byte(c.opts.ClientID))
			if _, err := c.Open(base64.RawURLEncoding.EncodeToString(sealed), binding); !errors.Is(err, ErrStateInvalid) {
				t.Errorf("version %d: %v", version, err)
			}
		}
	})

	t.Run("shows neither return address nor parameter to a reader", func(t *testing.T) {
		sealed, err := base64.RawURLEncoding.DecodeString(stateOf(t, c, request))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{"orders", "ada@", "Google"} {
			if strings.Contains(string(sealed), s) {
				t.Errorf("%s is readable", s)
			}
		}
	})

	t.Run("refuses a state with any one character changed", func(t *testing.T) {
		state := stateOf(t, c, Request{ReturnTo: "/x", Binding: binding})
		for i := range state {
			for _, r := range "AQgw-_ \n=" {
				changed := state[:i] + string(r) + state[i+1:]
				if changed == state {
					continue
				}
				if p, err := c.Open(changed, binding); !errors.Is(err, ErrStateInvalid) || p != (Pending{}) {
					t.Fatalf("character %d changed to %q: %v", i, r, err)
				}
			}
		}
	})

	for name, change := range map[string]func(string) string{
		"nothing":           func(string) string { return "" },
		"a piece":           func(s string) string { return s[:len(s)-4] },
		"with padding":      func(s string) string { return s + "=" },
		"with a line break": func(s string) string { return s[:8] + "\n" + s[8:] },
		"twice":             func(s string) string { return s + s },
		"too long":          func(s string) string { return s + strings.Repeat("A", MaxState) },
		"in base64":         func(s string) string { return strings.NewReplacer("-", "+", "_", "/").Replace(s) + "+/" },
	} {
		t.Run("refuses a state that is "+name, func(t *testing.T) {
			if _, err := c.Open(change(stateOf(t, c, request)), binding); !errors.Is(err, ErrStateInvalid) {
				t.Error(err)
			}
		})
	}

	t.Run("refuses another browser, and still says where it wanted to go", func(t *testing.T) {
		for _, other := range []Binding{NewBinding(), {}} {
			p, err := c.Open(stateOf(t, c, request), other)
			if !errors.Is(err, ErrStateUnbound) {
				t.Fatal(err)
			}
			if p.ReturnTo != request.ReturnTo || p.Restarts != 1 || p.Key == "" || p.Params != request.Params {
				t.Errorf("came back as %+v", p)
			}
			if p.bound {
				t.Error("counts as bound")
			}
		}
	})

	t.Run("takes no binding for none, even where the state says so", func(t *testing.T) {
		state, _, _, _ := c.sealState(Request{ReturnTo: "/"}, time.Now())
		if _, err := c.Open(state, Binding{}); !errors.Is(err, ErrStateUnbound) {
			t.Error(err)
		}
	})

	t.Run("refuses other keys and another client's state", func(t *testing.T) {
		state := stateOf(t, c, request)
		for _, change := range []func(*Options){
			func(o *Options) { o.Ring = testRing(2) },
			func(o *Options) { o.ClientID = "client-2" },
		} {
			if _, err := newProvider(t).inBubble(change).Open(state, binding); !errors.Is(err, ErrStateInvalid) {
				t.Error(err)
			}
		}
	})

	t.Run("opens under a key that is on its way out", func(t *testing.T) {
		older, newer := make([]byte, secret.KeySize), make([]byte, secret.KeySize)
		older[0], newer[0] = 1, 9 // testRing(1) is what c has
		ring, err := secret.NewRing(newer, older)
		if err != nil {
			t.Fatal(err)
		}
		rotated := newProvider(t).inBubble(func(o *Options) { o.Ring = ring })
		if _, err := rotated.Open(stateOf(t, c, request), binding); err != nil {
			t.Error(err)
		}
	})
}

func TestOpenMindsTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newProvider(t).inBubble()
		binding := NewBinding()
		state := stateOf(t, c, Request{ReturnTo: "/x", Binding: binding, Restarts: 2})

		time.Sleep(StateLifetime)
		if _, err := c.Open(state, binding); err != nil {
			t.Errorf("at ten minutes: %v", err)
		}
		time.Sleep(time.Second)
		p, err := c.Open(state, binding)
		if !errors.Is(err, ErrStateExpired) {
			t.Errorf("a second later: %v", err)
		}
		if p.ReturnTo != "/x" || p.Restarts != 2 || p.bound {
			t.Errorf("came back as %+v", p)
		}
	})
}

func TestOpenToleratesTwoClocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newProvider(t).inBubble()
		r := Request{ReturnTo: "/x", Binding: NewBinding()}
		for ahead, want := range map[time.Duration]error{30 * time.Second: nil, 2 * time.Minute: ErrStateInvalid} {
			state, _, _, _ := c.sealState(r, time.Now().Add(ahead))
			if _, err := c.Open(state, r.Binding); !errors.Is(err, want) {
				t.Errorf("issued %v ahead: %v", ahead, err)
			}
		}
	})
}

// FuzzOpenState feeds Open with arbitrary states, and with arbitrary bytes that
// are sealed rightly, as another version of this program might.
func FuzzOpenState(f *testing.F) {
	o := newFuzzOptions()
	c, err := New(o)
	if err != nil {
		f.Fatal(err)
	}
	binding := Binding{1, 2, 3}
	seed := Request{ReturnTo: "/seed", Binding: binding, Params: Params{Prompt: "login"}}
	a, err := c.Start(seed)
	if err != nil {
		f.Fatal(err)
	}
	u, err := url.Parse(a.URL)
	if err != nil {
		f.Fatal(err)
	}
	known := u.Query().Get("state")
	sealed, _ := decodeStrict(known)
	plain, err := o.Ring.Open(stateLabel, sealed, []byte(o.ClientID))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(known, plain)
	f.Add("", plain[:stateHead])
	f.Add("AAAA", append([]byte{stateVersion << versionShift}, make([]byte, 400)...))
	f.Add("AAAA", append([]byte{stateVersion<<versionShift | flagParams | flagSilent}, make([]byte, 400)...))
	f.Fuzz(func(t *testing.T, state string, plain []byte) {
		// Every worker process seals a seed of its own, so the seeds differ; what
		// they say does not.
		switch p, err := c.Open(state, binding); {
		case errors.Is(err, ErrStateInvalid) && p == (Pending{}):
		case p.ReturnTo != "/seed" || p.Params != seed.Params:
			t.Errorf("opened a state that was never sealed: %q gave %+v, %v", state, p, err)
		}
		resealed := o.Ring.Seal(stateLabel, plain, []byte(o.ClientID))
		p, err := c.Open(base64.RawURLEncoding.EncodeToString(resealed), binding)
		if err == nil && !p.bound {
			t.Error("opened, but not bound")
		}
		if errors.Is(err, ErrStateInvalid) && p != (Pending{}) {
			t.Errorf("invalid, and yet %+v", p)
		}
	})
}

func newFuzzOptions() Options {
	const base = "https://idp.example.com"
	return Options{
		ClientID: testClientID, AuthorizeURL: base + "/a", TokenURL: base + "/t", RevokeURL: base + "/r",
		JWKSURL: base + "/j", Issuer: base, RedirectURL: redirectURL, Scopes: []string{"openid"}, Ring: testRing(1),
	}
}

// FuzzStart: whatever a login is to remember, its state is short, and state and
// rest together are the whole address.
func FuzzStart(f *testing.F) {
	c, err := New(newFuzzOptions())
	if err != nil {
		f.Fatal(err)
	}
	f.Add("/orders?q=1", "ada@example.com", "Google", true)
	f.Add("/"+strings.Repeat("~", 420), "", "", false)
	f.Add("/?"+strings.Repeat("a", 2046), strings.Repeat("h", 255), strings.Repeat("p", 255), false)
	f.Fuzz(func(t *testing.T, returnTo, hint, provider string, signup bool) {
		r := Request{ReturnTo: returnTo, Binding: Binding{1}, Params: Params{LoginHint: hint, Provider: provider, Signup: signup}}
		a, err := c.Start(r)
		if err != nil {
			return
		}
		u, err := url.Parse(a.URL)
		if err != nil {
			t.Fatal(err)
		}
		state := u.Query().Get("state")
		p, err := c.Open(state, r.Binding)
		if err != nil || len(state) > MaxState || p.ReturnTo+a.Rest != returnTo || p.ReturnToOverflow != (a.Rest != "") {
			t.Errorf("a state of %d characters with %d bytes of %d, error %v", len(state), len(p.ReturnTo), len(returnTo), err)
		}
		if len(returnTo) <= 420 && a.Rest != "" {
			t.Errorf("an address of %d bytes does not fit", len(returnTo))
		}
	})
}
