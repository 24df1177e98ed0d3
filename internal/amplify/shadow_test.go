package amplify

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

const (
	accessClaims = `{"sub":"u","username":"ann","exp":1795404832,"iat":1795401232,"origin_jti":"o","client_id":"c","scope":"openid","token_use":"access","cognito:groups":["staff"]}`
	idClaims     = `{"sub":"u","cognito:username":"ann","exp":1795404832,"iat":1795401232,"iss":"https://id","aud":"c","token_use":"id","email":"ann@example.com"}`
)

func signedIn(access, id string) *session.Session {
	return &session.Session{
		ID: "session-id", Issuer: "https://id", Subject: "u", Username: "ann", TokensAt: time.Unix(1795401232, 0),
		Tokens: oauth.Tokens{
			Access: secret.NewText(jwt(access)), ID: secret.NewText(jwt(id)), Subject: "u",
			AccessClaims: json.RawMessage(access), IDClaims: json.RawMessage(id), AccessExpiresAt: time.Unix(1795404832, 0),
		},
	}
}

func jwt(claims string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"RS256","kid":"k"}`)) + "." + encode([]byte(claims)) + "." + encode([]byte("the real signature"))
}

// decode reads a shadow as the library does: the middle of three parts.
func decode(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts: %s", len(parts), token)
	}
	for i, part := range parts {
		raw, err := base64.RawURLEncoding.Strict().DecodeString(part)
		if err != nil {
			t.Fatalf("part %d: %v", i, err)
		}
		parts[i] = string(raw)
	}
	if parts[0] != `{"alg":"BFF","typ":"JWT"}` {
		t.Errorf("header %s", parts[0])
	}
	var claims map[string]any
	if err := json.Unmarshal([]byte(parts[1]), &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

func names(claims map[string]any) []string {
	var all []string
	for name := range claims {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

func parsed(t *testing.T, claims string) (m map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(claims), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestShadows(t *testing.T) {
	all := Shadows{ClientID: "c"}
	t.Run("have_the_real_claims", func(t *testing.T) {
		got, err := all.Of(signedIn(accessClaims, idClaims))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(parsed(t, accessClaims), decode(t, got.Access)); diff != "" {
			t.Errorf("access:\n%s", diff)
		}
		if diff := cmp.Diff(parsed(t, idClaims), decode(t, got.ID)); diff != "" {
			t.Errorf("ID:\n%s", diff)
		}
	})
	t.Run("share_no_part_with_a_token", func(t *testing.T) {
		// Claims in the order of their names, as a shadow has them.
		sorted, _ := json.Marshal(parsed(t, accessClaims))
		s := signedIn(string(sorted), idClaims)
		got, err := all.Of(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, token := range []secret.Text{s.Tokens.Access, s.Tokens.ID} {
			for part := range strings.SplitSeq(token.Reveal(), ".") {
				if strings.Contains(got.Access+got.ID, part) {
					t.Errorf("%s is in the shadow", part)
				}
			}
		}
	})
	t.Run("are_complete_without_ID_token", func(t *testing.T) {
		got, err := all.Of(signedIn(accessClaims, ""))
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]any{
			"sub": "u", "cognito:username": "ann", "iss": "https://id", "aud": "c", "token_use": "id",
			"exp": 1795404832.0, "iat": 1795401232.0,
		}
		if diff := cmp.Diff(want, decode(t, got.ID)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("are_complete_where_the_access_token_is_opaque", func(t *testing.T) {
		got, err := all.Of(signedIn("{}", "{}"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"client_id", "exp", "iat", "origin_jti", "sub", "token_use", "username"}, names(decode(t, got.Access))); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("always_have_the_origin_jti_that_sign_out_asks_for", func(t *testing.T) {
		got, err := all.Of(signedIn(strings.Replace(accessClaims, `"origin_jti":"o",`, "", 1), idClaims))
		if err != nil {
			t.Fatal(err)
		}
		if jti := decode(t, got.Access)["origin_jti"]; jti != "session-id" {
			t.Errorf("origin_jti is %v", jti)
		}
	})
	t.Run("show_what_the_configuration_names_and_the_library_needs", func(t *testing.T) {
		few := Shadows{ClientID: "c", AccessClaims: []string{"scope"}, IDClaims: []string{"nothing"}}
		got, err := few.Of(signedIn(accessClaims, idClaims))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"client_id", "exp", "iat", "origin_jti", "scope", "sub", "token_use", "username"}, names(decode(t, got.Access))); diff != "" {
			t.Errorf("access:\n%s", diff)
		}
		if diff := cmp.Diff([]string{"aud", "cognito:username", "exp", "iat", "iss", "sub", "token_use"}, names(decode(t, got.ID))); diff != "" {
			t.Errorf("ID:\n%s", diff)
		}
	})
	t.Run("say_how_long_the_token_holds", func(t *testing.T) {
		s := signedIn(accessClaims, idClaims)
		s.Tokens.AccessExpiresAt = time.Now().Add(time.Hour + 30*time.Second)
		if got, _ := all.Of(s); got.ExpiresIn < 3600 || got.ExpiresIn > 3630 {
			t.Errorf("%d seconds", got.ExpiresIn)
		}
		s.Tokens.AccessExpiresAt = time.Now().Add(-time.Hour)
		if got, _ := all.Of(s); got.ExpiresIn != 0 {
			t.Errorf("%d seconds of an expired token", got.ExpiresIn)
		}
	})
}
