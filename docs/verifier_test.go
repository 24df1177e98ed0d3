package docs

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// patience is how long a program may take in all: only one that hangs takes it.
const patience = 5 * time.Minute

// verifier is a program around a snippet: it is given a token a line, and answers
// with "ok" and the subject, or "refused" and why.
type verifier struct {
	t       *testing.T
	tokens  io.Writer
	answers *bufio.Scanner
}

func startGo(t *testing.T, p *pool) *verifier {
	t.Helper()
	dir := t.TempDir()
	snippet := put(t, dir, "snippet.go", strings.Replace(snippet(t, "Go", "go"), "package api\n", "package main\n", 1))
	program := put(t, dir, "main.go", `package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
)

func main() {
	verify := NewVerifier(os.Args[1], os.Args[2])
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if c, err := verify(context.Background(), lines.Text()); err != nil {
			fmt.Println("refused", err)
		} else {
			fmt.Println("ok", c.Subject)
		}
	}
}
`)
	return start(t, p, "go", "run", program, snippet)
}

func startNode(t *testing.T, p *pool) *verifier {
	t.Helper()
	dir := t.TempDir()
	modules, err := filepath.Abs("../web/e2e/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(modules, "jose")); err != nil {
		t.Fatalf("this test needs the npm packages of web/e2e: make test-go installs them (%v)", err)
	}
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "snippet.mjs", snippet(t, "Node.js", "js"))
	return start(t, p, "node", put(t, dir, "main.mjs", `
import { createInterface } from 'node:readline';
import { newVerifier } from './snippet.mjs';

const verify = newVerifier(process.argv[2], process.argv[3]);
for await (const token of createInterface({ input: process.stdin })) {
  console.log(await verify(token).then((claims) => 'ok ' + claims.sub, (error) => 'refused ' + error));
}
`))
}

func startPython(t *testing.T, p *pool) *verifier {
	t.Helper()
	python := "python3"
	if exec.Command(python, "-c", "import cryptography, jwt").Run() != nil {
		python = "/usr/bin/python3" // Debian's, which has Debian's packages
		if out, err := exec.Command(python, "-c", "import cryptography, jwt").CombinedOutput(); err != nil {
			t.Fatalf("this test needs Python with PyJWT: .ci/deps installs it (%v: %s)", err, out)
		}
	}
	dir := t.TempDir()
	put(t, dir, "snippet.py", snippet(t, "Python", "python"))
	return start(t, p, python, put(t, dir, "main.py", `
import sys

import jwt
from snippet import new_verifier

verify = new_verifier(sys.argv[1], sys.argv[2])
for token in sys.stdin:
    try:
        print("ok", verify(token.strip())["sub"], flush=True)
    except jwt.PyJWTError as error:
        print("refused", repr(error), flush=True)
`))
}

// snippet returns the first block of a language in a chapter of apis.md.
func snippet(t *testing.T, chapter, language string) string {
	t.Helper()
	page, err := os.ReadFile("apis.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "\n## "+chapter+"\n")
	rest, _, _ = strings.Cut(rest, "\n## ")
	_, rest, begins := strings.Cut(rest, "\n```"+language+"\n")
	text, _, ends := strings.Cut(rest, "\n```\n")
	if !found || !begins || !ends {
		t.Fatalf("apis.md has no block of %s in its chapter %s", language, chapter)
	}
	return text + "\n"
}

// put writes a file and returns its path.
func put(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// start runs a program until the test ends, for the pool's issuer and client.
func start(t *testing.T, p *pool, name string, args ...string) *verifier {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	cmd := exec.CommandContext(ctx, name, append(args, p.emulator.Issuer(), client)...)
	cmd.Stderr = os.Stderr
	tokens, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	answers, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("this test needs %s: .ci/deps installs it (%v)", name, err)
	}
	t.Cleanup(func() {
		defer cancel()
		_ = tokens.Close() // which ends it
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s ended with %v", name, err)
		}
	})
	return &verifier{t, tokens, bufio.NewScanner(answers)}
}

// judge returns what the program says of a token.
func (v *verifier) judge(token string) string {
	v.t.Helper()
	if _, err := io.WriteString(v.tokens, token+"\n"); err != nil {
		v.t.Fatal(err)
	}
	if !v.answers.Scan() {
		v.t.Fatalf("no answer: %v", v.answers.Err())
	}
	return v.answers.Text()
}

// takes expects a token to be taken for its subject's.
func (v *verifier) takes(token string) {
	v.t.Helper()
	if answer, want := v.judge(token), "ok "+claims(v.t, token)["sub"].(string); answer != want {
		v.t.Fatalf("an access token: %q, want %q", answer, want)
	}
}
