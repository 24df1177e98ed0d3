package server

import (
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/config"
)

func TestIssuerSettingNamesWhatWasWritten(t *testing.T) {
	pool := config.Cognito{Region: "eu-west-1", UserPoolID: "eu-west-1_A", Issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_A"}
	custom := pool
	custom.Issuer = "https://issuer.example.com/eu-west-1_A"
	for want, c := range map[string]config.Cognito{"cognito.user_pool_id and cognito.region": pool, "cognito.issuer": custom} {
		if got := issuerSetting(c); got != want {
			t.Errorf("%s comes from %s, want %s", c.Issuer, got, want)
		}
	}
}
