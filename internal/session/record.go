package session

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// The clear part of a record: fixed places, so that a store's script can read
// and write them without opening anything. All numbers are big-endian.
//
//	0      format, RecordFormat
//	1–8    generation
//	9–44   last use, Unix milliseconds, and its seal; the only bytes that Touch writes
//	45–52  absolute limit, Unix milliseconds
//	53–54  length of the listing part, which follows; the rest is the secret part
const (
	// RecordFormat is the first byte. A record of format 1, whose last use nothing
	// vouched for, is none: its user signs in again.
	RecordFormat = 2

	RecordGeneration = 1  // offset of the generation
	RecordLastSeen   = 9  // offset of the last use, RecordUse bytes
	RecordExpiresAt  = 45 // offset of the absolute limit
	recordListing    = 53
	RecordHeader     = 55 // bytes of the clear part

	// RecordUse is how many bytes a sealed time of use has.
	RecordUse = 8 + secret.Overhead

	// RecordPrefix is how many bytes from the start hold the clear and the
	// listing part of any record: all that OpenListing needs.
	RecordPrefix = 2048
)

// MaxRecord bounds a record in bytes. Cognito's tokens need 4 kB, with many
// groups some 20; what is longer is not ours and is refused unopened.
const MaxRecord = 256 << 10

// Labels of the keys (HKDF): nothing sealed for one use opens for another.
const (
	useLabel     = "session use v1"
	listingLabel = "session listing v1"
	secretLabel  = "session secret v1"
)

// Audience is whose sessions a store keeps: those of one client of one issuer. It is
// bound into every seal, so that what was sealed for one audience opens for no other:
// two gateways that share keys and a store may not share users.
type Audience struct {
	Issuer   string
	ClientID string
}

func (a Audience) String() string { return a.Issuer + " " + a.ClientID }

// IsZero reports whether a part is missing.
func (a Audience) IsZero() bool { return a.Issuer == "" || a.ClientID == "" }

// errAudience is for a session that would come back as one of the wrong issuer.
var errAudience = errors.New("session of another issuer")

// Codec seals sessions into records and opens them. A record has a clear part,
// a listing part sealed under the key ring (who and where, for lists), and a
// secret part sealed under the key that only the browser's handle carries: a
// stolen store holds no tokens, and neither does a stolen key ring.
//
// Whoever can write to the store can delete a session, and put back what was
// there before, and nothing else. Both sealed parts are bound to the id, which is
// the record's place in the store, to the generation and the absolute limit that
// stand in the clear, and to the audience. The last use, which Touch writes
// without opening anything, has a seal of its own under the key ring, bound to id
// and audience: no session lives longer than the uses that a gateway recorded.
type Codec struct {
	ring     *secret.Ring
	issuer   string
	audience string // as it stands in the associated data
}

// NewCodec returns a codec for the sessions of audience, whose listing parts and
// times of use are sealed under ring.
func NewCodec(ring *secret.Ring, audience Audience) *Codec {
	return &Codec{ring: ring, issuer: audience.Issuer, audience: audience.String()}
}

// Seal returns the record of s under s.Handle. Times lose what is below a
// millisecond. Errors: a handle that is not of [NewHandle]'s kind, a session of
// another issuer, a record over [MaxRecord].
func (c *Codec) Seal(s *Session) ([]byte, error) {
	id, ok := IDOf(s.Handle)
	if !ok {
		return nil, errors.New("seal session record: not a handle")
	}
	if s.Issuer != c.issuer {
		return nil, fmt.Errorf("seal session record: %w", errAudience)
	}
	aad := c.partAAD(id, s)
	listing := c.ring.Seal(listingLabel, encodeListing(s), aad)
	body := secret.SealWith(handleKey(s.Handle), secretLabel, encodeSecret(s), aad)
	if RecordHeader+len(listing) > RecordPrefix || RecordHeader+len(listing)+len(body) > MaxRecord {
		return nil, fmt.Errorf("seal session record: %w", ErrTooLarge)
	}
	r := make([]byte, 0, RecordHeader+len(listing)+len(body))
	r = append(r, RecordFormat)
	r = binary.BigEndian.AppendUint64(r, s.Generation)
	r = append(r, c.SealUse(id, s.LastSeen)...)
	r = binary.BigEndian.AppendUint64(r, unixMilli(s.ExpiresAt))
	r = binary.BigEndian.AppendUint16(r, uint16(len(listing)))
	r = append(r, listing...)
	return append(r, body...), nil
}

// Open returns the session that record holds for h, whatever its limits say, or
// [ErrNotFound] for everything that does not open: another handle's record,
// changed or truncated bytes, a key that left the ring, another format.
func (c *Codec) Open(h Handle, record []byte) (*Session, error) {
	id, ok := IDOf(h)
	if !ok {
		return nil, ErrNotFound
	}
	s, listing, body, err := c.splitRecord(id, record)
	if err != nil {
		return nil, err
	}
	aad := c.partAAD(id, s)
	plain, err := secret.OpenWith(handleKey(h), secretLabel, body, aad)
	if err != nil {
		return nil, ErrNotFound
	}
	listed, err := c.ring.Open(listingLabel, listing, aad)
	if err != nil {
		return nil, ErrNotFound
	}
	s.Handle, s.ID = h, id
	// The secret part comes last: where the two name the same thing, it counts.
	if decodeListing(listed, s) != nil || decodeSecret(plain, s) != nil {
		return nil, ErrNotFound
	}
	return s, nil
}

// OpenListing returns what a record, or its first [RecordPrefix] bytes, says
// without its handle, or [ErrNotFound].
func (c *Codec) OpenListing(id string, record []byte) (Listing, error) {
	s, listing, _, err := c.splitRecord(id, record)
	if err != nil {
		return Listing{}, err
	}
	plain, err := c.ring.Open(listingLabel, listing, c.partAAD(id, s))
	if err != nil || decodeListing(plain, s) != nil {
		return Listing{}, ErrNotFound
	}
	s.ID = id
	return s.Listing(), nil
}

// splitRecord takes a record apart and reads its clear part.
func (c *Codec) splitRecord(id string, r []byte) (s *Session, listing, body []byte, err error) {
	if len(r) < RecordHeader || len(r) > MaxRecord || r[0] != RecordFormat {
		return nil, nil, nil, ErrNotFound
	}
	n := int(binary.BigEndian.Uint16(r[recordListing:]))
	rest := r[RecordHeader:]
	if n > len(rest) {
		return nil, nil, nil, ErrNotFound
	}
	s = &Session{
		Issuer:     c.issuer, // the audience has it, which is under every seal
		Generation: binary.BigEndian.Uint64(r[RecordGeneration:]),
		ExpiresAt:  fromUnixMilli(binary.BigEndian.Uint64(r[RecordExpiresAt:])),
	}
	if s.LastSeen, err = c.OpenUse(id, r[RecordLastSeen:RecordLastSeen+RecordUse]); err != nil {
		return nil, nil, nil, err
	}
	return s, rest[:n], rest[n:], nil
}

// SealUse returns a time of use of the session with that id, as a record has it:
// [RecordUse] bytes, the time in front and in the clear.
func (c *Codec) SealUse(id string, at time.Time) []byte {
	use := binary.BigEndian.AppendUint64(make([]byte, 0, RecordUse), unixMilli(at))
	return append(use, c.ring.Seal(useLabel, nil, c.useAAD(id, use))...)
}

// OpenUse returns the time that [Codec.SealUse] sealed for that id, or
// [ErrNotFound]: a record that says something else of its last use is none.
func (c *Codec) OpenUse(id string, use []byte) (time.Time, error) {
	if len(use) != RecordUse {
		return time.Time{}, ErrNotFound
	}
	at, seal := use[:8], use[8:]
	if _, err := c.ring.Open(useLabel, seal, c.useAAD(id, at)); err != nil {
		return time.Time{}, ErrNotFound
	}
	return fromUnixMilli(binary.BigEndian.Uint64(at)), nil
}

// partAAD binds a sealed part to its place and to what stands in the clear:
// without the id two sessions' parts could be swapped, without the generation two
// of one session. An id has one length, so the audience may follow.
func (c *Codec) partAAD(id string, s *Session) []byte {
	aad := make([]byte, 0, 1+8+8+len(id)+len(c.audience))
	aad = append(aad, RecordFormat)
	aad = binary.BigEndian.AppendUint64(aad, s.Generation)
	aad = binary.BigEndian.AppendUint64(aad, unixMilli(s.ExpiresAt))
	aad = append(aad, id...)
	return append(aad, c.audience...)
}

func (c *Codec) useAAD(id string, at []byte) []byte {
	aad := make([]byte, 0, 1+8+len(id)+len(c.audience))
	aad = append(aad, RecordFormat)
	aad = append(aad, at...)
	aad = append(aad, id...)
	return append(aad, c.audience...)
}
