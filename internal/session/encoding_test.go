package session

import (
	"bytes"
	"testing"
)

// FuzzDecode gives the decoders what only a holder of the keys could: they must
// not panic nor take more than they are given, and what they accept they must
// write again as they read it.
func FuzzDecode(f *testing.F) {
	full := &Session{Subject: "sub", Username: "alice", UserAgent: "agent", Address: "::1"}
	f.Add(encodeListing(full))
	f.Add(encodeSecret(full))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var s Session
		if decodeListing(b, &s) == nil && s.CreatedAt.UnixMilli() >= 0 {
			var again Session
			if err := decodeListing(encodeListing(&s), &again); err != nil || again.Listing() != s.Listing() {
				t.Errorf("listing %+v became %+v, %v", s, again, err)
			}
		}
		var c Session
		if decodeSecret(b, &c) == nil {
			var again Session
			if err := decodeSecret(encodeSecret(&c), &again); err != nil {
				t.Fatalf("encoded again: %v", err)
			}
			if c.Bearer.Reveal() != again.Bearer.Reveal() || c.Tokens.Refresh.Reveal() != again.Tokens.Refresh.Reveal() ||
				!bytes.Equal(c.Tokens.IDClaims, again.Tokens.IDClaims) {
				t.Error("tokens or claims changed")
			}
		}
	})
}
