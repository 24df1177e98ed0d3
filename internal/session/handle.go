package session

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// handleSize is the length of a handle that [NewHandle] makes, in bytes: a
// 256-bit id and a 256-bit key.
const handleSize = idSize + secret.KeySize

const idSize = 32

// NewHandle makes a handle out of fresh random bytes. They are raw bytes, to be
// sealed or encoded before they travel.
func NewHandle() Handle {
	var b [handleSize]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand, Go 1.24)
	return secret.NewText(string(b[:]))
}

// IDOf returns the public id of a handle, base64url of the SHA-256 of its id
// part: what a store may keep in the clear, since the way back is closed. It
// reports false for bytes that are no handle of [NewHandle]'s kind.
func IDOf(h Handle) (id string, ok bool) {
	raw := h.Reveal()
	if len(raw) != handleSize {
		return "", false
	}
	sum := sha256.Sum256([]byte(raw[:idSize]))
	return base64.RawURLEncoding.EncodeToString(sum[:]), true
}

// IsID reports whether s has the form of a public id.
func IsID(s string) bool {
	if len(s) != base64.RawURLEncoding.EncodedLen(sha256.Size) {
		return false
	}
	_, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err == nil
}

// handleKey is the half of a handle that opens its record. The caller has
// checked the handle with IDOf.
func handleKey(h Handle) []byte { return []byte(h.Reveal()[idSize:]) }
