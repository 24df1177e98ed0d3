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
	b := buildInfo{version: version, commit: commit}
	if info, ok := debug.ReadBuildInfo(); ok {
		b.version = cmp.Or(b.version, info.Main.Version)
		b.commit = cmp.Or(b.commit, revision(info.Settings))
	}
	return buildInfo{version: cmp.Or(b.version, "(devel)"), commit: cmp.Or(b.commit, "unknown")}
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
