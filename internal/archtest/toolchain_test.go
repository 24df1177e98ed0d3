package archtest

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

var (
	goLine        = regexp.MustCompile(`(?m)^go (\S+)$`)
	toolchainLine = regexp.MustCompile(`(?m)^toolchain go(\S+)$`)
	imageGo       = regexp.MustCompile(`(?m)^ARG GO_VERSION=(\S+)$`)
)

// TestOneToolchain: every go.mod names the same oldest Go and the same toolchain,
// and images are built with that toolchain.
func TestOneToolchain(t *testing.T) {
	root := os.DirFS("../..")
	modules := goModFiles(t, root)
	if len(modules) < 3 {
		t.Fatalf("go.mod files found: %v, want the gateway's, the tools' and the fleet's", modules)
	}
	oldest, newest := only(t, root, "go.mod", goLine), only(t, root, "go.mod", toolchainLine)
	for _, name := range modules {
		if got := only(t, root, name, goLine); got != oldest {
			t.Errorf("%s says go %s, go.mod %s", name, got, oldest)
		}
		if got := only(t, root, name, toolchainLine); got != newest {
			t.Errorf("%s says toolchain go%s, go.mod go%s", name, got, newest)
		}
	}
	if got := only(t, root, "Dockerfile", imageGo); got != newest {
		t.Errorf("Dockerfile builds with Go %s; go.mod's toolchain is go%s", got, newest)
	}
}

// goModFiles are the go.mod of every module of the repository.
func goModFiles(t *testing.T, root fs.FS) []string {
	t.Helper()
	var found []string
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || len(name) > 1 && strings.HasPrefix(d.Name(), ".")):
			return fs.SkipDir
		case path.Base(name) == "go.mod":
			found = append(found, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// only returns what the one match of pattern in the file captures.
func only(t *testing.T, root fs.FS, name string, pattern *regexp.Regexp) string {
	t.Helper()
	text, err := fs.ReadFile(root, name)
	if err != nil {
		t.Fatal(err)
	}
	found := pattern.FindAllStringSubmatch(string(text), -1)
	if len(found) != 1 {
		t.Fatalf("%s has %d lines that match %s, want one", name, len(found), pattern)
	}
	return found[0][1]
}
