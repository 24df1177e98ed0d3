package assertion

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// keys are what a ring's keys come to: one key pair for each, in their order. The first
// signs, all are published.
type keys struct {
	signer jose.Signer
	public []byte // a JWK Set (RFC 7517 §5)
}

// derivation is the label under which keys come from a ring. Another one is other keys.
const derivation = "assertion ES256"

// deriveKeys makes the same of a ring at every instance and at any time.
func deriveKeys(ring *secret.Ring) *keys {
	k := &keys{}
	var set jose.JSONWebKeySet
	for i, bits := range ring.Derive(derivation, scalarBytes) {
		pair := jose.JSONWebKey{Key: privateKey(bits), Algorithm: string(jose.ES256), Use: "sig"}
		pair.KeyID = thumbprint(pair)
		set.Keys = append(set.Keys, pair.Public())
		if i == 0 {
			k.signer = newSigner(pair)
		}
	}
	public, err := json.Marshal(set)
	if err != nil {
		panic(fmt.Sprintf("[unexpected] key set: %v", err)) // of keys that were just made
	}
	k.public = public
	return k
}

// scalarBytes is how many random bytes a private key is made of: eight more than it has,
// so that what is cut off the number leaves no trace worth the name (FIPS 186-5 §A.2.1).
const scalarBytes = 32 + 8

// privateKey is the key of P-256 that those random bits mean (FIPS 186-5 §A.2.1).
func privateKey(bits []byte) *ecdsa.PrivateKey {
	one := big.NewInt(1)
	most := new(big.Int).Sub(elliptic.P256().Params().N, one)
	d := new(big.Int).SetBytes(bits)
	d.Mod(d, most).Add(d, one)
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d.FillBytes(make([]byte, 32)))
	if err != nil {
		panic(fmt.Sprintf("[unexpected] private key: %v", err)) // only for numbers out of range
	}
	return key
}

// thumbprint names a key by what it is (RFC 7638), so that no two keys share a name.
func thumbprint(key jose.JSONWebKey) string {
	sum, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		panic(fmt.Sprintf("[unexpected] thumbprint: %v", err)) // only for kinds of keys that it does not know
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

func newSigner(key jose.JSONWebKey) jose.Signer {
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		panic(fmt.Sprintf("[unexpected] signer: %v", err)) // only for keys that do not go with the algorithm
	}
	return s
}
