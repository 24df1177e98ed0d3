package archtest

import (
	"go/ast"
	"go/build"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/gatehouse-auth/gatehouse"

// file is what this test needs to know of one Go file.
type file struct {
	name    string // below the module's root, with slashes
	ours    []string
	imports []string
	test    bool
	doc     string
	tags    constraint.Expr // nil: no constraint
}

// tree maps a package's path below the module to its files. It holds every file
// whatever its platform and tags, so an edge on Windows alone is seen on Linux.
type tree map[string][]file

// readTree parses the imports of every Go file of the module in fsys.
func readTree(t *testing.T, fsys fs.FS) tree {
	t.Helper()
	found := tree{}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skipDir(fsys, name)
		}
		if strings.HasSuffix(name, ".go") {
			f, err := readFile(fsys, name)
			if err != nil {
				return err
			}
			pkg := packageAt(path.Dir(name))
			found[pkg] = append(found[pkg], f)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("read the module: %v", err)
	}
	return found
}

// rootPackage is what the package at the module's root is called here.
const rootPackage = "gatehouse"

func packageAt(dir string) string {
	if dir == "." {
		return rootPackage
	}
	return dir
}

// skipDir leaves out what the go command leaves out of "./...".
func skipDir(fsys fs.FS, name string) error {
	base := path.Base(name)
	if name == "." {
		return nil
	}
	if base == "testdata" || base == "node_modules" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return fs.SkipDir
	}
	if _, err := fs.Stat(fsys, path.Join(name, "go.mod")); err == nil {
		return fs.SkipDir // a module of its own
	}
	return nil
}

func readFile(fsys fs.FS, name string) (file, error) {
	src, err := fs.ReadFile(fsys, name)
	if err != nil {
		return file{}, err
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return file{}, err
	}
	f := file{name: name, test: strings.HasSuffix(name, "_test.go"), doc: parsed.Doc.Text(), tags: constraintOf(parsed)}
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return file{}, err
		}
		f.imports = append(f.imports, imported)
		if imported == module {
			f.ours = append(f.ours, rootPackage)
		}
		if rest, ok := strings.CutPrefix(imported, module+"/"); ok {
			f.ours = append(f.ours, rest)
		}
	}
	return f, nil
}

// constraintOf is the file's //go:build line.
func constraintOf(parsed *ast.File) constraint.Expr {
	for _, group := range parsed.Comments {
		if group.Pos() > parsed.Package {
			break
		}
		for _, c := range group.List {
			if expr, err := constraint.Parse(c.Text); err == nil {
				return expr
			}
		}
	}
	return nil
}

// imports lists what the package's product files import of ours, each once.
func (tr tree) imports(pkg string) []string {
	var all []string
	for _, f := range tr[pkg] {
		if !f.test {
			all = append(all, f.ours...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// reach lists all of ours that a build of pkg with the tag holds. Files for
// other platforms count: no platform may be the hole.
func (tr tree) reach(pkg, tag string) []string {
	seen := map[string]bool{}
	todo := []string{pkg}
	for len(todo) > 0 {
		next := todo[0]
		todo = todo[1:]
		if seen[next] {
			continue
		}
		seen[next] = true
		for _, f := range tr[next] {
			if !f.test && f.builds(tag) {
				todo = append(todo, f.ours...)
			}
		}
	}
	var all []string
	for p := range seen {
		all = append(all, p)
	}
	slices.Sort(all)
	return all
}

// builds reports whether any platform compiles the file when tag alone is set.
func (f file) builds(tag string) bool {
	if f.tags == nil {
		return true
	}
	for _, goos := range []string{"linux", "darwin", "windows"} {
		holds := f.tags.Eval(func(word string) bool {
			return word == tag || word == goos || word == "unix" && goos != "windows" ||
				slices.Contains(build.Default.ReleaseTags, word)
		})
		if holds {
			return true
		}
	}
	return false
}

// root is the module's file system.
func root(t *testing.T) fs.FS {
	t.Helper()
	_, self, _, ok := runtime.Caller(0)
	if !ok {
		t.Fatal("find the source of this test")
	}
	dir := filepath.Dir(filepath.Dir(filepath.Dir(self)))
	if !filepath.IsAbs(dir) { // built with -trimpath
		dir = filepath.Join("..", "..")
	}
	return os.DirFS(dir)
}
