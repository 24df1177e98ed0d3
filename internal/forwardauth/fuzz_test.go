package forwardauth_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/forwardauth"
)

// FuzzRead: what is read has all its members, in one piece each, and is what was said.
func FuzzRead(f *testing.F) {
	f.Add("GET", "https", "app.example", "/a?b")
	f.Add("POST", "wss", "app.example:8443", "/")
	f.Add("GET,POST", "https,http", "evil.test, app.example", "/a /b")
	f.Add("", "HTTP", "a/b", "*")
	f.Add("GET", "https", "app.example", "//evil.test/")
	f.Fuzz(func(t *testing.T, method, scheme, host, uri string) {
		for family, h := range map[forwardauth.Family]http.Header{
			forwardauth.Forwarded: {"X-Forwarded-Method": {method}, "X-Forwarded-Proto": {scheme}, "X-Forwarded-Host": {host}, "X-Forwarded-Uri": {uri}},
			forwardauth.Original:  {"X-Original-Method": {method}, "X-Original-Url": {scheme + "://" + host + uri}},
		} {
			r, err := family.Read(h)
			if err != nil {
				continue
			}
			whole := r.Host + r.URI
			if r.Method != method || r.Scheme != "http" && r.Scheme != "https" || r.URI == "" || strings.ContainsAny(r.Method+whole, " \t") {
				t.Errorf("read %+v of %q, %q, %q, %q", r, method, scheme, host, uri)
			}
			if !strings.HasSuffix(scheme+"://"+host+uri, whole) || r.WebSocket != strings.HasPrefix(scheme, "ws") {
				t.Errorf("read %+v of %q, %q, %q, %q", r, method, scheme, host, uri)
			}
		}
	})
}
