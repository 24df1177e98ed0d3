package proxy_test

// transport is how a route's requests go to its upstream.
type transport string

// transports are all of them: the first asks by the gateway's own connections what it
// can, the second asks by those of net/http.
var transports = []transport{"auto", "standard"}

// standard is [routing.Route.StandardTransport].
func (t transport) standard() bool { return t == "standard" }
