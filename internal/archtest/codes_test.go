package archtest

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const problems = module + "/internal/problem"

// TestErrorsPage keeps docs/errors.md and the codes that the product can answer to
// each other.
func TestErrorsPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	explained := explainedCodes(string(page))
	found := readCodes(t)
	report(t, found.faults)
	for code, at := range found.at {
		if explained[code] == nil {
			t.Errorf("%s answers %s, which docs/errors.md does not explain", at, code)
		}
	}
	for code, statuses := range explained {
		if found.at[code] == "" {
			t.Errorf("docs/errors.md explains %s, which nothing answers", code)
		}
		for _, s := range found.statuses[code] {
			if !slices.Contains(statuses, s) {
				t.Errorf("%s is answered with %s and docs/errors.md says %q", code, s, statuses)
			}
		}
	}
}

// TestErrorsOfOtherPages: what the other pages say of a status and its code is what
// docs/errors.md says.
func TestErrorsOfOtherPages(t *testing.T) {
	page, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	explained := explainedCodes(string(page))
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, name := range append(pages, "../../README.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range namedCode.FindAllStringSubmatch(string(text), -1) {
			if named++; !slices.Contains(explained[m[2]], m[1]) {
				t.Errorf("%s says %q, docs/errors.md that %s has %q", name, m[0], m[2], explained[m[2]])
			}
		}
	}
	if named == 0 {
		t.Error("no page names a code")
	}
}

// namedCode is how pages name a code: 403 `cross_origin`.
var namedCode = regexp.MustCompile("\\b([45][0-9]{2})\\s+`([a-z_]+)`")

// explainedRow is a row of the page: | `code` | 400, 502 | …
var explainedRow = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([0-9, ]+) \\|")

// explainedCodes returns the codes that the page has a row for, with their statuses.
func explainedCodes(page string) map[string][]string {
	explained := map[string][]string{}
	for _, m := range explainedRow.FindAllStringSubmatch(page, -1) {
		explained[m[1]] = strings.Split(m[2], ", ")
	}
	return explained
}

// codes are the constants of the type problem.Code in the product's packages.
type codes struct {
	at       map[string]string   // where a code stands, one place each
	statuses map[string][]string // of the literals that name both
	faults   []string            // codes that are no constants
}

// readCodes type-checks every package that names a code.
func readCodes(t *testing.T) codes {
	t.Helper()
	found := codes{at: map[string]string{}, statuses: map[string][]string{}}
	fset := token.NewFileSet()
	exports, packages := listPackages(t)
	imports := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	for path, files := range packages {
		var parsed []*ast.File
		for _, name := range files {
			f, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			parsed = append(parsed, f)
		}
		info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
		if _, err := (&types.Config{Importer: imports}).Check(path, fset, parsed, info); err != nil {
			t.Fatal(err)
		}
		for _, f := range parsed {
			ast.Inspect(f, func(n ast.Node) bool {
				found.take(fset, info, n)
				return true
			})
		}
	}
	return found
}

// listPackages asks the go command where the compiled packages are, and for the
// files of those that import package problem.
func listPackages(t *testing.T) (exports map[string]string, packages map[string][]string) {
	t.Helper()
	list := exec.Command("go", "list", "-export", "-deps",
		"-f", `{{.ImportPath}}|{{.Export}}|{{.Dir}}|{{join .GoFiles " "}}|{{join .Imports " "}}`, "./cmd/gateway")
	list.Dir = "../.."
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	exports, packages = map[string]string{}, map[string][]string{}
	for line := range strings.Lines(string(out)) {
		field := strings.Split(strings.TrimSpace(line), "|")
		exports[field[0]] = field[1]
		if field[0] != problems && !slices.Contains(strings.Fields(field[4]), problems) {
			continue
		}
		for _, name := range strings.Fields(field[3]) {
			packages[field[0]] = append(packages[field[0]], filepath.Join(field[2], name))
		}
	}
	return exports, packages
}

// take notes what one node says of codes.
func (c *codes) take(fset *token.FileSet, info *types.Info, n ast.Node) {
	switch n := n.(type) {
	case *ast.CallExpr:
		if f := info.Types[n.Fun]; f.IsType() && isProblems(f.Type, "Code") && info.Types[n].Value == nil {
			c.faults = append(c.faults, fmt.Sprintf("%s: a code that is no constant cannot be documented", fset.Position(n.Pos())))
		}
	case *ast.CompositeLit:
		if isProblems(info.Types[n].Type, "Error") {
			c.takeLiteral(info, n)
		}
	case ast.Expr:
		if v := info.Types[n]; v.Value != nil && isProblems(v.Type, "Code") {
			c.at[constant.StringVal(v.Value)] = fset.Position(n.Pos()).String()
		}
	}
}

// takeLiteral notes with which status a literal answers its code.
func (c *codes) takeLiteral(info *types.Info, n *ast.CompositeLit) {
	value := map[string]constant.Value{}
	for _, e := range n.Elts {
		if pair, ok := e.(*ast.KeyValueExpr); ok {
			value[pair.Key.(*ast.Ident).Name] = info.Types[pair.Value].Value
		}
	}
	if code, status := value["Code"], value["Status"]; code != nil && status != nil {
		name := constant.StringVal(code)
		c.statuses[name] = append(c.statuses[name], status.ExactString())
	}
}

// isProblems reports whether t is the named type of package problem.
func isProblems(t types.Type, name string) bool {
	named, ok := types.Unalias(t).(*types.Named)
	return ok && named.Obj().Name() == name && named.Obj().Pkg() != nil && named.Obj().Pkg().Path() == problems
}
