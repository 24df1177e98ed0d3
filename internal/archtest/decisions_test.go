package archtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDecisions: the records in docs/decisions have the numbers from 1 on, one each,
// and begin with theirs. Two of one number could not be told apart by whoever cites it.
func TestDecisions(t *testing.T) {
	files, err := filepath.Glob("../../docs/decisions/*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("find the decisions: %d, %v", len(files), err)
	}
	for i, name := range files { // sorted
		if number := fmt.Sprintf("%04d-", i+1); !strings.HasPrefix(filepath.Base(name), number) {
			t.Fatalf("the next decision is to begin with %s, and is %s", number, filepath.Base(name))
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if heading := fmt.Sprintf("# %d. ", i+1); !strings.HasPrefix(string(text), heading) {
			t.Errorf("%s does not begin with %q", filepath.Base(name), heading)
		}
	}
}
