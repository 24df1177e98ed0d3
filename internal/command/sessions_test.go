package command

import (
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// TestSessions runs `gateway sessions` against a gateway that has sessions.
func TestSessions(t *testing.T) {
	const token = "Xk8sl2Pqw0vbnM3zQx7r"
	g := startServe(t, newProvider(t), `"memory:"`, "http://127.0.0.1:1", "admin_token: "+token)
	signIn(t, g, "laptop")
	phone := signIn(t, g, "phone")
	signIn(t, g, "tablet\u009b2J")
	testscript.Run(t, testscript.Params{
		Dir: "testdata/sessions",
		Setup: func(env *testscript.Env) error {
			for name, value := range map[string]string{
				"ADMIN": g.admin, "PUBLIC": g.url, "CONFIG": g.file, "PHONE": phone, "KEY": secret.NewKey(),
				"GORACE": "atexit_sleep_ms=1", // a second for each command otherwise
			} {
				env.Setenv(name, value)
			}
			for name, data := range map[string]string{
				"token": token + "\n", "marked": "\ufeff" + token + "\r\n", "utf16": "\xff\xfeX\x00k\x00",
			} {
				if err := os.WriteFile(filepath.Join(env.WorkDir, name), []byte(data), 0o600); err != nil {
					return err
				}
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": status},
	})
}

// signIn begins a session from a browser of that name and returns its id.
func signIn(t *testing.T, g running, agent string) string {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	headers := []string{"User-Agent", agent, "Accept", "text/html"}
	if res, body := send(t, client, "GET", g.url+"/auth/login?return_to=/auth/session", headers...); res.StatusCode != 200 {
		t.Fatalf("login: %d %s", res.StatusCode, body)
	}
	_, body := send(t, client, "GET", g.url+"/auth/sessions")
	var list []struct {
		ID      string
		Current bool
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatalf("sessions: %v: %s", err, body)
	}
	for _, s := range list {
		if s.Current {
			return s.ID
		}
	}
	t.Fatalf("no current session: %s", body)
	return ""
}
