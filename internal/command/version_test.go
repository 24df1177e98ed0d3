package command

import (
	"os"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

func TestVersionIsWhatTheBuildWasTold(t *testing.T) {
	v, c := version, commit
	defer func() { version, commit = v, c }()
	version, commit = "v1.2.3", "0123abcd"
	if got := build().String(); !strings.HasPrefix(got, "gatehouse v1.2.3, commit 0123abcd, go1") {
		t.Error(got)
	}
}

// TestVersionIsThatOfGatehouse, not that of a program that imports it.
func TestVersionIsThatOfGatehouse(t *testing.T) {
	const ours = "github.com/gatehouse-auth/gatehouse"
	settings := []debug.BuildSetting{{Key: "vcs.revision", Value: "0123abcd"}}
	theirs := debug.Module{Path: "example.com/gateway", Version: "v9.0.0"}
	other := &debug.Module{Path: "example.com/other", Version: "v7.0.0"}
	for name, tc := range map[string]struct {
		info debug.BuildInfo
		want buildInfo
	}{
		"the_command_itself":        {debug.BuildInfo{Main: debug.Module{Path: ours, Version: "v1.2.3"}, Deps: []*debug.Module{other}, Settings: settings}, buildInfo{"v1.2.3", "0123abcd"}},
		"a_program_that_imports_it": {debug.BuildInfo{Main: theirs, Deps: []*debug.Module{other, {Path: ours, Version: "v1.2.3"}}, Settings: settings}, buildInfo{"v1.2.3", ""}},
		"one_with_another_copy":     {debug.BuildInfo{Main: theirs, Deps: []*debug.Module{{Path: ours, Version: "v1.2.3", Replace: &debug.Module{Path: "../.."}}}, Settings: settings}, buildInfo{}},
	} {
		if got := recordedIn(&tc.info); got != tc.want {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
}

func TestRevision(t *testing.T) {
	for want, settings := range map[string][]debug.BuildSetting{
		"":                    {{Key: "vcs.modified", Value: "true"}},
		"0123abcd":            {{Key: "vcs.revision", Value: "0123abcd"}, {Key: "vcs.modified", Value: "false"}},
		"0123abcd (modified)": {{Key: "vcs.modified", Value: "true"}, {Key: "vcs.revision", Value: "0123abcd"}},
	} {
		if got := revision(settings); got != want {
			t.Errorf("%v: %q, want %q", settings, got, want)
		}
	}
}

// TestAProductionBuildSaysWhatItLeavesOut, to whoever runs its image as on their own
// computer.
func TestAProductionBuildSaysWhatItLeavesOut(t *testing.T) {
	before := leftOut
	defer func() { leftOut = before }()
	leftOut = []string{"dev"}
	var out, errs strings.Builder
	status := run(t.Context(), []string{"dev"}, process{stdout: &out, stderr: &errs})
	if status != exitUsage || !strings.Contains(errs.String(), "dev is not in this build, which is for production") {
		t.Errorf("status %d: %s", status, errs.String())
	}
}

// TestBuildsSayWhatTheyAre: an argument that the linker or a label does not find
// would be ignored without a word. Every -X of Dockerfile and Makefile must name
// a variable there is, and every stage of the Dockerfile declare the arguments
// it uses (an ARG before the first FROM does not reach into stages).
func TestBuildsSayWhatTheyAre(t *testing.T) {
	const own = "github.com/gatehouse-auth/gatehouse/internal/command"
	for _, name := range []string{"../../Dockerfile", "../../Makefile"} {
		var set []string
		for _, m := range regexp.MustCompile(`-X (\S+?)=`).FindAllStringSubmatch(read(t, name), -1) {
			set = append(set, m[1])
		}
		if slices.Sort(set); !slices.Equal(set, []string{own + ".commit", own + ".version"}) {
			t.Errorf("%s sets %v, not commit and version of %s", name, set, own)
		}
	}
	stages := strings.Split(read(t, "../../Dockerfile"), "\nFROM ")
	for _, stage := range stages[1:] {
		first, _, _ := strings.Cut(stage, "\n")
		var declared []string
		for _, m := range regexp.MustCompile(`(?m)^ARG (.*)$`).FindAllStringSubmatch(stage, -1) {
			declared = append(declared, strings.Fields(m[1])...)
		}
		for _, m := range regexp.MustCompile(`\$\{(VERSION|COMMIT)\}`).FindAllStringSubmatch(stage, -1) {
			if !slices.Contains(declared, m[1]) {
				t.Errorf("the stage %q uses %s and does not declare it", first, m[1])
			}
		}
	}
	image := stages[slices.IndexFunc(stages, func(s string) bool { return strings.HasPrefix(s, "scratch AS base") })]
	for _, label := range []string{`version="${VERSION}"`, `revision="${COMMIT}"`, `source="`, `licenses="Apache-2.0"`} {
		if !strings.Contains(image, "org.opencontainers.image."+label) {
			t.Errorf("the images have no label org.opencontainers.image.%s", label)
		}
	}
	if n := strings.Count(read(t, "../../docker-compose.yml"), "args: [VERSION, COMMIT]"); n != 2 {
		t.Errorf("docker-compose.yml passes version and commit to %d builds, want 2", n)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
