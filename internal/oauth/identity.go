package oauth

import (
	"bytes"
	"encoding/json"
	"sync/atomic"
)

// Identity is what a user's verified tokens say of them, parsed. It is shared
// between requests: never change one.
type Identity struct {
	// Subject is the ID token's sub.
	Subject string
	// Access and ID are the claims of either token.
	Access, ID Members
	// Grown is told of the bytes that are kept besides; nil if nobody counts them. It is
	// set before the identity is shared.
	Grown func(bytes int)

	kept atomic.Pointer[[]kept]
}

// Identity parses what the tokens say.
func (t *Tokens) Identity() *Identity {
	return &Identity{Subject: t.Subject, Access: ParseMembers(t.AccessClaims), ID: ParseMembers(t.IDClaims)}
}

// Claim returns a claim of the ID token, or of the access token where the ID token has
// none of that name; nil where neither has.
func (i *Identity) Claim(name string) any {
	if value, there := i.ID[name]; there {
		return value
	}
	return i.Access[name]
}

// kept is something that was made of an identity.
type kept struct {
	key   string
	made  any
	bytes int
}

// mostKept bounds what is kept: the rules of routes differ in few ways, but change at
// each reload.
const mostKept = 8

// Keep keeps what was made of the identity, so that it is made once a set of tokens.
// bytes is what it takes. It goes when the key is kept anew, or when many others have been.
func (i *Identity) Keep(key string, made any, bytes int) {
	for {
		before := i.kept.Load()
		after, grown := []kept{{key, made, bytes}}, bytes
		if before != nil {
			for _, k := range *before {
				if k.key == key || len(after) == mostKept {
					grown -= k.bytes
				} else {
					after = append(after, k)
				}
			}
		}
		if !i.kept.CompareAndSwap(before, &after) {
			continue // somebody else kept something
		}
		if i.Grown != nil {
			i.Grown(grown)
		}
		return
	}
}

// Kept returns what was kept under the key last; nil if nothing is.
func (i *Identity) Kept(key string) any {
	if all := i.kept.Load(); all != nil {
		for j := range *all {
			if k := &(*all)[j]; k.key == key {
				return k.made
			}
		}
	}
	return nil
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
