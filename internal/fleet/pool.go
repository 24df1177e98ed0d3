package fleet

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
)

// PoolOptions shape a user pool.
type PoolOptions struct {
	// TokenTTL is the validity of access tokens; Cognito's least is 5 minutes, a
	// test cannot wait for that. Default: an hour.
	TokenTTL time.Duration
	// Rotate and Grace are refresh token rotation and its RetryGracePeriodSeconds.
	Rotate bool
	Grace  time.Duration
}

// Fate is what becomes of one refresh. The zero value: it is carried out.
type Fate struct {
	// Delay is waited before any work, whether or not the caller stays.
	Delay time.Duration
	// Lose carries the refresh out and drops the connection instead of answering.
	Lose bool
	// Drop drops the connection before anything is done.
	Drop bool
	// Status, if set, is answered instead of doing anything.
	Status int
}

// Pool is a user pool that rotates and keeps account of the use of every
// refresh token. Gateways and browsers reach it over Link.
type Pool struct {
	Emu  *cognitoemu.Emulator
	Link *Link

	t  testing.TB
	mu sync.Mutex
	// fate decides on the n-th refresh of the pool, from 0.
	fate      func(n int) Fate
	refreshes int
	families  map[string]int // refresh token → the sign-in it descends from
	signIns   int
	inUse     map[int]int // sign-in → refreshes under way
	overlaps  int
	presented map[string]bool // refresh tokens that were
	repeats   int
	ledger    ledger
}

// poolKeys spares every pool the making of its own.
var poolKeys = sync.OnceValues(cognitoemu.NewKeys)

// StartPool starts a pool for gateways of the public address; it ends with the test.
func StartPool(t testing.TB, o PoolOptions) *Pool {
	t.Helper()
	p := &Pool{t: t, families: map[string]int{}, inUse: map[int]int{}, presented: map[string]bool{}}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	p.Link = NewLink(t, server.Listener.Addr().String())
	keys, err := poolKeys()
	if err != nil {
		t.Fatal(err)
	}
	if o.TokenTTL == 0 {
		o.TokenTTL = time.Hour
	}
	p.Emu, err = cognitoemu.New(cognitoemu.Options{
		PagesURL: p.Domain(), APIURL: p.API(), Keys: keys,
		Seed:     cognitoemu.DefaultSeed([]string{PublicURL + "/auth/callback"}, []string{PublicURL + "/auth/signed-out"}),
		TokenTTL: o.TokenTTL, Rotate: o.Rotate, RotationGrace: o.Grace,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Domain is the base of the hosted pages and the token endpoint.
func (p *Pool) Domain() string { return "http://" + p.Link.Addr }

// API is the base of the issuer and the JSON API: another site, as in real life.
func (p *Pool) API() string {
	_, port, _ := net.SplitHostPort(p.Link.Addr)
	return "http://localhost:" + port
}

// Issuer is the pool's.
func (p *Pool) Issuer() string { return p.Emu.Issuer() }

// Decide sets what becomes of refreshes from now on; nil: all are carried out.
// It is given the number of the refresh in this pool, from 0.
func (p *Pool) Decide(fate func(n int) Fate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fate = fate
}

// Refreshes is how many times a refresh token was presented.
func (p *Pool) Refreshes() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refreshes
}

// Overlaps is how many times a refresh began while another one of the same
// sign-in was under way.
func (p *Pool) Overlaps() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.overlaps
}

// Repeats is how many times a refresh token was presented that had been before:
// under rotation, more than one refresh in a cycle.
func (p *Pool) Repeats() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.repeats
}

// SignIns is how many sign-ins there were.
func (p *Pool) SignIns() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.signIns
}

// ServeHTTP implements http.Handler.
func (p *Pool) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != "/oauth2/token" {
		p.Emu.ServeHTTP(w, r)
		return
	}
	form := readForm(r)
	if form.Get("grant_type") != "refresh_token" {
		p.answer(w, r, p.newSignIn(), "")
		return
	}
	with := form.Get("refresh_token")
	fate, family := p.begin(with)
	defer p.end(family)
	defer p.ledger.use(r.Context(), family)()
	<-time.After(fate.Delay) // the pool goes on with what it has begun
	switch {
	case fate.Drop:
		reset(w)
	case fate.Status != 0:
		w.WriteHeader(fate.Status)
	case fate.Lose:
		p.answer(httptest.NewRecorder(), r, family, with)
		reset(w)
	default:
		p.answer(w, r, family, with)
	}
}

// answer lets the emulator do its work, and notes whose the tokens are and which
// refresh token they were had for.
func (p *Pool) answer(w http.ResponseWriter, r *http.Request, family int, with string) {
	rec := httptest.NewRecorder()
	p.Emu.ServeHTTP(rec, r)
	var tokens struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	if json.Unmarshal(rec.Body.Bytes(), &tokens) == nil && tokens.Refresh != "" {
		p.mu.Lock()
		p.families[tokens.Refresh] = family
		p.mu.Unlock()
		p.ledger.issue(with, tokens.Refresh, tokens.Access)
	}
	for name, values := range rec.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes())
}

func (p *Pool) newSignIn() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.signIns++
	return p.signIns
}

func (p *Pool) begin(token string) (Fate, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	family := p.families[token]
	if p.inUse[family]++; p.inUse[family] > 1 {
		p.overlaps++
	}
	if p.presented[token] {
		p.repeats++
	}
	p.presented[token] = true
	n := p.refreshes
	p.refreshes++
	if p.fate == nil {
		return Fate{}, family
	}
	return p.fate(n), family
}

func (p *Pool) end(family int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inUse[family]--
}

// readForm reads the form of r and puts its body back.
func readForm(r *http.Request) url.Values {
	_ = r.ParseForm()
	form := r.PostForm
	encoded := form.Encode()
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(encoded)), int64(len(encoded))
	r.Form, r.PostForm = nil, nil
	return form
}

// reset drops a connection with a RST.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
