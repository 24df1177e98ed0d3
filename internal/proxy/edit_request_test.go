package proxy

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

var policy = newHeaderPolicy(Options{
	CookieNames:    []string{"__Host-Http-gatehouse", "__Host-Http-gatehouse-login"},
	TrustedHeaders: []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Request-Id", "traceparent"},
})

// edit runs the policy on a request with these headers, and returns the
// upstream's without the generated traceparent.
func edit(t testing.TB, d Decision, headers http.Header) http.Header {
	t.Helper()
	if d.Route == nil {
		d.Route = &routing.Route{}
	}
	before := headers.Clone()
	out := policy.request(&http.Request{Header: headers, RemoteAddr: "203.0.113.9:4711"}, &d)
	if diff := cmp.Diff(before, headers); diff != "" {
		t.Errorf("the client's request is changed: %s", diff)
	}
	if len(out["Traceparent"]) != 1 {
		t.Errorf("traceparent: %q", out["Traceparent"])
	}
	delete(out, "Traceparent")
	if out["User-Agent"] == nil {
		delete(out, "User-Agent") // so that the transport adds none
	}
	return out
}

func TestRequest_drops_what_an_upstream_could_believe(t *testing.T) {
	for _, name := range []string{
		"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Prefix",
		"X-Forwarded-Uri", "X-Forwarded-User", "X-Forwarded-Email", "X-Real-IP", "True-Client-IP", "CF-Connecting-IP", "X-Client-IP",
		"X-Original-URL", "X-Original-Method", "X-Original-Anything", "X-Rewrite-URL", "X-Auth-Subject", "X-Auth-Groups", "X-Auth-Request-User",
		"X-Gatehouse", "X-Gatehouse-Verify", "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override",
		"Authorization", "X-Request-Id", "Remote-User", "X-Remote-User", "Proxy", "HTTP2-Settings", "Expect", "X-Accel-Redirect",
		"X-Sendfile", "Tracestate",
		"X-WEBAUTH-USER", "Cf-Access-Jwt-Assertion", "Cf-Access-Authenticated-User-Email", "X-Goog-Authenticated-User-Email", "X-Goog-IAP-JWT-Assertion",
		"X-Amzn-Oidc-Data", "X-Amzn-Oidc-Identity", "X-Amzn-Mtls-Clientcert-Subject", "X-Ms-Client-Principal", "X-Ms-Client-Principal-Id", "X-MS-TOKEN-AAD-ID-TOKEN",
		"Ssl-Client-Cert", "ssl-client-subject-dn", "X-SSL-Client-CN", "X-Ssl-Cert", "X-Client-Cert", "X-Client-Certificate", "X-Client-Cert-Dn", "X-ARR-ClientCert",
		"Client-Cert", "Client-Cert-Chain", "Remote-Groups", "Remote-Email", "X-authentik-username", "X-Pomerium-Jwt-Assertion", "X-Vouch-User",
		"Tailscale-User-Login", "X-Consumer-Username", "X-Credential-Identifier", "X-Authenticated-Userid", "X-Userinfo", "X-Endpoint-API-UserInfo",
		"X-Apigateway-Api-Userinfo", "X-Envoy-Original-Path", "X-Envoy-External-Address", "OIDC-Claim-Sub",
	} {
		out := edit(t, Decision{}, http.Header{http.CanonicalHeaderKey(name): {"evil"}, "Accept": {"*/*"}})
		if diff := cmp.Diff(http.Header{"Accept": {"*/*"}}, out); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestRequest_drops_names_of_other_characters(t *testing.T) {
	for _, name := range []string{
		"X_auth_subject", "X_Auth-Subject", "X-Auth_Subject", "X.Auth.Subject", "X-Auth.Subject", "Authorization_", "_authorization",
		"X-Auth-Subject ", "X Auth", "X-A\u0301uth", "X-Au‐th", "A!b", "A~b", "A|b", "A'b", "",
	} {
		if out := edit(t, Decision{}, http.Header{name: {"evil"}}); len(out) != 0 {
			t.Errorf("%q: passed as %v", name, out)
		}
	}
}

func TestRequest_passes_everything_else_as_it_is(t *testing.T) {
	h := http.Header{
		"Accept": {"text/html", "*/*"}, "Content-Type": {"application/json"}, "X-Csrf": {"1"}, "X-Custom-1": {"a", "b"},
		"If-None-Match": {`"x"`}, "Cookie": {"a=b; c=\"d e\""}, "Te": {"trailers"}, "X-User-Agent": {"grpc-web"}, "Sec-Fetch-Site": {"same-origin"},
		"Origin": {"https://app.example"}, "X-Requested-With": {"XMLHttpRequest"}, "X-Xsrf-Token": {"t"},
		"X-Client-Version": {"1"}, "X-Google": {"1"}, "Remote": {"1"}, "Client-Version": {"1"}, "X-Api-Key": {"k"}, "X-Amz-Target": {"t"}, "Ssl": {"1"},
	}
	if diff := cmp.Diff(h, edit(t, Decision{}, h.Clone())); diff != "" {
		t.Error(diff)
	}
}

func TestRequest_sets_what_the_upstream_is_told(t *testing.T) {
	d := Decision{
		Bearer: secret.NewText("Bearer real"), RequestID: "id-1", Proto: "https", Host: "app.example", Client: "192.0.2.1",
	}
	out := edit(t, d, http.Header{
		"Authorization": {"Bearer evil", "Basic evil"}, "X-Request-Id": {"evil"}, "X-Forwarded-For": {"6.6.6.6"},
		"X-Forwarded-Host": {"evil"}, "X-Forwarded-Proto": {"evil"},
	})
	want := http.Header{
		"Authorization": {"Bearer real"}, "X-Request-Id": {"id-1"}, "X-Forwarded-For": {"192.0.2.1"},
		"X-Forwarded-Host": {"app.example"}, "X-Forwarded-Proto": {"https"},
	}
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
}

func TestRequest_strips_cookies_from_its_own_copy(t *testing.T) {
	const kept, ours = "a=b", "__Host-Http-gatehouse=v"
	for _, lines := range [][]string{{kept + "; " + ours}, {ours, kept}, {kept, ours}} {
		out := edit(t, Decision{}, http.Header{"Cookie": lines}) // which sees to it that the client's stay
		if diff := cmp.Diff(http.Header{"Cookie": {kept}}, out); diff != "" {
			t.Errorf("%q: %s", lines, diff)
		}
	}
}

func TestRequest_passes_authorization_on_none_routes_only(t *testing.T) {
	for auth, want := range map[routing.Auth]string{routing.AuthSession: "", routing.AuthOptional: "", routing.AuthNone: "Basic mine"} {
		out := edit(t, Decision{Route: &routing.Route{Access: routing.Access{Auth: auth}}}, http.Header{"Authorization": {"Basic mine"}})
		if got := out.Get("Authorization"); got != want {
			t.Errorf("auth %d: Authorization is %q, want %q", auth, got, want)
		}
	}
}

func TestRequest_keeps_what_a_trusted_peer_says_in_trusted_headers(t *testing.T) {
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
	in := http.Header{
		"Forwarded": {"for=1.1.1.1"}, "X-Forwarded-For": {"1.1.1.1", "2.2.2.2"},
		// The host that was judged goes on, whatever the header says.
		"X-Forwarded-Host":  {"front.example, evil.example"},
		"X-Forwarded-Proto": {"https"}, "X-Forwarded-Port": {"443"}, "X-Forwarded-Prefix": {"/p"}, "X-Forwarded-Server": {"s"},
		"X-Real-Ip": {"1.1.1.1"}, "True-Client-Ip": {"1.1.1.1"}, "X-Request-Id": {"theirs"}, "Traceparent": {trace}, "Tracestate": {"a=b"},
		"X-Forwarded-User": {"evil"}, "X-Original-Url": {"/evil"}, "X-Auth-Subject": {"evil"}, "X_Real_IP": {"evil"},
	}
	told := http.Header{
		"X-Forwarded-For": {"1.1.1.1"}, "X-Forwarded-Host": {"app.example"}, "X-Forwarded-Proto": {"http"}, "X-Request-Id": {"kept-id"},
	}
	for name, test := range map[string]struct {
		trusted []string
		want    http.Header
	}{
		"none": {nil, nil},
		"by default": {[]string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Request-Id", "traceparent"}, http.Header{
			"X-Forwarded-For": {"1.1.1.1, 2.2.2.2, 203.0.113.9"}, "X-Forwarded-Proto": {"https"}, "Traceparent": {trace}, "Tracestate": {"a=b"},
		}},
		"the others": {[]string{"forwarded", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Server", "X-Real-IP", "True-Client-IP"}, http.Header{
			"Forwarded": {"for=1.1.1.1"}, "X-Forwarded-Port": {"443"}, "X-Forwarded-Prefix": {"/p"}, "X-Forwarded-Server": {"s"},
			"X-Real-Ip": {"1.1.1.1"}, "True-Client-Ip": {"1.1.1.1"},
		}},
	} {
		policy := newHeaderPolicy(Options{TrustedHeaders: test.trusted})
		d := Decision{Route: &routing.Route{}, TrustedPeer: true, Client: "1.1.1.1", Host: "app.example", Proto: "http", RequestID: "kept-id"}
		out := policy.request(&http.Request{Header: in, RemoteAddr: "203.0.113.9:4711"}, &d)
		delete(out, "User-Agent")
		want := told.Clone()
		for header, values := range test.want {
			want[header] = values
		}
		if want["Traceparent"] == nil {
			delete(out, "Traceparent")
		}
		if diff := cmp.Diff(want, out); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestRequest_starts_a_trace_unless_a_trusted_peer_has(t *testing.T) {
	valid := regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-01$`)
	const theirs = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for name, test := range map[string]struct {
		trusted bool
		in      []string
	}{
		"none":               {false, nil},
		"of a client":        {false, []string{theirs}},
		"repeated":           {true, []string{theirs, theirs}},
		"zero trace id":      {true, []string{"00-00000000000000000000000000000000-b7ad6b7169203331-01"}},
		"zero parent id":     {true, []string{"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"}},
		"upper case":         {true, []string{strings.ToUpper(theirs)}},
		"too short":          {true, []string{theirs[:54]}},
		"a version to come":  {true, []string{"01" + theirs[2:]}},
		"something else":     {true, []string{strings.Repeat("x", 55)}},
		"trusted but absent": {true, nil},
	} {
		in := http.Header{"Traceparent": test.in, "Tracestate": {"a=b"}}
		out := policy.request(&http.Request{Header: in}, &Decision{Route: &routing.Route{}, TrustedPeer: test.trusted})
		got := out.Get("Traceparent")
		if !valid.MatchString(got) || got == theirs || !validTraceparent(got) {
			t.Errorf("%s: traceparent %q", name, got)
		}
		if out.Get("Tracestate") != "" {
			t.Errorf("%s: tracestate without its traceparent", name)
		}
	}
}

func BenchmarkRequestHeader(b *testing.B) {
	in := browserHeaders()
	d := &Decision{
		Route: &routing.Route{}, Bearer: secret.NewText("Bearer " + strings.Repeat("t", 1024)),
		RequestID: "id", Proto: "https", Host: "app.example", Client: "192.0.2.1",
	}
	r := &http.Request{Header: in}
	b.ReportAllocs()
	for b.Loop() {
		d.values = values{}
		policy.request(r, d)
	}
}

// browserHeaders are what a browser sends with a call of its own page.
func browserHeaders() http.Header {
	return http.Header{
		"Accept": {"application/json"}, "Accept-Encoding": {"gzip, deflate, br, zstd"}, "Accept-Language": {"en-GB,en;q=0.9"},
		"Cookie":  {"theme=dark; __Host-Http-gatehouse=" + strings.Repeat("c", 204) + "; lang=en"},
		"Referer": {"https://app.example/orders"}, "Sec-Fetch-Dest": {"empty"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Site": {"same-origin"},
		"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"},
	}
}

// request returns what the upstream gets.
func (p *headerPolicy) request(in *http.Request, d *Decision) http.Header {
	out := make(http.Header)
	p.fill(out, in, d)
	return out
}
