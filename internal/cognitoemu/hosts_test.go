package cognitoemu

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
)

func TestHosts(t *testing.T) {
	f := newFixture(t)
	discovery := "/" + DefaultPoolID + "/.well-known/openid-configuration"
	keys := "/" + DefaultPoolID + "/.well-known/jwks.json"

	for name, test := range map[string]struct {
		address string
		status  int
	}{
		"the API host has discovery":                      {f.idp + discovery, 200},
		"the API host has the keys":                       {f.idp + keys, 200},
		"the domain host has no discovery":                {f.pages + discovery, 404},
		"the domain host has no keys":                     {f.pages + keys, 404},
		"the API host has no hosted pages":                {f.idp + "/login?" + request().Encode(), 404},
		"the API host has no authorization endpoint":      {f.idp + authorizePath(), 404},
		"another pool's discovery does not exist":         {f.idp + "/eu-west-1_Other/.well-known/openid-configuration", 404},
		"the domain host has the hosted pages":            {f.pages + "/login?" + request().Encode(), 200},
		"the domain host says at its root what it is":     {f.pages + "/", 200},
		"an asset that does not exist is not found":       {f.pages + "/assets/none.css", 404},
		"an asset cannot be a page template":              {f.pages + "/assets/login.html", 404},
		"an asset's name cannot leave the asset's folder": {f.pages + "/assets/..%2fdoc.go", 404},
	} {
		t.Run(name, func(t *testing.T) {
			if got := f.get(test.address); got.status != test.status {
				t.Errorf("%s: status %d, want %d", test.address, got.status, test.status)
			}
		})
	}
}

func TestHosts_a_foreign_host_header_is_refused(t *testing.T) {
	f := newFixture(t)
	r, err := http.NewRequest(http.MethodGet, f.pages+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "rebound.example"
	if got := f.do(r); got.status != http.StatusMisdirectedRequest {
		t.Errorf("status %d, want 421", got.status)
	}
}

func TestHosts_one_host_may_serve_both(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.PagesURL, o.Keys = o.APIURL, nil })
	for _, path := range []string{"/" + DefaultPoolID + "/.well-known/jwks.json", "/login?" + request().Encode()} {
		if got := f.get(path); got.status != http.StatusOK {
			t.Errorf("%s: status %d", path, got.status)
		}
	}
}

func TestDiscovery_has_exactly_the_members_of_the_real_document(t *testing.T) {
	f := newFixture(t)
	var got map[string]any
	if err := json.Unmarshal([]byte(f.get(f.idp+"/"+DefaultPoolID+"/.well-known/openid-configuration").body), &got); err != nil {
		t.Fatal(err)
	}
	issuer := f.idp + "/" + DefaultPoolID
	want := map[string]any{
		"authorization_endpoint":                f.pages + "/oauth2/authorize",
		"end_session_endpoint":                  f.pages + "/logout",
		"id_token_signing_alg_values_supported": []any{"RS256"},
		"issuer":                                issuer,
		"jwks_uri":                              issuer + "/.well-known/jwks.json",
		"response_types_supported":              []any{"code", "token"},
		"revocation_endpoint":                   f.pages + "/oauth2/revoke",
		"scopes_supported":                      []any{"openid", "email", "phone", "profile"},
		"subject_types_supported":               []any{"public"},
		"token_endpoint":                        f.pages + "/oauth2/token",
		"token_endpoint_auth_methods_supported": []any{"client_secret_basic", "client_secret_post"},
		"userinfo_endpoint":                     f.pages + "/oauth2/userInfo",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if f.emulator.Issuer() != issuer {
		t.Errorf("Issuer() = %s, want %s", f.emulator.Issuer(), issuer)
	}
}

// keySet fetches the JWKS as a client would, by a library of others.
func (f *fixture) keySet() jose.JSONWebKeySet {
	f.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(f.get(f.idp+"/"+DefaultPoolID+"/.well-known/jwks.json").body), &set); err != nil {
		f.Fatal(err)
	}
	return set
}

// verify checks a signature with the published keys and returns the key's id.
func (f *fixture) verify(token string) (kid string, err error) {
	f.Helper()
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		f.Fatal(err)
	}
	_, err = signed.Verify(f.keySet())
	return signed.Signatures[0].Protected.KeyID, err
}

func TestKeys_two_RSA_2048_keys_with_the_members_of_the_real_ones(t *testing.T) {
	f := newFixture(t)
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal([]byte(f.get(f.idp+"/"+DefaultPoolID+"/.well-known/jwks.json").body), &set); err != nil {
		t.Fatal(err)
	}
	if len(set.Keys) != 2 {
		t.Fatalf("%d keys, want 2", len(set.Keys))
	}
	for _, key := range set.Keys {
		if len(key) != 6 || key["alg"] != "RS256" || key["kty"] != "RSA" || key["use"] != "sig" || key["e"] != "AQAB" {
			t.Errorf("members %v", key)
		}
		if n, _ := key["n"].(string); len(n) != 342 {
			t.Errorf("modulus of %d characters, want those of 2048 bits", len(n))
		}
	}
}

func TestKeys_ID_and_access_tokens_are_signed_with_different_keys(t *testing.T) {
	f := newFixture(t)
	set := f.freshTokens()
	idKey, err := f.verify(set.IDToken)
	if err != nil {
		t.Errorf("ID token: %v", err)
	}
	accessKey, err := f.verify(set.AccessToken)
	if err != nil {
		t.Errorf("access token: %v", err)
	}
	if idKey == accessKey || idKey == "" {
		t.Errorf("kid %q and %q, want two different ones", idKey, accessKey)
	}
}

func TestKeys_after_rotation_old_tokens_verify_until_the_old_keys_are_dropped(t *testing.T) {
	f := newFixture(t)
	set := f.freshTokens()
	oldKey, _ := f.verify(set.IDToken)
	if err := f.emulator.Levers().RotateKeys(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.verify(set.IDToken); err != nil {
		t.Errorf("old token after rotation: %v", err)
	}
	newKey, err := f.verify(f.tokens(f.refresh(set.RefreshToken)).IDToken)
	if err != nil || newKey == oldKey {
		t.Errorf("new token: kid %q (old %q), %v", newKey, oldKey, err)
	}
	f.emulator.Levers().DropRetiredKeys()
	if _, err := f.verify(set.IDToken); err == nil {
		t.Error("old token still verifies after its key was dropped")
	}
	if n := len(f.keySet().Keys); n != 2 {
		t.Errorf("%d keys, want 2", n)
	}
}

func TestNew_refuses_base_URLs_off_loopback(t *testing.T) {
	for name, test := range map[string]struct {
		pages, api string
		allow      bool
		ok         bool
	}{
		"both on loopback":         {"http://127.0.0.1:9229", "http://localhost:9229", false, true},
		"IPv6 loopback":            {"http://[::1]:9229", "http://localhost:9229", false, true},
		"pages off loopback":       {"http://login.example.com", "http://localhost:9229", false, false},
		"API on another machine":   {"http://127.0.0.1:9229", "http://192.0.2.7:9229", false, false},
		"off loopback, allowed":    {"http://login.example.com", "http://api.example.com", true, true},
		"a name like localhost":    {"http://localhost.example.com", "http://localhost:9229", false, false},
		"base with a path":         {"http://127.0.0.1:9229/pool", "http://localhost:9229", false, false},
		"base with user info":      {"http://a@127.0.0.1:9229", "http://localhost:9229", false, false},
		"not a URL of this scheme": {"ftp://127.0.0.1", "http://localhost:9229", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(Options{PagesURL: test.pages, APIURL: test.api, AllowOffLoopback: test.allow})
			if (err == nil) != test.ok {
				t.Errorf("error %v, want ok %v", err, test.ok)
			}
		})
	}
}

func TestNew_reports_every_fault_of_the_options(t *testing.T) {
	_, err := New(Options{PagesURL: "http://login.example.com", APIURL: "", RotationGrace: -1, TokenTTL: -1, InvalidClientStatus: 418})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, name := range []string{"PagesURL", "APIURL", "RotationGrace", "TokenTTL", "InvalidClientStatus"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%q is not named in: %v", name, err)
		}
	}
}

func TestUsers_lists_the_ready_made_users_for_a_banner(t *testing.T) {
	f := newFixture(t)
	var got []string
	for _, user := range f.emulator.Users() {
		got = append(got, user.Email+" "+user.Password+" "+strings.Join(user.Groups, ","))
	}
	for _, want := range []string{"alice@example.com Passw0rd! admins,staff", "bob@example.com Passw0rd! staff", "carol@example.com Passw0rd! "} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is missing from %q", want, got)
		}
	}
}

// TestNew_makes_its_keys: whoever asks for them first, such as a gateway at its
// start, waits a few seconds only, and on a busy machine making them takes longer.
func TestNew_makes_its_keys(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Keys = nil })
	if f.emulator.keys.keys == nil {
		t.Error("they are made at first need")
	}
}
