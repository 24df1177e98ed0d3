package session_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// storedSession is the session in testdata/stored.json, but for its handle and id.
func storedSession() *session.Session {
	jwt := func(payload string) secret.Text {
		encode := base64.RawURLEncoding.EncodeToString
		return secret.NewText(encode([]byte(`{"alg":"RS256","kid":"k"}`)) + "." + encode([]byte(payload)) + "." + encode([]byte("signature")))
	}
	const access, id = `{"sub":"sub-1","token_use":"access"}`, `{"sub":"sub-1","token_use":"id"}`
	s := &session.Session{
		Generation: 7, Issuer: "pool", Subject: "sub-1", Username: "alice", UserAgent: "Firefox", Address: "2001:db8::1",
		CreatedAt: time.UnixMilli(1_795_690_000_000), LastSeen: time.UnixMilli(1_795_691_234_567),
		ExpiresAt: time.UnixMilli(1_795_733_200_000), TokensAt: time.UnixMilli(1_795_691_000_000),
		Tokens: oauth.Tokens{
			Access: jwt(access), ID: jwt(id), Refresh: secret.NewText("refresh"), Issuer: "pool", Subject: "sub-1",
			AccessExpiresAt: time.UnixMilli(1_795_694_600_000), AuthTime: time.UnixMilli(1_795_690_000_000),
		},
	}
	s.Bearer = secret.NewText("Bearer " + s.Tokens.Access.Reveal())
	s.IDBearer = secret.NewText("Bearer " + s.Tokens.ID.Reveal())
	return s
}

// TestStored: what an earlier build has stored opens. Whoever changes what is stored
// adds a file, and keeps these.
func TestStored(t *testing.T) {
	for file, signIn := range map[string]session.SignIn{
		"stored.json":         {},
		"stored_sign_in.json": {LoginID: "alice@example.com", Flow: "USER_SRP_AUTH"},
	} {
		t.Run(file, func(t *testing.T) { opensStored(t, file, signIn) })
	}
}

func opensStored(t *testing.T, file string, signIn session.SignIn) {
	var stored struct{ Handle, Record, Portable []byte }
	b, err := os.ReadFile("testdata/" + file)
	if err != nil || json.Unmarshal(b, &stored) != nil {
		t.Fatal(err)
	}
	audience := session.Audience{Issuer: "pool", ClientID: "client"}
	want := storedSession()
	want.SignIn = signIn
	want.Handle = secret.NewText(string(stored.Handle))
	want.ID, _ = session.IDOf(want.Handle)
	record, portable := session.NewCodec(ringOf(t, 1), audience), session.NewPortableCodec(ringOf(t, 1), audience)

	t.Run("record", func(t *testing.T) {
		got, err := record.Open(want.Handle, stored.Record)
		if d := cmp.Diff(want, got, sameSecret); d != "" || err != nil {
			t.Error(d, err)
		}
	})
	t.Run("listing", func(t *testing.T) {
		got, err := record.OpenListing(want.ID, stored.Record)
		if d := cmp.Diff(want.Listing(), got); d != "" || err != nil {
			t.Error(d, err)
		}
	})
	t.Run("handle_of_the_cookie_store", func(t *testing.T) {
		want.Handle = secret.NewText(string(stored.Portable))
		got, err := portable.Open(want.Handle)
		if d := cmp.Diff(want, got, sameSecret); d != "" || err != nil {
			t.Error(d, err)
		}
	})
}
