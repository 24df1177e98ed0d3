package cognitoemu

import (
	"net/http"
	"strings"
	"testing"
)

// scripted are the endpoints that pages call by script, and how.
var scripted = []struct{ method, path, target string }{
	{"POST", "/oauth2/token", ""},
	{"POST", "/oauth2/revoke", ""},
	{"GET", "/oauth2/userInfo", ""},
	{"POST", "/", "AWSCognitoIdentityProviderService.InitiateAuth"},
	{"GET", "/" + DefaultPoolID + "/.well-known/jwks.json", ""},
	{"GET", "/" + DefaultPoolID + "/.well-known/openid-configuration", ""},
}

func TestScripts_of_this_machine_and_of_named_origins_may_call(t *testing.T) {
	f := newFixture(t, func(o *Options) {
		o.PagesURL = o.APIURL // one host for all
		o.Keys = nil
		o.AllowedOrigins = []string{"https://app.dev.example", "http://Intra.example:80"}
	})
	for origin, want := range map[string]bool{
		"http://localhost:5173": true, "https://localhost": true, "http://127.0.0.1:3000": true, "http://127.9.8.7": true,
		"http://[::1]:8080": true, "http://shop.localhost:5173": true, "https://app.dev.example": true, "http://intra.example": true,
		"": false, "null": false, "*": false, "https://evil.example": false, "http://localhost.evil.example": false,
		"http://127.0.0.1.evil.example": false, "http://localhost@evil.example": false, "http://evil.example#localhost": false,
		"http://app.dev.example": false, "https://app.dev.example:8443": false, "https://x.app.dev.example": false,
		"http://10.0.0.1:5173": false, "file://": false, "http://notlocalhost:5173": false, "chrome-extension://localhost": false,
	} {
		for _, at := range scripted {
			got := f.scripted(at.method, at.path, origin, at.target)
			allowed := got.header.Get("Access-Control-Allow-Origin")
			if (allowed == origin && origin != "") != want || !want && allowed != "" || !strings.Contains(got.header.Get("Vary"), "Origin") {
				t.Errorf("%s %s from %q: allowed %q, Vary %q", at.method, at.path, origin, allowed, got.header.Get("Vary"))
			}
			if strings.HasPrefix(at.path, "/"+DefaultPoolID) {
				continue // no script needs more than a plain GET
			}
			preflight := f.scripted("OPTIONS", at.path, origin, "")
			if (preflight.status == http.StatusOK) != want || (preflight.header.Get("Access-Control-Allow-Methods") == at.method) != want {
				t.Errorf("preflight for %s %s from %q: %d, %v", at.method, at.path, origin, preflight.status, preflight.header)
			}
		}
	}
}

// scripted is a request as a page's script makes it.
func (f *fixture) scripted(method, path, origin, target string) answer {
	f.Helper()
	r, err := http.NewRequest(method, f.idp+path, strings.NewReader("{}"))
	if err != nil {
		f.Fatal(err)
	}
	for name, value := range map[string]string{"Origin": origin, "X-Amz-Target": target} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	if method == http.MethodOptions {
		r.Header.Set("Access-Control-Request-Method", "POST")
	}
	return f.do(r)
}

func TestOptions_refuse_an_origin_that_is_none(t *testing.T) {
	for _, origin := range []string{"*", "app.dev.example", "https://*.dev.example", "https://app.dev.example/", "ftp://app.dev.example", ""} {
		opts := Options{PagesURL: "http://127.0.0.1:1", APIURL: "http://localhost:1", AllowedOrigins: []string{origin}}
		if _, err := New(opts); err == nil || !strings.Contains(err.Error(), "allowed origin") {
			t.Errorf("%q: %v", origin, err)
		}
	}
}
