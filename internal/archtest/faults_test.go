package archtest

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// TestFaults is the positive control: each rule finds the breach made for it.
func TestFaults(t *testing.T) {
	table := []row{
		{pkg: "low"},
		{pkg: "aid", support: true},
		{pkg: "mid", imports: []string{"low"}, forbids: []string{"net/http"}},
		{pkg: "top", imports: []string{"low", "mid"}},
	}
	for _, tc := range []struct {
		name  string
		files map[string]string
		find  func(tree) []string
		want  []string
	}{
		{
			name:  "import_upwards",
			files: map[string]string{"low/low.go": source("low", "mid")},
			find:  func(tr tree) []string { return importFaults(table, tr) },
			want:  []string{"low/low.go imports mid, which the row of low does not allow"},
		},
		{
			name:  "import_upwards_on_windows_alone",
			files: map[string]string{"low/low_windows.go": "//go:build windows\n\n" + source("low", "mid")},
			find:  func(tr tree) []string { return importFaults(table, tr) },
			want:  []string{"low/low_windows.go imports mid, which the row of low does not allow"},
		},
		{
			name:  "product_code_on_test_support",
			files: map[string]string{"mid/mid.go": source("mid", "aid")},
			find:  func(tr tree) []string { return importFaults(table, tr) },
			want:  []string{"mid/mid.go imports aid, which the row of mid does not allow"},
		},
		{
			name:  "import_of_the_root",
			files: map[string]string{"low/low.go": "package low\n\nimport _ \"" + module + "\"\n"},
			find:  func(tr tree) []string { return importFaults(table, tr) },
			want:  []string{"low/low.go imports gatehouse, which the row of low does not allow"},
		},
		{
			name:  "root_without_a_row",
			files: map[string]string{"root.go": "package gatehouse"},
			find:  func(tr tree) []string { return rowFaults(nil, tr) },
			want:  []string{"gatehouse is in no row of the table"},
		},
		{
			name:  "forbidden_standard_package",
			files: map[string]string{"mid/mid.go": "package mid\n\nimport _ \"net/http\"\n"},
			find:  func(tr tree) []string { return importFaults(table, tr) },
			want:  []string{"mid/mid.go imports net/http, which the row of mid forbids"},
		},
		{
			name:  "allowance_unused",
			files: map[string]string{"mid/mid.go": source("mid", "low"), "top/top.go": source("top", "low")},
			find:  func(tr tree) []string { return unusedFaults(table, tr) },
			want:  []string{"top may import mid and does not: take it out of its row"},
		},
		{
			name:  "allowance_used_by_a_test_alone",
			files: map[string]string{"mid/mid.go": source("mid"), "mid/mid_test.go": source("mid", "low")},
			find:  func(tr tree) []string { return unusedFaults(table[:3], tr) },
			want:  []string{"mid may import low and does not: take it out of its row"},
		},
		{
			name:  "test_upwards",
			files: map[string]string{"mid/mid_test.go": source("mid_test", "top", "aid", "low", "mid")},
			find:  func(tr tree) []string { return testFaults(table, tr) },
			want:  []string{"mid/mid_test.go imports top, which is not a row above mid"},
		},
		{
			name:  "test_upwards_with_leave",
			files: map[string]string{"low/low_test.go": source("low_test", "top")},
			find: func(tr tree) []string {
				return testFaults([]row{{pkg: "low", upwards: []string{"top"}}, {pkg: "top"}}, tr)
			},
		},
		{
			name:  "leave_to_test_upwards_unused",
			files: map[string]string{"low/low_test.go": source("low_test")},
			find: func(tr tree) []string {
				return testFaults([]row{{pkg: "low", upwards: []string{"top"}}, {pkg: "top"}}, tr)
			},
			want: []string{"tests of low may import top and do not: take it out of its row"},
		},
		{
			name:  "package_without_a_row",
			files: map[string]string{"low/a.go": "package low", "aid/a.go": "package aid", "mid/a.go": "package mid", "top/a.go": "package top", "new/a.go": "package new", "low/testdata/a.go": "package a"},
			find:  func(tr tree) []string { return rowFaults(table, tr) },
			want:  []string{"new is in no row of the table"},
		},
		{
			name:  "configuration_below_the_server",
			files: map[string]string{"top/top_test.go": source("top", "internal/config")},
			find:  configFaults,
			want:  []string{"top/top_test.go imports internal/config: give top options of its own"},
		},
		{
			name: "emulator_in_production",
			files: map[string]string{
				"cmd/gateway/main.go":         source("main", "mid"),
				"mid/mid.go":                  source("mid", "internal/cognitoemu"),
				"internal/cognitoemu/emu.go":  "package cognitoemu",
				"internal/cognitoemu/more.go": "package cognitoemu",
			},
			find: productionFaults,
			want: []string{"a build of cmd/gateway with the tag production holds internal/cognitoemu"},
		},
		{
			name: "emulator_in_production_on_one_platform",
			files: map[string]string{
				"cmd/gateway/main.go":        "//go:build !production || windows\n\n" + source("main", "internal/cognitoemu"),
				"internal/cognitoemu/emu.go": "package cognitoemu",
			},
			find: productionFaults,
			want: []string{"a build of cmd/gateway with the tag production holds internal/cognitoemu"},
		},
		{
			name: "emulator_left_out",
			files: map[string]string{
				"cmd/gateway/dev.go":         "//go:build !production\n\n" + source("main", "internal/cognitoemu"),
				"internal/cognitoemu/emu.go": "package cognitoemu",
			},
			find: productionFaults,
		},
		{
			name:  "no_package_comment",
			files: map[string]string{"low/low.go": "package low", "low/low_test.go": "// Package low is not said here.\npackage low"},
			find:  commentFaults,
			want:  []string{"low has no package comment"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fsys := fstest.MapFS{}
			for name, text := range tc.files {
				fsys[name] = &fstest.MapFile{Data: []byte(text)}
			}
			if diff := cmp.Diff(tc.want, tc.find(readTree(t, fsys))); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTableFaults(t *testing.T) {
	for _, tc := range []struct {
		name  string
		table []row
		want  []string
	}{
		{"row_below", []row{{pkg: "a", imports: []string{"b"}}, {pkg: "b"}}, []string{"a may import b, which is not a row above it"}},
		{"row_twice", []row{{pkg: "a"}, {pkg: "a"}}, []string{"a has two rows"}},
		{"product_on_support", []row{{pkg: "a", support: true}, {pkg: "b", imports: []string{"a"}}}, []string{"b may import a, which is for tests"}},
		{"support_on_support", []row{{pkg: "a", support: true}, {pkg: "b", imports: []string{"a"}, support: true}}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tableFaults(tc.table)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

// source is a Go file that imports packages of ours.
func source(pkg string, imports ...string) string {
	var b strings.Builder
	b.WriteString("package " + pkg + "\n")
	for _, imported := range imports {
		b.WriteString("\nimport _ \"" + module + "/" + imported + "\"\n")
	}
	return b.String()
}
