package command

import (
	"fmt"
	"net/url"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"gateway":       func() { os.Exit(Main(nil)) },
		"own-gateway":   func() { os.Exit(Main(map[string]sessionstore.OpenEntries{"kept": unopened, "a-b": unopened})) },
		"wrong-gateway": func() { os.Exit(Main(map[string]sessionstore.OpenEntries{"kept": unopened, "redis": unopened})) },
	})
}

// unopened is a store that no command here may open.
func unopened(*url.URL) (sessionstore.Entries, error) { panic("a store was opened") }

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": status, "mode": mode,
		},
	})
}

// mode demands a file's permissions: mode 0600 key.
func mode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode PERM FILE")
	}
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}

// status runs a command and demands an exit status: status 2 gateway serve.
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N command [args...]")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if err != nil {
		got = exitStatus(err)
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("exit status %d, want %s (%v)", got, args[0], err)
	}
}

func exitStatus(err error) int {
	type exiter interface{ ExitCode() int }
	if e, ok := err.(exiter); ok {
		return e.ExitCode()
	}
	return -1
}
