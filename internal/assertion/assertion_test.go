package assertion_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/assertion"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

const issuer = "https://app.example.com"

var now = time.Unix(1795401232, 0)

// ringOf is a ring of keys that are each made of one byte.
func ringOf(t testing.TB, keys ...byte) *secret.Ring {
	t.Helper()
	ring, err := secret.NewRing(keysOf(keys...)...)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func keysOf(keys ...byte) [][]byte {
	out := make([][]byte, len(keys))
	for i, k := range keys {
		out[i] = bytes.Repeat([]byte{k}, secret.KeySize)
	}
	return out
}

func ada() *oauth.Identity {
	return &oauth.Identity{Subject: "ada-1", ID: oauth.Members{
		"cognito:username": "ada", "email": "ada@example.com", "email_verified": true, "cognito:groups": []any{"staff", "R&D, Berlin"},
	}}
}

func sign(t testing.TB, s *assertion.Signer, rule *assertion.Rule, i *oauth.Identity, now time.Time) string {
	t.Helper()
	h, err := s.Of(rule, i, "public-id", now)
	if err != nil || len(h.Values) != 1 {
		t.Fatalf("%+v, %v", h, err)
	}
	return h.Values[0]
}

// publicKey is a member of a JWK Set (RFC 7517 §4), with all that it says.
type publicKey map[string]string

func keySet(t testing.TB, s *assertion.Signer) []publicKey {
	t.Helper()
	var set struct{ Keys []publicKey }
	if err := json.Unmarshal(s.KeySet(), &set); err != nil {
		t.Fatal(err)
	}
	return set.Keys
}

// verify checks a signature by the standard library alone, as RFC 7515 §5.2 and RFC 7518
// §3.4 have it, and returns what was signed.
func verify(t testing.TB, keys []publicKey, token string) (header, claims map[string]any, err error) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q has %d parts", token, len(parts))
	}
	for i, into := range []*map[string]any{&header, &claims} {
		if err := json.Unmarshal(decode(t, parts[i]), into); err != nil {
			t.Fatal(err)
		}
	}
	i := slices.IndexFunc(keys, func(k publicKey) bool { return k["kid"] == header["kid"] })
	if i < 0 {
		return header, claims, fmt.Errorf("no key %v", header["kid"])
	}
	point := slices.Concat([]byte{4}, decode(t, keys[i]["x"]), decode(t, keys[i]["y"]))
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		t.Fatal(err)
	}
	signature, sum := decode(t, parts[2]), sha256.Sum256([]byte(parts[0]+"."+parts[1]))
	r, s := new(big.Int).SetBytes(signature[:len(signature)/2]), new(big.Int).SetBytes(signature[len(signature)/2:])
	if len(signature) != 64 || !ecdsa.Verify(key, sum[:], r, s) {
		return header, claims, fmt.Errorf("a signature of %d bytes that is not the key's", len(signature))
	}
	return header, claims, nil
}

func decode(t testing.TB, part string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAssertion_says_who_is_calling(t *testing.T) {
	s := assertion.NewSigner(issuer, ringOf(t, 1))
	orders := assertion.NewRule("https://orders.example.com", "x-gatehouse-ASSERTION")
	for name, tc := range map[string]struct {
		of   *oauth.Identity
		want map[string]any
	}{
		"a_user": {ada(), map[string]any{
			"username": "ada", "email": "ada@example.com", "groups": []any{"staff", "R&D, Berlin"}, "sub": "ada-1",
		}},
		"an_address_that_is_not_verified": {
			&oauth.Identity{Subject: "bob-1", ID: oauth.Members{"cognito:username": "bob", "email": "bob@example.com", "email_verified": "false", "cognito:groups": []any{}}},
			map[string]any{"username": "bob", "sub": "bob-1"},
		},
		"an_access_token_alone": {
			&oauth.Identity{Subject: "eve-1", Access: oauth.Members{"username": "Eve \"<ü>\"", "cognito:groups": []any{"staff"}}},
			map[string]any{"username": "Eve \"<ü>\"", "groups": []any{"staff"}, "sub": "eve-1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			header, claims, err := verify(t, keySet(t, s), sign(t, s, orders, tc.of, now))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(map[string]any{"alg": "ES256", "typ": "JWT", "kid": keySet(t, s)[0]["kid"]}, header); diff != "" {
				t.Errorf("header (-want +got):\n%s", diff)
			}
			tc.want["iss"], tc.want["aud"], tc.want["sid"] = issuer, "https://orders.example.com", "public-id"
			tc.want["iat"], tc.want["exp"] = float64(now.Unix()), float64(now.Unix()+60)
			if diff := cmp.Diff(tc.want, claims); diff != "" {
				t.Errorf("claims (-want +got):\n%s", diff)
			}
		})
	}
	if h, err := s.Of(orders, ada(), "", now); err != nil || h.Name != "X-Gatehouse-Assertion" || !slices.Equal(orders.Names(), []string{h.Name}) {
		t.Errorf("goes by %q of %q, %v", h.Name, orders.Names(), err)
	}
	if _, claims, _ := verify(t, keySet(t, s), tokenWithoutSession(t, s, orders)); claims["sid"] != nil {
		t.Errorf("without a session there is %v", claims["sid"])
	}
	if none := (*assertion.Rule)(nil); none.Names() != nil {
		t.Error("no rule has names")
	}
}

func tokenWithoutSession(t *testing.T, s *assertion.Signer, rule *assertion.Rule) string {
	h, err := s.Of(rule, ada(), "", now)
	if err != nil {
		t.Fatal(err)
	}
	return h.Values[0]
}

func TestAssertion_is_signed_once_in_half_a_minute(t *testing.T) {
	s := assertion.NewSigner(issuer, ringOf(t, 1))
	orders, bills := assertion.NewRule("orders", "X-A"), assertion.NewRule("bills", "X-A")
	i := ada()
	first := sign(t, s, orders, i, now)
	for _, after := range []time.Duration{0, 29*time.Second + 999*time.Millisecond} {
		if sign(t, s, orders, i, now.Add(after)) != first {
			t.Errorf("signed anew after %s", after)
		}
	}
	if sign(t, s, assertion.NewRule("orders", "x-a"), i, now) != first {
		t.Error("the same rule, after a reload, signs anew")
	}
	other := sign(t, s, bills, i, now)
	if _, claims, err := verify(t, keySet(t, s), other); err != nil || claims["aud"] != "bills" {
		t.Errorf("for another audience: %v, %v", claims, err)
	}
	if sign(t, s, orders, i, now) != first {
		t.Error("one audience has another's signed anew")
	}
	second := sign(t, s, orders, i, now.Add(30*time.Second))
	if _, claims, err := verify(t, keySet(t, s), second); err != nil || claims["exp"] != float64(now.Unix()+90) {
		t.Errorf("after half a minute: %v, %v", claims, err)
	}
	if _, claims, _ := verify(t, keySet(t, s), sign(t, s, orders, &oauth.Identity{Subject: "bob-1"}, now)); claims["sub"] != "bob-1" {
		t.Errorf("another user's says %v", claims)
	}
	if n := testing.AllocsPerRun(100, func() {
		if _, err := s.Of(orders, i, "public-id", now.Add(31*time.Second)); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations while it is good", n)
	}
}

func TestKeySet_has_the_public_half_only(t *testing.T) {
	s := assertion.NewSigner(issuer, ringOf(t, 1, 2, 3))
	seen := map[string]bool{}
	for _, k := range keySet(t, s) {
		seen[k["kid"]] = true
		k["kid"], k["x"], k["y"] = "", fmt.Sprint(len(decode(t, k["x"]))), fmt.Sprint(len(decode(t, k["y"])))
		if diff := cmp.Diff(publicKey{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "", "x": "32", "y": "32"}, k); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	if len(seen) != 3 {
		t.Errorf("three keys of the ring make %d", len(seen))
	}
}

// TestKeys_roll: instances that are at different steps of a roll-out take each other's
// assertions, and what was kept by a key is not sent after it.
func TestKeys_roll(t *testing.T) {
	rule := assertion.NewRule("orders", "X-A")
	one, other := ringOf(t, 1), ringOf(t, 1)
	a, b := assertion.NewSigner(issuer, one), assertion.NewSigner(issuer, other)
	i := ada()
	judge := func(step string) {
		t.Helper()
		token := sign(t, a, rule, i, now)
		for name, keys := range map[string][]publicKey{"the same instance": keySet(t, a), "another one": keySet(t, b)} {
			if _, _, err := verify(t, keys, token); err != nil {
				t.Errorf("%s: by %s: %v", step, name, err)
			}
		}
	}
	judge("before")
	for _, step := range []struct {
		name string
		keys []byte
	}{
		{"the new key is last", []byte{1, 2}}, {"the new key is first", []byte{2, 1}}, {"the old key is gone", []byte{2}},
	} {
		for _, next := range []struct {
			ring   *secret.Ring
			signer *assertion.Signer
		}{{other, b}, {one, a}} {
			if err := next.ring.Replace(keysOf(step.keys...)...); err != nil {
				t.Fatal(err)
			}
			next.signer.Rekey()
			judge(step.name)
		}
		if header, _, _ := verify(t, keySet(t, a), sign(t, a, rule, i, now)); header["kid"] != keySet(t, a)[0]["kid"] {
			t.Errorf("%s: signed by %v, which is not the first", step.name, header["kid"])
		}
	}
}

// TestKeys_stay_what_they_are: another derivation is other keys, and instances of two
// versions would not take each other's assertions while one takes the place of the other.
func TestKeys_stay_what_they_are(t *testing.T) {
	for key, want := range map[byte]string{
		1: "DSNBUDnbK4U8Ns_1XOlphtyIb4svJP0tbxliSp5nCGM",
		2: "4qVL9GKaRjwjsTU-YSZiWnDOHvFitJ1GprdvLsQ8Awk",
	} {
		if got := keySet(t, assertion.NewSigner(issuer, ringOf(t, key)))[0]["kid"]; got != want {
			t.Errorf("a key of bytes %d comes to %s, want %s", key, got, want)
		}
	}
}

func TestSigner_serves_many_at_a_time(t *testing.T) {
	ring := ringOf(t, 1)
	s, i := assertion.NewSigner(issuer, ring), ada()
	keys := keySet(t, assertion.NewSigner(issuer, ringOf(t, 1, 2)))
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			rule := assertion.NewRule(fmt.Sprint("audience-", n%3), "X-A")
			for m := range 20 {
				h, err := s.Of(rule, i, "public-id", now.Add(time.Duration(m)*20*time.Second))
				if err != nil {
					t.Error(err)
					return
				}
				if _, claims, err := verify(t, keys, h.Values[0]); err != nil || claims["aud"] != fmt.Sprint("audience-", n%3) {
					t.Errorf("%v, %v", claims, err)
				}
				if n == 0 {
					_ = ring.Replace(keysOf(byte(m%2)+1, byte((m+1)%2)+1)...)
					s.Rekey()
				}
			}
		})
	}
	all.Wait()
}
