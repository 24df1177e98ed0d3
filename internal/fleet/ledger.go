package fleet

import (
	"context"
	"sync"
	"time"
)

// Token is one access token that the pool issued, and with it a refresh token.
type Token struct {
	// ID is its jti.
	ID string
	// Parent is the token whose refresh token it was issued for; nil at a sign-in.
	// Under rotation with grace a token can have several children, of which a
	// session may go on with one.
	Parent *Token
	// Depth counts the refreshes since the sign-in.
	Depth int
}

// From reports whether t is other, or was got from it by refreshes.
func (t *Token) From(other *Token) bool {
	for ; t != nil; t = t.Parent {
		if t == other {
			return true
		}
	}
	return false
}

// Use is one call of the token endpoint with a refresh token.
type Use struct {
	SignIn     int
	Begin, End time.Time
	// Left is when its caller went away; zero if it stayed.
	Left time.Time
}

// ledger is the pool's account of what it issued and when its refresh tokens
// were in use. Its zero value is empty.
type ledger struct {
	mu        sync.Mutex
	tokens    map[string]*Token // by jti
	byRefresh map[string]*Token
	uses      []*Use
}

// issue notes tokens that were had for the refresh token with, "" for a code.
func (l *ledger) issue(with, refresh, access string) {
	c, ok := claimsOf(access)
	if !ok {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tokens == nil {
		l.tokens, l.byRefresh = map[string]*Token{}, map[string]*Token{}
	}
	t := &Token{ID: c.ID, Parent: l.byRefresh[with]}
	if t.Parent != nil {
		t.Depth = t.Parent.Depth + 1
	}
	l.tokens[c.ID], l.byRefresh[refresh] = t, t
}

// use begins a use and returns its end. The request's context says whether the
// caller is still there.
func (l *ledger) use(caller context.Context, signIn int) (end func()) {
	u := &Use{SignIn: signIn, Begin: time.Now()}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.uses = append(l.uses, u)
	note := func(at *time.Time) {
		l.mu.Lock()
		defer l.mu.Unlock()
		*at = time.Now()
	}
	stop := context.AfterFunc(caller, func() { note(&u.Left) })
	return func() {
		stop()
		note(&u.End)
	}
}

// Token returns what the pool issued under a jti, nil if it never did.
func (p *Pool) Token(id string) *Token {
	p.ledger.mu.Lock()
	defer p.ledger.mu.Unlock()
	return p.ledger.tokens[id]
}

// Uses returns all uses of refresh tokens so far, in the order they began.
func (p *Pool) Uses() []Use {
	p.ledger.mu.Lock()
	defer p.ledger.mu.Unlock()
	out := make([]Use, len(p.ledger.uses))
	for i, u := range p.ledger.uses {
		out[i] = *u
	}
	return out
}
