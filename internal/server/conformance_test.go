//go:build conformance

package server_test

import (
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestConformanceOfHTTP2: what h2spec finds wrong with the gateway it finds wrong with a
// plain server of net/http.
func TestConformanceOfHTTP2(t *testing.T) {
	plain := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) }))
	plain.EnableHTTP2 = true
	plain.StartTLS()
	defer plain.Close()
	known, n := h2spec(t, plain.URL+"/")
	t.Logf("net/http fails %d of %d: %v", len(known), n, known)

	r := newRig(t)
	found, n := h2spec(t, r.url+"/auth/healthz") // which answers whatever the Host
	t.Logf("the gateway fails %d of %d", len(found), n)
	for name, why := range found {
		if _, too := known[name]; !too && !strings.HasPrefix(name, earlyAnswers) {
			t.Errorf("%s: %s", name, why)
		}
	}
}

// earlyAnswers are cases of bodies that are not as long as they were announced to be. Here
// the answer needs none, so it may be on its way before that shows.
const earlyAnswers = "http2/8.1.2.6: "

// h2spec returns the cases that fail at an address, and how many there are.
func h2spec(t *testing.T, address string) (failed map[string]string, all int) {
	t.Helper()
	at, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	path, report := os.Getenv("H2SPEC"), filepath.Join(t.TempDir(), "report.xml")
	if path == "" {
		t.Fatal("H2SPEC must name the program: run this by `make conformance`")
	}
	run := exec.CommandContext(t.Context(), path, "-t", "-k", "-o", "10", "-h", "127.0.0.1", "-p", at.Port(), "-P", at.Path, "-j", report)
	output, failure := run.CombinedOutput() // a case that fails is a failure of the whole
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatalf("%v, %v:\n%s", err, failure, output)
	}
	var suites struct {
		Suites []struct {
			Cases []struct {
				Package string `xml:"package,attr"`
				Name    string `xml:"classname,attr"`
				Failure string `xml:"failure"`
				Error   string `xml:"error"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(text, &suites); err != nil {
		t.Fatal(err)
	}
	failed = make(map[string]string)
	for _, s := range suites.Suites {
		for _, c := range s.Cases {
			all++
			if why := c.Failure + c.Error; why != "" {
				failed[c.Package+": "+c.Name] = why
			}
		}
	}
	if all < 100 {
		t.Fatalf("only %d cases:\n%s", all, output)
	}
	return failed, all
}
