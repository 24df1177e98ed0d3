package cognito

import (
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

func TestSecretHash(t *testing.T) {
	// echo -n "annclient" | openssl dgst -sha256 -hmac secret -binary | base64
	confidential := Client{ID: "client", Secret: secret.NewText("secret")}
	if got, want := confidential.SecretHash("ann"), "1KBhTmaloN8gn8mYFOpcHRnT/Jn7qaddEv2E6vNUy30="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := (Client{ID: "client"}).SecretHash("ann"); got != "" {
		t.Errorf("a public client has %q", got)
	}
}
