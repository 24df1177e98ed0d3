package middleware_test

import (
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

func TestCaller(t *testing.T) {
	s := &session.Session{ID: "id", Subject: "sub", Bearer: secret.NewText("Bearer a"), IDBearer: secret.NewText("Bearer i")}
	s.Tokens.Subject, s.Tokens.IDClaims = "sub", []byte(`{"email":"ada@example.com"}`)
	known, nobody := middleware.CallerOf(s), middleware.CallerOf(nil)
	if known.Anonymous() || known.Subject != "sub" || known.Session != s || known.Identity().ID.Text("email") != "ada@example.com" {
		t.Errorf("%+v", known)
	}
	if !nobody.Anonymous() || nobody != (middleware.Caller{}) {
		t.Errorf("%+v", nobody)
	}
	for token, want := range map[routing.Token]string{routing.TokenAccess: "Bearer a", routing.TokenID: "Bearer i", routing.TokenNone: ""} {
		if got := known.Bearer(token).Reveal(); got != want {
			t.Errorf("token %v is %q, want %q", token, got, want)
		}
		if got := nobody.Bearer(token); !got.Empty() {
			t.Errorf("token %v of nobody is there", token)
		}
	}
}
