package sessionstore_test

import (
	"cmp"
	"crypto/tls"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/redistest"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore/storetest"
	"github.com/gatehouse-auth/gatehouse/internal/storeurl"
)

func TestMain(m *testing.M) {
	sessionstore.LogDriver(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}

func newRing(t testing.TB, key byte) *secret.Ring {
	t.Helper()
	k := make([]byte, secret.KeySize)
	k[0] = key
	ring, err := secret.NewRing(k)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

const (
	// patience is how long a test waits for what comes soon, unless the machine is
	// busy: only what never comes takes it. The limits that a store keeps are tested
	// in a time of their own (redis_time_test.go).
	patience = 2 * time.Minute
	// ample is the time limit of a store, unless a fault will befall it: on a busy
	// machine an answer may take longer than the gateway would wait.
	ample = 20 * time.Second
	// brief is the gateway's own limit, for a store that waits for what hangs.
	brief = session.StoreTimeout - 200*time.Millisecond
)

// at is the address that a URL says.
func at(t testing.TB, url string) storeurl.Address {
	t.Helper()
	a, err := storeurl.Parse(url)
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	return a
}

// as is the address with another user and password.
func as(t testing.TB, url, user, password string) storeurl.Address {
	t.Helper()
	a := at(t, url)
	a.Username, a.Password = user, secret.NewText(password)
	return a
}

// openRedis returns a store on server.
func openRedis(t testing.TB, server *redistest.Server, idle time.Duration) *sessionstore.Redis {
	t.Helper()
	return open(t, server, sessionstore.RedisOptions{IdleTimeout: idle})
}

// openBrief returns a store that a fault will befall.
func openBrief(t testing.TB, server *redistest.Server) *sessionstore.Redis {
	t.Helper()
	return open(t, server, sessionstore.RedisOptions{IdleTimeout: 30 * time.Minute, Timeout: brief})
}

// open returns a store on server with options of its own.
func open(t testing.TB, server *redistest.Server, o sessionstore.RedisOptions) *sessionstore.Redis {
	t.Helper()
	o.Address, o.Ring, o.Audience = at(t, server.URL), newRing(t, 1), storetest.Audience
	o.Timeout = cmp.Or(o.Timeout, ample)
	if server.Roots != nil {
		o.TLS = &tls.Config{RootCAs: server.Roots, MinVersion: tls.VersionTLS12}
	}
	st, err := sessionstore.NewRedis(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}

// listOf returns the newest sessions of a subject.
func listOf(t testing.TB, st session.Store, subject string) ([]session.Listing, error) {
	t.Helper()
	page, err := st.List(t.Context(), subject, session.Position{}, 100)
	return page.Sessions, err
}

// leastRules are all that a store's ACL user needs, but for countRules,
// without which there is no count.
const leastRules = "~gatehouse:* &gatehouse:changes &gatehouse:beat:* +publish +subscribe +@connection +get +set +getrange +setrange +del +pexpire +pttl " +
	"+zadd +zrem +zrange +zrevrangebylex +eval +evalsha"

const countRules = " +dbsize +scan"

func TestRedis(t *testing.T) {
	for name, o := range map[string]redistest.Options{
		"plain":                               {},
		"password":                            {Password: "p&ss/w:rd"},
		"acl_user_with_no_more_than_it_needs": {User: "gateway", Password: "p@ss#word", Rules: leastRules + countRules},
		"tls":                                 {TLS: true, Password: "password"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, o)
			storetest.Run(t, func(t *testing.T, idle time.Duration) session.Store {
				if err := server.Client().FlushAll(t.Context()).Err(); err != nil {
					t.Fatal(err)
				}
				return open(t, server, sessionstore.RedisOptions{IdleTimeout: idle})
			})
		})
	}
}
