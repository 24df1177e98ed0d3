package examples

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/cognitoemu"
	"github.com/gatehouse-auth/gatehouse/internal/freeport"
)

// ownGateway is the gateway of examples/store, in a directory of its own.
type ownGateway struct {
	t                         *testing.T
	binary, config, dir       string
	addr, admin, pool, public string
}

func newOwnGateway(t *testing.T) *ownGateway {
	t.Helper()
	config, err := filepath.Abs("store/gatehouse.yaml")
	if err != nil {
		t.Fatal(err)
	}
	g := &ownGateway{
		t: t, binary: build(t, "store", "."), config: config, dir: t.TempDir(),
		addr: freeport.Addr(t), admin: freeport.Addr(t), pool: freeport.Addr(t),
	}
	g.public = "http://localhost:" + portOf(t, g.addr)
	if out, status := g.says(nil, "keygen", "--keep", "--out", "session.keys"); status != 0 {
		t.Fatalf("keygen: %d\n%s", status, out)
	}
	return g
}

// environ puts free ports in the place of those in the file.
func (g *ownGateway) environ() []string {
	api := "http://localhost:" + portOf(g.t, g.pool)
	return []string{
		"GATEHOUSE_LISTEN=" + g.addr, "GATEHOUSE_ADMIN_LISTEN=" + g.admin, "GATEHOUSE_PUBLIC_URL=" + g.public,
		"GATEHOUSE_COGNITO_DOMAIN=http://" + g.pool, "GATEHOUSE_COGNITO_API_ENDPOINT=" + api,
		"GATEHOUSE_COGNITO_ISSUER=" + api + "/" + cognitoemu.DefaultPoolID,
	}
}

// says runs a command to its end, and returns what it printed and its exit status.
func (g *ownGateway) says(environ []string, args ...string) (string, int) {
	g.t.Helper()
	cmd := exec.Command(g.binary, args...)
	cmd.Dir, cmd.Env = g.dir, append(append(os.Environ(), g.environ()...), environ...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		g.t.Fatal(err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

func (g *ownGateway) serve() (stop func()) {
	g.t.Helper()
	return run(g.t, g.dir, g.addr, []string{g.binary, "serve", "--config", g.config}, g.environ()...)
}

// TestStore runs a program with a store of its own.
func TestStore(t *testing.T) {
	g := newOwnGateway(t)
	t.Run("keeps_sessions_over_a_stop_without_a_word", g.keepsSessions)
	t.Run("says_which_stores_there_are", g.saysWhichStores)
}

func (g *ownGateway) keepsSessions(t *testing.T) {
	g.t = t
	run(t, g.dir, g.pool, []string{g.binary, "cognito", "--listen", g.pool, "--gateway", g.public})
	stop := g.serve()
	b := newBrowser(t, g.public)
	subject := b.signIn()
	stop()
	stop = g.serve()
	if got := b.subject(); got != subject {
		t.Fatalf("after another start: signed in as %q, want %q", got, subject)
	}
	copied := newBrowser(t, g.public)
	at, err := url.Parse(g.public)
	if err != nil {
		t.Fatal(err)
	}
	copied.Jar.SetCookies(at, b.Jar.Cookies(at))
	if got := copied.subject(); got != subject {
		t.Fatalf("by a copy of the cookie: signed in as %q, want %q", got, subject)
	}
	out, status := g.says(nil, "sessions", "stats", "--config", g.config)
	if status != 0 || !strings.Contains(out, "bolt, answers in") || !strings.Contains(out, "sessions  1,") {
		t.Errorf("sessions stats: %d\n%s", status, out)
	}
	if res, body := b.send(http.MethodPost, "/auth/logout", "Sec-Fetch-Site", "same-origin"); res.StatusCode != http.StatusOK || strings.Contains(body, "pending") {
		t.Fatalf("sign-out: %s\n%s", res.Status, body)
	}
	for range 2 {
		if got := copied.subject(); got != "" {
			t.Errorf("after the sign-out, by a copy of the cookie: signed in as %q", got)
		}
		stop()
		stop = g.serve()
	}
}

func (g *ownGateway) saysWhichStores(t *testing.T) {
	g.t = t
	for _, tc := range []struct {
		store, want string
		status      int
	}{
		{"bolt:sessions.db", "configuration ok", 0},
		{"blot:sessions.db", `session.store: "blot:sessions.db": want "memory:"`, 2},
		{"blot:sessions.db", "redis-cluster://HOST:PORT,HOST:PORT, or bolt:…\n", 2},
	} {
		out, status := g.says([]string{"GATEHOUSE_SESSION_STORE=" + tc.store}, "config", "check", "--config", g.config)
		if status != tc.status || !strings.Contains(out, tc.want) {
			t.Errorf("config check of %s: %d\n%s\nwant %d and %q", tc.store, status, out, tc.status, tc.want)
		}
	}
	out, status := g.says([]string{"GATEHOUSE_SESSION_STORE=bolt://host/x.db"}, "serve", "--config", g.config)
	if status != 1 || !strings.Contains(out, "open session.store bolt://host/x.db: want bolt:/PATH/OF/A/FILE") {
		t.Errorf("serve with an address that is none: %d\n%s", status, out)
	}
}

// subject is who is signed in; "" if nobody.
func (b *browser) subject() string {
	b.t.Helper()
	res, body := b.get("/auth/session", "Sec-Fetch-Site", "same-origin")
	var session struct{ UserSub string }
	if err := json.Unmarshal([]byte(body), &session); err != nil || res.StatusCode != http.StatusOK {
		b.t.Fatalf("who is signed in: %s\n%s", res.Status, body)
	}
	return session.UserSub
}
