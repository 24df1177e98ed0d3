package session

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// A portable record is a whole session in one sealed value, for a store that
// keeps nothing: it is the handle itself. All of it lies under the key ring,
// since there is no other place for a key; so whoever has the ring and a cookie
// can read that cookie's tokens, as whoever has the ring and can write cookies
// can be anyone.

const (
	portableFormat = 1
	portableLabel  = "session portable v1"
)

// NewID makes a public id for a session whose handle has none.
func NewID() string {
	var b [idSize]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand, Go 1.24)
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// PortableCodec seals sessions into handles and opens them.
type PortableCodec struct {
	ring   *secret.Ring
	issuer string
	aad    []byte
}

// NewPortableCodec returns a codec under ring for the sessions of audience.
func NewPortableCodec(ring *secret.Ring, audience Audience) *PortableCodec {
	return &PortableCodec{ring: ring, issuer: audience.Issuer, aad: append([]byte{portableFormat}, audience.String()...)}
}

// Seal returns s with the handle that holds all of it. Times lose what is below
// a millisecond. A session of another issuer is an error.
func (c *PortableCodec) Seal(s *Session) (*Session, error) {
	if s.Issuer != c.issuer {
		return nil, fmt.Errorf("seal session: %w", errAudience)
	}
	var e encoder
	e.text(s.ID)
	e.uint(s.Generation)
	e.time(s.LastSeen)
	e.bytes(encodeListing(s))
	e.bytes(encodeSecret(s))
	sealed := *s
	sealed.Handle = secret.NewText(string(c.ring.Seal(portableLabel, e.buf, c.aad)))
	return &sealed, nil
}

// Opens reports whether a handle is one of Seal's, unchanged and under a key
// that the ring still has.
func (c *PortableCodec) Opens(h Handle) bool {
	_, err := c.ring.Open(portableLabel, []byte(h.Reveal()), c.aad)
	return err == nil
}

// Open returns the session that a handle holds, whatever its limits say, or
// [ErrNotFound] for everything that does not open.
func (c *PortableCodec) Open(h Handle) (*Session, error) {
	plain, err := c.ring.Open(portableLabel, []byte(h.Reveal()), c.aad)
	if err != nil {
		return nil, ErrNotFound
	}
	d := decoder{buf: plain}
	s := &Session{Handle: h, Issuer: c.issuer, ID: d.text(), Generation: d.uint(), LastSeen: d.time()}
	listing, body := d.bytes(), d.bytes()
	if d.end() != nil || decodeListing(listing, s) != nil || decodeSecret(body, s) != nil {
		return nil, ErrNotFound
	}
	return s, nil
}
