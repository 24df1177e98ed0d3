package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// rule is one change to a sound configuration that makes it faulty.
type rule struct {
	name string
	set  values
	key  string // of the fault
	want string // part of the cure
}

// TestLoad_refuses checks that each rule gives exactly one fault, at its key and
// with a cure.
func TestLoad_refuses(t *testing.T) {
	for _, group := range [][]rule{addressRules, cognitoRules, sessionRules, amplifyRules, verifyRules, routeRules, laterRules} {
		for _, r := range group {
			t.Run(r.name, func(t *testing.T) { r.check(t) })
		}
	}
}

// addresses is a list of so many upstreams.
func addresses(n int) string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf(`"http://localhost:%d"`, 9000+i))
	}
	return "[" + strings.Join(out, ", ") + "]"
}

func (r rule) check(t *testing.T) {
	file := with(r.set).yaml()
	faults := faultsOf(t, source(file, nil, nil))
	if len(faults) != 1 {
		t.Fatalf("%d faults:\n%v\nwant one, of\n%s", len(faults), faults, file)
	}
	f := faults[0]
	if f.Key != r.key || !strings.Contains(f.Want, r.want) {
		t.Errorf("fault: %v\nwant key %s and a cure with %q", f, r.key, r.want)
	}
	if f.Value == "not set" {
		return // there is no line to name but where the route begins
	}
	name, _, _ := strings.Cut(lastName(r.key), "[")
	if line := strings.Split(file, "\n")[max(f.Line-1, 0)]; !strings.Contains(line, name) {
		t.Errorf("fault names line %d, %q", f.Line, line)
	}
}

var addressRules = []rule{
	{"public_url_is_required", values{"public_url": "-"}, "public_url", "GATEHOUSE_PUBLIC_URL"},
	{"client_id_is_required", values{"cognito.client_id": "-"}, "cognito.client_id", "GATEHOUSE_COGNITO_CLIENT_ID"},
	{"domain_is_required", values{"cognito.domain": "-"}, "cognito.domain", "GATEHOUSE_COGNITO_DOMAIN"},
	{"region_is_required", values{"cognito.region": "-"}, "cognito.region", "eu-west-1"},
	{"region_is_required_with_an_issuer_only", values{"cognito.region": "-", "cognito.issuer": "https://id.example.com/x"}, "cognito.region", "eu-west-1"},
	{"pool_is_required", values{"cognito.user_pool_id": "-"}, "cognito.user_pool_id", "eu-west-1_"},
	{"pool_is_of_another_region", values{"cognito.region": "us-east-1"}, "cognito.user_pool_id", "us-east-1_"},
	{"public_url_is_http_off_loopback", values{"public_url": "http://app.example.com"}, "public_url", "https://app.example.com"},
	{"public_url_is_http_on_a_name_like_loopback", values{"public_url": "http://localhost.example.com"}, "public_url", "https://"},
	{"public_url_is_http_on_a_short_address", values{"public_url": "http://127.1"}, "public_url", "an address such as"},
	{"public_url_has_a_path", values{"public_url": "https://app.example.com/app"}, "public_url", "https://app.example.com, without path and query; for a path set mount: /app/auth"},
	{"public_url_has_the_mount", values{"public_url": "https://app.example.com/app/auth/"}, "public_url", "for a path set mount: /app/auth"},
	{"public_url_has_a_query", values{"public_url": "https://app.example.com?x=1"}, "public_url", "without path and query"},
	{"public_url_has_credentials", values{"public_url": "https://me:pw@app.example.com"}, "public_url", "an address such as"},
	{"public_url_has_no_scheme", values{"public_url": "app.example.com"}, "public_url", "https://"},
	{"public_url_has_no_host", values{"public_url": "https://"}, "public_url", "https://"},
	{"public_url_has_port_zero", values{"public_url": "https://app.example.com:0"}, "public_url", "https://"},
	{"public_url_is_http_with_tls", values{"public_url": "http://localhost:8080", "tls.cert_file": "c.pem", "tls.key_file": "k.pem"}, "public_url", "https://localhost:8080"},
	{"domain_is_http_off_loopback", values{"cognito.domain": "http://login.example.com"}, "cognito.domain", "https://login.example.com"},
	{"domain_is_a_pasted_endpoint", values{"cognito.domain": "https://login.example.com/oauth2/authorize"}, "cognito.domain", "https://login.example.com, without path"},
	{"issuer_is_http_off_loopback", values{"cognito.issuer": "http://id.example.com/x"}, "cognito.issuer", "https://id.example.com"},
	{"api_endpoint_is_http_off_loopback", values{"cognito.api_endpoint": "http://api.example.com"}, "cognito.api_endpoint", "https://api.example.com"},
	{"scopes_lack_openid", values{"cognito.scopes": "[email]"}, "cognito.scopes", "openid"},
	{"scopes_are_empty", values{"cognito.scopes": "[]"}, "cognito.scopes", "openid"},
	{"scope_has_a_space", values{"cognito.scopes": `[openid, "a b"]`}, "cognito.scopes[1]", "a scope"},
	{"listen_has_no_port", values{"listen": "localhost"}, "listen", `HOST:PORT such as ":8080" or "127.0.0.1:9090"`},
	{"listen_is_a_port", values{"listen": "22100"}, "listen", `HOST:PORT: ":22100" for every address, "127.0.0.1:22100" for this machine only`},
	{"listen_has_a_port_that_is_none", values{"listen": `":http"`}, "listen", `":8080"`},
	{"admin_listens_off_loopback_without_token", values{"admin_listen": `":9090"`}, "admin_listen", "admin_token"},
	{"admin_listens_where_browsers_are_served", values{"admin_listen": "127.0.0.1:8080"}, "admin_listen", "another port"},
	{"admin_token_ends_in_a_line_end", values{"admin_token": `"abcdefghijklmnopqrstuv\n"`}, "admin_token", "line ends"},
	{"certificate_has_no_key", values{"tls.cert_file": "c.pem"}, "tls.key_file", "tls.cert_file"},
	{"key_has_no_certificate", values{"tls.key_file": "k.pem"}, "tls.cert_file", "tls.key_file"},
	{"proxy_speaks_another_protocol", values{"https_proxy": "ftp://proxy:21"}, "https_proxy", "http://proxy.example.com:3128"},
	{"proxy_has_a_path", values{"https_proxy": "http://proxy:3128/x"}, "https_proxy", "http://proxy.example.com:3128"},
	{"proxy_has_no_host", values{"http_proxy": "http://:3128"}, "http_proxy", "http://proxy.example.com:3128"},
	{"proxy_has_a_password_that_wants_encoding", values{"http_proxy": "http://u:a/b@proxy:3128"}, "http_proxy", "percent-encoded"},
	{"proxy_exception_is_an_address", values{"no_proxy": `["https://example.com"]`}, "no_proxy[0]", ".example.com"},
	{"mount_is_the_root", values{"mount": "/"}, "mount", "/auth"},
	{"mount_is_relative", values{"mount": "auth"}, "mount", "/auth"},
	{"mount_ends_in_a_slash", values{"mount": "/auth/"}, "mount", "without the slash"},
	{"mount_has_dot_segments", values{"mount": "/a/../auth"}, "mount", "/auth"},
	{"mount_is_escaped", values{"mount": "/%61uth"}, "mount", "/auth"},
	{"trusted_proxy_is_no_network", values{"trusted_proxies": "[10.0.0.0/8, proxy]"}, "trusted_proxies[1]", "10.0.0.0/8"},
	{"trusted_header_names_an_identity", values{"trusted_headers": "[X-Forwarded-For, X-Forwarded-User]"}, "trusted_headers[1]", "X-Forwarded-For, X-Forwarded-Proto"},
	{"trusted_proxy_has_host_bits", values{"trusted_proxies": "[10.1.2.3/8]"}, "trusted_proxies[0]", "10.0.0.0/8"},
	{"origin_is_a_wildcard", values{"allowed_origins": `["*"]`}, "allowed_origins[0]", "wildcards are not accepted"},
	{"origin_is_a_wildcard_of_a_domain", values{"allowed_origins": `["https://*.example.com"]`}, "allowed_origins[0]", "wildcards are not accepted"},
	{"origin_is_null", values{"allowed_origins": `["null"]`}, "allowed_origins[0]", "an origin"},
	{"origin_has_a_path", values{"allowed_origins": `["https://a.example.com/x"]`}, "allowed_origins[0]", "an origin"},
	{"origin_is_http_off_loopback", values{"allowed_origins": `["http://a.example.com"]`}, "allowed_origins[0]", "https://a.example.com"},
	{"host_is_a_wildcard", values{"allowed_hosts": `["*.example.com"]`}, "allowed_hosts[0]", "wildcards are not accepted"},
	{"host_has_a_scheme", values{"allowed_hosts": `["https://b.example.com"]`}, "allowed_hosts[0]", "a host such as"},
	{"host_is_out_of_the_cookies_reach", values{"allowed_hosts": "[b.example.com]"}, "allowed_hosts[0]", "session.cookie.domain"},
	{"host_is_outside_the_cookies_domain", values{"allowed_hosts": "[b.example.com, c.example.org]", "session.cookie.domain": "example.com"}, "allowed_hosts[1]", "session.cookie.domain"},
	{"host_only_ends_like_the_cookies_domain", values{"allowed_hosts": "[badexample.com]", "session.cookie.domain": "example.com"}, "allowed_hosts[0]", "session.cookie.domain"},
}

// cognitoRules are exact: each cure names the key that is right and its value.
var verifyRules = []rule{
	{"verify_listens_where_browsers_are_served", values{"verify.listen": `":8080"`}, "verify.listen", "another port than that of listen"},
	{"verify_listens_where_the_admin_api_is", values{"verify.listen": `"127.0.0.1:9090"`}, "verify.listen", "another port than that of admin_listen"},
	{"verify_listen_is_a_port", values{"verify.listen": "8081"}, "verify.listen", `":8081" for every address`},
	{"verify_passes_tokens_to_everybody", values{"verify.pass_token": "true"}, "verify.pass_token", "verify.listen or verify.secret set"},
	{"verify_secret_ends_in_a_line_end", values{"verify.secret": `"abc\n"`}, "verify.secret", "line ends"},
	{"verify_headers_are_of_no_family", values{"verify.headers": "envoy"}, "verify.headers", "original"},
}

var cognitoRules = []rule{
	{"domain_is_the_api", values{"cognito.domain": "https://cognito-idp.eu-west-1.amazonaws.com"}, "cognito.domain", "the address of managed login, such as https://my-prefix.auth.eu-west-1.amazoncognito.com or a domain of your own; this one is cognito.api_endpoint, which follows from cognito.region: eu-west-1"},
	{"domain_is_the_issuer", values{"cognito.domain": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf123"}, "cognito.domain", "the address of managed login, such as https://my-prefix.auth.eu-west-1.amazoncognito.com or a domain of your own; this one is cognito.issuer, which follows from cognito.region: eu-west-1 and cognito.user_pool_id: eu-west-1_AbCdEf123"},
	{"domain_is_the_new_issuer", values{"cognito.domain": "https://issuer-cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf123/"}, "cognito.domain", "this one is cognito.issuer, which follows from cognito.region: eu-west-1 and cognito.user_pool_id: eu-west-1_AbCdEf123"},
	{"domain_has_the_pool_behind_it", values{"cognito.domain": "https://my.auth.eu-west-1.amazoncognito.com/eu-west-1_AbCdEf123"}, "cognito.domain", "https://my.auth.eu-west-1.amazoncognito.com, without path; eu-west-1_AbCdEf123 is for cognito.user_pool_id"},
	{"domain_has_no_scheme", values{"cognito.domain": "my.auth.eu-west-1.amazoncognito.com"}, "cognito.domain", "https://my.auth.eu-west-1.amazoncognito.com, with the scheme in front"},
	{"domain_is_of_another_region", values{"cognito.domain": "https://my.auth.us-east-1.amazoncognito.com"}, "cognito.domain", "a domain of cognito.region, eu-west-1; or cognito.region: us-east-1"},
	{"domain_is_of_another_region_than_region_and_pool", values{"cognito.domain": "https://my.auth-fips.us-east-1.amazoncognito.com"}, "cognito.domain", "a domain of cognito.region, eu-west-1; or cognito.region: us-east-1"},
	{"pool_is_of_another_region_than_the_rest", values{"cognito.user_pool_id": "us-east-1_AbCdEf123", "cognito.domain": "https://my.auth.eu-west-1.amazoncognito.com"}, "cognito.user_pool_id", "a pool of cognito.region, whose id begins with eu-west-1_; or cognito.region: us-east-1"},
	{"region_is_another_than_that_of_pool_and_domain", values{"cognito.region": "us-east-1", "cognito.domain": "https://my.auth.eu-west-1.amazoncognito.com"}, "cognito.region", "eu-west-1, the region of cognito.user_pool_id and cognito.domain"},
	{"pool_is_an_arn", values{"cognito.user_pool_id": "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_AbCdEf123"}, "cognito.user_pool_id", "eu-west-1_AbCdEf123, the id alone"},
	{"pool_is_the_issuer", values{"cognito.user_pool_id": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf123"}, "cognito.user_pool_id", "eu-west-1_AbCdEf123, the id alone"},
	{"client_id_is_the_pools", values{"cognito.client_id": "eu-west-1_AbCdEf123"}, "cognito.client_id", "the app client's id; this one is for cognito.user_pool_id"},
	{"issuer_is_of_another_region", values{"cognito.issuer": "https://cognito-idp.us-east-1.amazonaws.com/eu-west-1_AbCdEf123"}, "cognito.issuer", "an issuer of cognito.region, eu-west-1; or cognito.region: us-east-1"},
	{"issuer_is_of_another_pool", values{"cognito.issuer": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other"}, "cognito.issuer", "the issuer of the pool eu-west-1_AbCdEf123; or cognito.user_pool_id: eu-west-1_Other"},
	{"issuer_has_no_pool", values{"cognito.issuer": "https://cognito-idp.eu-west-1.amazonaws.com"}, "cognito.issuer", "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf123, with the pool's id and nothing else"},
	{"issuer_is_the_domain", values{"cognito.issuer": "https://my.auth.eu-west-1.amazoncognito.com"}, "cognito.issuer", "it left out: it follows from cognito.region and cognito.user_pool_id; this one is for cognito.domain"},
	{"api_endpoint_is_the_domain", values{"cognito.api_endpoint": "https://my.auth.eu-west-1.amazoncognito.com"}, "cognito.api_endpoint", "it left out: it follows from cognito.region; this one is for cognito.domain"},
	{"api_endpoint_is_the_issuer", values{"cognito.api_endpoint": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf123"}, "cognito.api_endpoint", "https://cognito-idp.eu-west-1.amazonaws.com, without path"},
	{"api_endpoint_is_of_another_region", values{"cognito.api_endpoint": "https://cognito-idp.us-east-1.amazonaws.com"}, "cognito.api_endpoint", "the endpoint of cognito.region, eu-west-1; or cognito.region: us-east-1"},
	{"region_lacks_a_hyphen", values{"cognito.region": "eu-west1"}, "cognito.region", "eu-west-1, perhaps"},
	{"region_is_a_zone", values{"cognito.region": "eu-west-1a"}, "cognito.region", "eu-west-1, perhaps"},
	{"region_is_in_capitals", values{"cognito.region": "EU_WEST_1"}, "cognito.region", "eu-west-1, perhaps"},
	{"region_is_a_place", values{"cognito.region": "Ireland"}, "cognito.region", "an AWS region such as eu-west-1"},
}

var sessionRules = []rule{
	{"keys_are_required", values{"session.keys": "-"}, "session.keys", "as gateway keygen prints them, here, in the file of session.keys_file, or as GATEHOUSE_SESSION_KEYS"},
	{"keys_are_an_empty_list", values{"session.keys": "[]"}, "session.keys", "gateway keygen"},
	{"key_is_no_base64", values{"session.keys": "[not-a-key!]"}, "session.keys[0]", "32 random bytes"},
	{"key_is_short", values{"session.keys": "[" + base64Of("\x00\x13\x88\xfe\x01") + "]"}, "session.keys[0]", "32 random bytes"},
	{"key_is_a_pass_phrase", values{"session.keys": "[" + base64Of("correct horse battery staple abc") + "]"}, "session.keys[0]", "guessed"},
	{"key_is_all_zeros", values{"session.keys": "[" + base64Of(strings.Repeat("\x00", 32)) + "]"}, "session.keys[0]", "guessed"},
	{"key_repeats_sixteen_bytes", values{"session.keys": "[" + base64Of(strings.Repeat("\x00\x91\xa2\x13\xb4\xc5\xd6\xe7\xf8\x09\x1a\x2b\x3c\x4d\x5e\x6f", 2)) + "]"}, "session.keys[0]", "guessed"},
	{"key_counts", values{"session.keys": "[" + base64Of(counting()) + "]"}, "session.keys[0]", "guessed"},
	{"key_is_from_the_documentation", values{"session.keys": "[" + sampleKeys[0] + "]"}, "session.keys[0]", "sample"},
	{"store_of_several_servers_without_sentinel", values{"session.store": "redis://h1:6379,h2:6379/0"}, "session.store", "redis-sentinel://"},
	{"store_of_sentinels_has_no_name", values{"session.store": "redis-sentinel://h1:26379,h2:26379"}, "session.store", "/PRIMARY"},
	{"store_of_sentinels_has_a_database_that_is_no_number", values{"session.store": "redis-sentinel://h1/main?db=x"}, "session.store", "db, sentinel_user"},
	{"store_of_a_cluster_has_a_database", values{"session.store": "redis-cluster://h1:6379/1"}, "session.store", "redis-cluster://HOST:PORT,HOST:PORT"},
	{"store_of_a_cluster_lacks_a_host", values{"session.store": "redis-cluster://h1:6379,,h2"}, "session.store", "redis-cluster://"},
	{"store_of_a_cluster_has_a_bad_port", values{"session.store": "redis-cluster://h1:6379,h2:0"}, "session.store", "redis-cluster://"},
	{"store_has_a_password_that_wants_escaping", values{"session.store": "redis-sentinel://u:1/2@h1/main"}, "session.store", "/ as %2F"},
	{"store_has_two_users", values{"session.store": "redis://u:p@h1", "session.store_username": "v"}, "session.store_username", "only one of it and a user in session.store"},
	{"store_has_two_passwords", values{"session.store": "redis://:p@h1", "session.store_password": "q"}, "session.store_password", "only one of it and a password in session.store"},
	{"store_has_a_user_without_password", values{"session.store": "redis://u@h1"}, "session.store_password", `the password of the user "u": Redis is told of no user without one`},
	{"store_password_ends_in_a_space", values{"session.store_password": `"x "`}, "session.store_password", "without control characters, line ends and spaces around it"},
	{"store_of_sentinels_has_a_database_that_is_a_path", values{"session.store": "redis-sentinel://h1/main?db=/5"}, "session.store", "db, sentinel_user"},
	{"store_has_tls_that_is_neither", values{"session.store": "redis-cluster://h1?tls=yes"}, "session.store", "once each: tls,"},
	{"store_has_a_parameter_twice", values{"session.store": "redis-cluster://h1?tls=true&tls=false"}, "session.store", "once each"},
	{"store_has_a_certificate_without_its_key", values{"session.store": "rediss://h1?tls_cert_file=/c.pem"}, "session.store", "together"},
	{"store_has_roots_without_tls", values{"session.store": "redis-cluster://h1?tls_ca_file=/c.pem"}, "session.store", "with TLS"},
	{"store_in_the_cookie_has_an_address", values{"session.store": "cookie://localhost"}, "session.store", `"cookie:" (in quotes)`},
	{"cache_of_a_size_that_is_none", values{"session.cache_bytes": "many"}, "session.cache_bytes", "auto, or bytes such as"},
	{"cache_below_nothing", values{"session.cache_bytes": "-1"}, "session.cache_bytes", "auto, or bytes such as"},
	{"store_in_the_cookie_counts_no_sessions", values{"session.store": `"cookie:"`, "session.max_per_user": "5"}, "session.max_per_user", "0: a cookie store"},
	{"store_in_the_cookie_has_no_replicas", values{"session.store": `"cookie:"`, "session.wait_replicas": "1"}, "session.wait_replicas", "cookie store"},
	{"store_in_the_cookie_has_no_room", values{"session.store": `"cookie:"`, "limits.cookie_bytes": "8KiB"}, "limits.cookie_bytes", "at least 12KiB"},
	{"store_in_the_cookie_has_too_few_cookies", values{"session.store": `"cookie:"`, "limits.cookies": "7"}, "limits.cookies", "at least 8"},
	{"store_is_unknown", values{"session.store": "memcached://localhost"}, "session.store", "redis://"},
	{"store_has_no_host", values{"session.store": "redis:///0"}, "session.store", "redis://"},
	{"store_has_a_database_that_is_no_number", values{"session.store": "redis://localhost/main"}, "session.store", "redis://"},
	{"store_has_options", values{"session.store": "redis://localhost/0?skip_verify=true"}, "session.store", "redis://"},
	{"idle_timeout_has_no_unit", values{"session.idle_timeout": "30"}, "session.idle_timeout", "30m"},
	{"idle_timeout_is_negative", values{"session.idle_timeout": "-5m"}, "session.idle_timeout", "30m"},
	{"absolute_timeout_is_under_idle_timeout", values{"session.absolute_timeout": "10m"}, "session.absolute_timeout", "at least session.idle_timeout, 30m"},
	{"absolute_timeout_exceeds_what_browsers_keep", values{"session.absolute_timeout": "10000h"}, "session.absolute_timeout", "9600h"},
	{"persistent_is_no_boolean", values{"session.persistent": "yes"}, "session.persistent", "true or false"},
	{"cookie_name_has_a_prefix", values{"session.cookie.name": "__Host-sid"}, "session.cookie.name", "without a __ prefix"},
	{"cookie_name_has_a_space", values{"session.cookie.name": `"my sid"`}, "session.cookie.name", "a cookie name"},
	{"cookie_name_is_empty", values{"session.cookie.name": `""`}, "session.cookie.name", "a cookie name"},
	{"cookie_domain_is_no_parent", values{"session.cookie.domain": "example.org"}, "session.cookie.domain", "app.example.com or a domain above"},
	{"cookie_domain_is_a_host_below", values{"session.cookie.domain": "x.app.example.com"}, "session.cookie.domain", "app.example.com or a domain above"},
	{"cookie_domain_is_one_label", values{"session.cookie.domain": "com"}, "session.cookie.domain", "example.com"},
	{"cookie_domain_begins_with_a_dot", values{"session.cookie.domain": ".example.com"}, "session.cookie.domain", "without a dot in front"},
	{"cookie_domain_is_an_address", values{"session.cookie.domain": "10.0.0.1"}, "session.cookie.domain", "example.com"},
	{"cookie_domain_is_on_http", values{"public_url": "http://app.localhost:8080", "session.cookie.domain": "app.localhost"}, "session.cookie.domain", "empty"},
	{"same_site_is_none_on_http", values{"public_url": "http://localhost:8080", "session.cookie.same_site": "none"}, "session.cookie.same_site", "lax or strict"},
	{"same_site_is_unknown", values{"session.cookie.same_site": "Lax"}, "session.cookie.same_site", "lax, strict or none"},
	{"before_expiry_is_longer_than_tokens_live", values{"refresh.before_expiry": "2h"}, "refresh.before_expiry", "1h"},
	{"refresh_timeout_is_none", values{"refresh.timeout": "0s"}, "refresh.timeout", "100ms"},
	{"forced_refreshes_are_none", values{"refresh.forced_per_minute": "0"}, "refresh.forced_per_minute", "from 1"},
	{"csrf_header_needs_no_preflight", values{"csrf_header": "Content-Type"}, "csrf_header", "X-CSRF"},
	{"csrf_header_is_the_browsers_own", values{"csrf_header": "Sec-Fetch-Site"}, "csrf_header", "X-CSRF"},
	{"return_path_is_another_host", values{"login.default_return_to": "//evil.example"}, "login.default_return_to", "a local path"},
	{"return_path_has_a_backslash", values{"login.default_return_to": `'/\evil.example'`}, "login.default_return_to", "a local path"},
	{"return_address_is_at_no_return_origin", values{"login.logout_return_to": "https://other.example.com/"}, "login.logout_return_to", "login.return_origins"},
	{"return_path_is_another_host_in_disguise", values{"login.logout_return_to": "/a/..//evil.example"}, "login.logout_return_to", "a local path"},
	{"return_address_is_script", values{"login.logout_return_to": "javascript:alert(1)"}, "login.logout_return_to", "a local path"},
	{"return_address_is_too_long", values{"login.logout_return_to": "/?" + strings.Repeat("x", 2048)}, "login.logout_return_to", "2048 bytes"},
	{"return_path_is_the_login_in_another_spelling", values{"login.default_return_to": "/x/../auth/./login"}, "login.default_return_to", "outside /auth"},
	{"return_path_is_the_login_with_escapes", values{"login.default_return_to": "/%61uth/login"}, "login.default_return_to", "outside /auth"},
	{"return_path_is_the_mount_with_a_query", values{"login.default_return_to": "/auth?x"}, "login.default_return_to", "outside /auth"},
	{"return_path_is_the_login_itself", values{"login.default_return_to": "/auth/login"}, "login.default_return_to", "outside /auth"},
	{"return_origin_is_a_wildcard", values{"login.return_origins": `["https://*.example.com"]`}, "login.return_origins[0]", "wildcards"},
	{"error_url_has_a_query", values{"login.error_url": "/error?x=1"}, "login.error_url", "without query"},
	{"error_url_is_script", values{"login.error_url": "javascript:alert(1)"}, "login.error_url", "https"},
	{"cookie_limit_exceeds_the_headers", values{"limits.cookie_bytes": "64KiB"}, "limits.cookie_bytes", "limits.header_bytes, 32KiB"},
	{"url_limit_exceeds_the_headers", values{"limits.url_bytes": "1MiB"}, "limits.url_bytes", "limits.header_bytes, 32KiB"},
	{"header_limit_is_tiny", values{"limits.header_bytes": "100"}, "limits.header_bytes", "from 8KiB"},
	{"size_has_a_foreign_unit", values{"limits.body_bytes": "10MB"}, "limits.body_bytes", "1MiB"},
	{"size_overflows", values{"limits.body_bytes": "9223372036854775807GiB"}, "limits.body_bytes", "1MiB"},
	{"log_level_is_unknown", values{"log.level": "warning"}, "log.level", "debug, info, warn or error"},
	{"section_is_a_text", values{"log": "info"}, "log", "a mapping"},
	{"list_stands_where_one_is_wanted", values{"mount": "[/auth]"}, "mount", "/auth"},
	{"mapping_stands_where_a_list_is_wanted", values{"allowed_hosts": "{a: b}"}, "allowed_hosts", "a list"},
	{"element_of_a_list_is_a_list", values{"allowed_hosts": "[[a]]"}, "allowed_hosts", "a host"},
}

func counting() string {
	var b []byte
	for i := range byte(32) {
		b = append(b, 100+5*i)
	}
	return string(b)
}

var routeRules = []rule{
	{"route_has_no_path", values{"routes[].path": "-"}, "routes[0].path", "/api/"},
	{"route_path_is_relative", values{"routes[].path": "api/"}, "routes[0].path", "absolute, unescaped, without empty or dot segments, ; and trailing dots; write /api/"},
	{"route_path_has_an_empty_segment", values{"routes[].path": "/api//v1/"}, "routes[0].path", "trailing dots; write /api/v1/"},
	{"route_path_has_dot_segments", values{"routes[].path": "/api/../v1/"}, "routes[0].path", "trailing dots; write /v1/"},
	{"route_path_has_a_dot_segment", values{"routes[].path": "/./api"}, "routes[0].path", "trailing dots; write /api/"},
	{"route_path_is_escaped", values{"routes[].path": "/%61pi/"}, "routes[0].path", "trailing dots; write /api/"},
	{"route_path_has_an_encoded_slash", values{"routes[].path": "/a%2Fb"}, "routes[0].path", "trailing dots; write /a/b/"},
	{"route_path_has_an_escape_that_is_none", values{"routes[].path": "/a%zz/"}, "routes[0].path", "; and trailing dots"},
	{"route_path_has_parameters", values{"routes[].path": "/api;v=1/"}, "routes[0].path", "trailing dots; write /api/"},
	{"route_path_has_a_trailing_dot", values{"routes[].path": "/api./"}, "routes[0].path", "trailing dots; write /api/"},
	{"route_path_ends_in_an_ellipsis", values{"routes[].path": "/api/..."}, "routes[0].path", "trailing dots; write /api/"},
	{"route_path_has_a_backslash", values{"routes[].path": `'/a\b'`}, "routes[0].path", "; and trailing dots"},
	{"route_path_ends_in_a_star", values{"routes[].path": "/api/*"}, "routes[0].path", "a literal path, without patterns: all that lies below it matches, too; write /api/"},
	{"route_path_ends_in_two_stars", values{"routes[].path": "/api/v1/**"}, "routes[0].path", "too; write /api/v1/"},
	{"route_path_is_a_star", values{"routes[].path": `"*"`}, "routes[0].path", "too; write /"},
	{"route_path_is_a_star_below_the_root", values{"routes[].path": "/*"}, "routes[0].path", "too; write /"},
	{"route_path_has_a_star_in_a_name", values{"routes[].path": "/assets/*.js"}, "routes[0].path", "too; write /assets/"},
	{"route_path_has_a_star_in_the_middle", values{"routes[].path": "/a/*/b"}, "routes[0].path", "too; write /a/"},
	{"route_path_has_a_named_segment", values{"routes[].path": "/users/:id"}, "routes[0].path", "too; write /users/"},
	{"route_path_has_a_segment_in_braces", values{"routes[].path": "/users/{id}/orders"}, "routes[0].path", "too; write /users/"},
	{"route_path_has_the_rest_in_braces", values{"routes[].path": "/api/{rest...}"}, "routes[0].path", "too; write /api/"},
	{"route_path_has_a_segment_in_brackets", values{"routes[].path": "/users/[id]"}, "routes[0].path", "too; write /users/"},
	{"route_path_has_a_segment_in_angles", values{"routes[].path": "/users/<id>"}, "routes[0].path", "too; write /users/"},
	{"route_path_is_a_regular_expression", values{"routes[].path": "^/api/(v1|v2)/"}, "routes[0].path", "too; write /api/"},
	{"route_path_has_a_query", values{"routes[].path": "/api?x=1"}, "routes[0].path", "a path without query and fragment; write /api/"},
	{"route_path_has_a_fragment", values{"routes[].path": `"/app/#/orders"`}, "routes[0].path", "a path without query and fragment; write /app/"},
	{"route_path_is_an_address", values{"routes[].path": "https://App.example.com/api/*"}, "routes[0].path", "a path alone, and app.example.com as host; write /api/"},
	{"route_is_under_the_mount", values{"routes[].path": "/auth/x/"}, "routes[0].path", "outside /auth"},
	{"route_is_the_mount_in_capitals", values{"routes[].path": "/AUTH/"}, "routes[0].path", "outside /auth"},
	{"route_leads_nowhere", values{"routes[].upstream": "-"}, "routes[0].upstream", "upstream or static"},
	{"route_leads_to_two_ends", values{"routes[].static": "./dist"}, "routes[0].static", "only one"},
	{"fallback_has_no_directory", values{"routes[].spa_fallback": "index.html"}, "routes[0].spa_fallback", "static on this route"},
	{"fallback_leaves_the_directory", values{"routes[].upstream": "-", "routes[].static": "./dist", "routes[].spa_fallback": "../index.html"}, "routes[0].spa_fallback", "index.html"},
	{"fallback_is_hidden", values{"routes[].upstream": "-", "routes[].static": "./dist", "routes[].spa_fallback": ".env"}, "routes[0].spa_fallback", "index.html"},
	{"files_are_posted_to", values{"routes[].upstream": "-", "routes[].static": "./dist", "routes[].methods": "[GET, POST]"}, "routes[0].methods[1]", "GET or HEAD"},
	{"auth_is_unknown", values{"routes[].auth": "basic"}, "routes[0].auth", "session, bearer, either, optional or none"},
	{"replicas_are_waited_for_in_memory", values{"session.store": `"memory:"`, "session.wait_replicas": "1"}, "session.wait_replicas", "memory store"},
	{"replicas_are_waited_for_in_a_cluster", values{"session.store": "redis-cluster://localhost:6379", "session.wait_replicas": "1"}, "session.wait_replicas", "redis-cluster store"},
	{"revocation_check_has_not_the_scope", values{"revocation_check": "1m", "cognito.scopes": "[openid]"}, "revocation_check", "aws.cognito.signin.user.admin among cognito.scopes"},
	{"auth_bearer_of_no_client", values{"routes[].auth": "bearer"}, "routes[0].auth", "bearer_clients set"},
	{"auth_either_of_no_client", values{"routes[].auth": "either"}, "routes[0].auth", "bearer_clients set"},
	{"bearer_client_is_none", values{"routes[].auth": "bearer", "bearer_clients": "[a b]"}, "bearer_clients[0]", "an app client's id"},
	{"cors_with_the_cookie", values{"routes[].cors": "upstream"}, "routes[0].cors", "auth none or bearer on this route"},
	{"cors_with_the_cookie_perhaps", values{"routes[].cors": "upstream", "routes[].auth": "either", "bearer_clients": "[a]"}, "routes[0].cors", "with auth either allowed_origins says"},
	{"cors_of_files", values{"routes[].cors": "upstream", "routes[].auth": "none", "routes[].upstream": "-", "routes[].static": "."}, "routes[0].cors", "an upstream on this route"},
	{"cors_of_somebody_else", values{"routes[].cors": "all"}, "routes[0].cors", "upstream, or nothing"},
	{"something_is_required_of_nobody", values{"routes[].auth": "none", "routes[].require.groups": "[staff]"}, "routes[0].auth", "session, bearer or either"},
	{"nothing_stands_behind_what_is_required", values{"routes[].require": "~"}, "routes[0].require", "or the key left out"},
	{"nothing_stands_behind_the_groups", values{"routes[].require": "{groups: , scopes: [a]}"}, "routes[0].require.groups", "or the key left out"},
	{"nothing_stands_behind_the_claims", values{"routes[].require": "{claims: , scopes: [a]}"}, "routes[0].require.claims", "or the key left out"},
	{"nothing_is_required", values{"routes[].require": "{}"}, "routes[0].require", "groups, scopes, claims or max_auth_age in it"},
	{"nothing_is_required_but_how_to_say_it", values{"routes[].require": "{detail: false, max_auth_age: 0s}"}, "routes[0].require", "or require left out"},
	{"nothing_is_required_of_all", values{"require": "{}"}, "require", "groups, scopes, claims or max_auth_age in it"},
	{"nothing_stands_behind_what_all_require", values{"require": "~"}, "require", "or the key left out"},
	{"no_group_is_required_of_all", values{"require": "{groups: [], scopes: [a]}"}, "require.groups", "the name of a group, or the key left out"},
	{"a_route_is_spared_nothing", values{"routes[].require": "{default: false}"}, "routes[0].require", "or require left out"},
	{"a_route_is_spared_what_it_does_not_inherit", values{"require": "{groups: [a]}", "routes[].auth": "optional", "routes[].require": "{default: false}"}, "routes[0].require", "or require left out"},
	{"an_optional_route_asks_for_the_default", values{"require": "{groups: [a]}", "routes[].auth": "optional", "routes[].require": "{default: true}"}, "routes[0].require", "with auth optional what all routes require does not hold"},
	{"an_open_route_asks_for_the_default", values{"require": "{groups: [a]}", "routes[].auth": "none", "routes[].require": "{default: true}"}, "routes[0].require", "with auth none what all routes require does not hold"},
	{"a_route_takes_back_all_by_its_keys", values{"require": "{max_auth_age: 12h}", "routes[].require": "{max_auth_age: 0s}"}, "routes[0].require", "or default: false"},
	{"nothing_is_required_by_a_route_of_what_all_do_wrongly", values{"require": "~", "routes[].require": "{default: false}"}, "require", "or the key left out"},
	{"no_claim_is_required", values{"require": "{groups: [a], claims: {plan: gold}}", "routes[].require": "{claims: {}}"}, "routes[0].require.claims", "an empty mapping requires nothing"},
	{"no_claim_is_required_of_all", values{"require": "{groups: [a], claims: {}}"}, "require.claims", "an empty mapping requires nothing"},
	{"nobody_signs_in_that_lately_anywhere", values{"require.max_auth_age": "500ms"}, "require.max_auth_age", "a second or more"},
	{"a_name_is_cut_short", values{"routes[].assertion": "{aud: x}"}, "routes[0].assertion.aud", "routes[].assertion.audience, perhaps"},
	{"a_rate_is_empty", values{"routes[].rate_limit": "{}"}, "routes[0].rate_limit", "requests in it, or rate_limit left out"},
	{"nothing_stands_behind_a_rate", values{"routes[].rate_limit": "~"}, "routes[0].rate_limit", "requests in it, or the key left out"},
	{"an_assertion_is_empty", values{"routes[].assertion": "{}"}, "routes[0].assertion", "audience in it, or assertion left out"},
	{"a_health_check_is_empty", values{"routes[].health_check": "{}"}, "routes[0].health_check", "path in it, or health_check left out"},
	{"no_group_is_required", values{"routes[].require": "{groups: [], scopes: [a]}"}, "routes[0].require.groups", "the name of a group, or the key left out"},
	{"a_variable_without_a_group", values{"routes[].require": "{groups: \"${NONE:-}\", scopes: [a]}"}, "routes[0].require.groups", "an empty list requires nothing"},
	{"no_scope_is_required", values{"routes[].require": "{groups: [a], scopes: []}"}, "routes[0].require.scopes", "a scope such as orders/read, or the key left out"},
	{"a_group_is_empty", values{"routes[].require": "{groups: [\"\"]}"}, "routes[0].require.groups[0]", "not empty"},
	{"a_scope_has_a_space", values{"routes[].require": "{scopes: [a b]}"}, "routes[0].require.scopes[0]", "a scope such as"},
	{"a_claim_has_no_value", values{"routes[].require": "{claims: {plan: []}}"}, "routes[0].require.claims.plan", "a value, or several"},
	{"a_claim_has_an_empty_value", values{"routes[].require": "{claims: {plan: [gold, \"\"]}}"}, "routes[0].require.claims.plan", "not empty"},
	{"a_claim_is_an_object", values{"routes[].require": "{claims: {plan: {a: b}}}"}, "routes[0].require.claims.plan", "a text, a number, true or false"},
	{"a_rule_is_misspelt", values{"routes[].require": "{group: [staff], scopes: [a]}"}, "routes[0].require.group", "routes[].require.groups, perhaps"},
	{"a_sign_in_may_be_too_old", values{"routes[].require.max_auth_age": "500d"}, "routes[0].require.max_auth_age", "a duration"},
	{"nobody_signs_in_that_lately", values{"routes[].require.max_auth_age": "500ms"}, "routes[0].require.max_auth_age", "a second or more"},
	{"id_token_with_a_bearer", values{"routes[].auth": "bearer", "bearer_clients": "[a]", "routes[].token": "id"}, "routes[0].token", "access or none: with auth bearer"},
	{"id_token_with_either", values{"routes[].auth": "either", "bearer_clients": "[a]", "routes[].token": "id"}, "routes[0].token", "access or none: with auth either"},
	{"method_is_in_small_letters", values{"routes[].methods": "[get]"}, "routes[0].methods[0]", "GET"},
	{"method_is_never_relayed", values{"routes[].methods": "[CONNECT]"}, "routes[0].methods[0]", "GET"},
	{"timeout_is_negative", values{"routes[].timeout": "-1s"}, "routes[0].timeout", "a duration"},
	{"token_is_asked_for_without_session", values{"routes[].auth": "none", "routes[].token": "id"}, "routes[0].token", "another auth than none"},
	{"identity_is_told_without_session", values{"routes[].auth": "none", "routes[].identity_headers": "true"}, "routes[0].identity_headers", "another auth than none on this route, or false"},
	{"identity_is_told_to_files", values{"routes[].upstream": "-", "routes[].static": "./dist", "routes[].identity_headers": "true"}, "routes[0].identity_headers", "files are told nothing"},
	{"claims_are_sent_without_session", values{"routes[].auth": "none", "routes[].headers": "{X-User: sub}"}, "routes[0].headers", "another auth than none on this route, or none"},
	{"claims_are_sent_to_files", values{"routes[].upstream": "-", "routes[].static": "./dist", "routes[].headers": "{X-User: sub}"}, "routes[0].headers", "files are told nothing"},
	{"header_has_an_underscore", values{"routes[].headers": "{X-User: sub, X_Tenant: a}"}, "routes[0].headers.X_Tenant", "letters, digits and hyphens"},
	{"header_is_the_token", values{"routes[].headers": "{authorization: sub}"}, "routes[0].headers.authorization", "another name such as X-Forwarded-User"},
	{"header_is_of_a_connection", values{"routes[].headers": "{Connection: sub}"}, "routes[0].headers.Connection", "another name"},
	{"header_is_of_the_body", values{"routes[].headers": "{Content-Type: sub}"}, "routes[0].headers.Content-Type", "another name"},
	{"header_is_set_anyway", values{"routes[].headers": "{X-Request-ID: sub}"}, "routes[0].headers.X-Request-ID", "set by the gateway already"},
	{"header_is_of_a_proxy", values{"routes[].headers": "{X-Forwarded-For: sub}"}, "routes[0].headers.X-Forwarded-For", "another name"},
	{"header_is_kept_for_the_gateway", values{"routes[].headers": "{X-Gatehouse-User: sub}"}, "routes[0].headers.X-Gatehouse-User", "another name"},
	{"header_is_one_of_the_four", values{"routes[].identity_headers": "true", "routes[].headers": "{x-auth-groups: 'custom:groups'}"}, "routes[0].headers.x-auth-groups", "set by identity_headers: true already"},
	{"headers_differ_in_case_only", values{"routes[].headers": "{X-User: sub, x-user: email}"}, "routes[0].headers.x-user", "set by X-User already"},
	{"header_has_no_claim", values{"routes[].headers": "{X-User: }"}, "routes[0].headers.X-User", "the name of a claim such as sub"},
	{"assertion_has_no_audience", values{"routes[].assertion": "{header: X-Assertion}"}, "routes[0].assertion.audience", "a name for the upstream beside assertion.header"},
	{"assertion_is_sent_without_session", values{"routes[].auth": "none", "routes[].assertion": "{audience: orders}"}, "routes[0].assertion.audience", "another auth than none on this route, or none"},
	{"assertion_is_sent_to_files", values{"routes[].upstream": "-", "routes[].static": "./dist", "routes[].assertion": "{audience: orders}"}, "routes[0].assertion.audience", "files are told nothing"},
	{"assertion_has_no_name", values{"routes[].assertion": "{audience: orders, header: X_Assertion}"}, "routes[0].assertion.header", "letters, digits and hyphens such as X-Gatehouse-Assertion"},
	{"assertion_is_the_token", values{"routes[].assertion": "{audience: orders, header: authorization}"}, "routes[0].assertion.header", "another name such as X-Gatehouse-Assertion"},
	{"assertion_is_one_of_the_four", values{"routes[].identity_headers": "true", "routes[].assertion": "{audience: orders, header: x-auth-subject}"}, "routes[0].assertion.header", "set by identity_headers: true already"},
	{"assertion_is_a_claim", values{"routes[].headers": "{x-assertion: sub}", "routes[].assertion": "{audience: orders, header: X-Assertion}"}, "routes[0].headers.x-assertion", "set by assertion already"},
	{"cache_is_unknown", values{"routes[].cache": "always"}, "routes[0].cache", "upstream"},
	{"upstream_is_no_address", values{"routes[].upstream": "localhost:9000"}, "routes[0].upstream[0]", "the scheme in front: http://localhost:9000, or https://"},
	{"upstream_speaks_another_protocol", values{"routes[].upstream": "ftp://localhost"}, "routes[0].upstream[0]", "http://localhost:9000"},
	{"upstream_has_credentials", values{"routes[].upstream": "http://a:b@localhost"}, "routes[0].upstream[0]", "http://localhost:9000"},
	{"upstream_has_an_empty_segment", values{"routes[].upstream": "http://localhost:9000//api"}, "routes[0].upstream[0]", "no empty segment"},
	{"upstream_h2c_has_no_host", values{"routes[].upstream": "h2c://"}, "routes[0].upstream[0]", "http://localhost:9000"},
	{"upstream_is_where_a_cloud_keeps_credentials", values{"routes[].upstream": "http://169.254.169.254"}, "routes[0].upstream[0]", "set allow_link_local: true"},
	{"upstream_is_that_in_ipv6", values{"routes[].upstream": "https://[fd00:ec2::254]/latest/"}, "routes[0].upstream[0]", "clouds hand out credentials"},
	{"upstream_is_that_mapped", values{"routes[].upstream": "http://[::ffff:169.254.169.254]:80"}, "routes[0].upstream[0]", "clouds hand out credentials"},
	{"upstream_h2c_is_behind_a_proxy", values{"routes[].upstream": "h2c://localhost:9000", "routes[].use_proxy": "true", "proxy": "http://proxy.example:3128"}, "routes[0].use_proxy", "forward proxies pass no h2c on"},
	{"upstream_is_empty", values{"routes[].upstream": `["http://localhost:1", ""]`}, "routes[0].upstream[1]", "http://localhost:9000"},
	{"upstream_weighs_nothing", values{"routes[].upstream": `["http://localhost:1", "http://localhost:2 weight=0"]`}, "routes[0].upstream[1]", "weight=N behind the address, with N from 1 to 1000; an address that is to get nothing is left out"},
	{"upstream_weighs_less_than_nothing", values{"routes[].upstream": "http://localhost:1 weight=-1"}, "routes[0].upstream[0]", "weight=N"},
	{"upstream_weighs_too_much", values{"routes[].upstream": "http://localhost:1 weight=1001"}, "routes[0].upstream[0]", "from 1 to 1000"},
	{"upstream_has_something_else_behind_it", values{"routes[].upstream": "http://localhost:1 backup"}, "routes[0].upstream[0]", "weight=N"},
	{"upstream_speaks_another_protocol_than_the_first", values{"routes[].upstream": `["http://localhost:1", "https://localhost:2"]`}, "routes[0].upstream[1]", "http:// as the first address has it"},
	{"upstream_has_another_path_than_the_first", values{"routes[].upstream": `["http://localhost:1/v1/", "http://localhost:2/v1", "http://localhost:3/v2"]`}, "routes[0].upstream[2]", "the path of the first address, /v1"},
	{"upstream_has_a_path_and_the_first_none", values{"routes[].upstream": `["http://localhost:1", "http://localhost:2/v1"]`}, "routes[0].upstream[1]", "no path"},
	{"upstream_is_listed_twice", values{"routes[].upstream": `["http://a.internal", "http://A.internal:80/"]`}, "routes[0].upstream[1]", "each address once"},
	{"second_upstream_is_where_a_cloud_keeps_credentials", values{"routes[].upstream": `["http://localhost:1", "http://169.254.169.254"]`}, "routes[0].upstream[1]", "set allow_link_local: true"},
	{"upstreams_are_too_many", values{"routes[].upstream": addresses(65)}, "routes[0].upstream[64]", "no more than 64"},
	{"upstream_authorities_are_not_there", values{"routes[].upstream": "https://a.internal", "routes[].upstream_tls.ca_file": "/nowhere/missing.pem"}, "routes[0].upstream_tls.ca_file", "a file that can be read"},
	{"upstream_authorities_are_none", values{"routes[].upstream": "https://a.internal", "routes[].upstream_tls.ca_file": "pw"}, "routes[0].upstream_tls.ca_file", "a file with certificates in PEM"},
	{"certificate_for_upstreams_has_no_key", values{"routes[].upstream": "https://a.internal", "routes[].upstream_tls.cert_file": "c.pem"}, "routes[0].upstream_tls.key_file", "the key that goes with upstream_tls.cert_file"},
	{"key_for_upstreams_has_no_certificate", values{"routes[].upstream": "https://a.internal", "routes[].upstream_tls.key_file": "k.pem"}, "routes[0].upstream_tls.cert_file", "the certificate that goes with upstream_tls.key_file"},
	{"certificate_for_upstreams_is_none", values{"routes[].upstream": "https://a.internal", "routes[].upstream_tls.cert_file": "pw", "routes[].upstream_tls.key_file": "k.pem"}, "routes[0].upstream_tls.cert_file", "a certificate and its key in PEM"},
	{"authorities_of_upstreams_without_TLS", values{"routes[].upstream_tls.ca_file": "ca.pem"}, "routes[0].upstream_tls.ca_file", "an https:// upstream on this route"},
	{"server_name_of_upstreams_without_TLS", values{"routes[].upstream": "h2c://a.internal", "routes[].upstream_tls.server_name": "b.internal"}, "routes[0].upstream_tls.server_name", "an https:// upstream on this route"},
	{"server_name_of_a_directory", values{"routes[].upstream": "-", "routes[].static": "./dist", "routes[].upstream_tls.server_name": "b.internal"}, "routes[0].upstream_tls.server_name", "an https:// upstream on this route"},
	{"server_name_has_a_port", values{"routes[].upstream": "https://a.internal", "routes[].upstream_tls.server_name": "b.internal:443"}, "routes[0].upstream_tls.server_name", "without a port"},
	{"verification_is_turned_off", values{"routes[].upstream": "https://a.internal", "routes[].upstream_tls": "{insecure_skip_verify: true}"}, "routes[0].upstream_tls.insecure_skip_verify", "a key that exists"},
	{"protocol_of_upstreams_is_unknown", values{"routes[].upstream_protocol": "http3"}, "routes[0].upstream_protocol", "auto, http1 or http2"},
	{"protocol_of_upstreams_takes_TLS", values{"routes[].upstream_protocol": "http2"}, "routes[0].upstream_protocol", "an upstream at h2c:// or https://"},
	{"protocol_of_upstreams_is_not_that_of_their_scheme", values{"routes[].upstream": "h2c://a.internal", "routes[].upstream_protocol": "http1"}, "routes[0].upstream_protocol", "h2c:// is HTTP/2"},
	{"body_is_bounded_by_a_word", values{"routes[].body_bytes": "none"}, "routes[0].body_bytes", "auto, or bytes such as 32KiB"},
	{"health_check_has_no_path", values{"routes[].health_check.interval": "1s"}, "routes[0].health_check.path", "a path such as /healthz: without it there is no check, and interval does nothing"},
	{"health_check_has_an_address", values{"routes[].health_check.path": "http://localhost/healthz"}, "routes[0].health_check.path", "a path such as /healthz"},
	{"health_check_has_a_fragment", values{"routes[].health_check.path": `"/healthz#x"`}, "routes[0].health_check.path", "a path such as /healthz"},
	{"health_check_of_a_directory", values{"routes[].upstream": "-", "routes[].static": "./dist", "routes[].health_check.path": "/healthz"}, "routes[0].health_check.path", "a directory is not asked"},
	{"health_check_comes_too_often", values{"routes[].health_check.path": "/healthz", "routes[].health_check.interval": "1ms"}, "routes[0].health_check.interval", "from 100ms"},
	{"health_check_never_rises", values{"routes[].health_check.path": "/healthz", "routes[].health_check.rise": "0"}, "routes[0].health_check.rise", "from 1 to 100"},
	{"route_host_is_not_ours", values{"routes[].host": "other.example.com"}, "routes[0].host", "allowed_hosts"},
	{"routes_are_no_list", values{"routes[].path": "-", "routes[].upstream": "-", "routes": "{path: /}"}, "routes", "a list of routes"},
	{"route_is_a_text", values{"routes[].path": "-", "routes[].upstream": "-", "routes": "[/]"}, "routes[0]", "a mapping"},
	{"rate_has_no_number", values{"routes[].rate_limit.burst": "5", "routes[].rate_limit.by": "route"}, "routes[0].rate_limit.burst", "requests beside it, how many pass in 1m"},
	{"a_burst_that_takes_years_to_come_back", values{"routes[].rate_limit": "{requests: 1, per: 1h, burst: 10000000}"}, "routes[0].rate_limit.burst", "at most 720"},
	{"rate_cannot_be_counted", values{"routes[].rate_limit.requests": "20001", "routes[].rate_limit.per": "2s"}, "routes[0].rate_limit.requests", "at most 20000 in 2s"},
	{"rate_is_per_a_part_of_a_second", values{"routes[].rate_limit.requests": "1", "routes[].rate_limit.per": "1500ms"}, "routes[0].rate_limit.per", "whole seconds"},
	{"rate_is_by_a_user_nobody_knows", values{"routes[].rate_limit.requests": "1", "routes[].rate_limit.by": "user", "routes[].auth": "none"}, "routes[0].rate_limit.by", "address or route"},
	{"rate_is_by_something_else", values{"routes[].rate_limit.requests": "1", "routes[].rate_limit.by": "session"}, "routes[0].rate_limit.by", "address, user or route"},
	{"concurrency_is_negative", values{"routes[].concurrency": "-1"}, "routes[0].concurrency", "a whole number from 0"},
	{"header_timeout_is_none", values{"limits.header_timeout": "0s"}, "limits.header_timeout", "from 1s to 10m"},
	{"connections_are_none", values{"limits.connections": "0"}, "limits.connections", "auto, or a whole number from 16"},
	{"http2_streams_are_none", values{"limits.http2_streams": "0"}, "limits.http2_streams", "a whole number from 1"},
	{"write_timeout_is_none", values{"limits.write_timeout": "0s"}, "limits.write_timeout", "from 1s to 1h"},
	{"streams_are_negative", values{"limits.streams": "-1"}, "limits.streams", "a whole number from 0"},
	{"streams_of_a_session_are_negative", values{"limits.streams_per_session": "-1"}, "limits.streams_per_session", "a whole number from 0"},
	{"login_rate_is_negative", values{"rate_limit.login_per_minute": "-1"}, "rate_limit.login_per_minute", "a whole number from 0"},
	{"routes_are_the_same", values{"routes[].path": "-", "routes[].upstream": "-", "routes": `[{path: /api, upstream: "http://localhost:1"}, {path: /api/, upstream: "http://localhost:2"}]`}, "routes[1].path", "routes[0]"},
	{"routes_differ_in_case_only", values{"routes[].path": "-", "routes[].upstream": "-", "routes": `[{path: /api/, upstream: "http://localhost:1"}, {path: /API/, upstream: "http://localhost:2"}]`}, "routes[1].path", "routes[0]"},
}

var amplifyRules = []rule{
	{"redirect_uri_is_elsewhere", values{"amplify.redirect_uris": "[https://app.example.com/, https://evil.example/]"}, "amplify.redirect_uris[1]", "https://evil.example must be among login.return_origins"},
	{"redirect_uri_only_begins_like_the_own_origin", values{"amplify.redirect_uris": "[https://app.example.com.evil.example/]"}, "amplify.redirect_uris[0]", "an address at https://app.example.com"},
	{"redirect_uri_has_another_scheme", values{"amplify.redirect_uris": "[myapp://callback]"}, "amplify.redirect_uris[0]", "https://app.example.com/"},
	{"redirect_uri_is_a_path", values{"amplify.redirect_uris": "[/home]"}, "amplify.redirect_uris[0]", "in full"},
	{"redirect_uri_has_a_fragment", values{"amplify.redirect_uris": `["https://app.example.com/#/home"]`}, "amplify.redirect_uris[0]", "without fragment"},
	{"redirect_uri_has_a_fragment_in_its_query", values{"amplify.redirect_uris": `["https://app.example.com/?a#b"]`}, "amplify.redirect_uris[0]", "without fragment"},
	{"redirect_uri_has_credentials", values{"amplify.redirect_uris": "[https://me:pw@app.example.com/]"}, "amplify.redirect_uris[0]", "a page's address"},
	{"redirect_uri_is_a_pattern", values{"amplify.redirect_uris": `["https://app.example.com/*"]`}, "amplify.redirect_uris[0]", "wildcards are not accepted"},
	{"redirect_uri_is_http_off_loopback", values{"amplify.redirect_uris": "[http://app.example.com/]"}, "amplify.redirect_uris[0]", "https://app.example.com; plain http"},
	{"redirect_uri_is_the_gateways_own", values{"amplify.redirect_uris": "[https://app.example.com/auth/callback]"}, "amplify.redirect_uris[0]", "the page's own redirectSignIn, outside /auth"},
}

var laterRules = []rule{
	{"identity_pool", values{"cognito.identity_pool_id": "eu-west-1:x"}, "cognito.identity_pool_id", "not built yet"},
	{"tracing", values{"tracing.otlp_endpoint": "http://localhost:4318"}, "tracing.otlp_endpoint", "not built yet"},
	{"route_idle_timeout_is_too_long", values{"routes[].idle_timeout": "25h"}, "routes[0].idle_timeout", "from 0s to 24h"},
}

// TestLoad_accepts is the other side: what looks like a fault and is none.
func TestLoad_accepts(t *testing.T) {
	for name, set := range map[string]values{
		"one_of_the_four_headers_of_its_own":   {"routes[].headers": "{X-Auth-Groups: 'custom:groups'}"},
		"an_assertion_by_its_own_header":       {"routes[].assertion": "{audience: orders, header: x-gatehouse-ASSERTION}"},
		"an_assertion_beside_all_else":         {"routes[].identity_headers": "true", "routes[].headers": "{X-User: sub}", "routes[].assertion": "{audience: 'https://orders.example.com', header: X-Assertion}"},
		"a_header_beside_the_four":             {"routes[].identity_headers": "true", "routes[].headers": "{X-Auth-Tenant: 'custom:tenant'}"},
		"no_headers_where_nobody_is_known":     {"routes[].auth": "none", "routes[].identity_headers": "false", "routes[].headers": "{}"},
		"http_on_localhost":                    {"public_url": "http://localhost:8080"},
		"http_on_a_name_under_localhost":       {"public_url": "http://app.localhost:8080"},
		"http_on_ipv6_loopback":                {"public_url": `"http://[::1]:8080"`},
		"user_pool_on_loopback":                {"cognito.domain": "http://127.0.0.1:9229", "cognito.issuer": "http://localhost:9229/p", "cognito.api_endpoint": "http://localhost:9229", "cognito.region": "-", "cognito.user_pool_id": "-"},
		"issuer_without_pool_id":               {"cognito.issuer": "https://id.example.com/x", "cognito.user_pool_id": "-"},
		"pool_of_an_emulator":                  {"cognito.issuer": "http://localhost:9229/p", "cognito.user_pool_id": "local_abc"},
		"admin_off_loopback_with_token":        {"admin_listen": `":9090"`, "admin_token": "Xk8sl2Pqw0vbnM3zQx7r"},
		"host_without_session_routes":          {"allowed_hosts": "[b.example.org]", "routes[].auth": "none"},
		"host_under_the_cookies_domain":        {"allowed_hosts": "[b.example.com]", "session.cookie.domain": "example.com"},
		"host_of_public_url_at_another_port":   {"allowed_hosts": "[\"app.example.com:8443\"]"},
		"same_site_none_on_https":              {"session.cookie.same_site": "none"},
		"return_address_at_a_return_origin":    {"login.return_origins": "[https://b.example.com]", "login.logout_return_to": "https://b.example.com/bye"},
		"return_address_at_public_url":         {"login.default_return_to": "https://app.example.com/home"},
		"redirect_uris_of_the_own_origins":     {"allowed_hosts": "[b.example.com]", "session.cookie.domain": "example.com", "amplify.redirect_uris": `[https://app.example.com, "https://APP.example.com:443/", "https://b.example.com/x?y=1"]`},
		"redirect_uri_at_a_return_origin":      {"login.return_origins": "[https://other.example]", "amplify.redirect_uris": "[https://other.example/auth/done]"},
		"logout_that_leads_to_the_login":       {"login.logout_return_to": "/auth/login"},
		"several_upstreams":                    {"routes[].upstream": `["http://localhost:1", "http://localhost:2 weight=3"]`},
		"several_upstreams_as_one_text":        {"routes[].upstream": "http://localhost:1/v1, http://localhost:2/v1 weight=3"},
		"as_many_upstreams_as_there_may_be":    {"routes[].upstream": addresses(64)},
		"upstream_with_authorities_of_its_own": {"routes[].upstream": "https://a.internal", "routes[].upstream_tls.ca_file": "ca.pem", "routes[].upstream_tls.server_name": "b.internal"},
		"upstream_that_wants_a_certificate":    {"routes[].upstream": "https://a.internal", "routes[].upstream_tls.cert_file": "c.pem", "routes[].upstream_tls.key_file": "k.pem", "routes[].upstream_protocol": "http2"},
		"health_check_with_a_query":            {"routes[].health_check.path": "/healthz?deep=1"},
		"one_upstream_in_a_list":               {"routes[].upstream": `["http://localhost:9000"]`},
		"upstream_with_a_base_path":            {"routes[].upstream": "https://api.internal/v1"},
		"keys_in_the_url_alphabet":             {"session.keys": "[" + strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(secret.NewKey()) + "]"},
		"rate_at_the_most_that_is_counted":     {"routes[].rate_limit.requests": "20000", "routes[].rate_limit.per": "2s"},
		"rate_of_nothing":                      {"routes[].rate_limit.requests": "0", "routes[].rate_limit.by": "user", "routes[].auth": "none"},
		"revocation_check_with_its_scope":      {"revocation_check": "30s"},
		"no_revocation_check_without_scope":    {"cognito.scopes": "[openid]"},
		"store_in_the_cookie":                  {"session.store": `"cookie:"`, "limits.cookie_bytes": "12KiB", "limits.cookies": "8"},
		"store_in_the_cookie_without_a_colon":  {"session.store": "cookie"},
		"replicas_are_waited_for":              {"session.store": "redis-sentinel://localhost:26379/main", "session.wait_replicas": "1"},
		"keys_with_nothing_behind_them":        {"routes[].upstream_tls": "", "log": "", "rate_limit": "", "session.cookie": "~", "cognito.scopes": ""},
		"list_as_one_text":                     {"cognito.scopes": "openid, email"},
		"token_none_on_a_route_without_auth":   {"routes[].auth": "none", "routes[].token": "none"},
		"route_with_a_colon_in_a_name":         {"routes[].path": "/v1/projects:batch"},
		"route_with_signs_that_paths_may_have": {"routes[].path": "/a-b_c~d/$batch/(x),y=1&z+@!'/"},
		"route_that_begins_like_the_mount":     {"routes[].path": "/authors/"},
		"bearers":                              {"routes[].auth": "bearer", "bearer_clients": "[a, b]"},
		"rules":                                {"routes[].require": "{groups: [staff, \"two words\"], scopes: [openid], claims: {plan: gold, level: [3, 4], beta: true}, max_auth_age: 15m, detail: false}"},
		"rules_where_nobody_may_come":          {"routes[].auth": "optional", "routes[].require": "{groups: staff}"},
		"cors_of_the_upstreams_own":            {"routes[].cors": "upstream", "routes[].auth": "none"},
		"cors_of_a_bearers_upstream":           {"routes[].cors": "upstream", "routes[].auth": "bearer", "bearer_clients": "[a]"},
		"bearers_for_files":                    {"routes[].auth": "either", "bearer_clients": "[a]", "routes[].upstream": "-", "routes[].static": "."},
		"bearers_without_a_token_upstream":     {"routes[].auth": "bearer", "bearer_clients": "[a]", "routes[].token": "none"},
		"twins_on_different_hosts":             {"allowed_hosts": `["app.example.com:8443"]`, "routes[].path": "-", "routes[].upstream": "-", "routes": `[{path: /, upstream: "http://localhost:1"}, {path: /, host: "app.example.com:8443", upstream: "http://localhost:2"}]`},
		"regions_of_every_partition":           {"cognito.region": "us-gov-west-1", "cognito.user_pool_id": "us-gov-west-1_x", "cognito.domain": "https://my.auth-fips.us-gov-west-1.amazoncognito.com"},
		"new_kind_of_issuer":                   {"cognito.issuer": "https://issuer-cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf123"},
		"pool_of_another_region_elsewhere":     {"cognito.issuer": "https://id.example.com/x", "cognito.user_pool_id": "local_abc", "cognito.api_endpoint": "https://id.example.com"},
		"route_host_with_the_default_port":     {"routes[].host": "\"APP.example.com:443\""},
		"limits_in_plain_numbers":              {"limits.header_bytes": "65536", "limits.body_bytes": "1000"},
		"admin_on_a_port_of_the_systems_pick":  {"listen": "127.0.0.1:0", "admin_listen": "127.0.0.1:0"},
	} {
		t.Run(name, func(t *testing.T) { load(t, with(set).yaml()) })
	}
}

func TestLoad_misses_what_a_static_route_would_serve(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, name := range []string{"dist/index.html", "dist/pages/a.html", "file"} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct{ static, fallback, key, want string }{
		"nothing":                      {"dist", "index.html", "", ""},
		"the directory":                {"./dits", "index.html", "static", filepath.Join(dir, "dits") + "; a relative path starts at"},
		"the directory, path absolute": {dir + "/dits", "", "static", "no such file or directory)"},
		"a directory, it is a file":    {"file", "", "static", "it is none"},
		"the fallback":                 {"dist", "app.html", "spa_fallback", filepath.Join(dir, "dist/app.html")},
		"a fallback, it is no file":    {"dist", "pages", "spa_fallback", "it is none"},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			src := source(with(values{"routes[].upstream": "-", "routes[].static": c.static, "routes[].spa_fallback": c.fallback}).yaml(), nil, nil)
			src.Stat = nil // the real disk
			if c.key == "" {
				if _, err := Load(src); err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			faults := faultsOf(t, src)
			if len(faults) != 1 || faults[0].Key != "routes[0]."+c.key || !strings.Contains(faults[0].Want, c.want) {
				t.Errorf("%v; want one fault of %s that says %q", faults, c.key, c.want)
			}
		})
	}
}
