package sessionstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore"
	"github.com/gatehouse-auth/gatehouse/internal/sessionstore/storetest"
)

// way is how the way to a server is.
type way string

const (
	whole  way = ""       // what is asked is answered
	silent way = "silent" // connections stand, and what is asked by them is never answered
	shut   way = "shut"   // connections are closed, and refused from then on
	hole   way = "hole"   // connections stand silent, and new ones are not even refused
)

// fakeNet is a network of Redis servers within a bubble, by address. They have no
// data: a record that is asked for is absent, all else is done. What they say of a
// topology is what the names of their hosts say: "sentinel", "cluster-1".
type fakeNet struct {
	mu    sync.Mutex
	ways  map[string]way // by host; "": of all others
	conns map[*fakeConn]struct{}
}

// fakeConn is the server's end of a connection.
type fakeConn struct {
	net.Conn
	host string

	mu       sync.Mutex
	channels []string
}

func newFakeNet() *fakeNet {
	return &fakeNet{ways: map[string]way{}, conns: map[*fakeConn]struct{}{}}
}

// set makes the way to hosts what it says, or to all.
func (n *fakeNet) set(w way, hosts ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(hosts) == 0 {
		clear(n.ways)
		hosts = []string{""}
	}
	for _, host := range hosts {
		n.ways[host] = w
	}
	for c := range n.conns {
		if w == shut && (hosts[0] == "" || slices.Contains(hosts, c.host)) {
			_ = c.Close()
		}
	}
}

func (n *fakeNet) way(host string) way {
	n.mu.Lock()
	defer n.mu.Unlock()
	if w, ok := n.ways[host]; ok {
		return w
	}
	return n.ways[""]
}

func (n *fakeNet) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	host, _, _ := strings.Cut(addr, ":")
	switch n.way(host) {
	case shut:
		return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	case hole:
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(session.StoreTimeout / 2): // a dialer's own limit
			return nil, &net.OpError{Op: "dial", Err: context.DeadlineExceeded}
		}
	}
	client, server := net.Pipe()
	c := &fakeConn{Conn: server, host: host}
	n.mu.Lock()
	n.conns[c] = struct{}{}
	n.mu.Unlock()
	go func() {
		n.serve(c)
		_ = c.Close()
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.conns, c)
	}()
	return client, nil
}

// connections is how many there are.
func (n *fakeNet) connections() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.conns)
}

// serve answers commands, in RESP2. A pipe holds nothing, so commands that come
// together are read together.
func (n *fakeNet) serve(c *fakeConn) {
	for in := bufio.NewReaderSize(c, 64<<10); ; {
		args, err := command(in)
		if err != nil {
			return
		}
		if n.way(c.host) != whole {
			continue // for ever unanswered
		}
		if _, err := io.WriteString(c, n.answer(c, args)); err != nil {
			return
		}
	}
}

func command(in *bufio.Reader) (args []string, err error) {
	count, err := number(in)
	for range count {
		size, err := number(in)
		if err != nil {
			return nil, err
		}
		b := make([]byte, size+2)
		if _, err := io.ReadFull(in, b); err != nil {
			return nil, err
		}
		args = append(args, string(b[:size]))
	}
	return args, err
}

func number(in *bufio.Reader) (int, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(line[1:]))
}

func texts(of ...string) string {
	var out strings.Builder
	fmt.Fprintf(&out, "*%d\r\n", len(of))
	for _, s := range of {
		fmt.Fprintf(&out, "$%d\r\n%s\r\n", len(s), s)
	}
	return out.String()
}

func (n *fakeNet) answer(c *fakeConn, args []string) string {
	switch name := strings.ToUpper(args[0]); name {
	case "HELLO":
		return "-ERR unknown command\r\n"
	case "GET":
		return "$-1\r\n"
	case "PING":
		if len(args) > 1 {
			return texts("pong", args[1])
		}
		return "+PONG\r\n"
	case "SUBSCRIBE":
		return c.subscribe(args[1:])
	case "EVAL", "EVALSHA":
		n.publish(args[3], args[len(args)-1])
		return ":1\r\n"
	case "SENTINEL":
		if strings.HasPrefix(args[1], "get-master") {
			return texts("primary", "6379")
		}
		return "*0\r\n"
	case "CLUSTER":
		return slots()
	}
	return "+OK\r\n"
}

func (c *fakeConn) subscribe(channels []string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out strings.Builder
	for _, channel := range channels {
		c.channels = append(c.channels, channel)
		fmt.Fprintf(&out, "*3\r\n$9\r\nsubscribe\r\n$%d\r\n%s\r\n:%d\r\n", len(channel), channel, len(c.channels))
	}
	return out.String()
}

// publish tells subscribers, wherever they are connected.
func (n *fakeNet) publish(channel, message string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.conns {
		c.mu.Lock()
		if slices.Contains(c.channels, channel) {
			go func() {
				if n.way(c.host) == whole {
					_, _ = io.WriteString(c, texts("message", channel, message))
				}
			}()
		}
		c.mu.Unlock()
	}
}

// slots are three shards.
func slots() string {
	var out strings.Builder
	out.WriteString("*3\r\n")
	for i, bounds := range [][2]int{{0, 5460}, {5461, 10922}, {10923, 16383}} {
		host := fmt.Sprint("cluster-", i+1)
		fmt.Fprintf(&out, "*3\r\n:%d\r\n:%d\r\n*3\r\n$%d\r\n%s\r\n:6379\r\n$1\r\n%d\r\n",
			bounds[0], bounds[1], len(host), host, i)
	}
	return out.String()
}

// store opens one within the network, and returns what closes it, which must be
// done before the bubble ends.
func (n *fakeNet) store(t *testing.T, url string) (st *sessionstore.Redis, closes func()) {
	t.Helper()
	st, err := sessionstore.NewRedis(sessionstore.RedisOptions{
		Address: at(t, url), Ring: newRing(t, 1), Audience: storetest.Audience, IdleTimeout: 30 * time.Minute,
	}.Over(n.dial))
	if err != nil {
		t.Fatal(err)
	}
	return st, func() {
		_ = st.Close()
		n.set(shut)
		time.Sleep(time.Minute) // what the driver still does in the background
	}
}
