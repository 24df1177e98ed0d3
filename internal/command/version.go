package command

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

// version and commit are set by a build that knows them better than the Go tool,
// which finds no repository in a container
// (-ldflags "-X github.com/gatehouse-auth/gatehouse/internal/command.version=v1.2.3").
var version, commit string

type versionCmd struct{}

type buildInfo struct{ version, commit string }

// String is the one line that version and --version print.
func (b buildInfo) String() string {
	return fmt.Sprintf("gatehouse %s, commit %s, %s %s/%s", b.version, b.commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// build says what was set at the build, else what the Go tool recorded of it.
func build() buildInfo {
	var recorded buildInfo
	if info, ok := debug.ReadBuildInfo(); ok {
		recorded = recordedIn(info)
	}
	return buildInfo{version: cmp.Or(version, recorded.version, "(devel)"), commit: cmp.Or(commit, recorded.commit, "unknown")}
}

// recordedIn is what the Go tool recorded of Gatehouse in a program. In one that
// imports it, the program's own version and commit say nothing about it.
func recordedIn(info *debug.BuildInfo) buildInfo {
	for _, m := range info.Deps {
		if m.Path != "github.com/gatehouse-auth/gatehouse" {
			continue
		}
		if m.Replace != nil {
			m = m.Replace
		}
		return buildInfo{version: m.Version}
	}
	return buildInfo{version: info.Main.Version, commit: revision(info.Settings)}
}

// revision is the commit that was built, empty where the Go tool saw none.
func revision(settings []debug.BuildSetting) string {
	var commit, modified string
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = " (modified)"
		}
	}
	if commit == "" {
		return ""
	}
	return commit + modified
}

// Run prints one line.
func (versionCmd) Run(p process) error {
	_, err := fmt.Fprintln(p.stdout, build())
	return err
}
