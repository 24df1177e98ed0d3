package oauth

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// granted is what a good sign-in by another way than the code flow brings: no nonce.
func granted(p *provider) Grant {
	id := sign(goodHeader().json(), p.idClaims("").without("nonce").json(), signingKey())
	return Grant{
		Access: secret.NewText(p.accessToken()), ID: secret.NewText(id), Refresh: secret.NewText("refresh-1"), ExpiresIn: 3600,
	}
}

func TestAccept(t *testing.T) {
	p := newProvider(t)
	c := p.serve()
	g := granted(p)
	got, err := c.Accept(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	if got.Subject != testSubject || got.Issuer != p.issuer || !got.Access.Equal(g.Access) || !got.ID.Equal(g.ID) || !got.Refresh.Equal(g.Refresh) ||
		!strings.Contains(string(got.IDClaims), "ada@example.com") || got.AuthTime.IsZero() || time.Until(got.AccessExpiresAt) > time.Hour {
		t.Errorf("got %+v", got)
	}
	old := time.Now().Add(-time.Hour).Unix()
	for name, change := range map[string]func(*Grant){
		"without_ID_token":                func(g *Grant) { g.ID = secret.Text{} },
		"with_a_forged_one":               func(g *Grant) { g.ID = secret.NewText(sign(goodHeader().json(), p.idClaims("").json(), strangerKey())) },
		"with_an_old_one":                 func(g *Grant) { g.ID = idWith(p, "iat", old) },
		"with_one_of_another_client":      func(g *Grant) { g.ID = idWith(p, "aud", "other") },
		"with_an_access_token_for_it":     func(g *Grant) { g.ID = secret.NewText(p.accessToken()) },
		"with_one_of_another_subject":     func(g *Grant) { g.ID = idWith(p, "sub", "other") },
		"with_another_access_tokens_hash": func(g *Grant) { g.ID = idWith(p, "at_hash", "AAAAAAAAAAAAAAAAAAAAAA") },
		"with_an_ID_token_for_access":     func(g *Grant) { g.Access = g.ID },
		"with_what_is_no_token":           func(g *Grant) { g.Access = secret.NewText("line\nend") },
	} {
		t.Run(name, func(t *testing.T) {
			g := granted(p)
			change(&g)
			if got, err := c.Accept(t.Context(), g); !errors.Is(err, ErrInvalidToken) || !got.Access.Empty() {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
	t.Run("with_one_of_another_issuer", func(t *testing.T) {
		g := granted(p)
		g.ID = idWith(p, "iss", "https://other.example/pool")
		if _, err := c.Accept(t.Context(), g); !errors.Is(err, ErrMisconfigured) {
			t.Errorf("%v", err)
		}
	})
	p.noOtherRequest(t)
}

func idWith(p *provider, claim string, value any) secret.Text {
	return secret.NewText(sign(goodHeader().json(), p.idClaims("").without("nonce").with(claim, value).json(), signingKey()))
}
