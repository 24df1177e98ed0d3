package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/gatehouse-auth/gatehouse/internal/redistest"
)

// What the page calls the gateway, the user pool and the admin listener, and what
// may stand above an example besides "with" and a piece of configuration.
const (
	documentedURL   = "https://app.example.com"
	documentedPool  = "https://login.example.com"
	documentedAdmin = "http://127.0.0.1:9090"

	withoutStore = "while the session store is away"
)

// scene is a gateway, and the browsers in which Alice is signed in: a phone, a
// tablet, and the one at hand.
type scene struct {
	rig    *rig
	admin  admin
	here   *browser
	names  *strings.Replacer // puts this gateway's addresses in the place of the page's
	values values
	events <-chan string // of the stream opened last
}

func newScene(t *testing.T, setting string) *scene {
	t.Helper()
	var change []settings
	if doc, ok := strings.CutPrefix(setting, "with "); ok {
		change = append(change, configured(t, doc))
	}
	var redis *redistest.Server
	if setting == withoutStore {
		redis = redistest.Start(t, redistest.Options{})
		change = append(change, section("session", map[string]any{"store": redis.URL}))
	}
	r, a := withAdmin(t, append(change, guarded)...)
	s := &scene{rig: r, admin: a, here: r.browser(), values: values{}, names: strings.NewReplacer(
		documentedURL, r.url, url.QueryEscape(documentedURL), url.QueryEscape(r.url),
		documentedPool, r.domain, documentedAdmin, a.base,
	)}
	phone := r.browser()
	phone.signIn("alice@example.com", "/")
	_, body := phone.fetch("GET", "/auth/session", "", "X-CSRF", "1")
	s.values["sub"] = decode[sessionAnswer](t, body).UserSub
	r.browser().signIn("alice@example.com", "/")
	s.here.signIn("alice@example.com", "/") // last, as it may have seconds only; to a page that does not load its session
	if redis != nil {
		redis.Stop()
		t.Cleanup(redis.Restart) // before the gateway stops, which tries deletions again
	}
	return s
}

// configured puts a piece of YAML into the configuration.
func configured(t *testing.T, text string) settings {
	t.Helper()
	return func(doc map[string]any) {
		var keys map[string]any
		own := strings.ReplaceAll(text, documentedURL, doc["public_url"].(string))
		if err := yaml.Unmarshal([]byte(own), &keys); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		for key, value := range keys {
			if s, ok := value.(map[string]any); ok {
				section(key, s)(doc)
			} else {
				doc[key] = value
			}
		}
	}
}

// run sends an example's request and returns what is wrong with the answer.
func (s *scene) run(t *testing.T, e example) []string {
	t.Helper()
	want := e.answer
	for i := range want.header {
		want.header[i].value = s.names.Replace(want.header[i].value)
	}
	want.body = s.names.Replace(want.body)
	if want.status == 0 {
		return s.eventFaults(want.body)
	}
	res := s.send(t, e)
	var faults []string
	if res.StatusCode != want.status {
		faults = append(faults, fmt.Sprintf("the status is %d, not %d", res.StatusCode, want.status))
	}
	if strings.HasPrefix(e.target, "/") {
		want.header = append(want.header, everywhere(e)...)
	}
	faults = append(faults, s.values.headerFaults(want.header, res.Header)...)
	if res.StatusCode == http.StatusOK && res.Header.Get("Content-Type") == "text/event-stream" {
		s.events = readEvents(res.Body)
		return append(faults, s.eventFaults(want.body)...)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	s.signInAtPool(res)
	return append(faults, s.values.bodyFaults(want.body, string(body), res.Header.Get("Content-Type"))...)
}

// everywhere is what every answer of the public listener has. The client's modules and
// the keys say themselves how long they keep.
func everywhere(e example) []field {
	fields := []field{{"X-Request-Id", "…"}}
	if strings.HasPrefix(e.target, "/api/") && e.answer.status == http.StatusOK {
		return fields
	}
	fields = append(fields, field{"X-Gatehouse", "1"})
	if strings.HasPrefix(e.target, "/auth/sdk/") || e.target == "/auth/jwks.json" {
		return fields
	}
	return append(fields, field{"Cache-Control", "no-store"})
}

// send sends the request as it stands there: a cookie and the admin token come along
// where the example says so.
func (s *scene) send(t *testing.T, e example) *http.Response {
	t.Helper()
	address := s.values.fill(s.names.Replace(e.target))
	if strings.HasPrefix(address, "/") {
		address = s.rig.url + address
	}
	if strings.ContainsAny(address, "{}…") {
		t.Fatalf("%s:%d: nothing before says what %s is", httpPage, e.line, address)
	}
	req := s.here.request(e.method, address, strings.NewReader(s.values.fill(s.names.Replace(e.body))))
	client := http.Client{Transport: s.here.http.Transport, CheckRedirect: s.here.http.CheckRedirect}
	for _, h := range e.header {
		switch value := s.names.Replace(h.value); h {
		case field{"Cookie", "…"}:
			client.Jar = s.here.http.Jar
		case field{"Authorization", "Bearer …"}:
			req.Header.Set("Authorization", "Bearer "+adminToken)
		default:
			req.Header.Add(h.name, s.values.fill(value))
		}
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s:%d: %v", httpPage, e.line, err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	s.here.http.Jar.SetCookies(req.URL, res.Cookies())
	return res
}

// signInAtPool goes where a login leads, signs in at the user pool's page, and keeps
// what it sends back to the callback.
func (s *scene) signInAtPool(res *http.Response) {
	to := res.Header.Get("Location")
	if !strings.HasPrefix(to, s.rig.domain+"/oauth2/authorize?") {
		return
	}
	through := s.here.http.Transport
	defer func() { s.here.http.Transport = through }()
	s.here.http.Transport = stopAt{through, "/auth/callback"}
	p := s.here.follow(to)
	if p.url.Path != "/auth/callback" { // the pool does not know the browser
		p = s.here.password(p, "alice@example.com")
	}
	for _, name := range []string{"code", "state"} {
		s.values[name] = url.QueryEscape(p.url.Query().Get(name))
	}
}

// readEvents reads the blocks of a stream of events until it ends.
func readEvents(body io.Reader) <-chan string {
	blocks := make(chan string, 16)
	go func() {
		defer close(blocks)
		var block []string
		for lines := bufio.NewScanner(body); lines.Scan(); {
			switch line := lines.Text(); {
			case line != "" && line[0] != ':':
				block = append(block, line)
			case line == "" && len(block) > 0:
				blocks <- strings.Join(block, "\n")
				block = nil
			}
		}
	}()
	return blocks
}

// eventFaults compares the events on the page with those that come next.
func (s *scene) eventFaults(want string) (faults []string) {
	for block := range strings.SplitSeq(want, "\n\n") {
		select {
		case got, open := <-s.events:
			if !open {
				return append(faults, "the stream has ended before\n"+block)
			}
			faults = append(faults, s.blockFaults(block, got)...)
			if strings.Contains(block, "\nevent: signedOut\n") {
				if after, open := <-s.events; open {
					faults = append(faults, "after the last event comes "+after)
				}
			}
		case <-time.After(patience):
			return append(faults, fmt.Sprintf("within %v nothing came of\n%s", patience, block))
		}
	}
	return faults
}

func (s *scene) blockFaults(want, got string) (faults []string) {
	wanted, lines := strings.Split(want, "\n"), strings.Split(got, "\n")
	if len(wanted) != len(lines) {
		return []string{fmt.Sprintf("the event is\n%s\nnot\n%s", got, want)}
	}
	for i, line := range lines {
		if data, ok := strings.CutPrefix(wanted[i], "data: "); ok {
			faults = append(faults, s.values.jsonFaults(data, strings.TrimPrefix(line, "data: "))...)
		} else if !s.values.match(wanted[i], line) {
			faults = append(faults, fmt.Sprintf("the event has %q, not %q", line, wanted[i]))
		}
	}
	return faults
}
