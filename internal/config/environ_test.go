package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// others are, by key, a text that is not the default and that goes with the
// sound configuration. Every scalar and list that is built must be here.
var others = map[string]string{
	"listen": "127.0.0.1:8081", "admin_listen": "127.0.0.1:9191", "admin_token": "Xk8sl2Pqw0vbnM3zQx7r",
	"public_url": "https://www.example.com", "mount": "/gate", "trusted_proxies": "10.0.0.0/8,192.0.2.0/24",
	"trusted_headers": "X-Forwarded-For,X-Forwarded-Host,True-Client-IP",
	"allowed_origins": "https://a.example.com,https://b.example.com", "allowed_hosts": "app.example.com:8443",
	"tls.cert_file": "c.pem", "tls.key_file": "k.pem", "h2c": "true",
	"https_proxy": "http://proxy.example.com:3128", "http_proxy": "socks5://proxy.example.com:1080", "no_proxy": ".example.com,10.0.0.0/8",
	"cognito.region": "us-east-1", "cognito.user_pool_id": "us-east-1_x", "cognito.client_id": "abc",
	"cognito.client_secret": "pa$$word${X}", "cognito.domain": "https://id.example.com",
	"cognito.issuer": "https://id.example.com/x", "cognito.api_endpoint": "https://api.example.com",
	"cognito.scopes": "openid,aws.cognito.signin.user.admin", "cognito.providers": "Google,CorpSAML",
	"session.store": "redis://cache.internal:6380/3", "session.store_username": "gate%41", "session.store_password": "#/?%41@ü",
	"session.keys":         secret.NewKey() + "," + secret.NewKey(),
	"session.idle_timeout": "45m", "session.absolute_timeout": "24h", "session.persistent": "true",
	"session.cookie.name": "sid", "session.cookie.domain": "example.com", "session.cookie.same_site": "strict",
	"session.claims.access": "sub,scope", "session.claims.id": "email", "session.max_per_user": "5", "session.cache_bytes": "64MiB", "session.wait_replicas": "1",
	"revocation_check": "5m", "rate_limit.login_per_minute": "7", "limits.header_timeout": "5s", "limits.body_timeout": "20s", "limits.rest_timeout": "100ms",
	"limits.write_timeout": "30s", "limits.keep_alive": "5m", "limits.connections": "1000", "limits.http2_streams": "250", "limits.streams": "5000", "limits.streams_per_session": "300", "cognito.rotation_grace": "30s",
	"refresh.before_expiry": "30s", "refresh.timeout": "5s", "refresh.forced_per_minute": "20", "csrf_header": "X-CSRF", "bearer_clients": "abc,def",
	"require.groups": "staff,admins", "require.scopes": "orders/read", "require.max_auth_age": "12h", "require.detail": "false",
	"login.default_return_to": "/home", "login.logout_return_to": "/bye", "login.return_origins": "https://b.example.com",
	"login.error_url": "/error", "amplify.enabled": "true", "amplify.password_sign_in": "true", "amplify.redirect_uris": "https://b.example.com/,https://b.example.com/home?x=1",
	"verify.listen": "127.0.0.1:8084", "verify.secret": "pa$$word", "verify.pass_token": "true", "verify.headers": "original",
	"limits.header_bytes": "64KiB", "limits.cookie_bytes": "8KiB", "limits.cookies": "32",
	"limits.url_bytes": "8KiB", "limits.body_bytes": "1MiB", "log.level": "debug", "log.format": "text",
}

// TestLoad_lets_a_variable_override_every_key goes through the table, so that a
// new key cannot be forgotten.
func TestLoad_lets_a_variable_override_every_key(t *testing.T) {
	// What goes with the change, where it cannot stand alone.
	alone := map[string][]string{
		"tls.cert_file":          {"GATEHOUSE_TLS_KEY_FILE=k.pem"},
		"tls.key_file":           {"GATEHOUSE_TLS_CERT_FILE=c.pem"},
		"cognito.region":         {"GATEHOUSE_COGNITO_USER_POOL_ID=us-east-1_x"},
		"cognito.user_pool_id":   {"GATEHOUSE_COGNITO_REGION=us-east-1"},
		"amplify.redirect_uris":  {"GATEHOUSE_LOGIN_RETURN_ORIGINS=https://b.example.com"},
		"require.detail":         {"GATEHOUSE_REQUIRE_GROUPS=staff"},
		"verify.pass_token":      {"GATEHOUSE_VERIFY_SECRET=x"},
		"session.store_username": {"GATEHOUSE_SESSION_STORE_PASSWORD=x"},
	}
	for _, k := range leaves("") {
		if k.unbuilt || k.fileOf != "" {
			continue
		}
		t.Run(k.path, func(t *testing.T) {
			text, known := others[k.path]
			if !known {
				t.Fatal("this test knows no other value for the key")
			}
			c := load(t, with(nil).yaml(), append(alone[k.path], k.env()+"="+text)...)
			got := strings.Join(k.kind.format(k.field(c)), ",")
			want := text
			if k.secret {
				want = strings.Repeat(","+masked, len(splitList(text)))[1:]
			}
			if got != want {
				t.Errorf("%s=%s gives %s", k.env(), text, got)
			}
		})
	}
}

func TestLoad_takes_everything_from_the_environment(t *testing.T) {
	var environ []string
	for path, text := range others {
		environ = append(environ, index[path].env()+"="+text)
	}
	environ = append(environ, "GATEHOUSE_ROUTES=[{path: /api/, upstream: 'http://localhost:9000', timeout: 5s}]", "PATH=/bin")
	slices.Sort(environ)
	c := load(t, "", environ...)
	if c.Cognito.ClientSecret.Reveal() != "pa$$word${X}" {
		t.Error("a value from the environment was expanded")
	}
	if len(c.Routes) != 1 || c.Routes[0].Path != "/api/" {
		t.Errorf("routes %+v", c.Routes)
	}
}

func TestLoad_takes_an_empty_variable_for_unset(t *testing.T) {
	c := load(t, with(values{"mount": "/gate"}).yaml(), "GATEHOUSE_MOUNT=", "GATEHOUSE_LOG_LEVEL=", "GATEHOUSE_ROUTES=")
	if c.Mount != "/gate" || c.Log.Level != "info" || len(c.Routes) != 1 {
		t.Errorf("mount %q, level %q, %d routes", c.Mount, c.Log.Level, len(c.Routes))
	}
}

func TestLoad_replaces_the_files_routes(t *testing.T) {
	c := load(t, with(nil).yaml(), "GATEHOUSE_ROUTES=[{path: /x/, static: ./$dist, auth: none}]")
	if len(c.Routes) != 1 || c.Routes[0].Path != "/x/" || c.Routes[0].Static != "./$dist" {
		t.Errorf("routes %+v", c.Routes)
	}
}

func TestLoad_names_the_variable(t *testing.T) {
	for name, tt := range map[string]struct{ pair, want string }{
		"of_a_faulty_value":          {"GATEHOUSE_SESSION_IDLE_TIMEOUT=30", `GATEHOUSE_SESSION_IDLE_TIMEOUT: session.idle_timeout: "30": want a duration`},
		"of_a_faulty_element":        {"GATEHOUSE_ALLOWED_ORIGINS=https://a.example.com,*", `GATEHOUSE_ALLOWED_ORIGINS: allowed_origins[1]: "*": want each origin`},
		"of_an_empty_element":        {"GATEHOUSE_COGNITO_SCOPES=openid,,email", `GATEHOUSE_COGNITO_SCOPES: cognito.scopes[1]: "": want a scope`},
		"of_a_secret_without_it":     {"GATEHOUSE_SESSION_KEYS=aHVudGVyMg==", `GATEHOUSE_SESSION_KEYS: session.keys[0]: [secret]: want 32 random bytes`},
		"of_a_key_not_built_yet":     {"GATEHOUSE_TRACING_OTLP_ENDPOINT=http://localhost:4318", `GATEHOUSE_TRACING_OTLP_ENDPOINT: tracing.otlp_endpoint: "http://localhost:4318": want`},
		"and_the_line_of_a_route":    {"GATEHOUSE_ROUTES=\n- path: /a/\n  upstream: nowhere\n", `GATEHOUSE_ROUTES:3: routes[0].upstream[0]: "nowhere": want an address`},
		"of_routes_that_are_no_yaml": {"GATEHOUSE_ROUTES=[", `GATEHOUSE_ROUTES:1: no YAML: want YAML`},
		"that_is_misspelled":         {"GATEHOUSE_COGNITO_CLIENTID=x", "GATEHOUSE_COGNITO_CLIENTID: unknown variable: want GATEHOUSE_COGNITO_CLIENT_ID, perhaps"},
		"that_lacks_the_section":     {"GATEHOUSE_CLIENT_ID=x", "GATEHOUSE_CLIENT_ID: unknown variable: want GATEHOUSE_COGNITO_CLIENT_ID, perhaps"},
		"that_lacks_a_section":       {"GATEHOUSE_DOMAIN=x", "GATEHOUSE_DOMAIN: unknown variable: want GATEHOUSE_COGNITO_DOMAIN or GATEHOUSE_SESSION_COOKIE_DOMAIN, perhaps"},
		"of_routes_with_a_tab":       {"GATEHOUSE_ROUTES=\n- path: /a/\n\tupstream: x\n", "GATEHOUSE_ROUTES:3: line 3 begins with a tab: indent with spaces"},
		"that_is_like_no_other":      {"GATEHOUSE_FROBNICATE=1", "GATEHOUSE_FROBNICATE: unknown variable: want the name of a key"},
		"that_is_a_route's_key":      {"GATEHOUSE_ROUTES_PATH=/", "GATEHOUSE_ROUTES_PATH: unknown variable"},
		"that_is_a_section":          {"GATEHOUSE_SESSION=x", "GATEHOUSE_SESSION: unknown variable"},
		"that_is_a_port_alone":       {"GATEHOUSE_PORT=8080", "GATEHOUSE_PORT: unknown variable"},
		"that_is_unknown_and_empty":  {"GATEHOUSE_FROBNICATE=", "GATEHOUSE_FROBNICATE: unknown variable"},
	} {
		t.Run(name, func(t *testing.T) {
			faults := faultsOf(t, source(with(nil).yaml(), []string{tt.pair}, nil))
			if len(faults) != 1 || !strings.HasPrefix(faults.Error(), tt.want) {
				t.Errorf("faults:\n%v\nwant one: %s", faults, tt.want)
			}
		})
	}
}

// TestLoad_ignores_service_links: Kubernetes sets these for a Service named
// gatehouse, and nobody can help it.
func TestLoad_ignores_service_links(t *testing.T) {
	load(t, with(nil).yaml(),
		"GATEHOUSE_SERVICE_HOST=10.0.0.1", "GATEHOUSE_SERVICE_PORT=80", "GATEHOUSE_SERVICE_PORT_HTTP=80",
		"GATEHOUSE_PORT=tcp://10.0.0.1:80", "GATEHOUSE_PORT_80_TCP=tcp://10.0.0.1:80", "GATEHOUSE_PORT_80_TCP_PROTO=tcp",
		"GATEHOUSE_PORT_80_TCP_PORT=80", "GATEHOUSE_PORT_80_TCP_ADDR=10.0.0.1", "GATEHOUSE_ADMIN_SERVICE_HOST=10.0.0.2",
		"GATEHOUSE_ADMIN_PORT=tcp://10.0.0.2:9090")
}

func TestLoad_reads_secrets_from_files(t *testing.T) {
	one, two := secret.NewKey(), secret.NewKey()
	src := source(with(values{
		"admin_token_file": "/run/${WHERE}/admin", "cognito.client_secret_file": "/run/secrets/client",
		"session.keys": "[]", "session.keys_file": "/run/secrets/keys",
	}).yaml(), []string{"WHERE=secrets"}, map[string]string{
		"/run/secrets/admin":  "Xk8sl2Pqw0vbnM3zQx7r\r\n",
		"/run/secrets/client": "${NOT}$$it",
		"/run/secrets/keys":   one + "\n\n" + two + ",\n",
	})
	c, err := Load(src)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{c.AdminToken.Reveal(), c.Cognito.ClientSecret.Reveal()}
	for _, k := range c.Session.Keys {
		got = append(got, base64Of(string(k)))
	}
	if diff := cmp.Diff([]string{"Xk8sl2Pqw0vbnM3zQx7r", "${NOT}$$it", one, two}, got); diff != "" {
		t.Errorf("secrets (-want +got):\n%s", diff)
	}
}

func TestLoad_refuses_a_secret_file(t *testing.T) {
	for name, tt := range map[string]struct {
		set  values
		data string
		want string
	}{
		"that_is_not_there":         {values{"admin_token_file": "/no"}, "", `admin_token_file: "/no": want a file that can be read (file does not exist)`},
		"that_is_empty":             {values{"admin_token_file": "/f"}, "\n", `admin_token_file: "/f": want a file with the secret in it`},
		"beside_the_secret_itself":  {values{"admin_token_file": "/f", "admin_token": "x"}, "y", `admin_token_file: "/f": want only one of admin_token and admin_token_file`},
		"with_two_line_ends":        {values{"cognito.client_secret_file": "/f"}, "hunter2\n\n", "cognito.client_secret: [secret]: want the app client's secret, without"},
		"with_a_key_that_is_weak":   {values{"session.keys": "-", "session.keys_file": "/f"}, "aHVudGVyMg==\n", "session.keys[0]: [secret]: want 32 random bytes"},
		"with_the_same_key_twice":   {values{"session.keys": "-", "session.keys_file": "/f"}, twice(secret.NewKey()), "session.keys[1]: [secret]: want each key once"},
		"that_is_in_utf_16":         {values{"admin_token_file": "/f"}, "\xff\xfeh\x00u\x00", `admin_token_file: "/f": want a file in UTF-8: this one is in UTF-16, as > of Windows PowerShell writes it`},
		"with_nul_bytes":            {values{"admin_token_file": "/f"}, "h\x00u\x00", `admin_token_file: "/f": want a file with text in it: this one has NUL bytes`},
		"with_a_mark_alone":         {values{"admin_token_file": "/f"}, "\ufeff\n", `admin_token_file: "/f": want a file with the secret in it`},
		"whose_variable_is_not_set": {values{"admin_token_file": "${WHERE}"}, "", "admin_token_file: \"${WHERE}\": want the variable WHERE to be set"},
	} {
		t.Run(name, func(t *testing.T) {
			faults := faultsOf(t, source(with(tt.set).yaml(), nil, map[string]string{"/f": tt.data}))
			if len(faults) != 1 || !strings.Contains(faults.Error(), tt.want) {
				t.Errorf("faults:\n%v\nwant one: %s", faults, tt.want)
			}
		})
	}
}

// TestLoad_cuts_a_byte_order_mark of every file that a key names for a secret:
// editors on Windows write one.
func TestLoad_cuts_a_byte_order_mark(t *testing.T) {
	for i := range table {
		k := &table[i]
		if k.fileOf == "" {
			continue
		}
		t.Run(k.path, func(t *testing.T) {
			key := secret.NewKey() // is a token and a password, too
			changes := values{k.fileOf: "-", k.path: "/f"}
			c, err := Load(source(with(changes).yaml(), nil, map[string]string{"/f": "\ufeff" + key + "\r\n"}))
			if err != nil {
				t.Fatal(err)
			}
			switch got := index[k.fileOf].field(c).(type) {
			case *secret.Text:
				if got.Reveal() != key {
					t.Errorf("the secret is %q, want %q", got.Reveal(), key)
				}
			case *Keys:
				if len(*got) != 1 || base64Of(string((*got)[0])) != key {
					t.Errorf("%v, want the one in the file", got)
				}
			default:
				t.Fatalf("a secret in a %T", got)
			}
		})
	}
}

// TestLoad_says_where_it_looked_for_a_secrets_file, and what a relative path
// starts at.
func TestLoad_says_where_it_looked_for_a_secrets_file(t *testing.T) {
	t.Chdir(t.TempDir())
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	src := source(with(values{"session.keys": "-", "session.keys_file": "conf/session.keys"}).yaml(), nil, nil)
	want := `session.keys_file: "conf/session.keys": want a file that can be read (file does not exist: ` +
		filepath.Join(dir, "conf", "session.keys") + `; a relative path starts at the working directory)`
	if faults := faultsOf(t, src); len(faults) != 1 || !strings.HasSuffix(faults.Error(), want) {
		t.Errorf("faults:\n%v\nwant one: %s", faults, want)
	}
}

func twice(s string) string { return s + "\n" + s }
