package archtest

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestBuildBringsNothingUnneeded asks the go command what a build of the gateway
// compiles.
func TestBuildBringsNothingUnneeded(t *testing.T) {
	list := exec.Command("go", "list", "-deps", "./cmd/gateway")
	list.Dir = "../.."
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	packages := strings.Fields(string(out))
	if !slices.Contains(packages, module+"/cmd/gateway") {
		t.Fatalf("go list does not name the command itself: %.200s", out)
	}
	for _, pkg := range packages {
		if slices.Contains(unneeded, pkg) {
			t.Errorf("a build of cmd/gateway holds %s", pkg)
		}
	}
}
