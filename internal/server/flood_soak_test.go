//go:build soak && linux

package server_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/gatehouse-auth/gatehouse/internal/freeport"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// ulimit is how many descriptors the gateway under attack may have.
const ulimit = 4096

// TestFloodSoak attacks the gateway's binary with more sockets than it may have descriptors,
// each left lying in one way or another and opened again a second after it was closed. It
// counts what becomes of others' requests meanwhile, each over a connection of its own.
func TestFloodSoak(t *testing.T) {
	for _, attack := range []struct {
		name    string
		sockets map[string]int
	}{
		{"a_thousand", map[string]int{"header": 200, "body": 200, "upload": 200, "reader": 200, "file": 100, "window": 100}},
		{"bodies_of_sign_outs", map[string]int{"body": 4300}},
		{"all_ways", map[string]int{"header": 1000, "body": 1000, "upload": 1000, "reader": 800, "file": 300, "window": 200}},
	} {
		t.Run(attack.name, func(t *testing.T) {
			g := startLimited(t)
			calm := g.serve(500)
			t.Logf("before: %v; %s", calm, g.figures())
			if calm.failed > 0 {
				t.Fatal("not even without an attack")
			}
			var sockets sync.WaitGroup
			stop := make(chan struct{})
			for way, n := range attack.sockets {
				for range n {
					sockets.Go(func() { g.attack(way, stop) })
				}
			}
			total := 0
			for _, n := range attack.sockets {
				total += n
			}
			until(t, "the attack to be under way", func() bool { return g.opened.Load() >= int64(total) })
			for round := range 5 {
				under := g.serve(500)
				t.Logf("attacked, round %d: %v; %d sockets opened so far; %s", round+1, under, g.opened.Load(), g.figures())
				if under.failed > 0 {
					t.Errorf("%d of 500 requests of others failed: %v", under.failed, under.why)
				}
			}
			close(stop)
			sockets.Wait()
			until(t, "all that was attacked with to be gone", func() bool { return g.descriptors() < 40 })
			t.Logf("after: %v; %s", g.serve(500), g.figures())
		})
	}
}

// attacked is a gateway's process that may have few descriptors.
type attacked struct {
	t      *testing.T
	addr   string
	pid    int
	opened atomic.Int64 // sockets of the attack
}

func startLimited(t *testing.T) *attacked {
	t.Helper()
	site, dir := newSlowSite(t), t.TempDir()
	g := &attacked{t: t, addr: freeport.Addr(t)}
	binary, file := filepath.Join(dir, "gateway"), filepath.Join(dir, "gatehouse.yaml")
	build := exec.Command("go", "build", "-o", binary, "../../cmd/gateway")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	pool := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(pool.Close)
	config := fmt.Sprintf(`{listen: %q, admin_listen: %q, public_url: "http://%s", h2c: true, log: {level: warn},
cognito: {region: eu-west-1, user_pool_id: eu-west-1_AbCdEf123, client_id: a1b2c3, domain: %q, issuer: %q, api_endpoint: %q},
session: {store: "memory:", keys: [%q]},
routes: [{path: /files/, static: %q, strip_prefix: true, auth: none}, {path: /, upstream: %q, auth: none}]}`,
		g.addr, freeport.Addr(t), g.addr, pool.URL, pool.URL, pool.URL, secret.NewKey(), site.dir, site.api)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd := exec.Command("sh", "-c", fmt.Sprintf("ulimit -n %d; exec %s serve --config %s", ulimit, binary, file))
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	g.pid = cmd.Process.Pid
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the gateway ended with %v\n%.2000s", err, said.String())
		}
	})
	until(t, "the gateway", func() bool { return g.ask() == nil })
	return g
}

// served is what became of requests.
type served struct {
	failed  int
	why     error
	slowest time.Duration
}

func (s served) String() string {
	return fmt.Sprintf("%d failed, the slowest took %v", s.failed, s.slowest)
}

// serve asks n times.
func (g *attacked) serve(n int) (s served) {
	for range n {
		began := time.Now()
		if err := g.ask(); err != nil {
			s.failed, s.why = s.failed+1, err
		}
		s.slowest = max(s.slowest, time.Since(began).Round(time.Millisecond))
	}
	return s
}

// ask makes a request over a connection of its own.
func (g *attacked) ask() error {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}
	res, err := client.Get("http://" + g.addr + "/x")
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "an answer" {
		return fmt.Errorf("%d %q, %w", res.StatusCode, body, err)
	}
	return nil
}

// attack opens a socket, and another whenever that was closed.
func (g *attacked) attack(way string, stop chan struct{}) {
	for {
		conn, err := net.Dial("tcp", g.addr)
		if err == nil {
			g.opened.Add(1)
			g.hang(conn, way, stop)
		}
		select {
		case <-stop:
			return
		case <-time.After(time.Second):
		}
	}
}

// hang does a part of a request and waits for the end.
func (g *attacked) hang(conn net.Conn, way string, stop chan struct{}) {
	ended := make(chan struct{})
	defer func() { _ = conn.Close() }()
	_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	post := "POST %s HTTP/1.1\r\nHost: " + g.addr + "\r\nContent-Length: 100\r\n\r\n"
	reads := true
	switch way {
	case "header":
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: ")
	case "body":
		_, _ = fmt.Fprintf(conn, post, "/auth/logout")
	case "upload":
		_, _ = fmt.Fprintf(conn, post, "/upload")
	case "reader", "file":
		reads = false
		path := map[string]string{"reader": "/large", "file": "/files/large.bin"}[way]
		_, _ = io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: "+g.addr+"\r\n\r\n")
	case "window":
		_, _ = conn.Write(emptyWindow(g.addr, "/large"))
	}
	go func() {
		defer close(ended)
		piece := make([]byte, 512)
		for {
			if _, err := conn.Read(piece); err != nil {
				return
			}
			if !reads { // but a little, so that the end shows
				time.Sleep(time.Second)
			}
		}
	}()
	select {
	case <-stop:
		_ = conn.Close()
		<-ended
	case <-ended:
	}
}

// emptyWindow are three requests by HTTP/2 with a window of nothing.
func emptyWindow(host, path string) []byte {
	var out bytes.Buffer
	out.WriteString(http2.ClientPreface)
	framer := http2.NewFramer(&out, nil)
	_ = framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	for i := range 3 {
		var block bytes.Buffer
		e := hpack.NewEncoder(&block)
		for _, f := range [][2]string{{":method", "GET"}, {":scheme", "http"}, {":authority", host}, {":path", path}} {
			_ = e.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
		}
		_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true})
	}
	return out.Bytes()
}

func (g *attacked) descriptors() int {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", g.pid))
	if err != nil {
		g.t.Fatal(err)
	}
	return len(entries)
}

// figures are the process's descriptors and memory.
func (g *attacked) figures() string {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.pid))
	if err != nil {
		g.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kilobytes, _ := strconv.Atoi(strings.Fields(rest)[0])
	return fmt.Sprintf("%d descriptors, %d MB", g.descriptors(), kilobytes>>10)
}
