package server_test

import (
	"maps"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// The example of docs/configuration.md, with the hosts that the test's certificate is for:
// one session for all hosts, each with the routes that it has.
func TestDocumentedHosts(t *testing.T) {
	r := newRig(t, func(doc map[string]any) {
		own := strings.TrimPrefix(doc["public_url"].(string), "https://")
		upstream := doc["routes"].([]any)[0].(map[string]any)["upstream"].(string)
		text := replaced(t, exampleOfHosts(t),
			"https://app.example.com", "https://"+own, "admin.example.com", "admin."+own,
			"http://orders.internal:9000", upstream, "http://pages.internal:9000", upstream, "http://admin.internal:9000", upstream)
		var keys map[string]any
		if err := yaml.Unmarshal([]byte(text), &keys); err != nil {
			t.Fatal(err)
		}
		section("session", keys["session"].(map[string]any))(doc)
		delete(keys, "session")
		maps.Copy(doc, keys)
	})
	admin := strings.Replace(r.url, "https://", "https://admin.", 1)
	alice := r.browser()
	if p := alice.password(alice.open(admin+"/users?page=2"), "alice@example.com"); p.status != 200 || p.url.String() != admin+"/users?page=2" {
		t.Fatalf("who signs in at the other host ends with %d at %s", p.status, p.url)
	}
	if seen := r.seen.last(t); "https://"+seen.Host != admin || seen.Header.Get("Authorization") == "" {
		t.Errorf("the API was asked for %s, with %d headers Authorization", seen.Host, len(seen.Header["Authorization"]))
	}
	for _, address := range []string{r.url + "/api/orders", admin + "/api/orders", r.url + "/", admin + "/"} {
		if p := alice.open(address); p.status != 200 || len(p.hops) > 1 {
			t.Errorf("signed in, %s is answered with %d through %q", address, p.status, p.hops)
		}
	}
	carol := r.browser()
	carol.signIn("carol@example.com", "/")
	if p := carol.open(r.url + "/api/orders"); p.status != 200 {
		t.Errorf("who is in no group gets %d from the application", p.status)
	}
	if p := carol.open(admin + "/"); p.status != 403 {
		t.Errorf("who is in no group gets %d from the administration", p.status)
	}
	if p := r.browser().open(r.url + "/"); p.status != 200 {
		t.Errorf("nobody gets %d from the open pages", p.status)
	}
}

// exampleOfHosts is the example in the chapter on several hosts.
func exampleOfHosts(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "\n## Several hosts\n")
	_, rest, begun := strings.Cut(rest, "```yaml\n")
	text, _, ended := strings.Cut(rest, "```")
	if !found || !begun || !ended {
		t.Fatal("the page has no example of several hosts")
	}
	return text
}
