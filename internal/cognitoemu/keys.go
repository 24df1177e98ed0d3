package cognitoemu

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

const signingKeyBits = 2048

// signingKey is one RSA key of the pool with its public name.
type signingKey struct {
	id      string
	private *rsa.PrivateKey
}

// Keys are a pool's two signing keys: ID and access tokens are signed with
// different ones, as the real service does, so a client that expects a single key
// fails here and not in production.
type Keys struct{ id, access *signingKey }

// NewKeys makes two keys side by side, in some 100 ms of two processors.
func NewKeys() (*Keys, error) {
	var wg sync.WaitGroup
	var keys Keys
	var idErr, accessErr error
	wg.Go(func() { keys.id, idErr = newSigningKey() })
	wg.Go(func() { keys.access, accessErr = newSigningKey() })
	wg.Wait()
	if err := errors.Join(idErr, accessErr); err != nil {
		return nil, err
	}
	return &keys, nil
}

// signingKeys are the keys in use and those still published.
type signingKeys struct {
	mu      sync.Mutex
	keys    *Keys
	retired []*signingKey
}

func (k *signingKeys) current() *Keys {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.keys
}

// rotate replaces both keys; the old ones stay in the JWKS until dropRetired.
func (k *signingKeys) rotate() error {
	keys, err := NewKeys()
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.retired = append(k.retired, k.keys.id, k.keys.access)
	k.keys = keys
	return nil
}

func (k *signingKeys) dropRetired() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.retired = nil
}

// published are the keys of the JWKS, current ones first.
func (k *signingKeys) published() []*signingKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]*signingKey{k.keys.id, k.keys.access}, k.retired...)
}

func newSigningKey() (*signingKey, error) {
	private, err := rsa.GenerateKey(rand.Reader, signingKeyBits)
	if err != nil {
		return nil, fmt.Errorf("generate signing key: %w", err)
	}
	digest := sha256.Sum256(private.N.Bytes())
	// Standard base64 with padding, as the real ones: a kid may hold / + and =.
	return &signingKey{id: base64.StdEncoding.EncodeToString(digest[:]), private: private}, nil
}

// jwk is a public key as the real JWKS lists it: these six members, no others.
type jwk struct {
	Alg string `json:"alg"`
	E   string `json:"e"`
	Kid string `json:"kid"`
	Kty string `json:"kty"`
	N   string `json:"n"`
	Use string `json:"use"`
}

func (k *signingKey) public() jwk {
	exponent := binary.BigEndian.AppendUint32(nil, uint32(k.private.E))
	for exponent[0] == 0 {
		exponent = exponent[1:]
	}
	return jwk{
		Alg: "RS256", Kty: "RSA", Use: "sig", Kid: k.id,
		E: base64.RawURLEncoding.EncodeToString(exponent),
		N: base64.RawURLEncoding.EncodeToString(k.private.N.Bytes()),
	}
}

// sign makes a compact JWS (RFC 7515 §3.1) of claims.
func (k *signingKey) sign(claims any) (string, error) {
	header, err := json.Marshal(map[string]string{"kid": k.id, "alg": "RS256"})
	if err != nil {
		return "", fmt.Errorf("encode token header: %w", err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encode claims: %w", err)
	}
	signed := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload)
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, k.private, crypto.SHA256, digest[:])
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

var errNotOurToken = errors.New("not a token of this pool")

// open returns the payload of a token that one of the published keys signed.
func (k *signingKeys) open(token string) ([]byte, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errNotOurToken
	}
	var header struct{ Kid, Alg string }
	if raw, err := base64.RawURLEncoding.DecodeString(parts[0]); err != nil || json.Unmarshal(raw, &header) != nil || header.Alg != "RS256" {
		return nil, errNotOurToken
	}
	keys := k.published()
	i := slices.IndexFunc(keys, func(key *signingKey) bool { return key.id == header.Kid })
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if i < 0 || err != nil {
		return nil, errNotOurToken
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if rsa.VerifyPKCS1v15(&keys[i].private.PublicKey, crypto.SHA256, digest[:], signature) != nil {
		return nil, errNotOurToken
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, errNotOurToken
	}
	return payload, nil
}
