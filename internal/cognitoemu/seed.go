package cognitoemu

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"time"
)

// Scopes every user pool knows.
const (
	scopeOpenID  = "openid"
	scopeEmail   = "email"
	scopePhone   = "phone"
	scopeProfile = "profile"
	// scopeUserAdmin lets the user's own access token call the JSON API.
	scopeUserAdmin = "aws.cognito.signin.user.admin"
)

// cognitoProvider is the name of the pool itself among a client's providers.
const cognitoProvider = "COGNITO"

// What [DefaultSeed] contains, for whoever configures a client against it.
const (
	DefaultPoolID   = "eu-west-1_GatehouseDev"
	DefaultClientID = "gatehouse-dev"
	// DefaultConfidentialClientID is a second client, with [DefaultClientSecret].
	DefaultConfidentialClientID = "gatehouse-confidential"
	// DefaultClientSecret is published and protects nothing.
	DefaultClientSecret = "emulator-client-secret-not-for-production"
	// DefaultMachineClientID is a client for programs, with the same secret and the
	// scopes api/read and api/write.
	DefaultMachineClientID = "gatehouse-machine"
	// DefaultPassword is the password of every ready-made user.
	DefaultPassword = "Passw0rd!"
)

// Seed is the pool an emulator starts with. In YAML the keys are as tagged;
// [ParseSeed] refuses any other.
type Seed struct {
	// PoolID is REGION_NAME, as the real service has it. Default: [DefaultPoolID].
	PoolID string `yaml:"pool_id"`
	// ManagedLoginVersion is the domain's branding: 2 managed login (default), 1
	// the classic hosted UI, which ignores `prompt`.
	ManagedLoginVersion int        `yaml:"managed_login_version"`
	Clients             []Client   `yaml:"clients"`
	Users               []User     `yaml:"users"`
	Providers           []Provider `yaml:"providers"`
	// Devices is how devices are tracked: "always" remembers each, "opt_in" those that
	// users say. Default: not at all.
	Devices string `yaml:"devices"`
	// RelyingPartyID is the domain that passkeys are for. Default: localhost.
	RelyingPartyID string `yaml:"relying_party_id"`
	// CustomAttributes are the names of custom attributes that users may have beside
	// those that the users of the seed have, without "custom:".
	CustomAttributes []string `yaml:"custom_attributes"`
}

// Client is an app client of the pool, with the authorization code flow unless it is one
// for programs.
type Client struct {
	ID   string `yaml:"id"`
	Name string `yaml:"name"`
	// Secret makes the client a confidential one.
	Secret string `yaml:"secret"`
	// CallbackURLs and LogoutURLs are compared as strings, byte for byte.
	CallbackURLs []string `yaml:"callback_urls"`
	LogoutURLs   []string `yaml:"logout_urls"`
	// Scopes are the allowed ones. Default: all five scopes every pool has.
	Scopes []string `yaml:"scopes"`
	// Providers are COGNITO and names of the pool's providers. Default: all.
	Providers []string `yaml:"providers"`
	// ReadAttributes are what the client may read. Default: everything. A scope
	// that needs more makes the code exchange fail with invalid_grant.
	ReadAttributes []string `yaml:"read_attributes"`
	// WriteAttributes are what the client may write. Default: everything.
	WriteAttributes []string `yaml:"write_attributes"`
	// TokenTTL is the validity of access and ID tokens; default Options.TokenTTL.
	TokenTTL time.Duration `yaml:"token_ttl"`
	// RefreshTTL is the validity of refresh tokens; default 30 days.
	RefreshTTL time.Duration `yaml:"refresh_ttl"`
	// Rotate turns refresh token rotation on; RotationGrace is 0 to 60 s. Where it
	// is off, Options.Rotate and Options.RotationGrace decide.
	Rotate        bool          `yaml:"rotate"`
	RotationGrace time.Duration `yaml:"rotation_grace"`
	// DisableRevocation is EnableTokenRevocation: false.
	DisableRevocation bool `yaml:"disable_revocation"`
	// PasswordAuth allows USER_PASSWORD_AUTH of InitiateAuth.
	PasswordAuth bool `yaml:"password_auth"`
	// ClientCredentials makes the client one for programs, which sign in by themselves
	// and by no other flow. Scopes are then those of resource servers, such as api/read.
	ClientCredentials bool `yaml:"client_credentials"`
}

// User is a native user of the pool. People sign in by e-mail address; the
// username is generated and equals the subject, as in such pools.
type User struct {
	// Sub is the subject; default: derived from pool and address, so that it
	// survives a restart.
	Sub      string `yaml:"sub"`
	Email    string `yaml:"email"`
	Name     string `yaml:"name"`
	Password string `yaml:"password"`
	// TemporaryPassword makes the user choose another one at the first sign-in.
	TemporaryPassword bool `yaml:"temporary_password"`
	// TOTPSecret, in base32, is that of an authenticator app: its code is the user's
	// second factor.
	TOTPSecret string `yaml:"totp_secret"`
	// Devices are those that the user signed in with before.
	Devices []UserDevice `yaml:"devices"`
	// Groups are at most 100, in order of precedence.
	Groups []string `yaml:"groups"`
	// Unverified leaves email_verified false.
	Unverified bool `yaml:"unverified"`
	Disabled   bool `yaml:"disabled"`
	// Attributes are further user attributes, such as given_name or custom:tenant.
	Attributes map[string]string `yaml:"attributes"`
}

// UserDevice is a device that a user signed in with.
type UserDevice struct {
	// Key is REGION_UUID, as the real service has it.
	Key        string `yaml:"key"`
	Name       string `yaml:"name"`
	Remembered bool   `yaml:"remembered"`
}

// ProviderType is the kind of an external identity provider.
type ProviderType string

// The kinds of provider that are simulated.
const (
	ProviderGoogle ProviderType = "Google"
	ProviderOIDC   ProviderType = "OIDC"
	ProviderSAML   ProviderType = "SAML"
)

// Provider is a simulated external identity provider with people of its own.
type Provider struct {
	Name string       `yaml:"name"`
	Type ProviderType `yaml:"type"`
	// Issuer is the entity that the `identities` claim names; empty gives null.
	Issuer string `yaml:"issuer"`
	// Identifiers are the values of idp_identifier that lead here.
	Identifiers []string         `yaml:"identifiers"`
	Users       []ProviderPerson `yaml:"users"`
}

// ProviderPerson is someone an external provider knows.
type ProviderPerson struct {
	// ID is the person's id at the provider; the username becomes Provider_ID.
	ID    string `yaml:"id"`
	Email string `yaml:"email"`
	// EmailVerified is the mapped attribute; false unless a mapping says otherwise.
	EmailVerified bool              `yaml:"email_verified"`
	Name          string            `yaml:"name"`
	Groups        []string          `yaml:"groups"`
	Attributes    map[string]string `yaml:"attributes"`
}

func (s Seed) isZero() bool {
	return s.PoolID == "" && len(s.Clients) == 0 && len(s.Users) == 0 && len(s.Providers) == 0
}

// Region is the part of the pool's id before the underscore.
func (s Seed) Region() string {
	region, _, _ := strings.Cut(s.PoolID, "_")
	return region
}

// poolName is the part of the pool's id after the underscore.
func (s Seed) poolName() string {
	_, name, _ := strings.Cut(s.PoolID, "_")
	return name
}

// DefaultSeed is a pool to start with: a public and a confidential client with the
// given addresses, a client for programs, five ready-made users with [DefaultPassword], and two
// simulated providers.
func DefaultSeed(callbackURLs, logoutURLs []string) Seed {
	return Seed{
		PoolID:              DefaultPoolID,
		ManagedLoginVersion: 2,
		Clients: []Client{
			{ID: DefaultClientID, Name: "Gatehouse", CallbackURLs: callbackURLs, LogoutURLs: logoutURLs, PasswordAuth: true},
			{ID: DefaultConfidentialClientID, Name: "Gatehouse", Secret: DefaultClientSecret,
				CallbackURLs: callbackURLs, LogoutURLs: logoutURLs, PasswordAuth: true},
			{ID: DefaultMachineClientID, Name: "Gatehouse", Secret: DefaultClientSecret,
				ClientCredentials: true, Scopes: []string{"api/read", "api/write"}},
		},
		Users: []User{
			{Email: "alice@example.com", Name: "Alice Archer", Password: DefaultPassword, Groups: []string{"admins", "staff"},
				Attributes: map[string]string{"given_name": "Alice", "family_name": "Archer", "locale": "en-GB", "custom:tenant": "acme"}},
			{Email: "bob@example.com", Name: "Bob Baker", Password: DefaultPassword, Groups: []string{"staff"},
				Attributes: map[string]string{"given_name": "Bob", "family_name": "Baker"}},
			{Email: "carol@example.com", Name: "Carol Cole", Password: DefaultPassword},
			{Email: "dave@example.com", Name: "Dave Dunn", Password: DefaultPassword, Unverified: true},
			{Email: "erin@example.com", Name: "Erin Ellis", Password: DefaultPassword, Groups: []string{"staff"}, Disabled: true},
		},
		Providers: []Provider{
			{Name: "Google", Type: ProviderGoogle, Users: []ProviderPerson{
				{ID: "108204268033311374519", Email: "gina@gmail.example", EmailVerified: true, Name: "Gina Gray"},
				{ID: "117726449817463518203", Email: "hugo@gmail.example", EmailVerified: true, Name: "Hugo Hall"},
			}},
			{Name: "CorpSAML", Type: ProviderSAML, Issuer: "https://idp.corp.example/saml", Identifiers: []string{"corp.example"},
				Users: []ProviderPerson{
					{ID: "ines@corp.example", Email: "ines@corp.example", Name: "Ines Iyer", Groups: []string{"staff"}},
					{ID: "jack@corp.example", Email: "jack@corp.example", Name: "Jack Jones"},
				}},
		},
	}
}

// withDefaults returns a copy with everything filled in that was left out.
func (s Seed) withDefaults() Seed {
	if s.PoolID == "" {
		s.PoolID = DefaultPoolID
	}
	if s.ManagedLoginVersion == 0 {
		s.ManagedLoginVersion = 2
	}
	if s.RelyingPartyID == "" {
		s.RelyingPartyID = "localhost"
	}
	clients := make([]Client, len(s.Clients))
	for i, c := range s.Clients {
		if len(c.Scopes) == 0 {
			c.Scopes = []string{scopeOpenID, scopeEmail, scopePhone, scopeProfile, scopeUserAdmin}
		}
		if len(c.Providers) == 0 {
			c.Providers = s.allProviders()
		}
		if c.RefreshTTL == 0 {
			c.RefreshTTL = 30 * 24 * time.Hour
		}
		clients[i] = c
	}
	s.Clients = clients
	users := make([]User, len(s.Users))
	for i, u := range s.Users {
		if u.Sub == "" {
			u.Sub = stableUUID(s.PoolID, u.Email)
		}
		users[i] = u
	}
	s.Users = users
	return s
}

func (s Seed) allProviders() []string {
	names := []string{cognitoProvider}
	for _, p := range s.Providers {
		names = append(names, p.Name)
	}
	return names
}

// stableUUID names the same thing the same way at every start, so that what an
// application stored under a subject yesterday is found today.
func stableUUID(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(strings.Join(parts, "\x00"))))
	return formatUUID([16]byte(sum[:16]))
}

// formatUUID writes b as an RFC 9562 UUID of version 4.
func formatUUID(b [16]byte) string {
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
