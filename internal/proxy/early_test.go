package proxy_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/proxy"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
)

// An upstream may answer before it has read the body, and then not read it. The client
// gets the answer, and nobody else gets the connection: the upstream might take the
// rest of the body for a request, or another's request for the rest of the body.
func TestRelay_uses_no_connection_again_whose_body_is_not_written(t *testing.T) {
	for name, begun := range map[string]string{
		"length": "Content-Length: 1000000\r\n\r\nbegin",
		"chunks": "Transfer-Encoding: chunked\r\n\r\n5\r\nbegin\r\n",
	} {
		for _, transport := range transports {
			t.Run(name+"_"+string(transport), func(t *testing.T) {
				up := newByHand(t)
				f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up.url), UpstreamIdle: time.Hour, StandardTransport: transport.standard()})
				client := f.dial(t)
				_, _ = io.WriteString(client, "POST /x HTTP/1.1\r\nHost: a\r\n"+begun)
				c, r := up.next(nil)
				_, _ = io.ReadFull(r.Body, make([]byte, len("begin")))
				c.say(t, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
				if answer, _ := io.ReadAll(client); status(t, string(answer)) != "403 Forbidden" || !strings.Contains(string(answer), "Connection: close") {
					t.Errorf("answer: %s", answer)
				}
				if rest, _ := io.ReadAll(c.in); len(rest) > 0 {
					t.Errorf("the upstream got %q", rest)
				}
			})
		}
	}
}

// Nor does an upload wait for an upstream that reads none of it.
func TestRelay_passes_the_answer_to_an_upload_that_nobody_reads(t *testing.T) {
	const size = 64 << 20 // more than lies anywhere on the way
	for _, transport := range transports {
		t.Run(string(transport), func(t *testing.T) {
			up := newByHand(t)
			f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up.url), StandardTransport: transport.standard()})
			client := f.dial(t)
			go func() {
				_, _ = fmt.Fprintf(client, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size)
				_, _ = io.CopyN(client, zeros{}, size)
			}()
			c, _ := up.next(nil)
			c.say(t, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno")
			res, err := http.ReadResponse(bufio.NewReader(client), nil)
			if err != nil || res.StatusCode != http.StatusRequestEntityTooLarge || !res.Close {
				t.Errorf("answer: %v, %v", res, err)
			}
		})
	}
}

// zeros is a source without an end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// An upstream that does not know of a body takes it for the next request, and answers
// twice (CL.0). The second answer is nobody's.
func TestRelay_gives_nobody_the_second_answer_to_one_request(t *testing.T) {
	const smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
	for name, body := range map[string]string{
		"length": fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(smuggled), smuggled),
		"chunks": "Transfer-Encoding: chunked\r\n\r\n" + chunk(smuggled) + "0\r\n\r\n",
	} {
		for _, method := range []string{"POST", "GET", "DELETE"} {
			for _, transport := range transports {
				t.Run(name+"_"+method+"_"+string(transport), func(t *testing.T) {
					up := newByHand(t)
					f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up.url), UpstreamIdle: time.Hour, StandardTransport: transport.standard()})
					first := f.later(t, method+" /first HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"+body)
					deaf, r := up.next(first)
					_, _ = io.Copy(io.Discard, r.Body)
					deaf.say(t, answerOf("one")+answerOf(forgery))
					if answer := <-first; !strings.HasSuffix(answer, "\r\n\r\none") {
						t.Errorf("first answer: %s", answer)
					}
					second := f.later(t, request("/second"))
					used, _ := up.nextOr(deaf, second)
					used.say(t, answerOf("two"))
					if answer := <-second; !strings.HasSuffix(answer, "\r\n\r\ntwo") {
						t.Errorf("second answer: %s", answer)
					}
				})
			}
		}
	}
}

// A client that leaves takes its request along, whatever the upstream does with it.
func TestRelay_ends_the_upstreams_connection_with_the_client(t *testing.T) {
	const long = "Content-Length: 67108864\r\n"
	for name, test := range map[string]struct {
		head   string
		upload bool
		answer string
	}{
		"before the answer":      {head: "GET /x HTTP/1.1\r\n"},
		"in a head":              {head: "GET /x HTTP/1.1\r\n", answer: "HTTP/1.1 200 OK\r\nX: "},
		"in a body":              {head: "GET /x HTTP/1.1\r\n", answer: "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"},
		"in a stream":            {head: "GET /x HTTP/1.1\r\n", answer: "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n"},
		"in an upload":           {head: "POST /x HTTP/1.1\r\n" + long, upload: true},
		"in an answered request": {head: "POST /x HTTP/1.1\r\n" + long, upload: true, answer: "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"},
	} {
		for _, transport := range transports {
			t.Run(name+"_"+string(transport), func(t *testing.T) {
				up := newByHand(t)
				f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up.url), StandardTransport: transport.standard()})
				client := f.dial(t)
				go func() {
					_, _ = io.WriteString(client, test.head+"Host: a\r\n\r\n")
					if test.upload {
						_, _ = io.Copy(client, zeros{})
					}
				}()
				c, _ := up.next(nil)
				if c.say(t, test.answer); strings.Contains(test.answer, "\r\n\r\n") {
					_, _ = client.Read(make([]byte, 1)) // the answer is on its way
				}
				_ = client.Close()
				if _, err := io.Copy(io.Discard, c.in); errors.Is(err, os.ErrDeadlineExceeded) {
					t.Error("the upstream's connection goes on")
				}
			})
		}
	}
}

// The answer's head has a limit, however busily it drips.
func TestRelay_waits_for_no_head_that_drips(t *testing.T) {
	for _, transport := range transports {
		t.Run(string(transport), func(t *testing.T) {
			up := newByHand(t)
			f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up.url), Timeout: 200 * time.Millisecond, StandardTransport: transport.standard()})
			answer := f.later(t, request("/x"))
			c, _ := up.next(answer)
			_, _ = io.WriteString(c.plain, "HTTP/1.1 200 OK\r\nX: ")
			for err := error(nil); err == nil; time.Sleep(time.Millisecond) {
				_, err = io.WriteString(c.plain, "x")
			}
			if answer := <-answer; status(t, answer) != "504 Gateway Timeout" {
				t.Errorf("answer: %s", answer)
			}
		})
	}
}

// A pause in a body may be longer than the wait for a head.
func TestRelay_waits_for_a_body_that_pauses(t *testing.T) {
	t.Parallel()
	for _, transport := range transports {
		t.Run(string(transport), func(t *testing.T) {
			t.Parallel()
			up, _ := recorder(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.WriteString(w, "one ")
				_ = http.NewResponseController(w).Flush()
				time.Sleep(4 * time.Second)
				_, _ = io.WriteString(w, "two")
			})
			f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up), Timeout: 3 * time.Second, StandardTransport: transport.standard()})
			if answer := f.talk(t, request("/x")); !strings.Contains(answer, "two\r\n") {
				t.Errorf("answer: %s", answer)
			}
		})
	}
}

// Interim answers have an end.
func TestRelay_reads_no_endless_row_of_interim_answers(t *testing.T) {
	for _, transport := range transports {
		up := rawUpstream(t, strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 100_000)+answerOf("late"))
		f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up), StandardTransport: transport.standard()})
		if answer := f.talk(t, request("/x")); status(t, answer) != "502 Bad Gateway" {
			t.Errorf("%s: %.100s", transport, answer)
		}
	}
}

// A GET with a body of unknown length is as good as any.
func TestRelay_passes_a_GET_with_chunks(t *testing.T) {
	for _, transport := range transports {
		up, seen := recorder(t, nil)
		f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up), StandardTransport: transport.standard()})
		for _, body := range []string{"", "body"} {
			chunks := "0\r\n\r\n"
			if body != "" {
				chunks = chunk(body) + chunks
			}
			answer := f.talk(t, message("GET", "/x", "Transfer-Encoding: chunked\r\n", chunks))
			if texts := seen.texts(); status(t, answer) != "200 OK" || texts[len(texts)-1] != body {
				t.Errorf("%s, %q: %q arrives; answer: %s", transport, body, texts, answer)
			}
		}
	}
}

// Expect is between the client and the gateway. However it is spelt, the upstream does
// not see it, and the body is not taken for a request.
func TestRelay_lets_no_Expect_desynchronize_anybody(t *testing.T) {
	const body = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
	for _, expect := range []string{
		"Expect: 100-continue", "Expect: 100-Continue", "expect:100-continue", "Expect: \t100-continue ", "Expect: 100-continue, 100-continue",
		"Expect: y 100-continue", "Expect: 100-continue\r\nExpect: 100-continue", "Expect: x", "Expect:", "Expect: 100-continue;q=1",
	} {
		for _, transport := range transports {
			up, seen := recorder(t, nil)
			f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up), StandardTransport: transport.standard()})
			conn := f.dial(t)
			_, _ = fmt.Fprintf(conn, "POST /first HTTP/1.1\r\nHost: a\r\n%s\r\nContent-Length: %d\r\n\r\n%s", expect, len(body), body)
			_, _ = io.WriteString(conn, request("/second"))
			_, _ = io.Copy(io.Discard, conn)
			seen.mu.Lock()
			for _, r := range seen.requests {
				if r.URL.Path == "/smuggled" || len(r.Header["Expect"]) > 0 {
					t.Errorf("%q, %s: the upstream was asked for %s, %v", expect, transport, r.URL, r.Header)
				}
			}
			seen.mu.Unlock()
		}
	}
}

// A WebSocket that the upstream does not want is an answer like others, and what the
// client sent after its handshake goes nowhere.
func TestRelay_takes_no_200_for_an_upgrade(t *testing.T) {
	for _, transport := range transports {
		t.Run(string(transport), func(t *testing.T) {
			up := newByHand(t)
			f := newFront(t, proxy.Options{}, routing.Route{Path: "/", Upstreams: routing.To(up.url), StandardTransport: transport.standard()})
			conn := f.dial(t)
			_, _ = io.WriteString(conn, handshake+"GET /smuggled HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
			c, _ := up.next(nil)
			c.say(t, "HTTP/1.1 200 OK\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: "+accepted+"\r\nContent-Length: 2\r\n\r\nok")
			// It is a request of its own, then, which the gateway judges like any other.
			in := bufio.NewReader(conn)
			if res, err := http.ReadResponse(in, nil); err != nil || res.StatusCode != http.StatusOK || res.Header.Get("Upgrade") != "" {
				t.Errorf("answer: %v, %v", res, err)
			} else {
				_, _ = io.Copy(io.Discard, res.Body)
			}
			used, r := up.nextOr(c, nil)
			if r.Header.Get("X-Request-Id") == "" {
				t.Errorf("the upstream got a request as the client wrote it: %v", r.Header)
			}
			used.say(t, answerOf("two"))
			if rest, _ := io.ReadAll(in); !strings.HasSuffix(string(rest), "two") {
				t.Errorf("second answer: %s", rest)
			}
		})
	}
}
