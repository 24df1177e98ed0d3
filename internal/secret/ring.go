package secret

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

// KeySize is the length of a ring key in bytes.
const KeySize = 32

const (
	// NonceSize is the length of the nonce that a sealed value begins with. It is
	// random, so that it also names the value.
	NonceSize = 12
	// Overhead is how many bytes [Ring.Seal] adds to a plaintext: nonce and tag.
	Overhead = NonceSize + 16
)

// ErrOpen is the one answer to everything that does not open: wrong key, wrong
// label, wrong associated data, changed or truncated bytes. It says no more on
// purpose, so that it is no oracle.
var ErrOpen = errors.New("sealed value does not open")

// Ring is an ordered set of keys: the first seals, all open. Every use has a
// label, and each label gets its own key by HKDF-SHA256 (RFC 5869), so what was
// sealed for one purpose opens for no other. Safe for concurrent use, while its
// keys are replaced too.
type Ring struct{ set atomic.Pointer[keySet] }

// keySet is what [Ring.Replace] replaces: keys, and what is derived from them.
type keySet struct {
	keys    []*ringKey // pointers, because fmt prints the bytes of an array wherever it meets one
	derived sync.Map   // label → []cipher.AEAD, in the order of keys
}

type ringKey [KeySize]byte

// NewRing builds a ring. Each key must be [KeySize] bytes; there must be one at least.
func NewRing(keys ...[]byte) (*Ring, error) {
	r := &Ring{}
	if err := r.Replace(keys...); err != nil {
		return nil, err
	}
	return r, nil
}

// Replace gives the ring other keys, under the rules of [NewRing]; where they
// are broken the ring keeps those it has. Each Seal, Open or Derive sees either
// all of the old keys or all of the new ones.
func (r *Ring) Replace(keys ...[]byte) error {
	if len(keys) == 0 {
		return errors.New("key ring: no key")
	}
	set := &keySet{keys: make([]*ringKey, len(keys))}
	for i, k := range keys {
		if len(k) != KeySize {
			return fmt.Errorf("key ring: key %d has %d bytes, want %d", i+1, len(k), KeySize)
		}
		set.keys[i] = (*ringKey)(bytes.Clone(k))
	}
	r.set.Store(set)
	return nil
}

// NewKey returns a fresh random key in standard base64, as the configuration
// takes it.
func NewKey() string {
	var k ringKey
	_, _ = rand.Read(k[:]) // never fails (crypto/rand, Go 1.24)
	return base64.StdEncoding.EncodeToString(k[:])
}

// Format implements [fmt.Formatter] for every verb and flag: a ring shows no key.
func (*Ring) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// Derive returns size bytes for label from each key, in ring order. They are
// those of the keys at the time: after [Ring.Replace] they must be derived anew.
func (r *Ring) Derive(label string, size int) [][]byte { return r.set.Load().derive(label, size) }

func (s *keySet) derive(label string, size int) [][]byte {
	out := make([][]byte, len(s.keys))
	for i := range s.keys {
		out[i] = derive(s.keys[i][:], label, size)
	}
	return out
}

// Seal encrypts plaintext with AES-256-GCM under the first key, bound to label
// and aad. The result is nonce, ciphertext, tag.
func (r *Ring) Seal(label string, plaintext, aad []byte) []byte {
	return seal(r.set.Load().aeads(label)[0], plaintext, aad)
}

// Open decrypts what [Ring.Seal] made under any key of the ring, or answers [ErrOpen].
func (r *Ring) Open(label string, sealed, aad []byte) ([]byte, error) {
	for _, a := range r.set.Load().aeads(label) {
		if p, err := open(a, sealed, aad); err == nil {
			return p, nil
		}
	}
	return nil, ErrOpen
}

func (s *keySet) aeads(label string) []cipher.AEAD {
	if v, ok := s.derived.Load(label); ok {
		return v.([]cipher.AEAD)
	}
	out := make([]cipher.AEAD, len(s.keys))
	for i, k := range s.derive(label, KeySize) {
		out[i] = newAEAD(k)
	}
	v, _ := s.derived.LoadOrStore(label, out)
	return v.([]cipher.AEAD)
}

// SealWith is [Ring.Seal] under a single key that is no ring's, such as the key
// that only one browser's cookie carries. The key must have [KeySize] bytes.
func SealWith(key []byte, label string, plaintext, aad []byte) []byte {
	return seal(newAEAD(derive(key, label, KeySize)), plaintext, aad)
}

// OpenWith is [Ring.Open] under a single key.
func OpenWith(key []byte, label string, sealed, aad []byte) ([]byte, error) {
	return open(newAEAD(derive(key, label, KeySize)), sealed, aad)
}

// MAC returns HMAC-SHA256 over label and data under key, with the label's
// length in front so that no two pairs share an input.
func MAC(key []byte, label string, data []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write(binary.BigEndian.AppendUint64(nil, uint64(len(label))))
	m.Write([]byte(label))
	m.Write(data)
	return m.Sum(nil)
}

func derive(key []byte, label string, size int) []byte {
	k, err := hkdf.Key(sha256.New, key, nil, "gatehouse "+label, size)
	if err != nil {
		panic("[unexpected] hkdf: " + err.Error()) // only for sizes over 255 hashes
	}
	return k
}

func newAEAD(key []byte) cipher.AEAD {
	b, err := aes.NewCipher(key)
	if err != nil {
		panic("[unexpected] aes: " + err.Error()) // only for wrong key sizes
	}
	a, err := cipher.NewGCM(b)
	if err != nil {
		panic("[unexpected] gcm: " + err.Error())
	}
	return a
}

func seal(a cipher.AEAD, plaintext, aad []byte) []byte {
	out := make([]byte, a.NonceSize(), a.NonceSize()+len(plaintext)+a.Overhead())
	_, _ = rand.Read(out) // never fails (crypto/rand, Go 1.24)
	return a.Seal(out, out, plaintext, aad)
}

func open(a cipher.AEAD, sealed, aad []byte) ([]byte, error) {
	if len(sealed) < a.NonceSize()+a.Overhead() {
		return nil, ErrOpen
	}
	p, err := a.Open(nil, sealed[:a.NonceSize()], sealed[a.NonceSize():], aad)
	if err != nil {
		return nil, ErrOpen
	}
	return p, nil
}
