package server_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/server"
)

// rig is a real gateway over TLS, a user pool, and an API behind it.
type rig struct {
	t     testing.TB
	url   string // the gateway, https://example.com:PORT
	roots *x509.CertPool
	wire  *wire
	logs  *logs
	// server is the gateway, and stop ends it before the test does.
	server *server.Server
	stop   func()

	emu  *cognitoemu.Emulator
	pool *httptest.Server
	// domain and idp are where the gateway and its browsers find the pool's hosts.
	domain, idp string
	// front, if set, changes that; around, if set, stands before the pool.
	front  func(*rig)
	around func(http.Handler) http.Handler
	// emulate, if set, changes the pool before it is made.
	emulate func(*cognitoemu.Options)
	// issued are the tokens that the pool gave out, which nobody but the gateway
	// and the API may ever see.
	issued *tokens

	api  *httptest.Server
	seen *apiRequests
}

// settings change the configuration before it is loaded.
type settings func(doc map[string]any)

// newRig starts everything; it stops, and is scanned for tokens, at the test's end.
func newRig(t *testing.T, change ...settings) *rig {
	t.Helper()
	return newRigBehind(t, func(*rig) {}, change...)
}

// newRigBehind lets front change where the gateway finds the pool.
func newRigBehind(t *testing.T, front func(*rig), change ...settings) *rig {
	t.Helper()
	r := &rig{t: t, wire: &wire{}, logs: &logs{}, issued: &tokens{}, seen: &apiRequests{}}
	lend := httptest.NewTLSServer(nil) // lends its certificate, which is for example.com
	lend.Close()
	r.roots = x509.NewCertPool()
	r.roots.AddCert(lend.Certificate())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	r.url = "https://example.com:" + port
	r.front = front
	r.startAPI()
	r.startPool()

	r.serve(r.config(change), server.Options{Stores: ownStores, Logs: r.logs, Listener: listener, Certificate: &lend.TLS.Certificates[0]})
	return r
}

// serve runs a gateway until the test ends, and looks for tokens in what it said then.
func (r *rig) serve(cfg *config.Config, o server.Options) {
	r.t.Helper()
	s, err := server.New(cfg, o)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	r.server, r.stop = s, sync.OnceFunc(func() {
		stop()
		if err := <-done; err != nil {
			r.t.Errorf("gateway stopped with %v", err)
		}
	})
	r.t.Cleanup(func() {
		r.stop()
		r.scan()
	})
}

func (r *rig) config(change []settings) *config.Config {
	r.t.Helper()
	doc := map[string]any{
		"listen": "127.0.0.1:0", "admin_listen": "127.0.0.1:0", "public_url": r.url,
		"cognito": map[string]any{
			"region": "eu-west-1", "user_pool_id": cognitoemu.DefaultPoolID,
			"client_id":     cognitoemu.DefaultConfidentialClientID,
			"client_secret": cognitoemu.DefaultClientSecret,
			"domain":        r.domain, "issuer": r.emu.Issuer(), "api_endpoint": r.idp,
			"providers": []string{"Google"},
		},
		"session": map[string]any{"store": "memory:", "keys": []string{secret.NewKey()}},
		"routes": []any{
			map[string]any{"path": "/api/", "upstream": r.api.URL},
			map[string]any{"path": "/maybe/", "upstream": r.api.URL, "auth": "optional"},
			map[string]any{"path": "/", "upstream": r.api.URL, "auth": "none"},
		},
		"log": map[string]any{"level": "debug"},
	}
	for _, c := range change {
		c(doc)
	}
	data, err := yaml.Marshal(doc)
	if err != nil {
		r.t.Fatal(err)
	}
	cfg, err := config.Load(config.Source{Path: "rig.yaml", Data: data, Stores: slices.Collect(maps.Keys(ownStores))})
	if err != nil {
		r.t.Fatalf("configuration:\n%v", err)
	}
	return cfg
}

// section changes keys of one section of the configuration.
func section(name string, keys map[string]any) settings {
	return func(doc map[string]any) {
		s, ok := doc[name].(map[string]any)
		if !ok {
			s = map[string]any{}
			doc[name] = s
		}
		maps.Copy(s, keys)
	}
}

// poolKeys spares every pool the making of its own.
var poolKeys = sync.OnceValues(cognitoemu.NewKeys)

func (r *rig) startPool() {
	r.t.Helper()
	var handler http.Handler
	r.pool = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.issued.watch(handler, w, req)
	}))
	r.t.Cleanup(r.pool.Close)
	u, _ := url.Parse(r.pool.URL)
	r.domain, r.idp = r.pool.URL, "http://localhost:"+u.Port()
	if r.front != nil {
		r.front(r)
	}
	keys, err := poolKeys()
	if err != nil {
		r.t.Fatal(err)
	}
	o := cognitoemu.Options{
		PagesURL: r.domain, APIURL: r.idp, Keys: keys,
		Seed:     cognitoemu.DefaultSeed([]string{r.url + "/auth/callback"}, []string{r.url + "/auth/signed-out"}),
		TokenTTL: time.Hour,
	}
	if r.emulate != nil {
		r.emulate(&o)
	}
	emu, err := cognitoemu.New(o)
	if err != nil {
		r.t.Fatal(err)
	}
	handler, r.emu = emu, emu
	if r.around != nil {
		handler = r.around(emu)
	}
}

func (r *rig) startAPI() {
	r.api = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.seen.add(req)
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"path":%q,"authorized":%t}`, req.URL.Path, req.Header.Get("Authorization") != "")
	}))
	r.t.Cleanup(r.api.Close)
}

// originOf is the origin of a page that is same-origin, same-site or cross-site
// to address.
func (r *rig) originOf(address, site string) string {
	switch site {
	case "same-site":
		return "https://sibling.example.com"
	case "cross-site":
		return "https://evil.test"
	}
	u, err := url.Parse(address)
	if err != nil {
		r.t.Fatal(err)
	}
	return u.Scheme + "://" + u.Host
}

// apiRequests are what reached the API.
type apiRequests struct {
	mu  sync.Mutex
	all []*http.Request
}

func (a *apiRequests) add(r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = append(a.all, r.Clone(context.Background()))
}

func (a *apiRequests) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.all)
}

func (a *apiRequests) last(t *testing.T) *http.Request {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.all) == 0 {
		t.Fatal("nothing reached the API")
	}
	return a.all[len(a.all)-1]
}

// tokens collects what the pool issues, at its token endpoint and by its API.
type tokens struct {
	mu  sync.Mutex
	all []string
}

// watch serves a request to the pool and keeps the tokens of its answer.
func (k *tokens) watch(h http.Handler, w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/oauth2/token" && r.Header.Get("X-Amz-Target") == "" {
		h.ServeHTTP(w, r)
		return
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	var answer map[string]any
	if json.Unmarshal(rec.Body.Bytes(), &answer) == nil {
		if result, ok := answer["AuthenticationResult"].(map[string]any); ok {
			answer = result
		}
		k.mu.Lock()
		for _, name := range []string{"access_token", "id_token", "refresh_token", "AccessToken", "IdToken", "RefreshToken"} {
			if v, ok := answer[name].(string); ok {
				k.all = append(k.all, v)
			}
		}
		k.mu.Unlock()
	}
	maps.Copy(w.Header(), rec.Header())
	w.WriteHeader(rec.Code)
	_, _ = io.Copy(w, rec.Body)
}

// secrets are the parts of the tokens that are secret: all but their headers,
// which every token of a kind shares.
func (k *tokens) secrets() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []string
	for _, token := range k.all {
		for i, part := range strings.Split(token, ".") {
			if i > 0 && len(part) > 20 {
				out = append(out, part)
			}
		}
	}
	return out
}

// findTokens returns the secrets that text holds.
func (k *tokens) findTokens(text string) []string {
	var found []string
	for _, s := range k.secrets() {
		if strings.Contains(text, s) {
			found = append(found, s)
		}
	}
	return found
}

// scan is the one scan over everything that a flow test sent to a browser, and
// over what the gateway logged.
func (r *rig) scan() {
	for name, text := range map[string]string{"browser": r.wire.String(), "log": r.logs.String()} {
		if found := r.issued.findTokens(text); len(found) > 0 {
			r.t.Errorf("the %s saw %d parts of tokens, such as %.20s…", name, len(found), found[0])
		}
		if strings.Contains(text, cognitoemu.DefaultClientSecret) {
			r.t.Errorf("the %s saw the client secret", name)
		}
	}
}

// logs collects the gateway's log.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
