package archtest

// row says what one package of ours may import of ours.
type row struct {
	pkg     string   // path below the module; of its root, "gatehouse"
	imports []string // what its product code imports; only rows above

	// forbids names packages of the standard library that the product code must
	// not import itself: they would tie it to a caller it should not know.
	forbids []string

	// upwards names packages further up that the tests alone import, from a package
	// of their own (package x_test), which makes no cycle.
	upwards []string

	// support marks a package that exists for tests. Only test files and other
	// such packages may import it.
	support bool
}

// layers is the import table, from the ground up. Test files may also import any
// row above their own package's, for a test drives real neighbours and no mocks.
var layers = []row{
	{pkg: "internal/archtest"},
	{pkg: "internal/secret"},
	{pkg: "internal/loopback"},
	{pkg: "internal/linklocal"},
	{pkg: "internal/defaultport"},
	{pkg: "internal/backoff"},
	{pkg: "internal/memlimit"},
	{pkg: "internal/ratelimit"},
	{pkg: "internal/clientconn"},
	{pkg: "internal/urlpath"},
	{pkg: "internal/headers"},
	{pkg: "internal/hangup"},
	{pkg: "internal/pieces"},
	{pkg: "internal/tunnel", imports: []string{"internal/pieces"}},
	{pkg: "internal/returnto", imports: []string{"internal/defaultport", "internal/urlpath"}},
	{pkg: "internal/fetchmeta"},
	{pkg: "internal/forwardauth"},
	{pkg: "internal/readiness"},
	{pkg: "internal/telemetry", upwards: []string{"internal/server"}}, // a test compares the figures of all packages with the documentation
	{pkg: "internal/storeurl", imports: []string{"internal/secret"}},
	{pkg: "web", imports: []string{"internal/loopback"}},

	// The emulator imports nothing of ours: a helper shared with the code under
	// test would hide its own bug from every test.
	{pkg: "internal/cognitoemu"},

	{pkg: "internal/freeport", support: true},
	{pkg: "internal/fronttest", support: true},
	{pkg: "internal/redistest", imports: []string{"internal/freeport"}, support: true},

	{
		pkg: "internal/config",
		imports: []string{
			"internal/defaultport", "internal/headers", "internal/linklocal", "internal/loopback", "internal/returnto", "internal/secret",
			"internal/storeurl", "internal/urlpath",
		},
	},
	{pkg: "internal/oauth", imports: []string{"internal/loopback", "internal/secret"}},
	{pkg: "internal/cognito", imports: []string{"internal/loopback", "internal/oauth", "internal/secret"}},
	{pkg: "internal/identity", imports: []string{"internal/cognito", "internal/headers", "internal/oauth"}},
	{pkg: "internal/assertion", imports: []string{"internal/cognito", "internal/identity", "internal/oauth", "internal/secret"}},
	{pkg: "internal/cookie", imports: []string{"internal/oauth", "internal/secret"}},
	{
		pkg:     "internal/session",
		imports: []string{"internal/backoff", "internal/oauth", "internal/ratelimit", "internal/secret"},
		forbids: []string{"net/http"},
		upwards: []string{"internal/sessionstore", "internal/sessionstore/storetest"}, // the manager is tested on real stores
	},
	{
		pkg:     "internal/sessionstore/storetest",
		imports: []string{"internal/secret", "internal/session"},
		support: true,
	},
	{
		pkg:     "internal/sessionstore",
		imports: []string{"internal/backoff", "internal/ratelimit", "internal/secret", "internal/session", "internal/storeurl"},
		forbids: []string{"net/http"},
		upwards: []string{"internal/sessionstore/entrytest"},
	},
	{pkg: "internal/sessionstore/entrytest", imports: []string{"internal/sessionstore"}, support: true},
	{
		pkg: "internal/problem",
		imports: []string{
			"internal/fetchmeta", "internal/oauth", "internal/returnto",
			"internal/session", "internal/telemetry", "web",
		},
	},
	{pkg: "internal/bearer", imports: []string{"internal/oauth"}},
	{
		pkg:     "internal/streams",
		imports: []string{"internal/backoff", "internal/session"},
		forbids: []string{"net/http"},
	},
	{pkg: "internal/paging", imports: []string{"internal/problem", "internal/session"}},
	{
		pkg:     "internal/static",
		imports: []string{"internal/fetchmeta", "internal/problem"},
	},
	{pkg: "internal/routing", imports: []string{"internal/assertion", "internal/identity", "internal/problem", "internal/ratelimit", "internal/urlpath"}},
	{pkg: "internal/peek"},
	{pkg: "internal/http1/http1test", support: true},
	{pkg: "internal/http1", imports: []string{"internal/peek"}},
	{pkg: "internal/connpool", imports: []string{"internal/http1", "internal/peek"}},
	{
		pkg: "internal/proxy",
		imports: []string{
			"internal/backoff", "internal/clientconn", "internal/connpool", "internal/hangup", "internal/headers", "internal/http1", "internal/identity", "internal/linklocal", "internal/peek", "internal/pieces", "internal/problem", "internal/routing", "internal/secret", "internal/static",
			"internal/telemetry", "internal/tunnel", "internal/urlpath",
		},
	},
	{
		pkg: "internal/middleware",
		imports: []string{
			"internal/assertion", "internal/bearer", "internal/clientconn", "internal/cookie", "internal/defaultport", "internal/fetchmeta", "internal/loopback", "internal/oauth", "internal/problem",
			"internal/proxy", "internal/ratelimit", "internal/routing", "internal/secret", "internal/session", "internal/streams", "internal/telemetry",
			"internal/tunnel",
		},
	},
	{
		pkg: "internal/handlers",
		imports: []string{
			"internal/cookie", "internal/fetchmeta", "internal/forwardauth", "internal/middleware", "internal/oauth",
			"internal/paging", "internal/problem", "internal/proxy", "internal/returnto", "internal/routing", "internal/secret", "internal/session", "internal/streams",
			"internal/telemetry", "web",
		},
	},
	{
		pkg: "internal/amplify",
		imports: []string{
			"internal/cognito", "internal/fetchmeta", "internal/handlers", "internal/middleware", "internal/oauth", "internal/problem",
			"internal/ratelimit", "internal/returnto", "internal/secret", "internal/session",
		},
	},
	{
		pkg: "internal/admin",
		imports: []string{
			"internal/cognito", "internal/loopback", "internal/paging", "internal/problem", "internal/secret",
			"internal/session", "internal/telemetry",
		},
	},
	{
		pkg: "internal/server",
		imports: []string{
			"internal/admin", "internal/amplify", "internal/assertion", "internal/backoff", "internal/bearer", "internal/clientconn", "internal/cognito", "internal/config", "internal/cookie",
			"internal/forwardauth", "internal/handlers", "internal/headers", "internal/http1", "internal/identity", "internal/loopback", "internal/memlimit", "internal/middleware", "internal/oauth", "internal/problem", "internal/proxy",
			"internal/ratelimit", "internal/readiness", "internal/returnto", "internal/routing", "internal/secret", "internal/session",
			"internal/sessionstore", "internal/streams", "internal/telemetry", "internal/tunnel", "web",
		},
	},
	{
		pkg: "internal/command",
		imports: []string{
			"internal/admin", "internal/cognitoemu", "internal/config", "internal/loopback", "internal/memlimit", "internal/secret",
			"internal/server", "internal/sessionstore", "internal/storeurl", "web",
		},
	},
	{pkg: "gatehouse", imports: []string{"internal/command", "internal/sessionstore"}},
	{
		pkg: "storetest",
		imports: []string{
			"gatehouse", "internal/secret", "internal/session", "internal/sessionstore", "internal/sessionstore/storetest",
		},
		support: true,
	},
	{pkg: "cmd/gateway", imports: []string{"gatehouse"}},
	{pkg: "bench/profiled", imports: []string{"gatehouse"}},
	{ // makes sessions as the gateway does
		pkg: "bench",
		imports: []string{
			"internal/cookie", "internal/secret", "internal/session", "internal/sessionstore", "internal/storeurl",
		},
	},
	{pkg: "examples"},
}

// configReaders are the only packages that see the configuration; every other
// one has small options of its own. Tests count, too.
var configReaders = []string{"internal/config", "internal/server", "internal/command"}

// production is the build tag that leaves out all that could play a user pool;
// devOnly must not be reached from cmd/gateway under it.
const production = "production"

var devOnly = []string{"internal/cognitoemu"}

// unneeded are modules that a dependency would like to bring and no command
// needs; each costs megabytes and seconds of everybody's first compilation.
var unneeded = []string{
	"github.com/aws/aws-sdk-go-v2/config",
	"github.com/aws/aws-sdk-go-v2/service/signin",
	"github.com/aws/aws-sdk-go-v2/service/sso",
	"github.com/aws/aws-sdk-go-v2/service/ssooidc",
}
