package server_test

import (
	"html"
	"net/http"
	"strings"
	"testing"
)

// A link on another site brings no Strict cookie: a page of ours repeats the
// navigation, so that the gateway learns whether the browser is signed in.
func TestStrict(t *testing.T) {
	r := newRig(t, section("session", map[string]any{"cookie": map[string]any{"same_site": "strict"}}))
	for _, target := range []string{"/api/orders?a=1&b=%2F", "/auth/login?return_to=%2Fapi%2Fmine", "/auth/login"} {
		t.Run(strings.ReplaceAll(target, "/", "_")+"_is_repeated_by_a_page", func(t *testing.T) {
			b := r.browser()
			got := b.follow(r.url + target)
			if got.status != http.StatusOK || len(got.hops) != 1 || len(got.header["Set-Cookie"]) != 0 {
				t.Fatalf("status %d at %s with cookies %q, want the page in between", got.status, got.url, got.header["Set-Cookie"])
			}
			if want := `content="0;url=` + target + `"`; !strings.Contains(html.UnescapeString(got.body), want) {
				t.Errorf("the page does not go on to %s:\n%s", want, got.body)
			}
			if next := b.navigate("GET", r.url+target, "same-origin", nil); next.url.Path != "/login" {
				t.Errorf("the repetition ends at %s, want the user pool", next.url)
			}
		})
	}
	t.Run("a_malformed_target_is_repeated_harmlessly", func(t *testing.T) {
		got := r.browser().follow(r.url + `/auth/login?return_to=//evil.test/\&q="><script>`)
		if got.status != http.StatusOK || strings.Contains(got.body, "<script") || strings.Contains(got.body, `\`) {
			t.Errorf("status %d\n%s", got.status, got.body)
		}
	})
}
