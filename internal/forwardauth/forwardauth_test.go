package forwardauth_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/forwardauth"
)

// described makes headers of lines "Name: value".
func described(lines ...string) http.Header {
	h := http.Header{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
	return h
}

var (
	forwarded = []string{"X-Forwarded-Method: POST", "X-Forwarded-Proto: https", "X-Forwarded-Host: app.example:8443", "X-Forwarded-Uri: /a,b?c=/d"}
	original  = []string{"X-Original-Method: POST", "X-Original-URL: https://app.example:8443/a,b?c=/d"}
	foreign   = []string{"X-Original-Method: GET", "X-Original-URL: http://evil.test/"}
	same      = forwardauth.Request{Method: "POST", Scheme: "https", Host: "app.example:8443", URI: "/a,b?c=/d"}
)

func TestRead(t *testing.T) {
	for name, c := range map[string]struct {
		family forwardauth.Family
		lines  []string
	}{
		"forwarded":                  {forwardauth.Forwarded, forwarded},
		"forwarded_beside_another":   {forwardauth.Forwarded, append(foreign, forwarded...)},
		"original":                   {forwardauth.Original, original},
		"original_beside_forwarded":  {forwardauth.Original, append([]string{"X-Forwarded-Host: evil.test", "X-Forwarded-Uri: /"}, original...)},
		"original_beside_many_lines": {forwardauth.Original, append([]string{"X-Forwarded-Uri: /", "X-Forwarded-Uri: /"}, original...)},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := c.family.Read(described(c.lines...)); err != nil || got != same {
				t.Errorf("read %+v, %v", got, err)
			}
		})
	}
}

func TestRead_refuses(t *testing.T) {
	for name, c := range map[string]struct {
		family forwardauth.Family
		from   []string
		member string // of from, which is replaced
		by     []string
		why    string
	}{
		"no_method":                {forwardauth.Forwarded, forwarded, "X-Forwarded-Method", nil, "X-Forwarded-Method is missing"},
		"no_proto":                 {forwardauth.Forwarded, forwarded, "X-Forwarded-Proto", nil, "X-Forwarded-Proto is missing"},
		"no_host":                  {forwardauth.Forwarded, forwarded, "X-Forwarded-Host", nil, "X-Forwarded-Host is missing"},
		"no_uri":                   {forwardauth.Forwarded, forwarded, "X-Forwarded-Uri", nil, "X-Forwarded-Uri is missing"},
		"an_empty_uri":             {forwardauth.Forwarded, forwarded, "X-Forwarded-Uri", []string{"X-Forwarded-Uri: "}, "X-Forwarded-Uri is missing"},
		"two_uris":                 {forwardauth.Forwarded, forwarded, "X-Forwarded-Uri", []string{"X-Forwarded-Uri: /a", "X-Forwarded-Uri: /a"}, "X-Forwarded-Uri is repeated"},
		"two_uris_in_a_line":       {forwardauth.Forwarded, forwarded, "X-Forwarded-Uri", []string{"X-Forwarded-Uri: /a, /b"}, "X-Forwarded-Uri has a space"},
		"an_empty_uri_and_another": {forwardauth.Forwarded, forwarded, "X-Forwarded-Uri", []string{"X-Forwarded-Uri: ", "X-Forwarded-Uri: /a"}, "X-Forwarded-Uri is repeated"},
		"two_hosts":                {forwardauth.Forwarded, forwarded, "X-Forwarded-Host", []string{"X-Forwarded-Host: a", "X-Forwarded-Host: a"}, "X-Forwarded-Host is repeated"},
		"two_hosts_in_a_line":      {forwardauth.Forwarded, forwarded, "X-Forwarded-Host", []string{"X-Forwarded-Host: evil.test,app.example"}, "X-Forwarded-Host is repeated"},
		"two_methods_in_a_line":    {forwardauth.Forwarded, forwarded, "X-Forwarded-Method", []string{"X-Forwarded-Method: GET,POST"}, "X-Forwarded-Method is repeated"},
		"two_protos_in_a_line":     {forwardauth.Forwarded, forwarded, "X-Forwarded-Proto", []string{"X-Forwarded-Proto: https,http"}, "X-Forwarded-Proto is repeated"},
		"another_proto":            {forwardauth.Forwarded, forwarded, "X-Forwarded-Proto", []string{"X-Forwarded-Proto: HTTPS"}, "X-Forwarded-Proto names neither"},
		"the_other_family_only":    {forwardauth.Forwarded, original, "", nil, "is missing"},
		"no_original_method":       {forwardauth.Original, original, "X-Original-Method", nil, "X-Original-Method is missing"},
		"no_original_url":          {forwardauth.Original, original, "X-Original-URL", nil, "X-Original-Url is missing"},
		"two_original_urls":        {forwardauth.Original, original, "X-Original-URL", []string{"X-Original-URL: https://a/", "X-Original-URL: https://a/"}, "X-Original-Url is repeated"},
		"a_path_only":              {forwardauth.Original, original, "X-Original-URL", []string{"X-Original-URL: /a"}, "is not SCHEME://HOST/PATH"},
		"a_url_without_a_path":     {forwardauth.Original, original, "X-Original-URL", []string{"X-Original-URL: https://a?b"}, "is not SCHEME://HOST/PATH"},
		"a_url_of_another_scheme":  {forwardauth.Original, original, "X-Original-URL", []string{"X-Original-URL: file://a/"}, "X-Original-Url names neither"},
		"forwarded_where_original": {forwardauth.Original, forwarded, "", nil, "is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			var lines []string
			for _, line := range c.from {
				if c.member == "" || !strings.HasPrefix(line, c.member+":") {
					lines = append(lines, line)
				}
			}
			if got, err := c.family.Read(described(append(lines, c.by...)...)); err == nil || !strings.Contains(err.Error(), c.why) {
				t.Errorf("read %+v, %v; want %q", got, err, c.why)
			}
		})
	}
}

// A handshake is one however the front passes it on, and the front's description is none
// of the request's own headers.
func TestHeaders(t *testing.T) {
	for name, c := range map[string]struct {
		lines   []string
		upgrade string
	}{
		"a_call":                         {nil, ""},
		"a_handshake_with_its_upgrade":   {[]string{"Upgrade: websocket"}, "websocket"},
		"a_handshake_by_its_key":         {[]string{"Sec-WebSocket-Key: x"}, "websocket"},
		"a_handshake_by_its_scheme":      {[]string{"X-Forwarded-Proto: wss"}, "websocket"},
		"another_upgrade_is_passed_on":   {[]string{"Upgrade: h2c"}, "h2c"},
		"an_upgrade_does_not_hide_a_key": {[]string{"Upgrade: h2c", "Sec-WebSocket-Key: x"}, "websocket"},
	} {
		t.Run(name, func(t *testing.T) {
			came := described(append(c.lines, "X-Forwarded-Method: GET", "X-Forwarded-Host: a", "X-Forwarded-Uri: /", "X-Original-URL: x", "X-Original-Method: x", "Cookie: a=b")...)
			if came.Get("X-Forwarded-Proto") == "" {
				came.Set("X-Forwarded-Proto", "https")
			}
			r, err := forwardauth.Forwarded.Read(came)
			if err != nil {
				t.Fatal(err)
			}
			own := r.Headers(came)
			if own.Get("Upgrade") != c.upgrade || own.Get("Cookie") != "a=b" {
				t.Errorf("the request's own headers are %v", own)
			}
			for name := range own {
				if strings.HasPrefix(name, "X-") {
					t.Errorf("%s is the front's", name)
				}
			}
			if came.Get("X-Forwarded-Method") != "GET" || (came.Get("Upgrade") == "") != (len(c.lines) == 0 || !strings.HasPrefix(c.lines[0], "Upgrade")) {
				t.Errorf("the headers that came were changed: %v", came)
			}
		})
	}
}
