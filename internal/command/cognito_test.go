//go:build !production

package command

import (
	"bytes"
	"html"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
)

// TestPrintedUsers compares the users on the console with those on the page that
// the emulator has for them.
func TestPrintedUsers(t *testing.T) {
	emu, err := cognitoemu.New(cognitoemu.Options{PagesURL: "http://127.0.0.1:9229", APIURL: "http://localhost:9229"})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	emu.ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1:9229/", nil))
	var out bytes.Buffer
	printUsers(process{stdout: &out}, emu)

	tag := regexp.MustCompile(`<[^>]*>`)
	shown := regexp.MustCompile(`<li>.*</li>`).FindAllString(w.Body.String(), -1)
	if len(shown) != 5 {
		t.Fatalf("%d users on the page", len(shown))
	}
	for _, line := range shown {
		words := strings.Fields(html.UnescapeString(tag.ReplaceAllString(line, " ")))
		pattern := strings.Join(words, `,?\s+`)
		if !regexp.MustCompile(`(?m)^ +` + pattern + `$`).MatchString(out.String()) {
			t.Errorf("the page shows %q, the console\n%s", words, out.String())
		}
	}
}
