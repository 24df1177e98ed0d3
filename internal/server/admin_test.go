package server_test

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/freeport"
	"github.com/gatehouse-auth/gatehouse/internal/redistest"
)

const adminToken = "Xk8sl2Pqw0vbnM3zQx7r"

// admin calls a gateway's admin listener as a script would.
type admin struct {
	t    *testing.T
	base string
}

// withAdmin starts a gateway whose admin listener is known.
func withAdmin(t *testing.T, change ...settings) (*rig, admin) {
	t.Helper()
	r, a := adminBehind(t, func(*rig) {}, change...)
	until(t, "readiness", func() bool { res, _ := a.call("GET", "/readyz"); return res.StatusCode == http.StatusOK })
	return r, a
}

// adminBehind is withAdmin with front as newRigBehind has it, and without waiting
// for the gateway to be ready.
func adminBehind(t *testing.T, front func(*rig), change ...settings) (*rig, admin) {
	t.Helper()
	withoutAWS(t)
	address := freeport.Addr(t)
	r := newRigBehind(t, front, append(change, func(doc map[string]any) { doc["admin_listen"] = address })...)
	a := admin{t: t, base: "http://" + address}
	until(t, "the admin listener", func() bool {
		res, err := http.Get(a.base + "/healthz")
		if err == nil {
			_ = res.Body.Close()
		}
		return err == nil
	})
	return r, a
}

// withoutAWS takes away whatever AWS credentials the machine may have.
func withoutAWS(t *testing.T) {
	t.Helper()
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
	} {
		t.Setenv(name, "")
	}
	nowhere := filepath.Join(t.TempDir(), "none")
	t.Setenv("AWS_CONFIG_FILE", nowhere)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", nowhere)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

func guarded(doc map[string]any) { doc["admin_token"] = adminToken }

func (a admin) call(method, path string, headers ...string) (*http.Response, string) {
	a.t.Helper()
	req, err := http.NewRequest(method, a.base+path, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if req.Header.Set(headers[i], headers[i+1]); headers[i] == "Host" {
			req.Host = headers[i+1]
		}
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return res, string(body)
}

func TestAdminListsAndEndsTheSessionsOfAUser(t *testing.T) {
	r, a := withAdmin(t)
	laptop, phone, bob := r.signedIn("alice@example.com"), r.signedIn("alice@example.com"), r.signedIn("bob@example.com")
	path := "/admin/users/" + laptop.session().UserSub + "/sessions"
	res, body := a.call("GET", path)
	list := decode[[]struct {
		ID, Username, UserAgent, IP      string
		CreatedAt, LastSeenAt, ExpiresAt int64
	}](t, body)
	if res.StatusCode != http.StatusOK || len(list) != 2 || list[0].ID != phone.sessionID() || list[1].ID != laptop.sessionID() {
		t.Fatalf("listed %d %s", res.StatusCode, body)
	}
	if s := list[1]; s.Username != laptop.session().Username || s.IP != "127.0.0.1" || s.UserAgent == "" ||
		s.ExpiresAt != laptop.session().SessionExpiresAt || s.CreatedAt > time.Now().Unix() || s.LastSeenAt < s.CreatedAt {
		t.Errorf("listed as %+v", s)
	}
	for _, want := range []float64{2, 0} {
		res, body = a.call("DELETE", path)
		if got := decode[map[string]any](t, body); res.StatusCode != http.StatusOK || got["ended"] != want ||
			got["globalSignOut"] != "no_credentials" {
			t.Errorf("ended %d %s, want %v", res.StatusCode, body, want)
		}
	}
	if laptop.session().Authenticated || phone.session().Authenticated {
		t.Error("a session of the user lives on")
	}
	if !bob.session().Authenticated {
		t.Error("another user was signed out")
	}
	if res, body = a.call("GET", path); res.StatusCode != http.StatusOK || strings.TrimSpace(body) != "[]" {
		t.Errorf("listed %d %s after the end", res.StatusCode, body)
	}
}

func TestAdminSignsAUserOutAtTheUserPool(t *testing.T) {
	r, a := withAdmin(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
	laptop := r.signedIn("alice@example.com")
	sub := laptop.session().UserSub
	laptop.fetch("GET", "/api/x", "")
	token := r.seen.last(t).Header.Get("Authorization")
	if got := r.userInfo(token); got != http.StatusOK {
		t.Fatalf("the token is answered %d before the end", got)
	}
	for _, c := range []struct{ sub, want string }{{sub, "done"}, {sub, "done"}, {"nobody", "unknown_user"}} {
		res, body := a.call("DELETE", "/admin/users/"+c.sub+"/sessions")
		if got := decode[map[string]any](t, body); res.StatusCode != http.StatusOK || got["globalSignOut"] != c.want {
			t.Errorf("%s: answered %d %s, want %s", c.sub, res.StatusCode, body, c.want)
		}
	}
	if got := r.userInfo(token); got != http.StatusUnauthorized {
		t.Errorf("the token is answered %d after the end: the user is not out at the pool", got)
	}
}

// userInfo asks the pool about an access token.
func (r *rig) userInfo(authorization string) int {
	r.t.Helper()
	req, err := http.NewRequest("GET", r.domain+"/oauth2/userInfo", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", authorization)
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		r.t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

func TestAdminEndsOneSession(t *testing.T) {
	r, a := withAdmin(t)
	laptop, phone := r.signedIn("alice@example.com"), r.signedIn("alice@example.com")
	id := phone.sessionID()
	for range 2 { // gone is gone, and no failure
		if res, body := a.call("DELETE", "/admin/sessions/"+id); res.StatusCode != http.StatusNoContent {
			t.Errorf("answered %d %s", res.StatusCode, body)
		}
	}
	if phone.session().Authenticated || !laptop.session().Authenticated {
		t.Error("not that session was ended, or not that alone")
	}
	res, body := a.call("DELETE", "/admin/sessions/phone")
	if code := problemCode(t, res, body); res.StatusCode != http.StatusBadRequest || code != "invalid_id" {
		t.Errorf("what is no id: %d %s", res.StatusCode, code)
	}
	until(t, "the log line", func() bool { return strings.Contains(r.logs.String(), "session ended by the admin API") })
}

// TestAdminGuardsMetricsAndNotTheProbes, as the contract has it.
func TestAdminGuardsMetricsAndNotTheProbes(t *testing.T) {
	_, a := withAdmin(t, guarded)
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/metrics": 401} {
		if res, body := a.call("GET", path); res.StatusCode != want {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
	}
	if res, _ := a.call("GET", "/metrics", "Authorization", "bearer "+adminToken); res.StatusCode != 200 {
		t.Errorf("/metrics with the token: %d", res.StatusCode)
	}
	if res, _ := a.call("GET", "/healthz", "Host", "evil.test"); res.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("a probe by another name: %d", res.StatusCode)
	}
}

// TestAdminIsNotOnThePublicListener: the path is an upstream's there.
func TestAdminIsNotOnThePublicListener(t *testing.T) {
	r, _ := withAdmin(t)
	if res, body := r.browser().fetch("GET", "/admin/stats", ""); !strings.Contains(body, `"path":"/admin/stats"`) {
		t.Errorf("answered %d %s", res.StatusCode, body)
	}
}

// TestAStoreThatTakesNoLoginIsLoggedAtTheStart, with its cause, though nobody probes.
func TestAStoreThatTakesNoLoginIsLoggedAtTheStart(t *testing.T) {
	redis := redistest.Start(t, redistest.Options{User: "gateway", Password: "canary-of-the-server", Rules: "~* &* +@all"})
	wrong := strings.Replace(redis.URL, "canary-of-the-server", "canary-of-the-client", 1)
	r := newRig(t, func(doc map[string]any) { doc["session"].(map[string]any)["store"] = wrong })
	until(t, "the reason", func() bool { return r.logs.line(`"msg":"not ready"`, "it refuses user or password (WRONGPASS)") != "" })
	if strings.Contains(r.logs.String(), "canary") {
		t.Error("the log has a password in it")
	}
}

// TestReadinessTellsWhyLoginsFail: a Redis that answers and takes no session. Those
// that are there are served all the same.
func TestReadinessTellsWhyLoginsFail(t *testing.T) {
	redis := redistest.Start(t, redistest.Options{})
	r, a := withAdmin(t, section("session", map[string]any{"store": redis.URL}))
	b := r.signedIn("alice@example.com")
	limit := func(bytes string) {
		t.Helper()
		if err := redis.Client().ConfigSet(t.Context(), "maxmemory", bytes).Err(); err != nil {
			t.Fatal(err)
		}
	}
	ready := func(want int) string {
		t.Helper()
		var res *http.Response
		var body string
		until(t, fmt.Sprintf("a readiness of %d", want), func() bool {
			res, body = a.call("GET", "/readyz")
			return res.StatusCode == want
		})
		return body
	}
	if body := ready(http.StatusOK); body != "ready\n" {
		t.Errorf("ready: %q", body)
	}
	limit("1")
	if body := ready(http.StatusServiceUnavailable); !strings.HasPrefix(body, "not ready\nstore unavailable: its memory is full") {
		t.Errorf("full: %q", body)
	}
	if res, _ := b.fetch("GET", "/api/x", ""); res.StatusCode != http.StatusOK {
		t.Errorf("a session that is there: %d", res.StatusCode)
	}
	limit("0")
	ready(http.StatusOK)
	until(t, "the log lines", func() bool {
		logs := r.logs.String()
		return strings.Count(logs, `"msg":"not ready","reason":"store unavailable`) == 1 && strings.Contains(logs, `"msg":"ready"`)
	})
}
