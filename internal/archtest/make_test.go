package archtest

import (
	"os/exec"
	"strings"
	"testing"
)

// TestMakeTestRunsEveryPart: one run of the tests shows all there is to mend.
func TestMakeTestRunsEveryPart(t *testing.T) {
	// Parts that nobody has fail.
	test := exec.Command(".ci/parts", "test-of-nothing", "help", "test-of-nothing-else")
	test.Dir = "../.."
	out, err := test.CombinedOutput()
	if _, failed := err.(*exec.ExitError); !failed {
		t.Fatalf("it ended with %v, want a failure:\n%s", err, out)
	}
	for _, want := range []string{
		"test-of-nothing FAILED in", "help          passed in", "test-of-nothing-else FAILED in",
		"failed: test-of-nothing test-of-nothing-else\n",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
}
