package oauth

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func start(t *testing.T, c *Client, r Request) (Authorization, *url.URL) {
	t.Helper()
	a, err := c.Start(r)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(a.URL)
	if err != nil {
		t.Fatal(err)
	}
	return a, u
}

func TestStart(t *testing.T) {
	c := newProvider(t).inBubble()
	binding := NewBinding()

	t.Run("asks for a code with PKCE, state and nonce, each parameter once", func(t *testing.T) {
		a, u := start(t, c, Request{ReturnTo: "/", Binding: binding})
		q := u.Query()
		if got := u.Scheme + "://" + u.Host + u.Path; got != "https://idp.example.com/oauth2/authorize" {
			t.Errorf("sent to %s", got)
		}
		p, err := c.Open(q.Get("state"), binding)
		if err != nil {
			t.Fatal(err)
		}
		if p.Key != a.Key || a.Key == "" {
			t.Errorf("key is %q at the start and %q at the end", a.Key, p.Key)
		}
		sum := sha256.Sum256([]byte(p.attempt.verifier(binding)))
		want := url.Values{
			"response_type": {"code"}, "client_id": {testClientID}, "redirect_uri": {redirectURL},
			"scope": {"openid email"}, "state": q["state"], "nonce": {p.attempt.nonce(binding)},
			"code_challenge": {b64(string(sum[:]))}, "code_challenge_method": {"S256"},
		}
		if d := cmp.Diff(want, q); d != "" {
			t.Error(d)
		}
		if n := len(p.attempt.verifier(binding)); n != 43 {
			t.Errorf("verifier has %d characters", n)
		}
	})

	t.Run("passes the caller's parameters under the provider's names", func(t *testing.T) {
		_, u := start(t, c, Request{Binding: binding, Params: Params{
			Provider: "Google", IdPIdentifier: "example.com", LoginHint: "ada@example.com&client_id=evil", Lang: "de", Prompt: "login",
		}})
		for name, want := range map[string]string{
			"identity_provider": "Google", "idp_identifier": "example.com",
			"login_hint": "ada@example.com&client_id=evil", "lang": "de", "prompt": "login", "client_id": testClientID,
		} {
			if d := cmp.Diff([]string{want}, u.Query()[name]); d != "" {
				t.Errorf("%s: %s", name, d)
			}
		}
	})

	t.Run("goes to the sign-up page when asked", func(t *testing.T) {
		_, u := start(t, c, Request{Binding: binding, Params: Params{Signup: true}})
		if u.Path != "/signup" || u.Query().Get("code_challenge") == "" {
			t.Errorf("sent to %s with %v", u.Path, u.Query())
		}
	})

	t.Run("ignores the wish to sign up where there is no such page", func(t *testing.T) {
		c := newProvider(t).inBubble(func(o *Options) { o.SignupURL = "" })
		if _, u := start(t, c, Request{Binding: binding, Params: Params{Signup: true}}); u.Path != "/oauth2/authorize" {
			t.Errorf("sent to %s", u.Path)
		}
	})

	t.Run("two logins of one browser share nothing", func(t *testing.T) {
		_, u := start(t, c, Request{ReturnTo: "/", Binding: binding})
		_, v := start(t, c, Request{ReturnTo: "/", Binding: binding})
		for _, name := range []string{"state", "nonce", "code_challenge"} {
			if u.Query().Get(name) == v.Query().Get(name) {
				t.Errorf("%s is the same", name)
			}
		}
	})

	t.Run("refuses parameters that are too long or not text", func(t *testing.T) {
		for _, bad := range []string{strings.Repeat("x", maxParam+1), "a\r\nb", "a\x00b", "a\xffb", "\x7f"} {
			if _, err := c.Start(Request{Binding: binding, Params: Params{LoginHint: bad}}); !errors.Is(err, ErrParameter) {
				t.Errorf("%q: %v", bad, err)
			}
		}
	})

	t.Run("refuses to start without a binding", func(t *testing.T) {
		if _, err := c.Start(Request{ReturnTo: "/"}); !errors.Is(err, ErrStateUnbound) {
			t.Error(err)
		}
	})
}

// hard is text that no coding makes shorter: every character of an address, by
// chance, always the same.
func hard(n int) string {
	r := rand.New(rand.NewPCG(3, 4))
	b := []byte("/")
	for len(b) < n {
		b = append(b, addressAlphabet[r.IntN(len(addressAlphabet))])
	}
	return string(b[:n])
}

func TestStartKeepsTheStateShort(t *testing.T) {
	c := newProvider(t).inBubble()
	params := Params{Provider: "Google", LoginHint: "ada@example.com", Prompt: "login", Lang: "de", IdPIdentifier: "x"}
	long := Params{LoginHint: strings.Repeat("h", maxParam), Provider: strings.Repeat("p", maxParam)}
	longest := Params{strings.Repeat("p", maxParam), strings.Repeat("i", maxParam), strings.Repeat("h", maxParam), strings.Repeat("l", maxParam), strings.Repeat("o", maxParam), true, 0}
	aged := Params{Prompt: "login", MaxAge: time.Minute}
	fitted := 0
	for n := 0; n <= 2048; n += 1 + n/500*20 {
		for _, p := range []Params{{}, params, long, longest, aged} {
			r := Request{ReturnTo: hard(n), Binding: Binding{1}, Params: p, Restarts: 1}
			a, u := start(t, c, r)
			state := u.Query().Get("state")
			if len(state) > MaxState {
				t.Fatalf("return-to of %d bytes: state of %d characters", n, len(state))
			}
			got, err := c.Open(state, r.Binding)
			if err != nil {
				t.Fatal(err)
			}
			if got.ReturnTo+a.Rest != r.ReturnTo || got.ReturnToOverflow != (a.Rest != "") {
				t.Fatalf("return-to of %d bytes: %d came back, %d are to be kept, overflow %v", n, len(got.ReturnTo), len(a.Rest), got.ReturnToOverflow)
			}
			if none := (Params{Signup: p.Signup, MaxAge: p.MaxAge}); got.Params != r.Params && got.Params != none {
				t.Fatalf("parameters came back changed: %+v", got.Params)
			}
			if a.Rest == "" {
				fitted = n
			}
		}
	}
	if fitted < 420 {
		t.Errorf("return addresses fit only up to %d bytes", fitted)
	}
}

// TestStartSharesTheState: what a restart needs most comes first.
func TestStartSharesTheState(t *testing.T) {
	c := newProvider(t).inBubble()
	params := Params{Provider: "Google", LoginHint: "ada@example.com"}
	for name, tt := range map[string]struct {
		returnTo string
		whole    bool
		params   bool
	}{
		"an address of 300 bytes and the parameters": {hard(300), true, true},
		"an address of 420 bytes without them":       {hard(420), true, false},
		"a long query gives way to them":             {"/list?" + hard(2000), false, true},
		"so does a long fragment":                    {"/list#" + hard(2000), false, true},
		"a long path does not":                       {"/" + strings.Repeat("a", 400) + "?" + hard(500), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			a, u := start(t, c, Request{ReturnTo: tt.returnTo, Binding: Binding{1}, Params: params})
			got, err := c.Open(u.Query().Get("state"), Binding{1})
			if err != nil || (a.Rest == "") != tt.whole || (got.Params == params) != tt.params {
				t.Errorf("%d bytes are left over, parameters %+v, error %v", len(a.Rest), got.Params, err)
			}
			if path := strings.IndexAny(tt.returnTo, "?#"); path >= 0 && path < 420 && len(got.ReturnTo) <= path {
				t.Errorf("the path is cut: %d bytes of %d", len(got.ReturnTo), path)
			}
		})
	}
	t.Run("takes no address that is not normalised", func(t *testing.T) {
		if _, err := c.Start(Request{ReturnTo: "/a b", Binding: Binding{1}}); err == nil {
			t.Error("started")
		}
	})
}

func TestBindingShowsNothing(t *testing.T) {
	b := Binding{}
	for i := range b {
		b[i] = 0xab
	}
	r := Request{Binding: b}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "b", b, "r", r)
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{
		fmt.Sprintf("%v %+v %#v %s %q", b, b, b, b, b) + fmt.Sprintf("%d %x", any(b), any(b)), fmt.Sprintf("%v %+v %#v", r, r, r), log.String(), string(text),
	} {
		if strings.Contains(strings.ToLower(s), "abab") || strings.Contains(s, "171") || strings.Contains(s, "q6ur") {
			t.Errorf("shows itself: %s", s)
		}
	}
	if s := fmt.Sprint([32]byte(b)); !strings.Contains(s, "171") {
		t.Errorf("the control does not show: %s", s)
	}
}

func TestNew(t *testing.T) {
	good := newProvider(t).inBubble().opts
	for name, change := range map[string]func(*Options){
		"without client id":                 func(o *Options) { o.ClientID = "" },
		"without issuer":                    func(o *Options) { o.Issuer = "" },
		"without key ring":                  func(o *Options) { o.Ring = nil },
		"without openid":                    func(o *Options) { o.Scopes = []string{"email"} },
		"without token address":             func(o *Options) { o.TokenURL = "" },
		"with http off loopback":            func(o *Options) { o.TokenURL = "http://idp.example.com/oauth2/token" },
		"with http on a look-alike":         func(o *Options) { o.JWKSURL = "http://localhost.example.com/jwks" },
		"with a query in the authorize URL": func(o *Options) { o.AuthorizeURL += "?scope=admin" },
		"with a password in an address":     func(o *Options) { o.RevokeURL = "https://u:p@idp.example.com/" },
		"with a fragment":                   func(o *Options) { o.RedirectURL += "#x" },
		"with a relative address":           func(o *Options) { o.RedirectURL = "/auth/callback" },
	} {
		t.Run("refuses options "+name, func(t *testing.T) {
			o := good
			change(&o)
			if _, err := New(o); err == nil {
				t.Error("accepted")
			}
		})
	}
	for _, base := range []string{"http://localhost:9229", "http://127.0.0.1:1", "http://[::1]:9", "http://idp.localhost"} {
		t.Run("accepts http on "+base, func(t *testing.T) {
			o := good
			o.TokenURL = base + "/oauth2/token"
			if _, err := New(o); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("shows no secret when printed", func(t *testing.T) {
		c, err := New(good)
		if err != nil {
			t.Fatal(err)
		}
		if s := fmt.Sprintf("%v %+v %#v", c, c, *c); strings.Contains(s, testSecret) {
			t.Error("the client secret shows")
		}
	})
}

var ignoreUnexported = cmpopts.IgnoreUnexported(Pending{})

// TestStartAsksAgain: how old a sign-in may be is told to the provider, and the user is
// asked again unless the login says otherwise.
func TestStartAsksAgain(t *testing.T) {
	c := newProvider(t).inBubble()
	for name, tt := range map[string]struct {
		params      Params
		age, prompt string
	}{
		"by_itself":       {Params{MaxAge: 15 * time.Minute}, "900", "login"},
		"as_it_says":      {Params{MaxAge: time.Minute, Prompt: "select_account"}, "60", "select_account"},
		"not_in_silence":  {Params{MaxAge: time.Minute, Prompt: "none"}, "60", "none"},
		"where_it_may_be": {Params{}, "", ""},
	} {
		_, u := start(t, c, Request{ReturnTo: "/", Binding: NewBinding(), Params: tt.params})
		if q := u.Query(); q.Get("max_age") != tt.age || q.Get("prompt") != tt.prompt || len(q["prompt"]) > 1 {
			t.Errorf("%s: %s", name, u.RawQuery)
		}
	}
}
