package proxy_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/identity"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

var (
	// identityRule makes six headers, one of which ada has no value for.
	identityRule = identity.New(true, []identity.Claim{{Header: "X-Forwarded-User", Name: "sub"}, {Header: "tenant", Name: "custom:tenant"}})
	ada          = &oauth.Identity{Subject: "ada-1", ID: oauth.Members{
		"sub": "ada-1", "cognito:username": "ada", "cognito:groups": []any{"staff", "R&D, Berlin"}, "custom:tenant": "acme",
	}}
	adaSent = map[string]string{
		"X-Auth-Subject": "ada-1", "X-Auth-Username": "ada", "X-Auth-Email": "", "X-Auth-Groups": "staff,R&D%2C%20Berlin",
		"X-Forwarded-User": "ada-1", "Tenant": "acme",
	}
)

// newIdentityFront is a front with a route that says who is calling, and one that does
// not and asks for nobody.
func newIdentityFront(t *testing.T, tr transport, up string) *front {
	f := newFront(t, proxy.Options{TrustedHeaders: []string{"X-Real-IP"}},
		routing.Route{Path: "/known/", Upstreams: routing.To(parse(t, up)), Identity: identityRule, StandardTransport: tr.standard()},
		routing.Route{Path: "/", Upstreams: routing.To(parse(t, up)), Access: routing.Access{Auth: routing.AuthNone}, StandardTransport: tr.standard()})
	f.decide = func(d *proxy.Decision, _ *http.Request) {
		d.Identity, d.TrustedPeer = d.Route.Identity.Of(ada), true // which has more headers pass
	}
	return f
}

// spoofs are messages by which a client might send the header itself, each with "evil" in
// its value.
func spoofs(target, name string) map[string]string {
	under := strings.ReplaceAll(name, "-", "_")
	out := map[string]string{
		"twice":                request(target, name+": evil", name+": evil2"),
		"empty first":          request(target, name+":", name+": evil"),
		"with another between": request(target, name+": evil", "Accept: a", strings.ToLower(name)+": evil"),
		"folded":               request(target, "X-Folded: a\r\n "+name+": fine", name+": evil\r\n evil"),
		"spaces":               request(target, name+":   evil   "),
		"named by Connection":  "GET " + target + " HTTP/1.1\r\nHost: app.example\r\nConnection: close, " + name + "\r\n" + name + ": evil\r\n\r\n",
		"named by Connection in small letters, in a line of its own": "GET " + target + " HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\nConnection: ," +
			strings.ToLower(name) + "\r\n" + name + ": evil\r\n\r\n",
		"in a trailer": "POST " + target + " HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\nTrailer: " + name +
			"\r\n\r\n1\r\nx\r\n0\r\n" + name + ": evil\r\n\r\n",
		"in a trailer that is not announced": "POST " + target + " HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n" +
			name + ": evil\r\n\r\n",
	}
	for what, spelled := range map[string]string{
		"as it is": name, "small": strings.ToLower(name), "capital": strings.ToUpper(name), "mixed": strings.ToLower(name[:1]) + strings.ToUpper(name[1:]),
		"with _": under, "small with _": strings.ToLower(under), "first _": strings.Replace(name, "-", "_", 1), "with .": strings.ReplaceAll(name, "-", "."),
		"_ at its end": name + "_", "_ before it": "_" + name,
	} {
		out[what] = request(target, spelled+": evil")
	}
	return out
}

// TestIdentity_is_never_a_clients: whatever a client sends by the name of a header that
// says who is calling, on any route, no upstream sees it; and what the gateway says there
// is said all the same.
func TestIdentity_is_never_a_clients(t *testing.T) {
	for _, tr := range transports {
		up, seen := recorder(t, nil)
		f := newIdentityFront(t, tr, up.String())
		for _, target := range []string{"/known/x", "/open"} {
			for name, value := range adaSent {
				if target == "/open" {
					value = ""
				}
				for what, message := range spoofs(target, name) {
					if s := status(t, f.talk(t, message)); s != "200 OK" {
						t.Errorf("%s: %s of %s, %s: %s", tr, target, name, what, s)
						continue
					}
					r := seen.last(t)
					if got := fmt.Sprint(r.Header, r.Trailer); strings.Contains(got, "evil") {
						t.Errorf("%s: %s of %s, %s: the upstream sees %s", tr, target, name, what, got)
					}
					if got := strings.Join(r.Header[name], "|"); got != value {
						t.Errorf("%s: %s of %s, %s: the upstream is told %q, want %q", tr, target, name, what, got, value)
					}
				}
			}
		}
	}
}

// TestIdentity_goes_with_every_kind_of_request, a WebSocket's handshake included.
func TestIdentity_goes_with_every_kind_of_request(t *testing.T) {
	check := func(t *testing.T, h http.Header) {
		t.Helper()
		got := map[string]string{}
		for name := range adaSent {
			if len(h[name]) > 1 {
				t.Errorf("%s: %q", name, h[name])
			}
			got[name] = h.Get(name)
		}
		if diff := cmp.Diff(adaSent, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if _, there := h["X-Auth-Email"]; there {
			t.Error("a header without a value is sent")
		}
	}
	for _, tr := range transports {
		up, seen := recorder(t, nil)
		f := newIdentityFront(t, tr, up.String())
		for what, message := range map[string]string{
			"a call":           request("/known/x"),
			"a short body":     "POST /known/x HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody",
			"a body in chunks": "PUT /known/x HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
		} {
			t.Run(string(tr)+" "+what, func(t *testing.T) {
				if answer := f.talk(t, message); status(t, answer) != "200 OK" {
					t.Fatal(answer)
				}
				check(t, seen.last(t).Header)
			})
		}
		t.Run(string(tr)+" a WebSocket", func(t *testing.T) {
			up, requests := echoSocket(t)
			f := newIdentityFront(t, tr, up.String())
			conn := f.dial(t)
			_, _ = io.WriteString(conn, strings.Replace(strings.Replace(handshake, "/socket", "/known/socket", 1), "\r\n\r\n",
				"\r\nx-auth-subject: evil\r\nX-Auth-Email: evil\r\nTENANT: evil\r\n\r\n", 1))
			if res, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || res.StatusCode != http.StatusSwitchingProtocols {
				t.Fatalf("%v, %v", res, err)
			}
			check(t, (<-requests).Header)
		})
	}
}

// TestIdentity_is_what_an_application_reads: a WSGI application reads X_Auth_Subject as
// X-Auth-Subject, and both together as one. Behind the gateway it reads what that says.
func TestIdentity_is_what_an_application_reads(t *testing.T) {
	app, err := filepath.Abs("testdata/environ.py")
	if err != nil {
		t.Fatal(err)
	}
	up := program(t, exec.Command("python3", app))
	direct, err := net.Dial("tcp", up)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = direct.Close() }()
	_, _ = io.WriteString(direct, request("/", "X_auth_subject: evil"))
	if answer, err := io.ReadAll(direct); err != nil || read(t, string(answer))["X-Auth-Subject"] != "evil" {
		t.Fatalf("the application tells names apart, and proves nothing: %s, %v", answer, err)
	}
	for _, tr := range transports {
		f := newIdentityFront(t, tr, "http://"+up)
		for _, target := range []string{"/known/x", "/open"} {
			for name, value := range adaSent {
				if target == "/open" {
					value = ""
				}
				for what, message := range spoofs(target, name) {
					if strings.HasPrefix(message, "POST") {
						continue // wsgiref reads no body in chunks
					}
					if got := read(t, f.talk(t, message))[name]; got != value {
						t.Errorf("%s: %s of %s, %s: the application reads %q, want %q", tr, target, name, what, got, value)
					}
				}
			}
		}
	}
}

// read is what the application says that it reads, by names of HTTP's form.
func read(t *testing.T, answer string) map[string]string {
	t.Helper()
	_, body, _ := strings.Cut(answer, "\r\n\r\n")
	var environ map[string]string
	if err := json.Unmarshal([]byte(body), &environ); err != nil {
		t.Fatalf("%v in %s", err, answer)
	}
	out := map[string]string{}
	for name, value := range environ {
		name = strings.ReplaceAll(strings.TrimPrefix(name, "HTTP_"), "_", "-")
		out[http.CanonicalHeaderKey(name)] = value
	}
	return out
}
