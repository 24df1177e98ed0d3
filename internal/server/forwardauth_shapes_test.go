package server_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// shape is how a front that no test runs makes a question of a browser's request, and which
// headers of the answer it passes on to the API.
type shape struct {
	ask  func(r *http.Request) *http.Request
	told func(name string) bool
}

// TestForwardAuthShapes plays the fronts that no test runs, by their pages in
// docs/forward-auth.
func TestForwardAuthShapes(t *testing.T) {
	for name, read := range map[string]func(t *testing.T) shape{"Traefik": traefik, "Envoy": envoy} {
		t.Run(name, func(t *testing.T) {
			f := newFronted(t, "/", askingPage(t, "haproxy", "yaml"))
			listening(t, f.verify)
			s := read(t)
			alone := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			b := f.visitorOfTheGateway()
			question := func(method, path, origin string, metadata ...string) *http.Response {
				t.Helper()
				req := b.request(method, f.url+path, nil)
				if origin != "" {
					req.Header.Set("Origin", origin)
				}
				if len(metadata) > 0 {
					b.metadata(req, metadata[0], metadata[1], metadata[2])
				}
				req.Header.Set("X-Forwarded-Uri", "/") // a client's
				req.Header.Set("X-Auth-Subject", "evil")
				for _, c := range b.http.Jar.Cookies(req.URL) {
					req.AddCookie(c)
				}
				ask := s.ask(req)
				ask.URL.Host = f.verify
				res, err := alone.Do(ask)
				if err != nil {
					t.Fatal(err)
				}
				_ = res.Body.Close()
				return res
			}
			login := f.url + "/auth/login?return_to=" + url.QueryEscape("/api/orders?page=2&mode=x")
			const orders = "/api/orders?page=2&mode=x"
			if res := question("GET", orders, "", "same-origin", "cors", "empty"); res.StatusCode != 401 || res.Header.Get("X-Auth-Login-Url") != login {
				t.Errorf("a call of nobody's: %d %v", res.StatusCode, res.Header)
			}
			if res := question("GET", orders, "", "none", "navigate", "document"); res.StatusCode != 302 || res.Header.Get("Location") != login {
				t.Errorf("a page load of nobody's: %d %v", res.StatusCode, res.Header)
			}
			b.signIn("alice@example.com", "/")
			for _, method := range []string{"GET", "PUT", "DELETE"} {
				res := question(method, "/api/orders/a%20b?page=2", f.url, "same-origin", "cors", "empty")
				if res.StatusCode != 200 || res.Header.Get("X-Auth-Groups") != "admins,staff" || !s.told("X-Auth-Groups") {
					t.Errorf("a %s: %d %v", method, res.StatusCode, res.Header)
				}
				if len(f.issued.findTokens(res.Header.Get("Authorization"))) == 0 || !s.told("Authorization") {
					t.Errorf("a %s comes without a token", method)
				}
			}
			for _, name := range []string{"X-Auth-Subject", "X-Auth-Username", "X-Auth-Email", "X-Auth-Groups", "Authorization"} {
				if res := question("GET", "/orders", "", "same-origin", "cors", "empty"); res.StatusCode != 200 || len(res.Header[name]) != 1 || res.Header.Get(name) != "" || !s.told(name) {
					t.Errorf("a call that anybody may make: %d, %s is %q", res.StatusCode, name, res.Header[name])
				}
			}
			if res := question("POST", "/api/orders", "https://evil.test", "cross-site", "cors", "empty"); res.StatusCode != 403 {
				t.Errorf("a call of another site: %d", res.StatusCode)
			}
			if res := question("OPTIONS", "/orders/../api/orders", f.url, "same-origin", "cors", "empty"); res.StatusCode != 403 && res.StatusCode != 400 {
				t.Errorf("a path with dots: %d", res.StatusCode)
			}
		})
	}
}

// visitorOfTheGateway is a browser without a front between.
func (f *fronted) visitorOfTheGateway() *browser {
	b := f.browser()
	b.http.Transport = plainly{b.http.Transport, f}
	return b
}

// plainly sends what goes to the gateway's own address to where it listens, in plain http,
// as the front would.
type plainly struct {
	other http.RoundTripper
	f     *fronted
}

func (p plainly) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != host(p.f.url) {
		return p.other.RoundTrip(r)
	}
	to := r.Clone(r.Context())
	to.URL.Scheme, to.URL.Host, to.Host = "http", p.f.gateway, r.URL.Host
	return p.other.RoundTrip(to)
}

// traefik asks by GET, with all headers of the request but those of one connection, and its
// own in the place of X-Forwarded-*.
func traefik(t *testing.T) shape {
	t.Helper()
	var page struct {
		HTTP struct {
			Middlewares struct {
				Gatehouse struct {
					ForwardAuth struct {
						Address             string
						AuthResponseHeaders []string `yaml:"authResponseHeaders"`
					} `yaml:"forwardAuth"`
				}
			}
		}
	}
	if err := yaml.Unmarshal([]byte(askingPage(t, "traefik", "yaml")), &page); err != nil {
		t.Fatal(err)
	}
	auth := page.HTTP.Middlewares.Gatehouse.ForwardAuth
	return shape{
		ask: func(r *http.Request) *http.Request {
			ask, err := http.NewRequest(http.MethodGet, auth.Address, nil)
			if err != nil {
				t.Fatal(err)
			}
			ask.Header = r.Header.Clone()
			ask.Header.Set("X-Forwarded-Method", r.Method)
			ask.Header.Set("X-Forwarded-Proto", "https")
			ask.Header.Set("X-Forwarded-Host", r.Host)
			ask.Header.Set("X-Forwarded-Uri", r.URL.RequestURI())
			ask.Header.Set("X-Forwarded-For", visitorAddress)
			return ask
		},
		told: func(name string) bool { return strings.Contains(strings.Join(auth.AuthResponseHeaders, " "), name) },
	}
}

// pattern is one of Envoy's StringMatchers.
type pattern struct{ Exact, Prefix string }

func (p pattern) matches(name string) bool {
	name = strings.ToLower(name)
	return p.Exact == name || p.Prefix != "" && strings.HasPrefix(name, p.Prefix)
}

type patterns struct{ Patterns []pattern }

func (p patterns) match(name string) bool {
	for _, one := range p.Patterns {
		if one.matches(name) {
			return true
		}
	}
	return false
}

// envoy asks by the method of the request, for its host, with its path behind a prefix, an
// empty body, the headers that are allowed, and those that are added.
func envoy(t *testing.T) shape {
	t.Helper()
	var filters []struct {
		Config struct {
			AllowedHeaders patterns `yaml:"allowed_headers"`
			Service        struct {
				PathPrefix string `yaml:"path_prefix"`
				Request    struct {
					Add []struct{ Key, Value string } `yaml:"headers_to_add"`
				} `yaml:"authorization_request"`
				Response struct {
					Upstream patterns `yaml:"allowed_upstream_headers"`
				} `yaml:"authorization_response"`
			} `yaml:"http_service"`
		} `yaml:"typed_config"`
	}
	if err := yaml.Unmarshal([]byte(askingPage(t, "envoy", "yaml")), &filters); err != nil || len(filters) != 1 {
		t.Fatalf("%d filters, %v", len(filters), err)
	}
	config := filters[0].Config
	return shape{
		ask: func(r *http.Request) *http.Request {
			ask, err := http.NewRequest(r.Method, "http://gateway", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			ask.URL.Opaque = "//gateway" + config.Service.PathPrefix + r.URL.RequestURI()
			ask.Host = r.Host
			for name, values := range r.Header {
				if config.AllowedHeaders.match(name) {
					ask.Header[name] = values
				}
			}
			ask.Header.Set("Content-Length", "0")
			values := strings.NewReplacer("%REQ(:METHOD)%", r.Method, "%REQ(:AUTHORITY)%", r.Host, "%REQ(:PATH)%", r.URL.RequestURI())
			for _, add := range config.Service.Request.Add {
				ask.Header.Set(add.Key, values.Replace(add.Value))
			}
			return ask
		},
		told: config.Service.Response.Upstream.match,
	}
}
