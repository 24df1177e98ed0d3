package examples

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
	"github.com/gatehouse-auth/gatehouse/internal/freeport"
)

// TestAPIs starts each API twice: for a pool whose tokens can be made bad, and behind
// `gateway dev`, where somebody signs in.
func TestAPIs(t *testing.T) {
	binary := gateway(t)
	for name, e := range examples {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Run("judges_tokens", func(t *testing.T) { judgesTokens(t, e) })
			t.Run("serves_who_is_signed_in_at_the_gateway", func(t *testing.T) { servesSignedIn(t, e, binary) })
		})
	}
}

func judgesTokens(t *testing.T, e example) {
	p := startPool(t)
	levers := p.emulator.Levers()
	good := p.signIn(client).AccessToken
	a := e.start(t, p.emulator.Issuer())
	for what, fault := range map[string]cognitoemu.FaultKind{
		"answer": cognitoemu.Unavailable, "connect": cognitoemu.ConnectionReset, "finish": cognitoemu.TruncatedBody,
	} {
		levers.Fail(cognitoemu.EndpointJWKS, cognitoemu.Fault{Kind: fault})
		if status, _ := a.ask("Bearer " + good); status != http.StatusServiceUnavailable {
			t.Errorf("where the keys do not %s, a token is %d, want 503", what, status)
		}
		levers.Heal(cognitoemu.EndpointJWKS)
	}
	a.takes(good)
	fetched := levers.Calls(cognitoemu.EndpointJWKS)
	a.takes(good)
	a.takes(p.signIn(client).AccessToken)
	if more := levers.Calls(cognitoemu.EndpointJWKS) - fetched; more > 0 {
		t.Errorf("it fetched keys that it had, %d times", more)
	}
	for what, token := range p.bad(good) {
		t.Run("refuses_"+what, func(t *testing.T) {
			if status, subject := a.ask("Bearer " + token); status != http.StatusUnauthorized || subject != "" {
				t.Errorf("%d, subject %q, want 401", status, subject)
			}
		})
	}
	for what, authorization := range map[string]string{"no_header": "", "another_scheme": "Basic " + good} {
		t.Run("refuses_"+what, func(t *testing.T) {
			if status, _ := a.ask(authorization); status != http.StatusUnauthorized {
				t.Errorf("%d, want 401", status)
			}
		})
	}
	a.takes(good) // and goes on

	if err := levers.RotateKeys(); err != nil {
		t.Fatal(err)
	}
	// Who has just fetched the keys may wait before the next time.
	renewed := p.signIn(client).AccessToken
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Second) {
		status, _ := a.ask("Bearer " + renewed)
		if status == http.StatusOK {
			break
		}
		if status != http.StatusUnauthorized || time.Now().After(deadline) {
			t.Fatalf("a token by a new key is %d", status)
		}
	}
	a.takes(good) // the old key still stands in the set
}

func servesSignedIn(t *testing.T, e example, binary string) {
	pool := freeport.Addr(t)
	a := e.start(t, devIssuer(t, pool))
	b := browse(t, binary, a, pool)
	res, body := b.get("/api/me", "Sec-Fetch-Site", "same-origin")
	if res.StatusCode != http.StatusUnauthorized || res.Header.Get("X-Gatehouse") == "" {
		t.Errorf("without a sign-in: %s, of the gateway's own %q\n%s", res.Status, res.Header.Get("X-Gatehouse"), body)
	}
	subject := b.signIn()
	res, body = b.get("/api/me", "Sec-Fetch-Site", "same-origin")
	if res.StatusCode != http.StatusOK || subjectOf([]byte(body)) != subject {
		t.Errorf("signed in as %s: %s\n%s", subject, res.Status, body)
	}
	if status, _ := a.ask(""); status != http.StatusUnauthorized {
		t.Errorf("past the gateway: %d", status)
	}
}

// takes expects a token to be taken for its subject's.
func (a *api) takes(token string) {
	a.t.Helper()
	status, subject := a.ask("Bearer " + token)
	if want := claims(a.t, token)["sub"]; status != http.StatusOK || subject != want {
		a.t.Fatalf("an access token: %d, subject %q, want 200 and %q", status, subject, want)
	}
}

// subjectOf reads an answer of an API; "" if it names no subject.
func subjectOf(body []byte) string {
	var answer struct {
		Sub string `json:"sub"`
	}
	_ = json.Unmarshal(body, &answer)
	return answer.Sub
}

// TestPageQuotesExamples: what docs/apis.md shows is the file that runs.
func TestPageQuotesExamples(t *testing.T) {
	page, err := os.ReadFile("../docs/apis.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, e := range examples {
		if e.quoted == "" {
			continue
		}
		file, err := os.ReadFile(filepath.Join(e.dir, e.quoted))
		if err != nil {
			t.Fatal(err)
		}
		_, chapter, _ := strings.Cut(string(page), "\n## "+e.chapter+"\n")
		chapter, _, _ = strings.Cut(chapter, "\n## ")
		if !strings.Contains(chapter, "\n```"+e.language+"\n"+string(file)+"```\n") {
			t.Errorf("%s: the chapter %s of docs/apis.md does not show %s/%s as it is", name, e.chapter, e.dir, e.quoted)
		}
	}
}
