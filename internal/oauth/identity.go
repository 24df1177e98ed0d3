package oauth

import (
	"bytes"
	"encoding/json"
)

// Identity is what a user's verified tokens say of them, parsed. It is shared
// between requests: never change one.
type Identity struct {
	// Subject is the ID token's sub.
	Subject string
	// Access and ID are the claims of either token.
	Access, ID Members
}

// Identity parses what the tokens say.
func (t *Tokens) Identity() *Identity {
	return &Identity{Subject: t.Subject, Access: ParseMembers(t.AccessClaims), ID: ParseMembers(t.IDClaims)}
}

// Members are claims by their exact names, as package json decodes them into an
// interface, but numbers as [json.Number].
type Members map[string]any

// ParseMembers reads a payload that was checked before; what is no object has no
// members.
func ParseMembers(payload json.RawMessage) Members {
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	var m Members
	if d.Decode(&m) != nil {
		return nil
	}
	return m
}

// Text returns a claim that is a string, or nothing.
func (m Members) Text(name string) string {
	s, _ := m[name].(string)
	return s
}
