package fetchmeta_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/fetchmeta"
)

// request makes a request with header lines written "Name: value".
func request(method string, lines ...string) *http.Request {
	r := httptest.NewRequest(method, "/", nil)
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		r.Header.Add(name, value)
	}
	return r
}

const (
	navigate = "Sec-Fetch-Mode: navigate"
	document = "Sec-Fetch-Dest: document"
	empty    = "Sec-Fetch-Dest: empty"
	html     = "Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"
)

func TestNavigation(t *testing.T) {
	for name, c := range map[string]struct {
		r                 *http.Request
		navigation, login bool
	}{
		// With fetch metadata the mode decides, whatever Accept says.
		"a_click_is_one":                         {request("GET", navigate, document, "Sec-Fetch-Site: same-origin", html), true, true},
		"a_typed_address_is_one":                 {request("GET", navigate, document, "Sec-Fetch-Site: none"), true, true},
		"a_click_on_another_site_is_one":         {request("GET", navigate, document, "Sec-Fetch-Site: cross-site"), true, true},
		"a_mode_alone_is_enough":                 {request("GET", navigate), true, true},
		"a_forms_post_is_one_that_cannot_log_in": {request("POST", navigate, document, html), true, false},
		"a_head_is_one_that_cannot_log_in":       {request("HEAD", navigate, document), true, false},
		"an_iframe_is_one_that_cannot_log_in":    {request("GET", navigate, "Sec-Fetch-Dest: iframe", html), true, false},
		"a_frame_is_one_that_cannot_log_in":      {request("GET", navigate, "Sec-Fetch-Dest: frame", html), true, false},
		"an_embed_is_one_that_cannot_log_in":     {request("GET", navigate, "Sec-Fetch-Dest: embed", html), true, false},
		"an_object_is_one_that_cannot_log_in":    {request("GET", navigate, "Sec-Fetch-Dest: object", html), true, false},
		"a_prefetch_is_one_that_cannot_log_in":   {request("GET", navigate, document, "Sec-Purpose: prefetch"), true, false},
		"a_prerender_is_one_that_cannot_log_in":  {request("GET", navigate, document, "Sec-Purpose: prefetch;prerender"), true, false},
		// A service worker that passes a navigation on empties its destination.
		"a_click_through_a_worker_is_one":                   {request("GET", navigate, empty, "Sec-Fetch-Site: same-origin"), true, true},
		"a_link_elsewhere_through_a_worker_is_one":          {request("GET", navigate, empty, "Sec-Fetch-Site: cross-site", html), true, true},
		"a_post_through_a_worker_is_one_that_cannot_log_in": {request("POST", navigate, empty), true, false},
		"a_prefetch_through_a_worker_cannot_log_in":         {request("GET", navigate, empty, "Sec-Purpose: prefetch"), true, false},
		"an_empty_sec_purpose_is_one_too":                   {request("GET", navigate, document, "Sec-Purpose: "), true, false},
		"a_destination_in_another_case_cannot_log_in":       {request("GET", navigate, "Sec-Fetch-Dest: Document"), true, false},
		"a_destination_nobody_knows_cannot_log_in":          {request("GET", navigate, "Sec-Fetch-Dest: portal"), true, false},
		"a_call_through_a_worker_is_none":                   {request("GET", "Sec-Fetch-Mode: same-origin", empty, html), false, false},
		"a_fetch_of_html_is_none":                           {request("GET", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty", html), false, false},
		"an_image_is_none":                                  {request("GET", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image", html), false, false},
		"a_websocket_is_none":                               {request("GET", "Sec-Fetch-Mode: websocket", "Upgrade: websocket", html), false, false},
		"a_mode_in_another_case_is_none":                    {request("GET", "Sec-Fetch-Mode: Navigate", html), false, false},
		"a_site_without_a_mode_is_none":                     {request("GET", "Sec-Fetch-Site: same-origin", html), false, false},
		"a_destination_without_a_mode_is_none":              {request("GET", document, html), false, false},

		// Without fetch metadata Accept decides.
		"an_old_browsers_get_is_one":                     {request("GET", html), true, true},
		"an_old_browsers_head_is_one_that_cannot_log_in": {request("HEAD", html), true, false},
		"an_old_browsers_post_is_none":                   {request("POST", html), false, false},
		"an_old_browsers_prefetch_cannot_log_in":         {request("GET", html, "Sec-Purpose: prefetch"), true, false},
		"a_media_type_has_no_case":                       {request("GET", "Accept: Text/HTML"), true, true},
		"html_in_a_second_line_counts":                   {request("GET", "Accept: application/json", "Accept: text/html"), true, true},
		"a_call_for_json_is_none":                        {request("GET", "Accept: application/json"), false, false},
		"a_call_for_anything_is_none":                    {request("GET", "Accept: */*"), false, false},
		"a_call_for_text_is_none":                        {request("GET", "Accept: text/*, text/plain"), false, false},
		"a_call_that_does_not_say_is_none":               {request("GET"), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fetchmeta.Navigation(c.r); got != c.navigation {
				t.Errorf("Navigation = %v", got)
			}
			if got := fetchmeta.LoginNavigation(c.r); got != c.login {
				t.Errorf("LoginNavigation = %v", got)
			}
		})
	}
}

func TestOwnNavigation(t *testing.T) {
	const own = "Sec-Fetch-Site: same-origin"
	for name, c := range map[string]struct {
		r    *http.Request
		want bool
	}{
		"a_click_on_a_page_of_ours_is_one":          {request("GET", own, navigate, document), true},
		"a_click_elsewhere_is_none":                 {request("GET", "Sec-Fetch-Site: cross-site", navigate, document), false},
		"a_click_on_a_sibling_is_none":              {request("GET", "Sec-Fetch-Site: same-site", navigate, document), false},
		"a_typed_address_is_none":                   {request("GET", "Sec-Fetch-Site: none", navigate, document), false},
		"a_browser_that_does_not_say_is_none":       {request("GET", navigate, document), false},
		"an_old_browsers_click_is_none":             {request("GET", html), false},
		"two_answers_are_none":                      {request("GET", own, own, navigate, document), false},
		"an_image_of_ours_is_none":                  {request("GET", own, "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"), false},
		"a_frame_of_ours_is_none":                   {request("GET", own, navigate, "Sec-Fetch-Dest: iframe"), false},
		"a_prefetch_is_none":                        {request("GET", own, navigate, document, "Sec-Purpose: prefetch"), false},
		"a_form_is_none":                            {request("POST", own, navigate, document), false},
		"what_a_service_worker_passes_on_is_none":   {request("GET", own, navigate, empty), false},
		"a_destination_that_is_not_there_is_unsure": {request("GET", own, navigate), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fetchmeta.OwnNavigation(c.r); got != c.want {
				t.Errorf("OwnNavigation = %v", got)
			}
		})
	}
}

func TestPresent(t *testing.T) {
	for line, want := range map[string]bool{
		"Sec-Fetch-Site: none": true, "Sec-Fetch-Mode: cors": true, "Sec-Fetch-Dest: image": true,
		"Sec-Purpose: prefetch": true, "Sec-Fetch-User: ?1": false, html: false,
	} {
		if got := fetchmeta.Present(request("GET", line)); got != want {
			t.Errorf("%s: %v", line, got)
		}
	}
}

func TestWebSocket(t *testing.T) {
	for name, c := range map[string]struct {
		r    *http.Request
		want bool
	}{
		"a_handshake_is_one":            {request("GET", "Upgrade: websocket", "Connection: Upgrade"), true},
		"its_name_has_no_case":          {request("GET", "Upgrade: WebSocket"), true},
		"an_upgrade_to_h2c_is_none":     {request("GET", "Upgrade: h2c"), false},
		"a_call_is_none":                {request("GET"), false},
		"a_similar_name_is_none":        {request("GET", "Upgrade: websocket2"), false},
		"the_protocol_header_is_not_it": {request("GET", "Sec-WebSocket-Protocol: websocket"), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fetchmeta.WebSocket(c.r); got != c.want {
				t.Errorf("WebSocket = %v", got)
			}
		})
	}
}

func TestPreflight(t *testing.T) {
	const origin, method = "Origin: https://a.example", "Access-Control-Request-Method: PUT"
	for name, c := range map[string]struct {
		r    *http.Request
		want bool
	}{
		"options_with_origin_and_method_is_one": {request("OPTIONS", origin, method), true},
		"options_without_a_method_is_none":      {request("OPTIONS", origin), false},
		"options_without_an_origin_is_none":     {request("OPTIONS", method), false},
		"another_method_is_none":                {request("GET", origin, method), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fetchmeta.Preflight(c.r); got != c.want {
				t.Errorf("Preflight = %v", got)
			}
		})
	}
}
