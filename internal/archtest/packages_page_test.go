package archtest

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	packageRow = regexp.MustCompile("(?m)^\\| `([a-z0-9/]+)` \\| [^|]+ \\| [^|]+ \\|$")
	repoFile   = regexp.MustCompile("`((?:internal|cmd|docs|examples|web)/[a-z0-9_/.]+)`")
)

// TestArchitecturePage: the page has a row for each package, in the order of the
// layers, and every file that it sends a reader to is there.
func TestArchitecturePage(t *testing.T) {
	page, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	var packages, rows []string
	for _, r := range layers {
		packages = append(packages, r.pkg)
	}
	for _, match := range packageRow.FindAllSubmatch(page, -1) {
		rows = append(rows, string(match[1]))
	}
	if diff := cmp.Diff(packages, rows); diff != "" {
		t.Errorf("layers_test.go (-) and docs/architecture.md (+):\n%s", diff)
	}
	var files []string
	for _, match := range repoFile.FindAllSubmatch(page, -1) {
		files = append(files, string(match[1]))
	}
	slices.Sort(files)
	for _, name := range slices.Compact(files) {
		if _, err := os.Stat("../../" + name); err != nil {
			t.Errorf("docs/architecture.md names %s: %v", name, err)
		}
	}
}
