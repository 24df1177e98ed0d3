package fleet

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"github.com/gatehouse-auth/gatehouse/internal/freeport"
)

// Link is a way to an address (host:port) that can be broken. It begins whole.
type Link struct {
	// Addr is where the way begins.
	Addr string

	t     testing.TB
	proxy *toxiproxy.Proxy
}

// NewLink opens a way to an address; it closes with the test.
func NewLink(t testing.TB, to string) *Link {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := toxiproxy.NewProxy(server, to, freeport.Addr(t), to) // which a link that was cut takes again
	if err := p.Start(); err != nil {
		t.Fatalf("open a link to %s: %v", to, err)
	}
	t.Cleanup(p.Stop)
	return &Link{Addr: p.Listen, t: t, proxy: p}
}

// Cut refuses new connections and closes those there are.
func (l *Link) Cut() { l.proxy.Stop() }

// Mend takes connections again, and takes every other fault away.
func (l *Link) Mend() {
	l.t.Helper()
	l.proxy.Toxics.ResetToxics(context.Background())
	if err := l.proxy.Start(); err != nil && !errors.Is(err, toxiproxy.ErrProxyAlreadyStarted) {
		l.t.Errorf("mend the link to %s: %v", l.proxy.Upstream, err)
	}
}

// Swallow keeps connections open and lets nothing through, either way: a
// machine that hangs, a firewall that drops.
func (l *Link) Swallow() {
	l.add("timeout", "upstream", "timeout", 0)
	l.add("timeout", "downstream", "timeout", 0)
}

// SwallowAnswers lets requests through and nothing back.
func (l *Link) SwallowAnswers() { l.add("timeout", "downstream", "timeout", 0) }

// Slow delays what comes back by some milliseconds.
func (l *Link) Slow(milliseconds int) { l.add("latency", "downstream", "latency", milliseconds) }

// Reset closes each connection with a RST once something comes back.
func (l *Link) Reset() { l.add("reset_peer", "downstream", "timeout", 0) }

func (l *Link) add(kind, direction, attribute string, value int) {
	l.t.Helper()
	_, err := l.proxy.Toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(
		`{"type":%q,"stream":%q,"attributes":{%q:%d}}`, kind, direction, attribute, value)))
	if err != nil {
		l.t.Errorf("break the link to %s: %v", l.proxy.Upstream, err)
	}
}
