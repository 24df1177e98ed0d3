package oauth

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// The pool that other verifiers know the issuer of by its id.
const (
	cognitoPool   = "eu-west-1_AbCdEf123"
	cognitoIssuer = "https://cognito-idp.eu-west-1.amazonaws.com/" + cognitoPool
)

// verdict is what two other verifiers say of a token.
type verdict struct{ AWS, Jose bool }

// otherVerifiers asks aws-jwt-verify, which is Amazon's own for Cognito, and jose.
func otherVerifiers(t *testing.T, clients, tokens []string) []verdict {
	t.Helper()
	const dir = "testdata/verifiers"
	if _, err := os.Stat(dir + "/node_modules/jose"); err != nil {
		t.Fatalf("this test needs the npm packages of %s: make test-go installs them (%v)", dir, err)
	}
	input, err := json.Marshal(object{"issuer": cognitoIssuer, "pool": cognitoPool, "clients": clients,
		"keys": keySetOf(jwk(testKid, signingKey())), "tokens": tokens})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", "verdicts.js")
	cmd.Dir, cmd.Stdin, cmd.Stderr = dir, bytes.NewReader(input), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var verdicts []verdict
	if err := json.Unmarshal(out, &verdicts); err != nil || len(verdicts) != len(tokens) {
		t.Fatalf("%d verdicts of %d tokens, %v", len(verdicts), len(tokens), err)
	}
	return verdicts
}

// mutations bend access tokens at random, always the same.
type mutations struct {
	*rand.Rand
	f     forged
	bases []string
}

// text changes the text of a good token.
func (m mutations) text() string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=. \n"
	token := []byte(m.bases[m.IntN(len(m.bases))])
	for range 1 + m.IntN(2) {
		at, char := m.IntN(len(token)), alphabet[m.IntN(len(alphabet))]
		switch m.IntN(5) {
		case 0:
			token[at] = char
		case 1:
			token = slices.Delete(token, at, at+1)
		case 2:
			token = slices.Insert(token, at, char)
		case 3: // a part of another token
			parts, other := strings.Split(string(token), "."), strings.Split(m.bases[m.IntN(len(m.bases))], ".")
			if i := m.IntN(len(parts)); i < len(other) {
				parts[i] = other[i]
			}
			token = []byte(strings.Join(parts, "."))
		case 4: // of the last characters, whose bits may stand for nothing
			token[len(token)-1-m.IntN(2)] = char
		}
	}
	return string(token)
}

// signed is a token with other claims, or another header, signed all the same.
func (m mutations) signed() string {
	values := []any{nil, "", "access", "id", testClientID, "client-2", "client-3", cognitoIssuer, cognitoIssuer + "/", 0, 1, -1, 1.5, 1e300, true,
		[]any{}, []any{testClientID}, object{}, object{"a": 1}, time.Now().Unix(), time.Now().Add(time.Hour).Unix(), time.Now().Add(-time.Hour).Unix(), fmt.Sprint(time.Now().Add(time.Hour).Unix())}
	header, claims := m.f.header, maps.Clone(m.f.claims)
	names := slices.Sorted(maps.Keys(claims))
	names = append(names, "nbf", "aud", "cognito:groups", "x")
	for range 1 + m.IntN(2) {
		name, value := names[m.IntN(len(names))], values[m.IntN(len(values))]
		switch m.IntN(4) {
		case 0:
			delete(claims, name)
		case 1:
			header = header.with([]string{"alg", "kid", "typ", "crit", "b64", "jku", "x", "cty"}[m.IntN(8)], values[m.IntN(len(values))])
		default:
			claims[name] = value
		}
	}
	body := claims.json()
	if m.IntN(5) == 0 { // a member twice
		value := object{"v": values[m.IntN(len(values))]}.json()
		body = fmt.Sprintf("{%q:%s,%s", names[m.IntN(len(names))], value[len(`{"v":`):len(value)-1], body[1:])
	}
	return sign(header.json(), body, signingKey())
}

// TestVerifyAccess_beside_other_verifiers: no token passes that one of them refuses. The
// other way round there may be such, as the gateway is stricter.
func TestVerifyAccess_beside_other_verifiers(t *testing.T) {
	p := newProvider(t)
	c := p.inBubble(func(o *Options) { o.Issuer = cognitoIssuer })
	p.issuer = cognitoIssuer
	f := forged{p: p, access: p.accessToken(), header: goodHeader(), claims: p.accessClaims().with("auth_time", time.Now().Unix()).with("jti", "j").with("version", 2)}

	named := map[string]string{}
	for group, forgeries := range map[string]map[string]forgery{
		"honest": honestAccess(), "algorithm": algForgeries(), "header": headerForgeries(), "form": formForgeries(), "claims": accessForgeries(),
	} {
		for name, forge := range forgeries {
			// The verifiers are asked one after the other, by clocks of their own: no verdict
			// may change meanwhile. TestVerifyAccess has these on a clock that stands.
			if !strings.Contains(name, "minute") {
				named[group+"/"+name] = forge(f)
			}
		}
	}
	names := slices.Sorted(maps.Keys(named))
	var tokens []string
	for _, name := range names {
		tokens = append(tokens, named[name])
	}
	const texts, signed = 5_000, 500
	m := mutations{rand.New(rand.NewPCG(1, 2)), f, nil}
	for name, token := range named {
		if strings.HasPrefix(name, "honest/") && len(token) < 2000 {
			m.bases = append(m.bases, token)
		}
	}
	slices.Sort(m.bases)
	for range texts {
		tokens = append(tokens, m.text())
	}
	for range signed {
		tokens = append(tokens, m.signed())
	}

	clients := map[string]bool{testClientID: true, "client-2": true}
	verdicts := otherVerifiers(t, slices.Sorted(maps.Keys(clients)), tokens)
	taken, stricter, lax, honest := 0, 0, 0, 0
	for i, token := range tokens {
		name := "a mutation"
		if i < len(names) {
			name = names[i]
		}
		_, err := c.VerifyAccess(t.Context(), token, clients)
		others := verdicts[i]
		switch {
		case err == nil && !(others.AWS && others.Jose):
			if lax++; lax < 20 {
				t.Errorf("%s is taken, and refused by others (%+v): %.200s", name, others, token)
			}
		case err == nil:
			taken++
		case others.AWS && others.Jose:
			stricter++
		}
		if strings.HasPrefix(name, "honest/") {
			if honest++; err != nil || !others.AWS || !others.Jose {
				t.Errorf("%s: %v, others %+v", name, err, others)
			}
		}
	}
	if taken == honest || stricter == 0 {
		t.Errorf("no mutation is taken by anybody: %d taken, %d refused by the gateway alone", taken, stricter)
	}
	t.Logf("%d tokens: %d taken by all, %d by the two others only, %d by the gateway and not by both others", len(tokens), taken, stricter, lax)
}
