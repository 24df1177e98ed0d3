package archtest

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"
)

func TestLayers(t *testing.T) {
	found := readTree(t, root(t))
	t.Run("the_table_names_only_rows_above", func(t *testing.T) { report(t, tableFaults(layers)) })
	t.Run("every_package_has_its_row", func(t *testing.T) { report(t, rowFaults(layers, found)) })
	t.Run("no_import_is_outside_the_table", func(t *testing.T) { report(t, importFaults(layers, found)) })
	t.Run("no_allowance_is_left_unused", func(t *testing.T) { report(t, unusedFaults(layers, found)) })
	t.Run("tests_import_only_what_lies_below_their_package", func(t *testing.T) { report(t, testFaults(layers, found)) })
	t.Run("only_server_and_command_see_the_configuration", func(t *testing.T) { report(t, configFaults(found)) })
}

func TestProduction(t *testing.T) {
	t.Run("the_tag_leaves_out_what_could_play_a_user_pool", func(t *testing.T) {
		report(t, productionFaults(readTree(t, root(t))))
	})
}

func TestPackageComments(t *testing.T) {
	t.Run("every_package_says_what_it_is_for", func(t *testing.T) {
		report(t, commentFaults(readTree(t, root(t))))
	})
}

func report(t *testing.T, faults []string) {
	t.Helper()
	sort.Strings(faults)
	for _, f := range faults {
		t.Error(f)
	}
}

// tableFaults finds a row named twice, and a row that names one not above it.
func tableFaults(table []row) (faults []string) {
	above := map[string]row{}
	for _, r := range table {
		if _, twice := above[r.pkg]; twice {
			faults = append(faults, fmt.Sprintf("%s has two rows", r.pkg))
		}
		for _, imported := range r.imports {
			other, ok := above[imported]
			switch {
			case !ok:
				faults = append(faults, fmt.Sprintf("%s may import %s, which is not a row above it", r.pkg, imported))
			case other.support && !r.support:
				faults = append(faults, fmt.Sprintf("%s may import %s, which is for tests", r.pkg, imported))
			}
		}
		above[r.pkg] = r
	}
	return faults
}

// rowFaults finds a package in no row and a row of no package.
func rowFaults(table []row, found tree) (faults []string) {
	for pkg := range found {
		if _, ok := rowOf(table, pkg); !ok {
			faults = append(faults, fmt.Sprintf("%s is in no row of the table", pkg))
		}
	}
	for _, r := range table {
		if len(found[r.pkg]) == 0 {
			faults = append(faults, fmt.Sprintf("%s has a row and no Go file", r.pkg))
		}
	}
	return faults
}

func importFaults(table []row, found tree) (faults []string) {
	for pkg, files := range found {
		r, _ := rowOf(table, pkg)
		for _, f := range files {
			if f.test {
				continue
			}
			for _, imported := range f.ours {
				if !slices.Contains(r.imports, imported) {
					faults = append(faults, fmt.Sprintf("%s imports %s, which the row of %s does not allow", f.name, imported, pkg))
				}
			}
			for _, imported := range f.imports {
				if slices.Contains(r.forbids, imported) {
					faults = append(faults, fmt.Sprintf("%s imports %s, which the row of %s forbids", f.name, imported, pkg))
				}
			}
		}
	}
	return faults
}

// unusedFaults finds allowances that no product file needs any more. Left in the
// table, they would let the edge come back unseen.
func unusedFaults(table []row, found tree) (faults []string) {
	for _, r := range table {
		used := found.imports(r.pkg)
		for _, allowed := range r.imports {
			if !slices.Contains(used, allowed) {
				faults = append(faults, fmt.Sprintf("%s may import %s and does not: take it out of its row", r.pkg, allowed))
			}
		}
	}
	return faults
}

// testFaults finds imports of test files that point up without leave, and leave
// to do so that no test file needs.
func testFaults(table []row, found tree) (faults []string) {
	place := map[string]int{}
	for i, r := range table {
		place[r.pkg] = i + 1
	}
	for _, r := range table {
		needed := map[string]bool{}
		for _, f := range found[r.pkg] {
			for _, imported := range f.ours {
				below := place[imported] > 0 && place[imported] <= place[r.pkg]
				switch {
				case !f.test || below:
				case slices.Contains(r.upwards, imported):
					needed[imported] = true
				default:
					faults = append(faults, fmt.Sprintf("%s imports %s, which is not a row above %s", f.name, imported, r.pkg))
				}
			}
		}
		for _, imported := range r.upwards {
			if !needed[imported] {
				faults = append(faults, fmt.Sprintf("tests of %s may import %s and do not: take it out of its row", r.pkg, imported))
			}
		}
	}
	return faults
}

func configFaults(found tree) (faults []string) {
	for pkg, files := range found {
		for _, f := range files {
			if slices.Contains(f.ours, "internal/config") && !slices.Contains(configReaders, pkg) {
				faults = append(faults, fmt.Sprintf("%s imports internal/config: give %s options of its own", f.name, pkg))
			}
		}
	}
	return faults
}

func productionFaults(found tree) (faults []string) {
	if len(found["cmd/gateway"]) == 0 {
		return []string{"cmd/gateway has no Go file"}
	}
	reached := found.reach("cmd/gateway", production)
	for _, pkg := range devOnly {
		if slices.Contains(reached, pkg) {
			faults = append(faults, fmt.Sprintf("a build of cmd/gateway with the tag %s holds %s", production, pkg))
		}
		if !slices.Contains(found.reach("cmd/gateway", ""), pkg) {
			faults = append(faults, fmt.Sprintf("a build of cmd/gateway without tags lacks %s", pkg))
		}
	}
	return faults
}

func commentFaults(found tree) (faults []string) {
	for pkg, files := range found {
		var comments []string
		for _, f := range files {
			if !f.test && f.doc != "" {
				comments = append(comments, f.doc)
			}
		}
		switch {
		case len(comments) == 0:
			faults = append(faults, fmt.Sprintf("%s has no package comment", pkg))
		case len(comments) > 1:
			faults = append(faults, fmt.Sprintf("%s has %d package comments: keep one", pkg, len(comments)))
		case !strings.HasPrefix(comments[0], "Package ") && !strings.HasPrefix(comments[0], "Command "):
			faults = append(faults, fmt.Sprintf("%s's package comment begins with neither Package nor Command", pkg))
		}
	}
	return faults
}

func rowOf(table []row, pkg string) (row, bool) {
	for _, r := range table {
		if r.pkg == pkg {
			return r, true
		}
	}
	return row{}, false
}
