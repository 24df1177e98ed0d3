package session

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// The clear part of a record: fixed places, so that a store's script can read
// and write them without opening anything. All numbers are big-endian.
//
//	0      format, recordFormat
//	1–8    generation
//	9–16   last use, Unix milliseconds; the only bytes that Touch writes
//	17–24  absolute limit, Unix milliseconds
//	25–26  length of the listing part, which follows; the rest is the secret part
const (
	recordFormat = 1

	RecordGeneration = 1  // offset of the generation
	RecordLastSeen   = 9  // offset of the last use
	RecordExpiresAt  = 17 // offset of the absolute limit
	recordListing    = 25
	RecordHeader     = 27 // bytes of the clear part

	// RecordPrefix is how many bytes from the start hold the clear and the
	// listing part of any record: all that OpenListing needs.
	RecordPrefix = 2048
)

// MaxRecord bounds a record in bytes. Cognito's tokens need 4 kB, with many
// groups some 20; what is longer is not ours and is refused unopened.
const MaxRecord = 256 << 10

// Labels of the keys (HKDF): nothing sealed for one use opens for another.
const (
	listingLabel = "session listing v1"
	secretLabel  = "session secret v1"
)

// Codec seals sessions into records and opens them. A record has a clear part,
// a listing part sealed under the key ring (who and where, for lists), and a
// secret part sealed under the key that only the browser's handle carries: a
// stolen store holds no tokens, and neither does a stolen key ring.
//
// Subject, limits and tokens that count at load all come from the secret part,
// so whoever can write to the store can neither prolong a session past its
// absolute limit nor change whose it is. Both sealed parts are bound to the id
// and the generation; putting back an older record of the same session is the
// one change that cannot be seen here.
type Codec struct{ ring *secret.Ring }

// NewCodec returns a codec whose listing parts are sealed under ring.
func NewCodec(ring *secret.Ring) *Codec { return &Codec{ring: ring} }

// Seal returns the record of s under s.Handle. Times lose what is below a
// millisecond. Errors: a handle that is not of [NewHandle]'s kind, a record
// over [MaxRecord].
func (c *Codec) Seal(s *Session) ([]byte, error) {
	id, ok := IDOf(s.Handle)
	if !ok {
		return nil, errors.New("seal session record: not a handle")
	}
	aad := recordAAD(id, s.Generation)
	listing := c.ring.Seal(listingLabel, encodeListing(s), aad)
	body := secret.SealWith(handleKey(s.Handle), secretLabel, encodeSecret(s), aad)
	if RecordHeader+len(listing) > RecordPrefix || RecordHeader+len(listing)+len(body) > MaxRecord {
		return nil, fmt.Errorf("seal session record: %w", ErrTooLarge)
	}
	r := make([]byte, 0, RecordHeader+len(listing)+len(body))
	r = append(r, recordFormat)
	r = binary.BigEndian.AppendUint64(r, s.Generation)
	r = binary.BigEndian.AppendUint64(r, unixMilli(s.LastSeen))
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
	s, listing, body, err := splitRecord(record)
	if err != nil {
		return nil, err
	}
	aad := recordAAD(id, s.Generation)
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
	s, listing, _, err := splitRecord(record)
	if err != nil {
		return Listing{}, err
	}
	plain, err := c.ring.Open(listingLabel, listing, recordAAD(id, s.Generation))
	if err != nil || decodeListing(plain, s) != nil {
		return Listing{}, ErrNotFound
	}
	s.ID = id
	return s.Listing(), nil
}

// splitRecord takes a record apart and reads its clear part.
func splitRecord(r []byte) (s *Session, listing, body []byte, err error) {
	if len(r) < RecordHeader || len(r) > MaxRecord || r[0] != recordFormat {
		return nil, nil, nil, ErrNotFound
	}
	n := int(binary.BigEndian.Uint16(r[recordListing:]))
	rest := r[RecordHeader:]
	if n > len(rest) {
		return nil, nil, nil, ErrNotFound
	}
	s = &Session{
		Generation: binary.BigEndian.Uint64(r[RecordGeneration:]),
		LastSeen:   fromUnixMilli(binary.BigEndian.Uint64(r[RecordLastSeen:])),
		ExpiresAt:  fromUnixMilli(binary.BigEndian.Uint64(r[RecordExpiresAt:])),
	}
	return s, rest[:n], rest[n:], nil
}

// recordAAD binds a sealed part to its place: without the id two sessions'
// parts could be swapped, without the generation two of one session.
func recordAAD(id string, generation uint64) []byte {
	aad := make([]byte, 0, 1+8+len(id))
	aad = append(aad, recordFormat)
	aad = binary.BigEndian.AppendUint64(aad, generation)
	return append(aad, id...)
}

func encodeListing(s *Session) []byte {
	var e encoder
	e.text(s.Subject)
	e.text(s.Username)
	e.text(s.UserAgent)
	e.text(s.Address)
	e.time(s.CreatedAt)
	return e.buf
}

func decodeListing(b []byte, s *Session) error {
	d := decoder{buf: b}
	s.Subject = d.text()
	s.Username = d.text()
	s.UserAgent = d.text()
	s.Address = d.text()
	s.CreatedAt = d.time()
	return d.end()
}

func encodeSecret(s *Session) []byte {
	t := &s.Tokens
	access, id := t.Access.Reveal(), t.ID.Reveal()
	e := encoder{buf: make([]byte, 0, len(access)+len(id)+512)}
	e.text(s.Subject)
	e.time(s.CreatedAt)
	e.time(s.ExpiresAt)
	e.time(s.TokensAt)
	e.time(t.AccessExpiresAt)
	e.time(t.AuthTime)
	e.token(access)
	e.token(id)
	e.token(t.Refresh.Reveal())
	e.claims(t.AccessClaims, access)
	e.claims(t.IDClaims, id)
	return e.buf
}

func decodeSecret(b []byte, s *Session) error {
	d := decoder{buf: b}
	t := &s.Tokens
	s.Subject = d.text()
	s.CreatedAt = d.time()
	s.ExpiresAt = d.time()
	s.TokensAt = d.time()
	t.AccessExpiresAt = d.time()
	t.AuthTime = d.time()
	access, id := d.token(), d.token()
	t.Refresh = secret.NewText(d.token())
	t.AccessClaims = d.claims(access)
	t.IDClaims = d.claims(id)
	t.Access, t.ID = secret.NewText(access), secret.NewText(id)
	t.Subject = s.Subject
	s.setBearers()
	return d.end()
}
