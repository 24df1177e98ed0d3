package config

import (
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// TestLoad_resolves checks what the rest of the gateway gets to see.
func TestLoad_resolves(t *testing.T) {
	key := secret.NewKey()
	c := load(t, with(values{
		"public_url":        "https://APP.Example.com:443/",
		"allowed_hosts":     `["B.example.com:443", "c.example.com:8443"]`,
		"allowed_origins":   `["HTTPS://Spa.Example.com:443/"]`,
		"trusted_proxies":   "[10.0.0.0/8, 192.0.2.7]",
		"session.keys":      "[" + key + "]",
		"session.store":     "rediss://gate:p%40ss@Cache.example.com:6380/2",
		"session.cookie":    "{domain: example.com}",
		"limits.body_bytes": "1MiB",
		"routes[].path":     "/api",
		"routes[].host":     "app.example.com:443",
	}).yaml())
	got := map[string]any{
		"public_url": c.PublicURL.String(), "hosts": c.AllowedHosts, "origins": c.AllowedOrigins,
		"proxies": c.TrustedProxies, "issuer": c.Cognito.Issuer, "api": c.Cognito.APIEndpoint.String(),
		"store": c.Session.Store.String(), "user": c.Session.StoreUsername, "password": c.Session.StorePassword.Reveal(),
		"key": base64Of(string(c.Session.Keys[0])), "body": c.Limits.BodyBytes, "idle": c.Session.IdleTimeout,
		"scopes": c.Cognito.Scopes, "path": c.Routes[0].Path, "host": c.Routes[0].Host, "timeout": c.Routes[0].Timeout,
		"flags": []bool{c.Routes[0].PreserveHost, c.Routes[0].Navigations, c.Routes[0].Touch, c.Routes[0].StripPrefix},
	}
	want := map[string]any{
		"public_url": "https://app.example.com", "hosts": []string{"b.example.com", "c.example.com:8443"},
		"origins": []string{"https://spa.example.com"},
		"proxies": []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.7/32")},
		"issuer":  "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf123",
		"api":     "https://cognito-idp.eu-west-1.amazonaws.com",
		"store":   "rediss://cache.example.com:6380/2", "user": "gate", "password": "p@ss",
		"key": key, "body": int64(1 << 20), "idle": 30 * time.Minute,
		"scopes": []string{"openid", "email", "profile", "aws.cognito.signin.user.admin"},
		"path":   "/api/", "host": "app.example.com", "timeout": 30 * time.Second,
		"flags": []bool{true, true, true, false},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("resolved (-want +got):\n%s", diff)
	}
}

func TestLoad_takes_the_chinese_partition_from_the_region(t *testing.T) {
	c := load(t, with(values{"cognito.region": "cn-north-1", "cognito.user_pool_id": "cn-north-1_AbCdEf123"}).yaml())
	if want := "https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_AbCdEf123"; c.Cognito.Issuer != want {
		t.Errorf("issuer %s, want %s", c.Cognito.Issuer, want)
	}
}

const twelveFaults = `listen: 8080
public_url: http://app.example.com
mount: auth
sesion:
  idle_timeout: 1h
allowed_origins: ["https://*.example.com"]
cognito:
  region: eu-west-1
  user_pool_id: eu-west-1_AbCdEf123
  client_id: ${CLIENT_ID}
  domain: http://login.example.com
  identity_pool_id: eu-west-1:1
session:
  keys: [aHVudGVyMg==]
  idle_timeout: 30
  absolute_timeout: forever
routes:
  - path: /api/
    auth: basic
    upstream: http://localhost:9000
`

// TestLoad_reports_twelve_faults_in_one_run also pins how faults read.
func TestLoad_reports_twelve_faults_in_one_run(t *testing.T) {
	faults := faultsOf(t, source(twelveFaults, nil, nil))
	want := strings.TrimSpace(`
gatehouse.yaml:1: listen: "8080": want HOST:PORT: ":8080" for every address, "127.0.0.1:8080" for this machine only
gatehouse.yaml:2: public_url: "http://app.example.com": want https://app.example.com; plain http is accepted on loopback only
gatehouse.yaml:3: mount: "auth": want a path such as /auth, in plain letters, digits, - and _
gatehouse.yaml:4: sesion: unknown key: want session, perhaps
gatehouse.yaml:6: allowed_origins[0]: "https://*.example.com": want each origin in full, such as https://app.example.com; wildcards are not accepted
gatehouse.yaml:10: cognito.client_id: "${CLIENT_ID}": want the variable CLIENT_ID to be set, or ${CLIENT_ID:-default} here
gatehouse.yaml:11: cognito.domain: "http://login.example.com": want https://login.example.com; plain http is accepted on loopback only
gatehouse.yaml:12: cognito.identity_pool_id: "eu-west-1:1": want it empty or left out; it is not built yet
gatehouse.yaml:14: session.keys[0]: [secret]: want 32 random bytes in base64, as gateway keygen prints them
gatehouse.yaml:15: session.idle_timeout: "30": want a duration such as 90s, 30m or 12h, from 1s to 9600h
gatehouse.yaml:16: session.absolute_timeout: "forever": want a duration such as 90s, 30m or 12h, from 1s to 9600h
gatehouse.yaml:19: routes[0].auth: "basic": want session, bearer, either, optional or none`)
	if diff := cmp.Diff(want, faults.Error()); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

// TestLoad_reads_the_contracts_sample takes the sample of the configuration's
// specification, whose only fault are the keys it leaves out.
func TestLoad_reads_the_contracts_sample(t *testing.T) {
	sample, err := os.ReadFile("testdata/contract.yaml")
	if err != nil {
		t.Fatal(err)
	}
	faults := faultsOf(t, source(string(sample), nil, nil))
	var keys []string
	for _, f := range faults {
		keys = append(keys, f.Key)
	}
	if diff := cmp.Diff([]string{"session.keys"}, keys); diff != "" {
		t.Errorf("faulty keys (-want +got):\n%s\n%v", diff, faults)
	}
	c := load(t, string(sample), "GATEHOUSE_SESSION_KEYS="+secret.NewKey())
	if len(c.Routes) != 2 || c.Routes[0].Upstreams[0].URL.String() != "http://localhost:9000" || c.Routes[1].SPAFallback != "index.html" {
		t.Errorf("routes %+v", c.Routes)
	}
}

func TestLoad_says_once(t *testing.T) {
	for name, tt := range map[string]struct{ file, want string }{
		"syntax_error":           {"listen: [", `gatehouse\.yaml.*: no YAML: want YAML`},
		"syntax_error_with_line": {"a: b\nc: [d\n", `gatehouse\.yaml:\d: no YAML: want YAML`},
		"tab":                    {"a: b\nc: d\n  # x\n\tlisten: x\n", `^gatehouse\.yaml:4: line 4 begins with a tab: indent with spaces$`},
		"tab_in_the_first_line":  {"\tlisten: x\n", `^gatehouse\.yaml:1: line 1 begins with a tab: indent with spaces$`},
		"tab_in_a_section":       {"cognito:\n\tregion: x\n", `^gatehouse\.yaml:2: line 2 begins with a tab: indent with spaces$`},
		"tab_in_a_route":         {"routes:\n  - path: /\n  \t  upstream: x\n", `^gatehouse\.yaml:3: line 3 has a tab in its indentation: indent with spaces$`},
		"tab_behind_a_dash":      {"routes:\n  -\tpath: /\n", `^gatehouse\.yaml:2: line 2 has a tab in its indentation: indent with spaces$`},
		"tab_behind_blank_lines": {"cognito:\n  region: x\n\n\n\tclient_id: x\n", `^gatehouse\.yaml:5: line 5 begins with a tab: indent with spaces$`},
		"tab_that_is_no_fault":   {with(nil).yaml() + "zzzzzzzz:\t'a\n\tb'\nx: @y", `no YAML: want YAML`},
		"list_instead_of_keys":   {"- listen", `gatehouse\.yaml:1: a list: want a mapping of keys`},
		"two_documents":          {with(nil).yaml() + "---\nlisten: x\n", `gatehouse\.yaml:\d+: want one YAML document`},
		"key_given_twice":        {with(nil).yaml() + "mount: /a\nmount: /b\n", `mount: given twice: want it once; it stands in line \d+ already`},
		"key_that_is_a_list":     {with(nil).yaml() + "[a]: b\n", `a list as a key: want a name`},
		"misspelled_key":         {with(nil).yaml() + "alowed_origins: []\n", `alowed_origins: unknown key: want allowed_origins, perhaps`},
		"key_of_another_section": {with(nil).yaml() + "idle_timeout: 1h\n", `idle_timeout: unknown key: want session.idle_timeout or routes\[\].idle_timeout, perhaps`},
		"key_of_two_sections":    {with(nil).yaml() + "domain: x\n", `domain: unknown key: want cognito.domain or session.cookie.domain, perhaps`},
		"key_like_no_other":      {with(nil).yaml() + "zzzzzzzz: 1h\n", `zzzzzzzz: unknown key: want a key that exists`},
		"merge_key":              {with(nil).yaml() + "<<: {}\n", `<<: unknown key`},
		"key_written_as_a_path":  {with(nil).yaml() + "session.store: redis://localhost\n", `session.store: unknown key`},
	} {
		t.Run(name, func(t *testing.T) {
			faults := faultsOf(t, source(tt.file, nil, nil))
			if len(faults) != 1 || !regexp.MustCompile(tt.want).MatchString(faults.Error()) {
				t.Errorf("faults:\n%v\nwant one like %s", faults, tt.want)
			}
		})
	}
}

func TestLoad_follows_an_alias(t *testing.T) {
	file := with(values{"login.default_return_to": "&r /home", "login.logout_return_to": "*r"}).yaml()
	if c := load(t, file); c.Login.LogoutReturnTo != "/home" {
		t.Errorf("logout_return_to %s, want what the alias stands for", c.Login.LogoutReturnTo)
	}
}

// TestLoad_keeps_an_unquoted_secret_to_itself: what begins with * is an alias to
// YAML, and the parser's complaint repeats its name.
func TestLoad_keeps_an_unquoted_secret_to_itself(t *testing.T) {
	faults := faultsOf(t, source("admin_token: *hunter2hunter2\n", nil, nil))
	if strings.Contains(faults.Error(), "hunter2") || !strings.Contains(faults.Error(), "quoted") {
		t.Errorf("fault: %v", faults)
	}
}

func TestLoad_warns(t *testing.T) {
	for name, tt := range map[string]struct {
		set  values
		want string
	}{
		"origin_on_another_site":     {values{"allowed_origins": "[https://spa.example.org]"}, "allowed_origins: https://spa.example.org is on another site"},
		"fronts_that_nobody_trusts":  {values{"verify.listen": `":8081"`}, "verify: without trusted_proxies nobody may ask /auth/verify"},
		"secret_that_can_be_guessed": {values{"trusted_proxies": "[10.0.0.0/8]", "verify.secret": "hunter2", "verify.pass_token": "true"}, "verify.secret: fewer than 16"},
		"secret_for_nothing":         {values{"trusted_proxies": "[10.0.0.0/8]", "verify.secret": "0123456789abcdef"}, "verify.secret: does nothing without verify.pass_token"},
		"redis_without_tls":          {values{"session.store": "redis://:pw@cache.internal"}, "without TLS"},
		"sentinel_without_tls":       {values{"session.store": "redis-sentinel://:pw@localhost,cache.internal/main"}, "localhost:26379,cache.internal:26379 goes over the network without TLS"},
		"cluster_without_password":   {values{"session.store": "redis-cluster://cache.internal?tls=true"}, "no password"},
		"redis_without_password":     {values{"session.store": "rediss://cache.internal"}, "no password"},
		"memory_store_off_laptop":    {values{"session.store": `"memory:"`}, "one process"},
		"password_with_an_escape":    {values{"session.store": "redis://:${PW}@localhost"}, "If it is not encoded, give it as session.store_username or session.store_password, which take it as it is"},
		"memory_store_has_a_cache":   {values{"session.store": `"memory:"`, "public_url": "http://localhost:8080", "session.cache_bytes": "64MiB"}, "session.cache_bytes: does nothing with a memory store"},
		"memory_store_has_password":  {values{"session.store": `"memory:"`, "public_url": "http://localhost:8080", "session.store_password": "x"}, "session.store_username, session.store_password: a memory store takes none"},
		"cookie_store":               {values{"session.store": `"cookie:"`}, "docs/sessions.md#the-cookie-store"},
		"everybody_is_trusted":       {values{"trusted_proxies": "[0.0.0.0/0]"}, "trusts everybody"},
		"nobody_to_trust":            {values{"trusted_headers": "[X-Forwarded-Host]"}, "trusted_headers: without trusted_proxies"},
		"token_that_can_be_guessed":  {values{"admin_token": "hunter2"}, "admin_token: fewer than 16"},
		"a_name_for_a_whole_domain":  {values{"session.cookie.domain": "example.com"}, "session.cookie.domain: the cookie goes to every host under example.com"},
		"passwords_without_facade":   {values{"amplify.password_sign_in": "true"}, "amplify.password_sign_in: does nothing without amplify.enabled"},
		"addresses_without_facade":   {values{"amplify.redirect_uris": "[https://app.example.com/]"}, "amplify.redirect_uris: they do nothing without amplify.enabled"},
		"facade_without_addresses":   {values{"amplify.enabled": "true"}, "amplify.enabled: without amplify.redirect_uris"},
		"facade_without_its_scope":   {values{"amplify.enabled": "true", "amplify.redirect_uris": "[https://app.example.com/]", "cognito.scopes": "[openid]"}, "amplify.enabled: without aws.cognito.signin.user.admin"},
		"one_address_for_all":        {values{"amplify.enabled": "true", "amplify.password_sign_in": "true"}, "amplify.password_sign_in: without trusted_proxies"},
		"one_address_for_logins":     {values{"rate_limit.login_per_minute": "5"}, "rate_limit.login_per_minute: without trusted_proxies"},
		"one_address_for_a_route":    {values{"routes[].rate_limit.requests": "5"}, "routes[0].rate_limit.by: without trusted_proxies"},
		"bearers_of_no_route":        {values{"bearer_clients": "[abc]"}, "bearer_clients: there is no route with auth bearer or either"},
		"a_host_without_the_port":    {values{"public_url": "https://app.example.com:8443", "allowed_hosts": "[admin.example.com]", "session.cookie": "{domain: example.com, name: gate}"}, "perhaps admin.example.com:8443 is meant"},
		"rules_for_no_route":         {values{"require": "{groups: [staff]}", "routes[].auth": "optional"}, "require: there is no route that it holds for"},
		"no_routes":                  {values{"routes[].path": "-", "routes[].upstream": "-"}, "routes: there is none"},
	} {
		t.Run(name, func(t *testing.T) {
			c := load(t, with(tt.set).yaml(), "PW=a%41b")
			if len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], tt.want) {
				t.Errorf("warnings %q, want one with %q", c.Warnings, tt.want)
			}
		})
	}
}

// TestLoad_limits_a_users_sessions by default, but where nobody can count them; the
// printed configuration says what holds, and loads again.
func TestLoad_limits_a_users_sessions(t *testing.T) {
	for name, tt := range map[string]struct {
		set  values
		want int
	}{
		"by_default":                 {values{}, 100},
		"as_the_file_says":           {values{"session.max_per_user": "7"}, 7},
		"not_at_all":                 {values{"session.max_per_user": "0"}, 0},
		"not_in_a_cookie":            {values{"session.store": `"cookie:"`}, 0},
		"not_in_a_cookie_as_printed": {values{"session.store": `"cookie:"`, "session.max_per_user": "0"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := load(t, with(tt.set).yaml())
			if got := c.Session.MaxPerUser; got != tt.want {
				t.Errorf("max_per_user %d, want %d", got, tt.want)
			}
			if line := fmt.Sprintf("\n  max_per_user: %d\n", tt.want); !strings.Contains(string(printed(t, c)), line) {
				t.Errorf("printed without %q", line)
			}
		})
	}
}

func TestLoad_reads_the_size_of_the_cache(t *testing.T) {
	for set, want := range map[string]struct {
		bytes   int64
		printed string
	}{
		"-": {Auto, "auto"}, "auto": {Auto, "auto"}, "0": {0, "0"}, "64 MiB": {64 << 20, "64MiB"}, "1500": {1500, "1500"},
	} {
		c := load(t, with(values{"session.cache_bytes": set}).yaml())
		if c.Session.CacheBytes != want.bytes {
			t.Errorf("%s: %d bytes, want %d", set, c.Session.CacheBytes, want.bytes)
		}
		if line := "\n  cache_bytes: " + want.printed + "\n"; !strings.Contains(string(printed(t, c)), line) {
			t.Errorf("%s: printed without %q", set, line)
		}
	}
}

func TestLoad_trusts_few_headers_by_default(t *testing.T) {
	few := []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Request-Id", "traceparent"}
	for set, want := range map[string][]string{"-": few, "[]": few, "[x-forwarded-HOST, TraceParent]": {"X-Forwarded-Host", "traceparent"}} {
		c := load(t, with(values{"trusted_headers": set, "trusted_proxies": "[10.0.0.0/8]"}).yaml())
		if diff := cmp.Diff(want, c.TrustedHeaders); diff != "" {
			t.Errorf("%s: %s", set, diff)
		}
	}
}

func TestLoad_warns_of_no_rate_where_addresses_are_known(t *testing.T) {
	for name, set := range map[string]values{
		"https_made_on_loopback": {"public_url": "https://localhost:8080", "amplify.enabled": "true", "amplify.password_sign_in": "true", "amplify.redirect_uris": "[https://localhost:8080/]"},
		"behind_a_proxy":         {"trusted_proxies": "[10.0.0.0/8]", "rate_limit.login_per_minute": "5", "routes[].rate_limit.requests": "5"},
		"in_front":               {"tls.cert_file": "c.pem", "tls.key_file": "k.pem", "routes[].rate_limit.requests": "5"},
		"by_user":                {"routes[].rate_limit.requests": "5", "routes[].rate_limit.by": "user"},
	} {
		if c := load(t, with(set).yaml()); len(c.Warnings) != 0 {
			t.Errorf("%s: warnings %q", name, c.Warnings)
		}
	}
}

func TestLoad_warns_of_nothing_in_a_sound_file(t *testing.T) {
	c := load(t, with(values{
		"allowed_origins": "[https://spa.example.com]", "session.store": "rediss://cache.internal",
		"trusted_proxies": "[10.0.0.0/8]", "session.store_password": "${PW}",
		"session.cookie.domain": "example.com", "session.cookie.name": "portal",
	}).yaml(), "PW=a%41b")
	if len(c.Warnings) != 0 {
		t.Errorf("warnings %q", c.Warnings)
	}
}

// TestLoad_is_silent_about_what_follows_from_a_fault: one mistake, one fault.
func TestLoad_is_silent_about_what_follows_from_a_fault(t *testing.T) {
	for _, set := range []values{
		{"public_url": "ftp://x", "session.cookie.domain": "example.org", "allowed_hosts": "[b.example.org]"},
		{"routes[].upstream": "{}"},
		{"session.idle_timeout": "never", "session.absolute_timeout": "1s"},
		{"session.keys": "-", "session.keys_file": "/not/there"},
		{"cognito.issuer": "nowhere", "cognito.user_pool_id": "-"},
		{"tls.cert_file": "${UNSET}", "tls.key_file": "k.pem"},
	} {
		if faults := faultsOf(t, source(with(set).yaml(), nil, nil)); len(faults) != 1 {
			t.Errorf("%v:\n%v\nwant one fault", set, faults)
		}
	}
}

// TestLoad_says_what_is_wrong_besides: a fault of an address hides nothing that
// would still be wrong with a better one.
func TestLoad_says_what_is_wrong_besides(t *testing.T) {
	file := with(values{
		"public_url": "http://app.example.com/x", "session.cookie": "{domain: example.org, same_site: none}",
		"routes[].upstream": "ftp://localhost", "routes[].static": "./dist",
	}).yaml()
	keys := map[string]bool{}
	for _, f := range faultsOf(t, source(file, nil, nil)) {
		keys[f.Key] = true
	}
	want := map[string]bool{
		"public_url": true, "session.cookie.same_site": true, "session.cookie.domain": true,
		"routes[0].upstream[0]": true, "routes[0].static": true,
	}
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Errorf("faulty keys (-want +got):\n%s", diff)
	}
}

func TestLoad_takes_h2c_upstreams(t *testing.T) {
	c := load(t, with(values{"routes[].upstream": "h2c://GRPC.internal:9000/base"}).yaml())
	if got := c.Routes[0].Upstreams[0].URL.String(); got != "h2c://grpc.internal:9000/base" || c.Routes[0].Target() != got {
		t.Errorf("the upstream is %s, and shown as %s", got, c.Routes[0].Target())
	}
}

func TestLoad_takes_several_upstreams(t *testing.T) {
	r := load(t, with(values{"routes[].upstream": `["http://A.internal/v1", "http://b.internal:9000/v1/ weight=3"]`}).yaml()).Routes[0]
	var got []string
	for _, up := range r.Upstreams {
		got = append(got, fmt.Sprintf("%s × %d", up.URL, up.Weight))
	}
	if diff := cmp.Diff([]string{"http://a.internal/v1 × 1", "http://b.internal:9000/v1/ × 3"}, got); diff != "" {
		t.Errorf("upstreams (-want +got):\n%s", diff)
	}
	if want := "http://a.internal/v1, http://b.internal:9000/v1/ weight=3"; r.Target() != want {
		t.Errorf("shown as %s", r.Target())
	}
}

func TestKeys_never_print(t *testing.T) {
	c := load(t, with(nil).yaml())
	raw := fmt.Sprint(c.Session.Keys[0])
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		out := fmt.Sprintf(verb, *c)
		if strings.Contains(out, strings.Trim(raw, "[]")) || strings.Contains(out, fmt.Sprintf("%x", c.Session.Keys[0])) {
			t.Errorf("%s prints a key: %s", verb, out)
		}
	}
	if !slices.Contains(strings.Fields(fmt.Sprintf("%v", c.Session.Keys)), "keys") {
		t.Errorf("keys print as %v", c.Session.Keys)
	}
}

// TestLoad_keeps_every_form_of_a_store_address: what is loaded is what the store
// is given, less user and password.
func TestLoad_keeps_every_form_of_a_store_address(t *testing.T) {
	for given, want := range map[string]string{
		"redis-sentinel://gate:pw@H1:26379,h2/main?db=2&tls=true&sentinel_user=s&sentinel_password_file=/run/pw": "redis-sentinel://h1:26379,h2:26379/main?tls=true&db=2&sentinel_user=s&sentinel_password_file=/run/pw",
		"redis-cluster://gate:pw@h1:6379,[2001:db8::1]:6380,h3":                                                  "redis-cluster://h1:6379,[2001:db8::1]:6380,h3:6379",
		"rediss://gate:pw@h1/0?tls_ca_file=/ca.pem&tls_cert_file=/c.pem&tls_key_file=/k.pem":                     "rediss://h1:6379/0?tls_ca_file=/ca.pem&tls_cert_file=/c.pem&tls_key_file=/k.pem",
	} {
		t.Run(strings.ReplaceAll(given, "/", "_"), func(t *testing.T) {
			s := load(t, with(values{"session.store": given}).yaml()).Session
			if s.Store.String() != want || s.StoreUsername != "gate" || s.StorePassword.Reveal() != "pw" {
				t.Errorf("store %q, user %q, password %q; want %q, gate, pw", s.Store, s.StoreUsername, s.StorePassword.Reveal(), want)
			}
		})
	}
}

// TestLoad_shows_no_password_in_the_query_of_an_address, where other products have it.
func TestLoad_shows_no_password_in_the_query_of_an_address(t *testing.T) {
	for given, shown := range map[string]string{
		"redis://h/0?password=canary":                            `"redis://h/0?password=[secret]"`,
		"redis://h/0?canary":                                     `"redis://h/0?[secret]"`,
		"redis-sentinel://h/main?db=/5&sentinel_password=canary": `"redis-sentinel://h/main?db=/5&sentinel_password=[secret]"`,
		"redis://u:canary@h/0?auth=canary@x&tls=true":            `"redis://[secret]@x&tls=true"`,
		"h?password=canary":                                      `"h?password=[secret]"`,
		"http://h:9000 weight=0":                                 `"http://h:9000 weight=0"`,
		"redis://:12 weight":                                     `"redis://[secret]"`,
	} {
		faults := faultsOf(t, source(with(values{"session.store": given}).yaml(), nil, nil))
		if len(faults) != 1 || faults[0].Value != shown {
			t.Errorf("%s shows as\n%v\nwant\n%s", given, faults, shown)
		}
	}
}

// awkward are passwords that an address takes in percent-encoding only, or takes
// for something else.
var awkward = []string{"a#b", "a/b", "a?b", "a%b", "a@b", "a:b", "a b", "aüb", "a%41b", "a+b", "$a${b}", `a"b'\c`, "[secret]"}

// TestLoad_takes_a_store_password_as_it_is, from a placeholder, a variable and a
// file alike.
func TestLoad_takes_a_store_password_as_it_is(t *testing.T) {
	for _, password := range awkward {
		for name, src := range map[string]Source{
			"placeholder": source(with(values{"session.store_password": "${PW}"}).yaml(), []string{"PW=" + password}, nil),
			"variable":    source(with(nil).yaml(), []string{"GATEHOUSE_SESSION_STORE_PASSWORD=" + password}, nil),
			"file":        source(with(values{"session.store_password_file": "/f"}).yaml(), nil, map[string]string{"/f": password + "\n"}),
		} {
			c, err := Load(src)
			if err != nil || c.Session.StorePassword.Reveal() != password {
				t.Errorf("%s: %q from a %s: %v", password, c.Session.StorePassword.Reveal(), name, err)
			}
		}
	}
}

// TestLoad_says_how_to_put_a_password_into_an_address, where a variable put one
// there that cannot be read as it is.
func TestLoad_says_how_to_put_a_password_into_an_address(t *testing.T) {
	const want = `gatehouse.yaml:8: session.store: "rediss://[secret]@cache.internal:6379/0": want user and password percent-encoded: ` +
		`# as %23, % as %25, / as %2F, ? as %3F, @ as %40, a space as %20; or, as they are, in session.store_username and session.store_password`
	file := with(values{"session.store": "rediss://:${PW}@cache.internal:6379/0"}).yaml()
	for _, password := range []string{"a#b", "a/b", "a?b", "a%b", "a b", "aüb", "hunter2/hunter3@hunter4"} {
		if faults := faultsOf(t, source(file, []string{"PW=" + password}, nil)); faults.Error() != want {
			t.Errorf("%s:\n%v\nwant\n%s", password, faults, want)
		}
	}
}

// TestLoad_shows_nothing_of_a_password_whose_end_was_lost: to YAML a # behind a
// space begins a comment.
func TestLoad_shows_nothing_of_a_password_whose_end_was_lost(t *testing.T) {
	for _, store := range []string{"rediss://:hunter2 #x@cache", "rediss://u:7hunter2 #x@cache", "redis://[::1]:hunter2"} {
		faults := faultsOf(t, source(with(values{"session.store": store}).yaml(), nil, nil))
		if len(faults) != 1 || strings.Contains(faults.Error(), "hunter2") {
			t.Errorf("%s: %v", store, faults)
		}
	}
}

// TestReturnAddressesAreNormalised: a configured address is read by the same
// grammar as one that a request names.
func TestReturnAddressesAreNormalised(t *testing.T) {
	for given, want := range map[string]string{
		`"/app/#/orders/5"`:                      "/app/#/orders/5",
		`"/orders?filter[status]=open"`:          "/orders?filter[status]=open",
		`"/naïve page"`:                          "/na%C3%AFve%20page",
		`"/a/../b"`:                              "/b",
		`"https://APP.example.com:443/home#top"`: "/home#top",
	} {
		c, err := Load(Source{Path: "gateway.yaml", Data: []byte(with(values{"login.default_return_to": given, "login.logout_return_to": given}).yaml())})
		if err != nil {
			t.Errorf("%s: %v", given, err)
		} else if c.Login.DefaultReturnTo != want || c.Login.LogoutReturnTo != want {
			t.Errorf("%s became %q and %q, want %q", given, c.Login.DefaultReturnTo, c.Login.LogoutReturnTo, want)
		}
	}
}

func TestLoad_lets_a_route_bound_bodies_itself(t *testing.T) {
	for own, want := range map[string]int64{"-": 1000, "auto": 1000, "0": 0, "2KiB": 2048} {
		r := load(t, with(values{"limits.body_bytes": "1000", "routes[].body_bytes": own}).yaml()).Routes[0]
		if r.BodyBytes != want {
			t.Errorf("body_bytes %s: %d, want %d", own, r.BodyBytes, want)
		}
	}
}

// What all routes require a route requires too, key by key, unless it says otherwise or
// serves who is not signed in.
func TestLoad_requires_of_a_route_what_all_do(t *testing.T) {
	for own, want := range map[string]Require{
		"":                                       {Groups: []string{"staff"}, MaxAuthAge: 12 * time.Hour},
		"auth: optional":                         {Detail: true},
		"auth: none":                             {Detail: true},
		"auth: optional\nrequire: {scopes: [a]}": {Groups: []string{"staff"}, Scopes: []string{"a"}, MaxAuthAge: 12 * time.Hour},
		"auth: optional\nrequire: {default: false, scopes: [a]}":       {Scopes: []string{"a"}, Detail: true},
		"require: {scopes: [a]}":                                       {Groups: []string{"staff"}, Scopes: []string{"a"}, MaxAuthAge: 12 * time.Hour},
		"require: {groups: [admins], max_auth_age: 15m, detail: true}": {Groups: []string{"admins"}, MaxAuthAge: 15 * time.Minute, Detail: true},
		"require: {max_auth_age: 0s}":                                  {Groups: []string{"staff"}},
		"require: {default: false}":                                    {Detail: true},
		"require: {default: false, groups: [a]}":                       {Groups: []string{"a"}, Detail: true},
		"require: {claims: {plan: gold}}": {
			Groups: []string{"staff"}, Claims: Mapping{{Name: "plan", Values: []string{"gold"}}}, MaxAuthAge: 12 * time.Hour,
		},
	} {
		t.Run(own, func(t *testing.T) {
			v := values{"require": "{groups: [staff], max_auth_age: 12h, detail: false}"}
			for each := range strings.SplitSeq(own, "\n") {
				if key, value, found := strings.Cut(each, ": "); found {
					v["routes[]."+key] = value
				}
			}
			c := load(t, with(v).yaml())
			got := c.Routes[0].Require
			got.Default = false
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			again := load(t, string(printed(t, c)), "GATEHOUSE_SESSION_KEYS="+secret.NewKey()).Routes[0].Require
			again.Default = false
			if diff := cmp.Diff(want, again); diff != "" {
				t.Errorf("printed and loaded again (-want +got):\n%s", diff)
			}
		})
	}
}

// A variable asks for rules as the file does, and is as little to be believed where it
// makes none.
func TestLoad_refuses_variables_that_require_nothing(t *testing.T) {
	for _, pair := range []string{"GATEHOUSE_REQUIRE_MAX_AUTH_AGE=0s", "GATEHOUSE_REQUIRE_DETAIL=false"} {
		name, _, _ := strings.Cut(pair, "=")
		faults := faultsOf(t, source(sound().yaml(), []string{pair}, nil))
		if len(faults) != 1 || faults[0].File != name || faults[0].Key != "require" {
			t.Errorf("%s: %v", pair, faults)
		}
	}
}
