package oauth

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

const (
	testClientID = "client-1"
	testSecret   = "a secret: with & odd % characters"
	testSubject  = "2f6c1c8e-subject"
	testKid      = "kid-1"
	redirectURL  = "https://app.example.com/auth/callback"
)

// The keys are made once: making one takes longer than most tests.
var (
	signingKey  = sync.OnceValue(func() *rsa.PrivateKey { return newKey(2048) })
	strangerKey = sync.OnceValue(func() *rsa.PrivateKey { return newKey(2048) })
)

func newKey(bits int) *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return k
}

// provider is an OpenID provider that does as it is told, and worse. It answers
// as scripted and remembers what it was asked.
type provider struct {
	t      *testing.T
	issuer string

	mu     sync.Mutex
	token  http.HandlerFunc // answers the token endpoint
	jwks   http.HandlerFunc
	revoke http.HandlerFunc
	forms  []url.Values // what the token endpoint was sent
	auths  []string     // with which Authorization
	fetch  int          // how often the key set was fetched
	other  []string     // requests for anything else: there must be none
}

func newProvider(t *testing.T) *provider {
	p := &provider{t: t}
	p.jwks = func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, keySetOf(jwk(testKid, signingKey()))) }
	return p
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	p.mu.Lock()
	var h http.HandlerFunc
	switch r.URL.Path {
	case "/oauth2/token":
		p.forms, p.auths = append(p.forms, form), append(p.auths, r.Header.Get("Authorization"))
		h = p.token
	case "/oauth2/revoke":
		p.forms, p.auths = append(p.forms, form), append(p.auths, r.Header.Get("Authorization"))
		h = p.revoke
	case "/pool/.well-known/jwks.json":
		p.fetch++
		h = p.jwks
	default:
		p.other = append(p.other, r.Method+" "+r.URL.String())
	}
	p.mu.Unlock()
	if h == nil {
		http.NotFound(w, r)
		return
	}
	h(w, r)
}

// serve starts the provider on loopback and returns a client of it.
func (p *provider) serve(change ...func(*Options)) *Client {
	p.t.Helper()
	s := httptest.NewServer(p)
	p.t.Cleanup(s.Close)
	return p.client(s.URL, change...)
}

// inBubble returns a client that calls the provider without a network, so that
// testing/synctest can own the time.
func (p *provider) inBubble(change ...func(*Options)) *Client {
	p.t.Helper()
	direct := &http.Client{Transport: handlerTransport{p}}
	return p.client("https://idp.example.com", append([]func(*Options){func(o *Options) { o.HTTP = direct }}, change...)...)
}

// callTimeout is more than a call at the provider of the tests takes, however busy
// the machine is.
const callTimeout = time.Minute

func (p *provider) client(base string, change ...func(*Options)) *Client {
	p.t.Helper()
	p.issuer = base + "/pool"
	o := Options{
		ClientID: testClientID, ClientSecret: secret.NewText(testSecret),
		AuthorizeURL: base + "/oauth2/authorize", SignupURL: base + "/signup",
		TokenURL: base + "/oauth2/token", RevokeURL: base + "/oauth2/revoke",
		JWKSURL: p.issuer + "/.well-known/jwks.json", Issuer: p.issuer, RedirectURL: redirectURL,
		Scopes: []string{"openid", "email"}, Ring: testRing(1), Timeout: callTimeout,
	}
	for _, f := range change {
		f(&o)
	}
	c, err := New(o)
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

type handlerTransport struct{ h http.Handler }

func (t handlerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	t.h.ServeHTTP(rec, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return rec.Result(), nil
}

func testRing(seed byte) *secret.Ring {
	k := make([]byte, secret.KeySize)
	k[0] = seed
	r, err := secret.NewRing(k)
	if err != nil {
		panic(err)
	}
	return r
}

// login is one login, from its start to the point where the code is exchanged.
type login struct {
	binding  Binding
	query    url.Values // of the authorization request
	callback Callback
	pending  Pending
}

func beginLogin(t *testing.T, c *Client) login {
	t.Helper()
	l := login{binding: NewBinding()}
	a, err := c.Start(Request{ReturnTo: "/home", Binding: l.binding})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(a.URL)
	if err != nil {
		t.Fatal(err)
	}
	l.query = u.Query()
	l.callback, err = ParseCallback(url.Values{"code": {"code-1"}, "state": {l.query.Get("state")}})
	if err != nil {
		t.Fatal(err)
	}
	if l.pending, err = c.Open(l.callback.State, l.binding); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l login) exchange(t *testing.T, c *Client) (Tokens, error) {
	return c.Exchange(t.Context(), l.callback, l.pending, l.binding)
}

// object is a JSON object of any shape.
type object map[string]any

func (o object) with(name string, value any) object {
	c := maps.Clone(o)
	c[name] = value
	return c
}

func (o object) without(name string) object {
	c := maps.Clone(o)
	delete(c, name)
	return c
}

func (o object) json() string {
	b, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func goodHeader() object { return object{"alg": "RS256", "kid": testKid} }

func (p *provider) idClaims(nonce string) object {
	now := time.Now().Unix()
	return object{
		"iss": p.issuer, "aud": testClientID, "sub": testSubject, "token_use": "id", "nonce": nonce,
		"iat": now, "exp": now + 3600, "auth_time": now, "email": "ada@example.com", "cognito:username": "ada",
	}
}

func (p *provider) accessClaims() object {
	now := time.Now().Unix()
	return object{
		"iss": p.issuer, "client_id": testClientID, "sub": testSubject, "token_use": "access",
		"iat": now, "exp": now + 3600, "scope": "openid email", "username": "ada",
	}
}

// sign makes a compact JWS with RS256, whatever the header says.
func sign(header, claims string, key *rsa.PrivateKey) string {
	input := b64(header) + "." + b64(claims)
	sum := sha256.Sum256([]byte(input))
	sig, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return input + "." + b64(string(sig))
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func (p *provider) idToken(nonce string) string {
	return sign(goodHeader().json(), p.idClaims(nonce).json(), signingKey())
}

func (p *provider) accessToken() string {
	return sign(goodHeader().json(), p.accessClaims().json(), signingKey())
}

// tokenAnswer is a good token response.
func (p *provider) tokenAnswer(idToken string) object {
	return object{
		"access_token": p.accessToken(), "id_token": idToken, "refresh_token": "refresh-1",
		"token_type": "Bearer", "expires_in": 3600,
	}
}

func (p *provider) answers(status int, body object) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.token = func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, status, body) }
}

func writeJSON(w http.ResponseWriter, status int, body object) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body.json())
}

func raw(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func jwk(kid string, key *rsa.PrivateKey) object {
	return object{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid,
		"n": b64(string(key.N.Bytes())), "e": b64(string(big.NewInt(int64(key.E)).Bytes())),
	}
}

func keySetOf(keys ...object) object { return object{"keys": keys} }

// asked returns how often the token and revocation endpoints were called, and
// the key set fetched.
func (p *provider) asked() (calls, fetches int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.forms), p.fetch
}

// sent returns what the token and revocation endpoints were sent, and with which
// Authorization.
func (p *provider) sent() (forms []url.Values, auths []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.forms), slices.Clone(p.auths)
}

func (p *provider) noOtherRequest(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.other) > 0 {
		t.Errorf("requests that a token caused: %v", p.other)
	}
}

// dropConnection hangs up without an answer.
func dropConnection(w http.ResponseWriter, _ *http.Request) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(fmt.Sprintf("hijack: %v", err))
	}
	_ = c.Close()
}

// hang answers only when the caller has given up.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func cancelled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
