package oauth

import (
	"crypto/rsa"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
)

const (
	// maxKeys is how many keys a set may hold; Cognito's has two.
	maxKeys = 100
	// The size of a modulus in bits: from what NIST SP 800-131A still allows to
	// what is verified in reasonable time.
	minModulus = 2048
	maxModulus = 8192
)

// parseKeySet returns the keys of a JSON Web Key Set (RFC 7517) that may verify
// RS256, by id. Others are left out: they are other tokens' business. An id that
// two different keys claim stands for nil, so that the order in the set does not
// decide. A set without any usable key is an error and not an empty set, which would
// replace the keys in hand.
func parseKeySet(body []byte) (map[string]*rsa.PublicKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, errors.New("not a JSON Web Key Set")
	}
	if len(set.Keys) > maxKeys {
		return nil, errors.New("too many keys")
	}
	keys := make(map[string]*rsa.PublicKey, len(set.Keys))
	usable := 0
	for _, raw := range set.Keys {
		kid, k := parseKey(raw)
		if k == nil {
			continue
		}
		usable++
		if other, taken := keys[kid]; taken && (other == nil || !other.Equal(k)) {
			k = nil
		}
		keys[kid] = k
	}
	if usable == 0 {
		return nil, errors.New("no usable key")
	}
	return keys, nil
}

// privateMembers are what a published key never has. One that has them is
// known to the world (RFC 7518 §6.3.2, §6.4.1).
var privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

// parseKey returns a key that may verify RS256, or nil.
func parseKey(raw json.RawMessage) (kid string, k *rsa.PublicKey) {
	m, err := strictObject(raw)
	if err != nil {
		return "", nil
	}
	for _, name := range privateMembers {
		if _, there := m[name]; there {
			return "", nil
		}
	}
	kty, _ := stringMember(m, "kty")
	kid, _ = stringMember(m, "kid")
	if kty != "RSA" || kid == "" || len(kid) > maxKeyID || !maySign(m) {
		return "", nil
	}
	return kid, parseModulus(m)
}

// maySign reports whether the key's own words allow it to verify RS256
// signatures; an absent word allows.
func maySign(m map[string]json.RawMessage) bool {
	for name, want := range map[string]string{"use": "sig", "alg": "RS256"} {
		if _, there := m[name]; !there {
			continue
		}
		if got, ok := stringMember(m, name); !ok || got != want {
			return false
		}
	}
	if _, there := m["key_ops"]; !there {
		return true
	}
	var ops []string
	return json.Unmarshal(m["key_ops"], &ops) == nil && slices.Contains(ops, "verify")
}

func parseModulus(m map[string]json.RawMessage) *rsa.PublicKey {
	modulus, ok := bigMember(m, "n")
	if !ok || modulus.BitLen() < minModulus || modulus.BitLen() > maxModulus || modulus.Bit(0) == 0 {
		return nil
	}
	exponent, ok := bigMember(m, "e")
	// An exponent of 1 makes every signature its own message; crypto/rsa takes
	// none over 31 bits.
	if !ok || exponent.BitLen() > 31 || exponent.Bit(0) == 0 || exponent.Int64() < 3 {
		return nil
	}
	return &rsa.PublicKey{N: modulus, E: int(exponent.Int64())}
}

func bigMember(m map[string]json.RawMessage, name string) (*big.Int, bool) {
	s, ok := stringMember(m, name)
	if !ok {
		return nil, false
	}
	b, ok := decodeStrict(s)
	return new(big.Int).SetBytes(b), ok
}
