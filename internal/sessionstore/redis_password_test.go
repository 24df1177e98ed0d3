package sessionstore_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/redistest"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore/storetest"
	"github.com/gatehouse-auth/gatehouse/internal/storeurl"
)

// awkward are passwords that an address takes in percent-encoding only, or takes
// for something else, and a user's name of that kind.
var (
	awkward     = []string{"a#b", "a/b", "a?b", "a%b", "a@b", "a:b", "a b", "aüb", "a%41b", "a+b", `a"b'\c`, "#/?%@ ü"}
	awkwardUser = "gate@house/%41#"
)

// TestRedisPasswords signs a store on with awkward passwords, taken as they are
// and percent-encoded in the address, at each kind of server.
func TestRedisPasswords(t *testing.T) {
	plain := redistest.Start(t, redistest.Options{})
	encrypted := redistest.Start(t, redistest.Options{TLS: true})
	sentinel := redistest.StartSentinel(t, redistest.Options{User: "other", Password: "password"})
	cluster := redistest.StartCluster(t, redistest.Options{}, false)
	for name, servers := range map[string]struct {
		url   string
		nodes []*redistest.Server
	}{
		"redis":          {plain.URL, []*redistest.Server{plain}},
		"rediss":         {encrypted.URL, []*redistest.Server{encrypted}},
		"redis-sentinel": {sentinel.URL, []*redistest.Server{sentinel.Primary()}},
		"redis-cluster":  {cluster.URL, cluster.Nodes},
	} {
		t.Run(name, func(t *testing.T) {
			for _, password := range awkward {
				for _, node := range servers.nodes {
					err := node.Client().Do(t.Context(), "ACL", "SETUSER", awkwardUser, "reset", "on", ">"+password, "~*", "&*", "+@all").Err()
					if err != nil {
						t.Fatal(err)
					}
				}
				bare := withoutUser(t, servers.url)
				encoded := strings.Replace(bare, "://", "://"+url.UserPassword(awkwardUser, password).String()+"@", 1)
				signsOn(t, password, sessionstore.RedisOptions{Address: as(t, bare, awkwardUser, password)})
				signsOn(t, password, sessionstore.RedisOptions{Address: at(t, encoded)})
			}
		})
	}
}

func withoutUser(t *testing.T, raw string) string {
	t.Helper()
	a, err := storeurl.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	a.Username = ""
	return a.String()
}

func signsOn(t *testing.T, password string, o sessionstore.RedisOptions) {
	t.Helper()
	o.Ring, o.Audience, o.IdleTimeout = newRing(t, 1), storetest.Audience, time.Minute
	st, err := sessionstore.NewRedis(o)
	if err != nil {
		t.Errorf("%s: %v", password, err)
		return
	}
	defer func() { _ = st.Close() }()
	createIn(t, st, storetest.Sample("sub-1"))
}

// FuzzNewRedis: a store takes every address that [storeurl.Parse] takes.
func FuzzNewRedis(f *testing.F) {
	for _, s := range []string{
		"redis://u:p@h/0", "redis-sentinel://a,b:1/main?db=5", "redis-sentinel://a/m?db=/5", "redis-cluster://[::1]:1,b?tls=true",
		"rediss://h/9999?tls_server_name=n", "redis://H_1", "redis://h/65000",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		a, err := storeurl.Parse(raw)
		if err != nil || len(a.Hosts) == 0 || a.CAFile+a.CertFile+a.SentinelPasswordFile != "" {
			return // refused, no Redis, or files that are not there
		}
		st, err := sessionstore.NewRedis(sessionstore.RedisOptions{
			Address: a, Ring: newRing(t, 1), Audience: storetest.Audience, IdleTimeout: time.Minute,
		})
		if err != nil {
			t.Fatalf("%s is an address to the configuration, and not to the store: %v", a, err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
}
