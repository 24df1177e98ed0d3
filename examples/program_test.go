package examples

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/freeport"
)

// patience is how long anything may take: only what hangs takes it.
const patience = 15 * time.Minute

// example is how an API is run.
type example struct {
	dir string
	// command is its program, for 127.0.0.1:port. It runs in dir.
	command func(t *testing.T, port string) []string
	// quoted is the file that a chapter of docs/apis.md shows in a language.
	quoted, chapter, language string
}

var examples = map[string]example{
	"Express": {
		dir: "api-express", quoted: "verifier.js", chapter: "Node.js", language: "js",
		command: func(t *testing.T, _ string) []string {
			if _, err := os.Stat("api-express/node_modules/jose"); err != nil {
				t.Fatalf("this test needs the npm packages of api-express: make test-go installs them (%v)", err)
			}
			return []string{"node", "server.js"}
		},
	},
	"Go": {
		dir: "api-go", quoted: "verifier.go", chapter: "Go", language: "go",
		command: func(t *testing.T, _ string) []string { return []string{build(t, "api-go", ".")} },
	},
	"FastAPI": {
		dir: "api-fastapi", quoted: "verifier.py", chapter: "Python", language: "python",
		command: func(t *testing.T, port string) []string {
			return []string{python(t), "-B", "-m", "uvicorn", "main:app", "--port", port} // -B: no __pycache__ in the tree
		},
	},
	"Java": {
		dir:     "api-java",
		command: func(*testing.T, string) []string { return []string{"java", "Api.java"} },
	},
}

// python is one that has what api-fastapi imports.
func python(t *testing.T) string {
	t.Helper()
	// Debian's packages are for Debian's Python, which need not be the first in PATH.
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(name, "-c", "import cryptography, fastapi, jwt, uvicorn").Run() == nil {
			return name
		}
	}
	t.Fatal("this test needs Python with FastAPI, Uvicorn and PyJWT: .ci/deps installs them")
	return ""
}

// build compiles a command of the module in dir and returns its path.
func build(t *testing.T, dir, pkg string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program.exe") // whose ending only Windows looks at
	cmd := exec.Command("go", "build", "-o", path, pkg)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", pkg, err, out)
	}
	return path
}

// gateway is the binary that GATEWAY_BIN names, or one that is compiled here.
func gateway(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("GATEWAY_BIN"); path != "" {
		return path
	}
	return build(t, "..", "./cmd/gateway")
}

// api is a running example.
type api struct {
	t      *testing.T
	origin string
}

// start runs an example for an issuer until the test ends.
func (e example) start(t *testing.T, issuer string) *api {
	t.Helper()
	return e.startWith(t, "COGNITO_ISSUER="+issuer, "COGNITO_CLIENT_ID="+client)
}

// startWith runs an example with these variables until the test ends.
func (e example) startWith(t *testing.T, environ ...string) *api {
	t.Helper()
	addr := freeport.Addr(t)
	port := portOf(t, addr)
	run(t, e.dir, addr, e.command(t, port), append(environ, "PORT="+port)...)
	return &api{t, "http://" + addr}
}

// run runs a program until it is stopped or the test ends, and waits until it listens
// at addr. It is stopped as if the machine were: nothing is told to the program.
func run(t *testing.T, dir, addr string, command []string, environ ...string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	var output bytes.Buffer
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, append(os.Environ(), environ...), &output, &output
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatalf("this test needs %s: .ci/deps installs it (%v)", command[0], err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // killed at the end; one that ends before is found below, or does not answer
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Logf("%s printed:\n%s", filepath.Base(command[0]), output.String())
		}
	})
	for {
		if c, err := net.Dial("tcp", addr); err == nil {
			_ = c.Close()
			return stop
		}
		select {
		case <-ended:
			t.Fatalf("%v does not run", command)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// ask sends an Authorization header, if there is one, and returns the status and
// the subject of the answer.
func (a *api) ask(authorization string) (status int, subject string) {
	a.t.Helper()
	return a.askBy("Authorization", authorization)
}

// askBy is ask by another header.
func (a *api) askBy(header, proof string) (status int, subject string) {
	a.t.Helper()
	r, err := http.NewRequest(http.MethodGet, a.origin+"/api/me", nil)
	if err != nil {
		a.t.Fatal(err)
	}
	if proof != "" {
		r.Header.Set(header, proof)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	if challenge := res.Header.Get("WWW-Authenticate"); (res.StatusCode == http.StatusUnauthorized) != strings.HasPrefix(challenge, "Bearer") {
		a.t.Errorf("%s comes with WWW-Authenticate %q", res.Status, challenge)
	}
	return res.StatusCode, subjectOf(body)
}
