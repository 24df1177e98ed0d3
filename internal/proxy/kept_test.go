package proxy_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

// What comes on a connection that nobody uses is no answer to whoever uses it next.
func TestRelay_takes_no_answer_that_came_before_its_request(t *testing.T) {
	for name, unasked := range map[string]string{
		"an answer":          answerOf(forgery),
		"a timeout":          "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", // HAProxy and Apache say so
		"an interim answer":  "HTTP/1.1 103 Early Hints\r\n\r\n",
		"half a status line": "HTTP/1.1 2",
		"an empty line":      "\r\n",
		"one byte":           "x",
	} {
		for _, transport := range transports {
			for method, size := range map[string]int{"GET": 0, "POST": 2, "PUT": 70_000} {
				t.Run(name+"_"+method+"_"+string(transport), func(t *testing.T) {
					up := newByHand(t)
					f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up.url), UpstreamIdle: time.Hour, StandardTransport: transport.standard()})
					first := f.later(t, request("/first"))
					kept, _ := up.next(first)
					kept.say(t, answerOf("one"))
					<-first
					kept.say(t, unasked)
					second := f.later(t, message(method, "/second", fmt.Sprintf("Content-Length: %d\r\n", size), strings.Repeat("x", size)))
					used, _ := up.nextOr(kept, second)
					used.say(t, answerOf("two"))
					if used == kept {
						t.Error("the connection is used again")
					}
					if answer := <-second; status(t, answer) != "200 OK" || !strings.HasSuffix(answer, "\r\n\r\ntwo") {
						t.Errorf("answer: %s", answer)
					}
				})
			}
		}
	}
}

// Of an answer that nobody asked for, a part may have come: of its TLS record, so that
// TLS itself does not know of it yet.
func TestRelay_sees_a_part_of_a_TLS_record(t *testing.T) {
	for version, number := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
		for _, transport := range transports {
			t.Run(version+"_"+string(transport), func(t *testing.T) {
				server, client := lendTLS()
				server.MaxVersion = number
				up := newByHandTLS(t, server)
				f := newFront(t, proxy.Options{}.WithUpstreamTLS(client), routing.Route{Path: "/", Upstreams: routing.To(up.url), UpstreamIdle: time.Hour, StandardTransport: transport.standard()})
				var kept *handConn
				for range 2 { // the first tells what the upstream speaks
					first := f.later(t, request("/first"))
					kept, _ = up.nextOr(kept, first)
					kept.say(t, answerOf("one"))
					<-first
				}
				kept.out.on = true
				_, _ = io.WriteString(kept.plain, answerOf(forgery))
				record := kept.out.held.Bytes()
				_, _ = kept.tcp.Write(record[:len(record)-1])
				kept.delivered()

				second := f.later(t, request("/second"))
				used, _ := up.nextOr(kept, second)
				if used == kept {
					_, _ = kept.tcp.Write(record[len(record)-1:])
					t.Error("the connection is used again")
				} else {
					used.say(t, answerOf("two"))
				}
				if answer := <-second; !strings.HasSuffix(answer, "\r\n\r\ntwo") {
					t.Errorf("answer: %s", answer)
				}
			})
		}
	}
}

// A connection rests after an answer without a body, because an upstream that sends one
// all the same may do so in a second write; and after a request with one, because an
// upstream that knows of none takes it for another request.
func TestRelay_lets_a_connection_rest_where_more_may_come(t *testing.T) {
	const plain = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none"
	for name, test := range map[string]struct{ method, body, answer string }{
		"HEAD":             {"HEAD", "", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"},
		"204":              {"GET", "", "HTTP/1.1 204 No Content\r\n\r\n"},
		"304":              {"GET", "", "HTTP/1.1 304 Not Modified\r\n\r\n"},
		"length 0":         {"GET", "", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
		"GET with a body":  {"GET", "body", plain},
		"POST with a body": {"POST", "body", plain},
	} {
		for _, transport := range transports {
			t.Run(name+"_"+string(transport), func(t *testing.T) {
				up := newByHand(t)
				f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up.url), StandardTransport: transport.standard()})
				head := ""
				if test.body != "" {
					head = fmt.Sprintf("Content-Length: %d\r\n", len(test.body))
				}
				first := f.later(t, message(test.method, "/first", head, test.body))
				bare, r := up.next(first)
				_, _ = io.Copy(io.Discard, r.Body)
				answered := time.Now()
				bare.say(t, test.answer)
				<-first
				second := f.later(t, request("/second"))
				used, _ := up.nextOr(bare, second)
				if rested := time.Since(answered); used == bare && rested < rest {
					t.Errorf("it is used again after %v", rested)
				}
				used.say(t, answerOf("two"))
				if answer := <-second; !strings.HasSuffix(answer, "\r\n\r\ntwo") {
					t.Errorf("answer: %s", answer)
				}
			})
		}
	}
}

// The end of a kept connection that the gateway can know of is nobody's failure, not
// even that of what must not be asked twice.
func TestRelay_sees_that_a_kept_connection_has_ended(t *testing.T) {
	for _, transport := range transports {
		for _, method := range []string{"GET", "POST"} {
			t.Run(method+"_"+string(transport), func(t *testing.T) {
				up := newByHand(t)
				f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up.url), UpstreamIdle: time.Hour, StandardTransport: transport.standard()})
				for range 5 {
					answer := f.later(t, message(method, "/x", "Content-Length: 2\r\n", "ab"))
					c, _ := up.next(answer)
					c.say(t, answerOf("one"))
					if answer := <-answer; status(t, answer) != "200 OK" {
						t.Fatalf("answer: %s", answer)
					}
					_ = c.tcp.CloseWrite()
					c.delivered()
				}
			})
		}
	}
}

// A retry goes to a connection of its own: where one kept connection has ended
// unseen, all may have.
func TestRelay_asks_once_more_by_no_other_kept_connection(t *testing.T) {
	const kept = 5
	c, up := newCloser(t, "")
	f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up), UpstreamIdle: time.Hour})
	c.hold.Add(kept)
	var all sync.WaitGroup
	for range kept {
		all.Go(func() { f.talk(t, request("/hold")) })
	}
	all.Wait()
	c.took()
	if answer := f.talk(t, request("/x")); status(t, answer) != "200 OK" {
		t.Error(answer)
	}
	if got, dialled := c.took(), c.connections(); len(got) != 2 || dialled != kept+1 {
		t.Errorf("the upstream was asked %q, over %d connections", got, dialled)
	}
}

// An upstream may end each connection as soon as it has answered, without a word.
func TestRelay_loses_no_GET_to_an_upstream_that_closes(t *testing.T) {
	for _, transport := range transports {
		t.Run(string(transport), func(t *testing.T) {
			up := rawUpstream(t, answerOf("ok"))
			f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up), StandardTransport: transport.standard()})
			var all sync.WaitGroup
			for range clients {
				all.Go(func() {
					c := &client{t: t, address: f.Listener.Addr().String()}
					defer c.leave()
					for range 100 {
						if got := c.exchange(deed{how: honest, framing: length, method: http.MethodGet, n: newNonce()}); got.status != http.StatusOK {
							t.Errorf("answer: %d", got.status)
						}
					}
				})
			}
			all.Wait()
		})
	}
}

// An idle limit is for connections that nobody uses.
func TestRelay_ends_no_connection_at_work_for_being_idle(t *testing.T) {
	for _, transport := range transports {
		t.Run(string(transport), func(t *testing.T) {
			const idle = time.Millisecond
			up, _ := recorder(t, func(w http.ResponseWriter, _ *http.Request) {
				time.Sleep(20 * idle)
				_, _ = io.WriteString(w, "one ")
				_ = http.NewResponseController(w).Flush()
				time.Sleep(20 * idle)
				_, _ = io.WriteString(w, "two")
			})
			f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up), UpstreamIdle: idle, StandardTransport: transport.standard()})
			for range 3 {
				if answer := f.talk(t, request("/x")); !strings.Contains(answer, "two\r\n") {
					t.Errorf("answer: %s", answer)
				}
			}
		})
	}
}
