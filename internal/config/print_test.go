package config

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

var update = flag.Bool("update", false, "write golden files and the generated part of docs/configuration.md")

// golden compares with a file, or writes it under -update.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got); go test -update writes it:\n%s", name, diff)
	}
}

func printed(t *testing.T, c *Config) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := c.Print(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// eventful is a configuration with something of everything.
func eventful() values {
	return with(values{
		"admin_token": "hunter2-hunter2-hunter2", "cognito.client_secret": "hunter2$$x", "session.store": "redis://gate:hunter2@cache.internal/1",
		"trusted_proxies": "[10.0.0.0/8]", "allowed_hosts": "[b.example.com]", "session.cookie": "{domain: example.com}",
		"https_proxy":       "http://gate:hunter2@proxy:3128",
		"cognito.providers": "['Yes', '12', 'a$$${DOLLAR}']", "limits.body_bytes": "1500", "session.idle_timeout": "90m30s",
		"routes[].path": "-", "routes[].upstream": "-",
		"routes": `[{path: /api, upstream: "http://localhost:9000/v1", methods: [GET, POST], cache: upstream, touch: false, identity_headers: true, headers: {X-Tenant: 'custom:a$$$$b', X-Forwarded-User: sub}, assertion: {audience: orders},
     require: {groups: [staff, ops], claims: {plan: [gold, "3"], beta: true}, max_auth_age: 15m, detail: false}},
    {path: /several, upstream: ["http://a.internal", "http://b.internal weight=2"], health_check: {path: /healthz, interval: 10s}},
    {path: /, host: b.example.com, static: "./d$$ist", spa_fallback: index.html, auth: none}]`,
	})
}

func TestPrint_is_the_resolved_configuration(t *testing.T) {
	c := load(t, eventful().yaml(), "DOLLAR=$$")
	golden(t, "testdata/print.yaml", printed(t, c))
}

func TestPrint_masks_secrets(t *testing.T) {
	out := string(printed(t, load(t, eventful().yaml(), "DOLLAR=$$")))
	if strings.Contains(out, "hunter2") {
		t.Errorf("a secret is printed:\n%s", out)
	}
}

// TestPrint_loads_again: with the secrets set anew, what was printed means what
// was loaded.
func TestPrint_loads_again(t *testing.T) {
	keys := "GATEHOUSE_SESSION_KEYS=" + secret.NewKey()
	for name, v := range map[string]values{"with_everything": eventful(), "with_defaults": with(nil)} {
		t.Run(name, func(t *testing.T) {
			first := printed(t, load(t, v.yaml(), "DOLLAR=$$", keys))
			again := printed(t, load(t, string(first), keys))
			if diff := cmp.Diff(string(first), string(again)); diff != "" {
				t.Errorf("printed again (-first +again):\n%s", diff)
			}
		})
	}
}

// TestPrint_of_nothing: a Config that no Load made must not panic.
func TestPrint_of_nothing(t *testing.T) {
	if out := printed(t, &Config{}); !bytes.Contains(out, []byte("routes: []")) {
		t.Errorf("printed:\n%s", out)
	}
}
