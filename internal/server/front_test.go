package server_test

import (
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// asked sends a request to the gateway as a front would, and returns the answer's
// status.
func (r *rig) asked(t *testing.T, host string, headers http.Header) int {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, r.url+"/open", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	for name, values := range headers {
		req.Header[name] = values
	}
	res, err := r.transport().RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// The front passes on what its client says, as nginx does unless told otherwise.
func TestFrontThatPassesHeadersOn(t *testing.T) {
	const admin = "admin.example.com"
	r := newRig(t, func(doc map[string]any) {
		doc["trusted_proxies"] = []string{"127.0.0.0/8"}
		doc["routes"] = []any{
			map[string]any{"path": "/", "upstream": doc["routes"].([]any)[2].(map[string]any)["upstream"], "auth": "none"},
		}
	})
	public, err := url.Parse(r.url)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.asked(t, admin, http.Header{"X-Forwarded-Host": {public.Host}}); got != http.StatusMisdirectedRequest || r.seen.count() != 0 {
		t.Errorf("a foreign Host beside a forwarded one of ours: %d, and %d requests reached the API", got, r.seen.count())
	}
	until(t, "the log to say why", func() bool {
		log := r.logs.String()
		return strings.Contains(log, admin) && strings.Contains(log, "trusted_headers does not name it")
	})
	if got := r.asked(t, public.Host, http.Header{
		"X-Forwarded-Host": {admin}, "X-Forwarded-Port": {"1"}, "X-Forwarded-Prefix": {"/evil"}, "X-Forwarded-Server": {"evil"},
		"X-Real-Ip": {"6.6.6.6"}, "True-Client-Ip": {"6.6.6.6"}, "Forwarded": {"for=6.6.6.6"}, "X-Forwarded-For": {"203.0.113.7:54321"},
	}); got != http.StatusOK {
		t.Fatalf("answer %d", got)
	}
	seen := r.seen.last(t)
	if seen.Host != public.Host || seen.Header.Get("X-Forwarded-Host") != public.Host {
		t.Errorf("judged as %s, forwarded as %s with X-Forwarded-Host %s", public.Host, seen.Host, seen.Header.Get("X-Forwarded-Host"))
	}
	for _, name := range []string{"X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Server", "X-Real-Ip", "True-Client-Ip", "Forwarded"} {
		if v, ok := seen.Header[name]; ok {
			t.Errorf("the API is told %s: %q", name, v)
		}
	}
	until(t, "the caller's address in the log", func() bool { return strings.Contains(r.logs.String(), `"client":"203.0.113.7"`) })
	if got := r.asked(t, net.JoinHostPort(public.Hostname(), public.Port())+":443", nil); got != http.StatusBadRequest {
		t.Errorf("a Host with two ports: %d", got)
	}
}

// A front that puts the browser's host into X-Forwarded-Host has to be believed in it.
func TestFrontThatNamesTheHost(t *testing.T) {
	r := newRig(t, func(doc map[string]any) {
		doc["trusted_proxies"] = []string{"127.0.0.0/8"}
		doc["trusted_headers"] = []string{"X-Forwarded-For", "X-Forwarded-Host"}
	})
	public, err := url.Parse(r.url)
	if err != nil {
		t.Fatal(err)
	}
	headers := http.Header{"X-Forwarded-For": {"6.6.6.6, 203.0.113.7"}, "X-Forwarded-Host": {"evil.test, " + public.Host}}
	if got := r.asked(t, "gateway:8080", headers); got != http.StatusOK {
		t.Fatalf("answer %d: %s", got, r.logs.String())
	}
	if seen := r.seen.last(t); seen.Host != public.Host || seen.Header.Get("X-Forwarded-Host") != public.Host {
		t.Errorf("forwarded as %s with X-Forwarded-Host %s", seen.Host, seen.Header.Get("X-Forwarded-Host"))
	}
	headers.Set("X-Forwarded-Host", public.Host+", evil.test")
	if got := r.asked(t, public.Host, headers); got != http.StatusMisdirectedRequest {
		t.Errorf("a foreign host, named by the front: %d", got)
	}
}
