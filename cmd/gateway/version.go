package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by the release build (-ldflags "-X main.version=v1.2.3").
var version = ""

type versionCmd struct{}

type buildInfo struct{ version, commit string }

// build reads what the Go tool recorded of this build.
func build() buildInfo {
	b := buildInfo{version: version, commit: "unknown"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if b.version == "" {
		b.version = info.Main.Version
	}
	modified := ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			b.commit = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = " (modified)"
		}
	}
	b.commit += modified
	if b.version == "" {
		b.version = "(devel)"
	}
	return b
}

// Run prints one line.
func (versionCmd) Run(p process) error {
	b := build()
	_, err := fmt.Fprintf(p.stdout, "gatehouse %s, commit %s, %s %s/%s\n",
		b.version, b.commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
