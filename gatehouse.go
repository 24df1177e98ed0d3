// Package gatehouse is for programs that are a gateway with a session store of
// their own: it is the command line of Gatehouse as one function, [Run], and the
// contract of such a store, [Store]. Everything else of Gatehouse is internal, and
// is set up by its configuration.
//
// The least that such a program is:
//
//	func main() {
//		gatehouse.Run(gatehouse.Options{
//			Stores: map[string]func(*url.URL) (gatehouse.Store, error){"bolt": open},
//		})
//	}
//
// It serves sessions out of what open returns where its configuration says
// "session.store: bolt:…". Package storetest is the test that open has to pass, and
// examples/store a whole program.
package gatehouse

import (
	"context"
	"net/url"
	"os"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/command"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
)

// Store keeps values under keys, for all gateways that are to share their sessions:
// a table with a primary key, a bucket of a key-value store. What the values are is
// the gateway's business. They are sealed with keys that the store is not told.
//
// A key has 1 to 160 characters, of a to z, 0 to 9 and "/". A value has 1 byte to
// 256 KiB. Neither side changes a slice of bytes that it has given or was given.
//
// An error means that the store could not say, or do, what it was asked: requests
// that need a session are answered with 503 then, and nobody is signed out. Its text
// goes to the log. Methods are called by many goroutines at once. Each returns soon
// after its ctx has ended, which is at most 1.8 seconds after the call.
type Store interface {
	// Get returns the value at key. Where there is none the error is [ErrNotFound],
	// and nowhere else: it signs a user out. What Swap has written, whichever gateway
	// called it, Get finds from then on; so it must not ask a copy that lags behind.
	Get(ctx context.Context, key string) ([]byte, error)

	// Swap puts new in the place of old and reports true, if old is the value at key;
	// else it changes nothing and reports false. No other call comes between the two.
	// A nil old stands for no value at key, a nil new leaves none.
	//
	// After expires nobody needs the value any more. The store should forget it then,
	// soon or late; until it does, it has the value. Without a new one there is no
	// expires: it is the zero time.
	Swap(ctx context.Context, key string, old, new []byte, expires time.Time) (bool, error)

	// Keys returns the keys that begin with prefix and come after another, which need
	// not be there, in the order of their bytes: limit of them at most, which is 1 to
	// 1,000, and fewer only where there are no more. What Swap has written it finds as
	// Get does.
	Keys(ctx context.Context, prefix, after string, limit int) ([]string, error)

	// Close is called once, after all other calls.
	Close() error
}

// ErrNotFound is the error of [Store] Get where there is no value at the key. It may
// be wrapped.
var ErrNotFound = sessionstore.ErrNoEntry

// Options are what a program adds to the gateway. The zero value adds nothing: such a
// program is the command gateway.
type Options struct {
	// Stores open the program's own session stores, by the scheme that session.store
	// has in its address: a lower-case letter, then such letters, digits, "+", "-" and
	// ".", and none of Gatehouse's own schemes. A function is called once, before the
	// gateway listens, with the address and in it the user and password that the
	// configuration says, wherever it says them. An error ends the start. The rest of
	// an address is no secret: "config print" shows it.
	//
	// "config check" accepts any address of these schemes and opens none.
	Stores map[string]func(address *url.URL) (Store, error)
}

// Run is the program: it carries out the arguments of the process as the command
// gateway does (serve, dev, config check and so on), and exits with its status.
func Run(o Options) {
	stores := make(map[string]sessionstore.OpenEntries, len(o.Stores))
	for scheme, open := range o.Stores {
		stores[scheme] = opener(open)
	}
	os.Exit(command.Main(stores))
}

// opener hands a program's store on by its other name.
func opener(open func(*url.URL) (Store, error)) sessionstore.OpenEntries {
	if open == nil {
		return nil
	}
	return func(address *url.URL) (sessionstore.Entries, error) { return open(address) }
}
