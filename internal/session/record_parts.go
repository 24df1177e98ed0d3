package session

import "github.com/gatehouse-auth/gatehouse/internal/secret"

// What the two sealed parts of a record hold. Fields have no names: the format of
// the record says which they are.

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
	if !s.SignIn.IsZero() { // left out, the record is as all were before
		e.text(s.SignIn.LoginID)
		e.text(s.SignIn.Flow)
	}
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
	access, id := d.token(scheme), d.token(scheme)
	t.Refresh = secret.NewText(d.token(""))
	t.AccessClaims, t.IDClaims = d.claims(), d.claims()
	if len(d.buf) > 0 {
		s.SignIn = SignIn{LoginID: d.text(), Flow: d.text()}
	}
	t.Issuer, t.Subject = s.Issuer, s.Subject
	s.setBearers(access, id)
	return d.end()
}
