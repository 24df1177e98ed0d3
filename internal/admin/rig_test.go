package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/cognito"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

const (
	token = "Xk8sl2Pqw0vbnM3zQx7r"
	idle  = 30 * time.Minute
)

// rig is the handler behind a listener, over real sessions in memory.
type rig struct {
	t        *testing.T
	base     string
	sessions *session.Manager
	logs     *logs
}

// noPool is a user pool that does not answer.
type noPool struct{}

func (noPool) Refresh(context.Context, oauth.Tokens) (oauth.Tokens, error) {
	return oauth.Tokens{}, oauth.ErrUnavailable
}

func (noPool) Revoke(context.Context, oauth.Tokens) error { return oauth.ErrUnavailable }

func newRig(t *testing.T, change ...func(*admin.Options)) *rig {
	t.Helper()
	store := sessionstore.NewMemory(sessionstore.MemoryOptions{IdleTimeout: idle})
	m, err := session.NewManager(session.Options{
		Store: store, Provider: noPool{}, IdleTimeout: idle, AbsoluteTimeout: 12 * time.Hour,
		BeforeExpiry: time.Minute, RefreshTimeout: time.Second, ForcedPerMinute: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, sessions: m, logs: &logs{}}
	o := admin.Options{
		Listen: "127.0.0.1:9090", Sessions: m, Store: store, StoreKind: "memory",
		SignOut:  func(context.Context, string) error { return cognito.ErrNoCredentials },
		Draining: func() bool { return false }, Reasons: func(context.Context) []string { return nil },
		Metrics: telemetry.NewMetrics("1.2.3", "c0ffee"), Version: "1.2.3", Commit: "c0ffee",
		Logger: slog.New(slog.NewJSONHandler(r.logs, nil)),
	}
	for _, c := range change {
		c(&o)
	}
	srv := httptest.NewServer(admin.New(o))
	t.Cleanup(srv.Close)
	r.base = srv.URL
	return r
}

func guarded(o *admin.Options) { o.Token = secret.NewText(token) }

// signIn begins a session of the subject.
func (r *rig) signIn(subject string) *session.Session {
	r.t.Helper()
	s, err := r.sessions.Create(r.t.Context(), session.New{Username: "name of " + subject, Tokens: oauth.Tokens{
		Subject: subject, Access: secret.NewText("access"), AccessExpiresAt: time.Now().Add(time.Hour),
		AccessClaims: []byte("{}"), IDClaims: []byte("{}"),
	}}, session.Handle{})
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// lives reports whether the session has not ended.
func (r *rig) lives(s *session.Session) bool {
	r.t.Helper()
	_, err := r.sessions.Load(r.t.Context(), s.Handle)
	if err != nil && !errors.Is(err, session.ErrNotFound) {
		r.t.Fatal(err)
	}
	return err == nil
}

// call makes a request as a script would; headers are names and values in turn.
func (r *rig) call(method, path string, headers ...string) (*http.Response, string) {
	r.t.Helper()
	req, err := http.NewRequest(method, r.base+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if req.Header.Set(headers[i], headers[i+1]); headers[i] == "Host" {
			req.Host = headers[i+1]
		}
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return res, string(body)
}

func decode[T any](t *testing.T, body string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("decode %q: %v", body, err)
	}
	return v
}

// problemCode returns the code of an answer that must be a problem.
func problemCode(t *testing.T, res *http.Response, body string) string {
	t.Helper()
	if ct := res.Header.Get("Content-Type"); ct != "application/problem+json" {
		t.Fatalf("status %d has Content-Type %q, want a problem: %s", res.StatusCode, ct, body)
	}
	p := decode[struct {
		Status          int
		Code, RequestID string
	}](t, body)
	if p.Status != res.StatusCode || p.RequestID == "" || p.RequestID != res.Header.Get("X-Request-Id") {
		t.Errorf("problem %s does not match its answer %d, %q", body, res.StatusCode, res.Header.Get("X-Request-Id"))
	}
	return p.Code
}

// logs collects log lines.
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
