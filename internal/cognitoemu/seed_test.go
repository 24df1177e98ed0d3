package cognitoemu

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const goodSeed = `pool_id: eu-west-1_Example
clients:
  - id: web
    name: Example shop
    callback_urls: [http://localhost:8080/auth/callback]
    logout_urls: [http://localhost:8080/auth/signed-out]
    scopes: [openid, email, profile, aws.cognito.signin.user.admin]
    token_ttl: 5m
    rotate: true
    rotation_grace: 10s
users:
  - email: frida@example.com
    name: Frida Fox
    password: Passw0rd!
    groups: [staff, admins]
    attributes: {given_name: Frida, "custom:tenant": acme}
providers:
  - name: Google
    type: Google
    users:
      - {id: "1001", email: greta@gmail.example, email_verified: true, name: Greta Green}
`

func TestParseSeed_reads_a_seed_that_an_emulator_starts_with(t *testing.T) {
	got, err := ParseSeed([]byte(goodSeed))
	if err != nil {
		t.Fatal(err)
	}
	want := Seed{
		PoolID: "eu-west-1_Example",
		Clients: []Client{{ID: "web", Name: "Example shop", CallbackURLs: []string{callbackURL}, LogoutURLs: []string{logoutURL},
			Scopes:   []string{"openid", "email", "profile", "aws.cognito.signin.user.admin"},
			TokenTTL: 5 * time.Minute, Rotate: true, RotationGrace: 10 * time.Second}},
		Users: []User{{Email: "frida@example.com", Name: "Frida Fox", Password: "Passw0rd!", Groups: []string{"staff", "admins"},
			Attributes: map[string]string{"given_name": "Frida", "custom:tenant": "acme"}}},
		Providers: []Provider{{Name: "Google", Type: ProviderGoogle,
			Users: []ProviderPerson{{ID: "1001", Email: "greta@gmail.example", EmailVerified: true, Name: "Greta Green"}}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	f := newFixture(t, func(o *Options) { o.Seed = got })
	code := f.signInAs("frida@example.com", "client_id", "web")
	if set := f.tokens(f.exchange(code, "client_id", "web")); set.ExpiresIn != 300 {
		t.Errorf("expires_in %d", set.ExpiresIn)
	}
}

func TestParseSeed_reports_every_fault_with_its_line(t *testing.T) {
	const faulty = `pool_id: nowhere
colour: blue
clients:
  - id: web
    callback_urls: [http://app.example.com/cb, "https://app.example.com/cb#top"]
    logout_urls: [not a url]
    rotation_grace: 2m
  - id: web
    callback_urls: [https://app.example.com/cb]
    providers: [Myspace]
    token_ttl: soon
users:
  - email: frida
    pasword: Passw0rd!
  - {email: gus@example.com, password: x, attributes: {favourite-colour: blue}}
  - {email: GUS@example.com, password: x}
providers:
  - name: COGNITO
    type: LDAP
`
	_, err := ParseSeed([]byte(faulty))
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{
		"line 1: pool_id", `line 2: unknown key "colour"`, "line 5: clients[0].callback_urls[0]", "line 5: clients[0].callback_urls[1]",
		"line 6: clients[0].logout_urls[0]", "line 7: clients[0].rotation_grace", "line 8: clients[1].id", "line 10: clients[1].providers[0]",
		"line 11", "line 13: users[0].email", `line 14: unknown key "pasword"`, "line 13: users[0].password",
		"line 15: users[1].attributes.favourite-colour", "line 16: users[2].email", "line 18: providers[0].name", "line 19: providers[0].type",
		"line 18: providers[0].users",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing from:\n%v", want, err)
		}
	}
}

func TestParseSeed_refuses_what_is_no_seed(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "a list": "- a\n- b\n", "broken YAML": "clients: [", "no client": "pool_id: eu-west-1_Example\n", "a scalar": "hello",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ParseSeed([]byte(text)); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func TestNew_refuses_a_callback_on_plain_http_off_loopback(t *testing.T) {
	for callback, ok := range map[string]bool{
		"http://localhost:3000/cb": true, "http://127.0.0.1/cb": true, "http://[::1]:3000/cb": true, "https://app.example.com/cb": true,
		"myapp://cb": true, "http://app.example.com/cb": false, "https://app.example.com/cb#x": false, "/cb": false, "https:///cb": false,
	} {
		_, err := New(Options{PagesURL: "http://127.0.0.1:9229", APIURL: "http://localhost:9229", Seed: DefaultSeed([]string{callback}, nil)})
		if (err == nil) != ok {
			t.Errorf("%s: error %v, want ok %v", callback, err, ok)
		}
	}
}

func TestSeed_a_subject_survives_a_restart(t *testing.T) {
	first, second := newFixture(t), newFixture(t)
	if a, b := first.emulator.Users(), second.emulator.Users(); !cmp.Equal(a, b) {
		t.Error(cmp.Diff(a, b))
	}
}

// The example of the documentation is the one that users copy.
func TestParseSeed_takes_the_example_of_the_documentation(t *testing.T) {
	document, err := os.ReadFile("../../docs/emulator.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, found := strings.Cut(string(document), "```yaml\n")
	example, _, ended := strings.Cut(example, "```")
	if !found || !ended {
		t.Fatal("no example in docs/emulator.md")
	}
	seed, err := ParseSeed([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, func(o *Options) { o.Seed = seed })
	f.tokens(f.exchange(f.signInAs("frida@example.com", "client_id", "web"), "client_id", "web"))
	for _, address := range []string{"alice@example.com", "bob@example.com", "carol@example.com", "dave@example.com", "erin@example.com"} {
		if !strings.Contains(string(document), "`"+address+"`") {
			t.Errorf("the documentation lacks %s", address)
		}
	}
}
