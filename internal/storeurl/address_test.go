package storeurl_test

import (
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/storeurl"
)

func TestParse(t *testing.T) {
	for raw, want := range map[string]storeurl.Address{
		"memory:": {Scheme: "memory"}, "memory": {Scheme: "memory"},
		"cookie:": {Scheme: "cookie"}, "cookie": {Scheme: "cookie"},
		"redis://localhost":        {Scheme: "redis", Hosts: []string{"localhost:6379"}},
		"redis://10.0.0.7:6380/3":  {Scheme: "redis", Hosts: []string{"10.0.0.7:6380"}, Database: 3},
		"redis://[::1]/":           {Scheme: "redis", Hosts: []string{"[::1]:6379"}},
		"redis://u:p%2Fw@Cache":    {Scheme: "redis", Hosts: []string{"cache:6379"}, Username: "u", Password: secret.NewText("p/w")},
		"redis://:a@b+%c3%bc@h_1":  {Scheme: "redis", Hosts: []string{"h_1:6379"}, Password: secret.NewText("a@b+ü")},
		"rediss://h?tls_ca_file=c": {Scheme: "rediss", Hosts: []string{"h:6379"}, TLS: true, CAFile: "c"},
		"redis-sentinel://h1,H2:1,[2001:db8::1]/main%20one?db=5&tls=true&sentinel_user=s&sentinel_password_file=/run/p%20w": {
			Scheme: "redis-sentinel", Hosts: []string{"h1:26379", "h2:1", "[2001:db8::1]:26379"},
			Primary: "main one", Database: 5, TLS: true, SentinelUser: "s", SentinelPasswordFile: "/run/p w",
		},
		"redis-cluster://h1,h2/?tls=true&tls_cert_file=c&tls_key_file=k&tls_server_name=n": {
			Scheme: "redis-cluster", Hosts: []string{"h1:6379", "h2:6379"}, TLS: true, CertFile: "c", KeyFile: "k", ServerName: "n",
		},
		"redis-cluster://h1?tls=false": {Scheme: "redis-cluster", Hosts: []string{"h1:6379"}},
	} {
		got, err := storeurl.Parse(raw)
		if err != nil || got.Password.Reveal() != want.Password.Reveal() {
			t.Errorf("Parse(%s) = %+v, %v", raw, got, err)
		}
		got.Password, want.Password = secret.Text{}, secret.Text{}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("Parse(%s) = %+v, want %+v", raw, got, want)
		}
	}
}

func TestParse_refuses(t *testing.T) {
	for _, raw := range []string{
		"", "redis", "redis:", "redis:localhost", "redis://", "redis:///0", "memory://h", "cookie://h", "REDIS://h", "http://h",
		"redis://h1,h2", "redis://h/x", "redis://h/10000", "redis://h/-1", "redis://h/1/", "redis://h#x", "redis://h/0?x=1",
		"redis://h/0?tls_ca_file=c", "redis://h:0", "redis://h:x", "redis://h:65536", "redis://a..b", "redis://h.", "redis://10.0.0.300",
		"redis://::1", "redis://[::1", "redis://[fe80::1%25eth0]", "redis://[10.0.0.1]", "redis://h\x00", "redis://h/%zz",
		"redis-sentinel://h", "redis-sentinel://h/", "redis-sentinel://h/a/b", "redis-sentinel://h/a?db=/5", "redis-sentinel://h/a?db=x",
		"redis-sentinel://h/a?db=", "redis-sentinel://h/a?db=1&db=1", "redis-sentinel://h/a?tls_server_name=n", "redis-sentinel://h/%00",
		"redis-cluster://h/1", "redis-cluster://h,,i", "redis-cluster://h?db=1", "redis-cluster://h?tls=yes",
		"rediss://h?tls_cert_file=c", "rediss://h?tls_key_file=k", "rediss://h?tls=true", "rediss://h?tls_ca_file=%zz",
	} {
		var refusal storeurl.Refusal
		if got, err := storeurl.Parse(raw); !errors.As(err, &refusal) || refusal == storeurl.Unencoded {
			t.Errorf("Parse(%q) = %+v, %v; want it refused as no address", raw, got, err)
		}
	}
}

// TestParse_own: of an own scheme all is taken that a URL can say, once the scheme is
// known.
func TestParse_own(t *testing.T) {
	const own = "my-store"
	for raw, printed := range map[string]string{
		"my-store:/var/lib/sessions.db":          "my-store:/var/lib/sessions.db",
		"my-store:sessions.db?sync=false":        "my-store:sessions.db?sync=false",
		"my-store:///a%40b.db":                   "my-store:///a%40b.db",
		"my-store://u:p%2Fw@[::1]:1/x%20y?z=%41": "my-store://u@[::1]:1/x%20y?z=%41",
		"my-store://:p@h":                        "my-store://h",
	} {
		a, err := storeurl.Parse(raw, own)
		if err != nil || a.Scheme != own || a.String() != printed {
			t.Errorf("Parse(%q) = %q, %v; want %q", raw, a, err, printed)
			continue
		}
		if u, err := url.Parse(raw); err != nil || u.String() != a.URL().String() {
			t.Errorf("the URL of %q is %q", raw, a.URL())
		}
		if _, err := storeurl.Parse(raw); !errors.Is(err, storeurl.Forms) {
			t.Errorf("Parse(%q) without the scheme: %v", raw, err)
		}
	}
	for raw, want := range map[string]error{
		"my-store://u:p#w@h": storeurl.Unencoded, "my-store://u:p/w@h": storeurl.Unencoded, "my-store://u:p w@h": storeurl.Unencoded,
		"my-store:u:p@h": storeurl.Unencoded, "my-store:/u:p@h": storeurl.Unencoded,
		"my-store://h#x": storeurl.Refusal("an address (RFC 3986), without a fragment, such as my-store://HOST:PORT/NAME"),
		"mystore://h":    storeurl.FormsWith([]string{own}),
	} {
		if a, err := storeurl.Parse(raw, own); !errors.Is(err, want) {
			t.Errorf("Parse(%q) = %q, %v; want %v", raw, a, err, want)
		}
	}
	if last := "redis-cluster://HOST:PORT,HOST:PORT, or my-store:…"; !strings.HasSuffix(storeurl.FormsWith([]string{own}).Error(), last) {
		t.Errorf("%v does not end with %s", storeurl.FormsWith([]string{own}), last)
	}
}

func TestCheckScheme(t *testing.T) {
	for scheme, ok := range map[string]bool{
		"bolt": true, "my-store": true, "x": true, "a+b.c1": true,
		"": false, "redis": false, "rediss": false, "memory": false, "cookie": false, "My": false, "1a": false, "a:b": false, "a_b": false,
	} {
		if err := storeurl.CheckScheme(scheme); (err == nil) != ok {
			t.Errorf("CheckScheme(%q) = %v", scheme, err)
		}
	}
}

// TestParse_says_that_a_password_wants_encoding, whatever character does.
func TestParse_says_that_a_password_wants_encoding(t *testing.T) {
	for _, password := range []string{"a#b", "a/b", "a?b", "a%b", "a%zz", "a b", "aü", "a[b", `a"b`, "a\x01b", "#@/", "a/@b", "\xff"} {
		for _, address := range []string{
			"redis://:%s@h", "rediss://u:%s@h:6379/0", "redis-sentinel://u:%s@h1,h2/main", "redis-cluster://:%s@h1,h2",
		} {
			_, err := storeurl.Parse(fmt.Sprintf(address, password))
			if !errors.Is(err, storeurl.Unencoded) {
				t.Errorf("Parse(%q) = %v, want %v", fmt.Sprintf(address, password), err, storeurl.Unencoded)
			}
		}
	}
}

// FuzzParse: an address that is taken is taken again as it is written, and means
// the same; neither it nor a refusal shows the password.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"memory", "redis://u:p@h/0", "rediss://h?tls_ca_file=/c&tls_server_name=n", "redis-sentinel://a,b:1/main?db=/5",
		"redis-sentinel://a/m%2e?db=5&tls=true", "own://u:p@h/x?y", "own:x", "own:///x#", "redis-cluster://[::1]:1,b?tls=false", "redis://%00:%0a@h", "redis://ü@h/",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		a, err := storeurl.Parse(raw, "own")
		if err != nil {
			if own := strings.HasPrefix(raw, "own:"); own {
				return // TestParse_own
			}
			if err.Error() != storeurl.Unencoded.Error() && !strings.HasPrefix(err.Error(), storeurl.Forms.Error()) {
				t.Errorf("Parse(%q): %v", raw, err)
			}
			return
		}
		b, err := storeurl.Parse(a.String(), "own")
		a.Password = secret.Text{}
		if err != nil || !reflect.DeepEqual(a, b) {
			t.Errorf("%q reads as %+v, and %q as %+v, %v", raw, a, a, b, err)
		}
	})
}
