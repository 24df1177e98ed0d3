package static

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"testing"
)

func TestAssetTypes_are_those_of_the_documentation(t *testing.T) {
	doc, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	list := regexp.MustCompile(`(?s)<!-- assets -->(.*)<!-- /assets -->`).FindSubmatch(doc)
	if list == nil {
		t.Fatal("the documentation has no list of assets")
	}
	var listed []string
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllSubmatch(list[1], -1) {
		listed = append(listed, string(m[1]))
	}
	if known := slices.Sorted(maps.Keys(assetTypes)); !slices.Equal(listed, known) {
		t.Errorf("documented: %q\nbuilt in:   %q", listed, known)
	}
}
