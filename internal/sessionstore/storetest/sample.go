package storetest

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// Audience is whose sessions the samples are.
var Audience = session.Audience{Issuer: "https://pool.example/eu-west-1_AbCdEf123", ClientID: "client"}

// Sample returns a session as a manager would create it, with tokens of the
// form and size that Cognito's have (access 1,077 bytes, ID 1,745, refresh
// 1,852), no two alike.
func Sample(subject string) *session.Session {
	now := time.Now().Round(0).Truncate(time.Millisecond)
	s := &session.Session{
		Issuer: Audience.Issuer, Subject: subject, Username: "alice",
		UserAgent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36",
		Address:   "2001:db8::1",
		CreatedAt: now, LastSeen: now, ExpiresAt: now.Add(12 * time.Hour), TokensAt: now,
	}
	SetTokens(s, now.Add(time.Hour))
	return s
}

// SetTokens gives s fresh tokens, the access token good until expires.
func SetTokens(s *session.Session, expires time.Time) {
	access, id := signed(s.Subject, "access", 1077), signed(s.Subject, "id", 1745)
	s.Tokens.Access, s.Tokens.ID = secret.NewText(access), secret.NewText(id)
	s.Tokens.Refresh = secret.NewText(encrypted(1852))
	s.Tokens.Issuer, s.Tokens.Subject = s.Issuer, s.Subject
	s.Tokens.AccessExpiresAt = expires
	s.Tokens.AuthTime = s.CreatedAt.Truncate(time.Second)
	s.Bearer = secret.NewText("Bearer " + access)
	s.IDBearer = secret.NewText("Bearer " + id)
}

// signed returns a token of three segments (RFC 7515 §7.1).
func signed(subject, use string, size int) string {
	header := []byte(`{"kid":"k3Jv0Rf0yq1m2n3o4p5q6r7s8t9u0v1w2x3y4z5A6B8=","alg":"RS256"}`)
	front := len(header)*4/3 + 256*4/3 + 4
	payload := fmt.Appendf(nil, `{"sub":%q,"token_use":%q,"jti":%q,"pad":"`, subject, use, rand.Text())
	pad := (size-front)*3/4 - len(payload) - 2
	payload = append(payload, rand.Text()...)
	payload = append(payload, bytes.Repeat([]byte("p"), max(0, pad-26))...)
	payload = append(payload, `"}`...)
	return join(header, payload, random(256))
}

// encrypted returns a token of five segments (RFC 7516 §7.1).
func encrypted(size int) string {
	header := []byte(`{"cty":"JWT","enc":"A256GCM","alg":"RSA-OAEP"}`)
	return join(header, random(256), random(12), random(size*3/4-len(header)-256-12-16-3), random(16))
}

func join(segments ...[]byte) string {
	parts := make([]string, len(segments))
	for i, s := range segments {
		parts[i] = base64.RawURLEncoding.EncodeToString(s)
	}
	return strings.Join(parts, ".")
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails (crypto/rand, Go 1.24)
	return b
}
