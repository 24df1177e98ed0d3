package middleware_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/middleware"
)

func TestClientAddress(t *testing.T) {
	for name, c := range map[string]struct {
		peer      string
		forwarded []string
		trusted   []string
		want      string
		believed  bool
	}{
		"is_the_peers":                            {"192.0.2.1:1", nil, nil, "192.0.2.1", false},
		"is_the_peers_whatever_it_forwards":       {"192.0.2.1:1", []string{"203.0.113.9"}, nil, "192.0.2.1", false},
		"is_an_untrusted_peers_beside_trust":      {"192.0.2.1:1", []string{"203.0.113.9"}, []string{"10.0.0.0/8"}, "192.0.2.1", false},
		"is_what_a_trusted_proxy_says":            {"10.0.0.1:1", []string{"203.0.113.9"}, []string{"10.0.0.0/8"}, "203.0.113.9", true},
		"is_the_last_untrusted_hop":               {"10.0.0.1:1", []string{"1.1.1.1, 203.0.113.9, 10.0.0.2"}, []string{"10.0.0.0/8"}, "203.0.113.9", true},
		"lines_are_one_chain":                     {"10.0.0.1:1", []string{"1.1.1.1", "203.0.113.9"}, []string{"10.0.0.0/8"}, "203.0.113.9", true},
		"is_the_proxys_if_it_says_nothing":        {"10.0.0.1:1", nil, []string{"10.0.0.0/8"}, "10.0.0.1", true},
		"is_the_proxys_if_what_it_says_is_noise":  {"10.0.0.1:1", []string{"1.1.1.1, <script>"}, []string{"10.0.0.0/8"}, "10.0.0.1", true},
		"has_no_port":                             {"10.0.0.1:1", []string{"203.0.113.7:54321"}, []string{"10.0.0.0/8"}, "203.0.113.7", true},
		"has_none_behind_a_proxy_either":          {"10.0.0.1:1", []string{"6.6.6.6, 203.0.113.7:54321, 10.0.0.2:80"}, []string{"10.0.0.0/8"}, "203.0.113.7", true},
		"of_ipv6_has_none":                        {"10.0.0.1:1", []string{"[2001:db8::7]:443"}, []string{"10.0.0.0/8"}, "2001:db8::7", true},
		"of_ipv6_has_none_in_quotes":              {"10.0.0.1:1", []string{`"[2001:db8::7]:443"`}, []string{"10.0.0.0/8"}, "2001:db8::7", true},
		"of_ipv6_has_no_brackets":                 {"10.0.0.1:1", []string{"[2001:db8::7]"}, []string{"10.0.0.0/8"}, "2001:db8::7", true},
		"of_ipv6_is_taken_bare":                   {"10.0.0.1:1", []string{"2001:db8::7"}, []string{"10.0.0.0/8"}, "2001:db8::7", true},
		"of_ipv4_in_ipv6_is_ipv4":                 {"10.0.0.1:1", []string{"[::ffff:203.0.113.7]:1"}, []string{"10.0.0.0/8"}, "203.0.113.7", true},
		"is_the_farthest_of_a_chain_in_the_house": {"10.0.0.1:1", []string{"10.0.0.9, 10.0.0.2"}, []string{"10.0.0.0/8"}, "10.0.0.9", true},
		"empty_entries_are_none":                  {"10.0.0.1:1", []string{"203.0.113.9, ,", ""}, []string{"10.0.0.0/8"}, "203.0.113.9", true},
		"is_the_proxys_if_a_port_is_noise":        {"10.0.0.1:1", []string{"203.0.113.9:x"}, []string{"10.0.0.0/8"}, "10.0.0.1", true},
		"is_the_proxys_if_it_says_unknown":        {"10.0.0.1:1", []string{"203.0.113.9, unknown"}, []string{"10.0.0.0/8"}, "10.0.0.1", true},
		"is_ipv6_without_its_brackets":            {"[2001:db8::1]:1", nil, nil, "2001:db8::1", false},
		"is_none_if_there_is_none":                {"@", nil, []string{"10.0.0.0/8"}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := request("GET", "/")
			r.RemoteAddr = c.peer
			if c.forwarded != nil {
				r.Header["X-Forwarded-For"] = c.forwarded
			}
			_, l := record(t, r, func(_ http.ResponseWriter, _ *http.Request, x *middleware.Exchange) error {
				if x.Decision.Client != c.want || x.Decision.TrustedPeer != c.believed {
					t.Errorf("client %q, trusted %v", x.Decision.Client, x.Decision.TrustedPeer)
				}
				return nil
			}, trust(c.trusted...))
			if got, _ := l.one(t)["client"].(string); got != c.want {
				t.Errorf("logged %q", got)
			}
		})
	}
}

// A header that trusted_headers does not name is nobody's word.
func TestUntrustedHeaders(t *testing.T) {
	r := request("GET", "/", "X-Forwarded-For: 203.0.113.9", "X-Request-Id: theirs", "X-Forwarded-Host: other.example")
	r.RemoteAddr = "10.0.0.1:1"
	_, _ = record(t, r, func(_ http.ResponseWriter, _ *http.Request, x *middleware.Exchange) error {
		if d := x.Decision; d.Client != "10.0.0.1" || d.RequestID == "theirs" || x.Asked != ownHost || !d.TrustedPeer {
			t.Errorf("client %s, request id %s, host %s", d.Client, d.RequestID, x.Asked)
		}
		return nil
	}, trust("10.0.0.0/8"), func(rec *middleware.Record) { rec.Trust.Headers = nil })
}

func TestForwardedHost(t *testing.T) {
	g := newGuard("https://app.example", "other.example")
	const house, client = "10.0.0.1:1", "198.51.100.1:1"
	believe := func(rec *middleware.Record) { rec.Trust.Headers = append(rec.Trust.Headers, "x-forwarded-host") }
	doubt := func(*middleware.Record) {}
	for name, c := range map[string]struct {
		peer, host, addresses string
		forwarded             []string
		headers               func(*middleware.Record)
		want                  string // "" is misdirected
	}{
		"a_trusted_proxys_word_counts":            {house, "gateway:8080", "1.1.1.1", []string{"other.example"}, believe, "other.example"},
		"in_any_case_and_with_a_default_port":     {house, "gateway:8080", "1.1.1.1", []string{"APP.example:443"}, believe, "app.example"},
		"a_foreign_one_is_refused":                {house, "app.example", "1.1.1.1", []string{"evil.example"}, believe, ""},
		"unless_it_is_trusted_it_does_not_count":  {house, "app.example", "1.1.1.1", []string{"other.example"}, doubt, "app.example"},
		"nor_open_another_host":                   {house, "admin.example", "1.1.1.1", []string{"app.example"}, doubt, ""},
		"nobody_elses_counts":                     {client, "app.example", "", []string{"other.example"}, believe, "app.example"},
		"nobody_else_opens_a_host_with_it":        {client, "evil.example", "", []string{"app.example"}, believe, ""},
		"an_empty_one_counts_for_nothing":         {house, "app.example", "", []string{""}, believe, "app.example"},
		"without_one_the_proxys_host_is_asked":    {house, "app.example", "", nil, believe, "app.example"},
		"of_a_list_the_nearest_proxys_counts":     {house, "gateway", "1.1.1.1", []string{"evil.example, other.example"}, believe, "other.example"},
		"lines_are_one_list":                      {house, "gateway", "1.1.1.1", []string{"evil.example", "other.example"}, believe, "other.example"},
		"behind_two_proxies_that_of_the_first":    {house, "gateway", "6.6.6.6, 1.1.1.1, 10.0.0.2", []string{"evil.example, other.example, inner.example"}, believe, "other.example"},
		"a_client_cannot_shift_it":                {house, "gateway", "10.0.0.9, 1.1.1.1, 10.0.0.2", []string{"evil.example, other.example, inner.example"}, believe, "other.example"},
		"a_proxy_that_adds_none_passes_it_on":     {house, "gateway", "1.1.1.1, 10.0.0.2", []string{"other.example"}, believe, "other.example"},
		"without_addresses_the_last_one_is_asked": {house, "gateway", "", []string{"evil.example, other.example"}, believe, "other.example"},
	} {
		t.Run(name, func(t *testing.T) {
			r := request("GET", "/")
			r.RemoteAddr, r.Host = c.peer, c.host
			r.Header["X-Forwarded-Host"] = c.forwarded
			if c.addresses != "" {
				r.Header.Set("X-Forwarded-For", c.addresses)
			}
			decided := ""
			w, _ := record(t, r, middleware.Chain(func(_ http.ResponseWriter, _ *http.Request, x *middleware.Exchange) error {
				decided = x.Decision.Host
				return nil
			}, g.Middleware), trust("10.0.0.0/8"), c.headers)
			if decided != c.want || (decided == "") != (w.Code == http.StatusMisdirectedRequest) {
				t.Errorf("judged as %q, answer %d", decided, w.Code)
			}
		})
	}
}

func TestMisdirectedSaysWhy(t *testing.T) {
	g := newGuard("https://app.example:8443")
	for name, c := range map[string]struct {
		peer, host, forwarded string
		want                  []string
	}{
		"the_port_got_lost": {"10.0.0.1:1", "app.example", "", []string{`Host is "app.example"`, "$http_host"}},
		"nobody_trusts_it":  {"192.0.2.1:1", "gateway", "app.example:8443", []string{`Host is "gateway"`, `X-Forwarded-Host "app.example:8443"`, "192.0.2.1 is not in trusted_proxies"}},
		"it_is_not_named":   {"10.0.0.1:1", "gateway", "app.example:8443", []string{`X-Forwarded-Host "app.example:8443"`, "trusted_headers does not name it"}},
		"it_is_foreign":     {"10.0.0.1:1", "evil.example", "", []string{`"evil.example" is neither that of public_url nor in allowed_hosts`}},
	} {
		t.Run(name, func(t *testing.T) {
			r := request("GET", "/")
			r.RemoteAddr, r.Host = c.peer, c.host
			if c.forwarded != "" {
				r.Header.Set("X-Forwarded-Host", c.forwarded)
			}
			_, l := record(t, r, middleware.Chain(answered, g.Middleware), trust("10.0.0.0/8"))
			text, _ := l.one(t)["error"].(string)
			for _, want := range c.want {
				if !strings.Contains(text, want) {
					t.Errorf("the log says %q, not %q", text, want)
				}
			}
		})
	}
}
