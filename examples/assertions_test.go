package examples

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/assertion"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// The gateway that vouches, and for whom.
const (
	vouching = "https://app.example.com"
	audience = "https://orders.example.com"
)

// vouchedFor shows, beside an API, what checks assertions.
var vouchedFor = map[string]struct{ quoted, language string }{
	"Express": {"assertion.js", "js"},
	"Go":      {"assertion.go", "go"},
}

// TestAssertions starts the APIs that take what a gateway vouches for.
func TestAssertions(t *testing.T) {
	for name := range vouchedFor {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			judgesAssertions(t, examples[name])
		})
	}
}

func judgesAssertions(t *testing.T, e example) {
	v := newVoucher(t)
	a := &asserted{e.startWith(t, "GATEWAY_ISSUER="+vouching, "GATEWAY_KEYS="+v.keySet, "ASSERTION_AUDIENCE="+audience)}
	good := v.sign(vouching, audience, time.Now())
	v.away.Store(true)
	if status, _ := a.ask(good); status != http.StatusServiceUnavailable {
		t.Errorf("where the keys are away, an assertion is %d, want 503", status)
	}
	v.away.Store(false)
	a.takes(good)
	for what, token := range v.bad(good) {
		if status, subject := a.ask(token); status != http.StatusUnauthorized || subject != "" {
			t.Errorf("%s: %d, subject %q, want 401", what, status, subject)
		}
	}
	a.takes(v.sign(vouching, audience, time.Now())) // and goes on

	v.replaceKey(2)
	// Who has just fetched the keys may wait before the next time.
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Second) {
		status, _ := a.ask(v.sign(vouching, audience, time.Now()))
		if status == http.StatusOK {
			return
		}
		if status != http.StatusUnauthorized || time.Now().After(deadline) {
			t.Fatalf("an assertion by a new key is %d", status)
		}
	}
}

// asserted is an API that goes by assertions.
type asserted struct{ *api }

func (a *asserted) ask(token string) (status int, subject string) {
	a.t.Helper()
	return a.askBy("X-Gatehouse-Assertion", token)
}

func (a *asserted) takes(token string) {
	a.t.Helper()
	if status, subject := a.ask(token); status != http.StatusOK || subject != "ada-1" {
		a.t.Fatalf("an assertion: %d, subject %q", status, subject)
	}
}

// voucher is what a gateway knows to vouch for somebody.
type voucher struct {
	t      *testing.T
	ring   *secret.Ring
	signer *assertion.Signer
	keySet string // its address
	away   atomic.Bool
}

func newVoucher(t *testing.T) *voucher {
	t.Helper()
	v := &voucher{t: t, ring: ringOf(t, 1)}
	v.signer = assertion.NewSigner(vouching, v.ring)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if v.away.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/jwk-set+json")
		_, _ = w.Write(v.signer.KeySet())
	}))
	t.Cleanup(server.Close)
	v.keySet = server.URL
	return v
}

// ringOf is a ring of one key, which is made of one byte.
func ringOf(t *testing.T, key byte) *secret.Ring {
	t.Helper()
	ring, err := secret.NewRing(bytes.Repeat([]byte{key}, secret.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// replaceKey gives the gateway another key, which is made of one byte.
func (v *voucher) replaceKey(key byte) {
	v.t.Helper()
	if err := v.ring.Replace(bytes.Repeat([]byte{key}, secret.KeySize)); err != nil {
		v.t.Fatal(err)
	}
	v.signer.Rekey()
}

// sign signs what a gateway would at some time.
func (v *voucher) sign(issuer, audience string, at time.Time) string {
	v.t.Helper()
	return signed(v.t, assertion.NewSigner(issuer, v.ring), audience, at)
}

func signed(t *testing.T, s *assertion.Signer, audience string, at time.Time) string {
	t.Helper()
	ada := &oauth.Identity{Subject: "ada-1", ID: oauth.Members{"cognito:username": "ada"}}
	h, err := s.Of(assertion.NewRule(audience, "X-Gatehouse-Assertion"), ada, "public-id", at)
	if err != nil {
		t.Fatal(err)
	}
	return h.Values[0]
}

// bad are assertions that nobody may take, by what is wrong with them. good is one that
// is right.
func (v *voucher) bad(good string) map[string]string {
	v.t.Helper()
	now := time.Now()
	stranger := signed(v.t, assertion.NewSigner(vouching, ringOf(v.t, 9)), audience, now)
	header, payload, signature := cut(good)
	_, _, otherSignature := cut(stranger)
	altered := claims(v.t, good)
	altered["sub"] = "somebody-else"
	kid := headerOf(v.t, good)["kid"]
	byPublicKey := part(v.t, map[string]any{"alg": "HS256", "typ": "JWT", "kid": kid}) + "." + payload
	mac := hmac.New(sha256.New, v.signer.KeySet())
	mac.Write([]byte(byPublicKey))
	return map[string]string{
		"for another audience":              v.sign(vouching, "https://bills.example.com", now),
		"of another issuer":                 v.sign("https://app.example.org", audience, now),
		"that has expired":                  v.sign(vouching, audience, now.Add(-121*time.Second)),
		"by the key of a stranger":          stranger,
		"with altered claims":               header + "." + part(v.t, altered) + "." + signature,
		"with the signature of another key": header + "." + payload + "." + otherSignature,
		"without a signature":               part(v.t, map[string]any{"alg": "none", "kid": kid}) + "." + payload + ".",
		"by HMAC with the public key":       byPublicKey + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)),
		"that is none":                      "token",
		"that is missing":                   "",
	}
}

func cut(token string) (header, payload, signature string) {
	header, rest, _ := strings.Cut(token, ".")
	payload, signature, _ = strings.Cut(rest, ".")
	return header, payload, signature
}

// headerOf is what the head of a token says.
func headerOf(t *testing.T, token string) map[string]any {
	t.Helper()
	header, _, _ := cut(token)
	return claims(t, "."+header+".")
}

// TestPageQuotesAssertions: what docs/apis.md shows is the file that runs.
func TestPageQuotesAssertions(t *testing.T) {
	page, err := os.ReadFile("../docs/apis.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range vouchedFor {
		file, err := os.ReadFile(filepath.Join(examples[name].dir, v.quoted))
		if err != nil {
			t.Fatal(err)
		}
		_, chapter, _ := strings.Cut(string(page), "\n## What the gateway vouches for\n")
		chapter, _, _ = strings.Cut(chapter, "\n## ")
		if !strings.Contains(chapter, "\n```"+v.language+"\n"+string(file)+"```\n") {
			t.Errorf("docs/apis.md does not show %s/%s as it is", examples[name].dir, v.quoted)
		}
	}
}
