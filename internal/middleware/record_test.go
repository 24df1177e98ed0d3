package middleware_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// canary stands in errors and panics, and must be in no answer.
const canary = "CANARY 10.0.0.7:6379"

// record serves one request, and returns answer and log.
func record(t *testing.T, r *http.Request, h middleware.Handler, change ...func(*middleware.Record)) (*httptest.ResponseRecorder, *logs) {
	t.Helper()
	rec, l := newRecord()
	for _, c := range change {
		c(rec)
	}
	w := httptest.NewRecorder()
	serveAs(rec, h, w, r)
	if strings.Contains(w.Body.String()+fmt.Sprint(w.Header()), "CANARY") {
		t.Errorf("an internal text is in the answer: %v %s", w.Header(), w.Body)
	}
	return w, l
}

// serveAs serves a request as net/http's server does, for which an abort is no panic.
func serveAs(rec *middleware.Record, h middleware.Handler, w http.ResponseWriter, r *http.Request) {
	defer func() {
		if p := recover(); p != nil && p != http.ErrAbortHandler {
			panic(p)
		}
	}()
	rec.Handler(h).ServeHTTP(w, r)
}

func trust(prefixes ...string) func(*middleware.Record) {
	return func(rec *middleware.Record) {
		for _, p := range prefixes {
			rec.Trust.Proxies = append(rec.Trust.Proxies, netip.MustParsePrefix(p))
		}
		rec.Trust.Headers = []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Request-Id", "traceparent"}
	}
}

func TestRequestID(t *testing.T) {
	const given = "Abc-123_x.y"
	for name, c := range map[string]struct {
		peer, id string
		trusted  []string
		kept     bool
	}{
		"a_trusted_peers_is_kept":             {"192.0.2.1:1", given, []string{"192.0.2.0/24"}, true},
		"of_128_characters_too":               {"192.0.2.1:1", strings.Repeat("a", 128), []string{"192.0.2.0/24"}, true},
		"a_trusted_peers_by_ipv6_is_kept":     {"[2001:db8::1]:1", given, []string{"2001:db8::/32"}, true},
		"a_mapped_address_is_the_same_peer":   {"[::ffff:192.0.2.1]:1", given, []string{"192.0.2.0/24"}, true},
		"nobody_elses_is":                     {"198.51.100.1:1", given, []string{"192.0.2.0/24"}, false},
		"without_trusted_proxies_nobodys_is":  {"127.0.0.1:1", given, nil, false},
		"a_peer_without_an_address_is_nobody": {"@", given, []string{"192.0.2.0/24"}, false},
		"an_empty_one_is_not":                 {"192.0.2.1:1", "", []string{"192.0.2.0/24"}, false},
		"an_overlong_one_is_not":              {"192.0.2.1:1", strings.Repeat("a", 129), []string{"192.0.2.0/24"}, false},
		"one_that_breaks_the_line_is_not":     {"192.0.2.1:1", "a\r\nSet-Cookie: x=y", []string{"192.0.2.0/24"}, false},
		"one_with_markup_is_not":              {"192.0.2.1:1", "<script>", []string{"192.0.2.0/24"}, false},
		"one_with_quotes_is_not":              {"192.0.2.1:1", `a"b`, []string{"192.0.2.0/24"}, false},
		"one_with_a_space_is_not":             {"192.0.2.1:1", "a b", []string{"192.0.2.0/24"}, false},
		"one_with_a_terminals_escape_is_not":  {"192.0.2.1:1", "\x1b[2J", []string{"192.0.2.0/24"}, false},
		"one_that_is_not_ascii_is_not":        {"192.0.2.1:1", "é", []string{"192.0.2.0/24"}, false},
		"one_with_a_line_separator_is_not":    {"192.0.2.1:1", "a\u2028b", []string{"192.0.2.0/24"}, false},
		"one_that_could_be_a_path_is_not":     {"192.0.2.1:1", "../etc", []string{"192.0.2.0/24"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := request("GET", "/")
			r.RemoteAddr = c.peer
			r.Header["X-Request-Id"] = []string{c.id}
			var decided string
			w, l := record(t, r, func(_ http.ResponseWriter, _ *http.Request, x *middleware.Exchange) error {
				decided = x.Decision.RequestID
				return session.ErrNotFound
			}, trust(c.trusted...))
			got := w.Header()["X-Request-Id"]
			if len(got) != 1 || (got[0] == c.id) != c.kept || len(got[0]) < 20 && !c.kept {
				t.Errorf("answered %q", got)
			}
			if line := l.one(t); decided != got[0] || line["requestId"] != got[0] || !strings.Contains(w.Body.String(), got[0]) {
				t.Errorf("upstream %q, log %v, answer %q: they tell of three requests", decided, line["requestId"], got)
			}
		})
	}
	t.Run("is_never_the_same", func(t *testing.T) {
		seen := map[string]bool{}
		for range 100 {
			w, _ := record(t, request("GET", "/"), answered)
			seen[w.Header().Get("X-Request-Id")] = true
		}
		if len(seen) != 100 {
			t.Errorf("%d of 100", len(seen))
		}
	})
}

func TestRecordLog(t *testing.T) {
	t.Run("tells_status_and_size", func(t *testing.T) {
		_, l := record(t, request("PUT", "/a?code=secret"), func(w http.ResponseWriter, _ *http.Request, x *middleware.Exchange) error {
			x.Caller = middleware.CallerOf(&session.Session{ID: "public id", Subject: "sub-1"})
			w.WriteHeader(201)
			_, err := io.WriteString(w, "hello")
			return err
		})
		line := l.one(t)
		for name, want := range map[string]any{
			"status": 201.0, "bytes": 5.0, "method": "PUT", "path": "/a", "host": ownHost, "session": "public id", "subject": "sub-1", "level": "INFO",
		} {
			if line[name] != want {
				t.Errorf("%s: %v, want %v", name, line[name], want)
			}
		}
		if strings.Contains(fmt.Sprint(line), "secret") {
			t.Errorf("the query is in the log: %v", line)
		}
	})
	t.Run("a_body_without_a_status_is_a_200", func(t *testing.T) {
		_, l := record(t, request("GET", "/"), func(w http.ResponseWriter, _ *http.Request, _ *middleware.Exchange) error {
			_, err := io.WriteString(w, "hello")
			return err
		})
		if line := l.one(t); line["status"] != 200.0 || line["bytes"] != 5.0 {
			t.Errorf("%v", line)
		}
	})
	t.Run("an_interim_answer_is_not_the_answer", func(t *testing.T) {
		_, _, l := exchangeOverTCP(t, func(w http.ResponseWriter, _ *http.Request, _ *middleware.Exchange) error {
			w.WriteHeader(http.StatusEarlyHints)
			return session.ErrNotFound
		})
		if line := l.one(t); line["status"] != 401.0 || line["code"] != "unauthenticated" {
			t.Errorf("%v", line)
		}
	})
	t.Run("a_client_that_left_is_a_499", func(t *testing.T) {
		r := request("GET", "/")
		r = r.WithContext(canceled(r.Context()))
		w, l := record(t, r, func(_ http.ResponseWriter, r *http.Request, _ *middleware.Exchange) error {
			return fmt.Errorf("load session: %w", r.Context().Err())
		})
		if line := l.one(t); line["status"] != 499.0 || line["code"] != "client_gone" || line["level"] != "INFO" || w.Body.Len() != 0 {
			t.Errorf("%v, answered %s", line, w.Body)
		}
	})
	t.Run("an_error_is_told_with_its_cause", func(t *testing.T) {
		_, l := record(t, request("GET", "/"), func(http.ResponseWriter, *http.Request, *middleware.Exchange) error {
			return fmt.Errorf("%s: %w", canary, session.ErrUnavailable)
		})
		line := l.one(t)
		if line["status"] != 503.0 || line["code"] != "store_unavailable" || line["level"] != "ERROR" || !strings.Contains(fmt.Sprint(line["error"]), canary) {
			t.Errorf("%v", line)
		}
	})
	for _, hostile := range []string{"\r\n{\"msg\":\"request\"}", "\n", "\x1b[2J", "\u2028", "\u2029", "\x00", `","status":200,"x":"`, "\xff", strings.Repeat("a", 10000)} {
		t.Run(fmt.Sprintf("stays_one_line_with_%.20q_in_it", hostile), func(t *testing.T) {
			r := request("GET", "/")
			r.Method, r.Host, r.URL.Path = "M"+hostile, "h"+hostile, "/"+hostile
			_, l := record(t, r, func(http.ResponseWriter, *http.Request, *middleware.Exchange) error { return session.ErrNotFound })
			l.one(t)
			raw := l.b.String()
			if strings.Count(raw, "\n") != 1 || strings.ContainsAny(raw, "\r\x1b\x00\u2028\u2029") {
				t.Errorf("%q", raw)
			}
			if len(raw) > 4096 {
				t.Errorf("a client made a line of %d bytes", len(raw))
			}
		})
	}
	t.Run("hsts_is_on_every_answer_where_it_is_set", func(t *testing.T) {
		for _, h := range []middleware.Handler{answered, func(http.ResponseWriter, *http.Request, *middleware.Exchange) error { return session.ErrNotFound }} {
			w, _ := record(t, request("GET", "/"), h, func(rec *middleware.Record) { rec.HSTS = "max-age=31536000" })
			if got := w.Header().Get("Strict-Transport-Security"); got != "max-age=31536000" {
				t.Errorf("%q", got)
			}
			w, _ = record(t, request("GET", "/"), h)
			if got := w.Header().Get("Strict-Transport-Security"); got != "" {
				t.Errorf("%q where it is not set", got)
			}
		}
	})
}

// exchangeOverTCP serves one request on a real connection, where an answer cut
// short can be told from a whole one, and returns all that came.
func exchangeOverTCP(t *testing.T, h middleware.Handler) (answer []byte, whole bool, l *logs) {
	t.Helper()
	rec, l := newRecord()
	srv := httptest.NewServer(rec.Handler(h))
	defer srv.Close()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: app.example\r\nSec-Fetch-Mode: cors\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil, false, l
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	return fmt.Appendf(nil, "%d %v\n%s", res.StatusCode, res.Header, body), err == nil, l
}

// TestRecordTellsWhenItIsWritten: a stop waits for that.
func TestRecordTellsWhenItIsWritten(t *testing.T) {
	rec, l := newRecord()
	told := 0
	rec.Handler(func(w http.ResponseWriter, r *http.Request, x *middleware.Exchange) error {
		x.Event.Recorded = func() {
			if told++; len(l.requests(t)) != 1 {
				t.Error("the request is not logged yet")
			}
		}
		return answered(w, r, x)
	}).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	if told != 1 {
		t.Errorf("told %d times", told)
	}
}

func TestPanic(t *testing.T) {
	begin := func(status int) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, strings.Repeat("the first half ", 1000))
		}
	}
	prepare := func(w http.ResponseWriter) {
		w.Header().Set("Content-Length", "3")
		w.Header().Set("Content-Type", "image/png")
	}
	flush := func(w http.ResponseWriter) {
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
	}
	for name, c := range map[string]struct {
		before func(http.ResponseWriter)
		panics any
		whole  bool
		status float64 // in the log
		note   string
	}{
		"before_the_answer_is_a_problem":               {nil, canary, true, 500, ""},
		"with_an_error_is_too":                         {nil, errors.New(canary), true, 500, ""},
		"after_headers_were_prepared_is_too":           {prepare, canary, true, 500, ""},
		"inside_an_answer_cuts_it_short":               {begin(200), canary, false, 200, ""},
		"inside_a_500_cuts_it_short":                   {begin(500), canary, false, 500, ""},
		"after_a_flush_cuts_it_short":                  {flush, canary, false, 200, ""},
		"that_aborts_cuts_a_200_short":                 {begin(200), http.ErrAbortHandler, false, 200, "answer cut short"},
		"that_aborts_cuts_a_500_short":                 {begin(500), http.ErrAbortHandler, false, 500, "answer cut short"},
		"that_aborts_before_the_answer_closes_at_once": {nil, http.ErrAbortHandler, false, 0, "answer cut short"},
		"that_wraps_an_abort_aborts_as_well":           {begin(200), fmt.Errorf("copy: %w", http.ErrAbortHandler), false, 200, "answer cut short"},
	} {
		t.Run(name, func(t *testing.T) {
			answer, whole, l := exchangeOverTCP(t, func(w http.ResponseWriter, _ *http.Request, _ *middleware.Exchange) error {
				if c.before != nil {
					c.before(w)
				}
				panic(c.panics)
			})
			if whole != c.whole {
				t.Errorf("whole %v, want %v: %.300s", whole, c.whole, answer)
			}
			if c.whole && (!strings.HasPrefix(string(answer), "500 ") || !strings.Contains(string(answer), `"code":"internal"`)) {
				t.Errorf("no problem: %s", answer)
			}
			if strings.Contains(string(answer), "CANARY") || strings.Contains(string(answer), "goroutine") {
				t.Errorf("the panic is in the answer: %s", answer)
			}
			line := l.one(t)
			if note, _ := line["note"].(string); line["status"] != c.status || note != c.note {
				t.Errorf("log: %v", line)
			}
			if aborted := c.note != ""; aborted == strings.Contains(l.b.String(), "stack") {
				t.Errorf("a stack in the log is for bugs, and for those: %s", l.b.String())
			}
		})
	}
	t.Run("leaves_its_text_out_of_the_log", func(t *testing.T) {
		var none []int
		for want, panics := range map[string]func(){
			"string":              func() { panic(canary) },
			"*errors.errorString": func() { panic(errors.New(canary)) },
			"*fmt.wrapError":      func() { panic(fmt.Errorf("read: %w", errors.New(canary))) },
			"index out of range":  func() { _ = none[len(none)] },
		} {
			_, l := record(t, request("GET", "/"), func(http.ResponseWriter, *http.Request, *middleware.Exchange) error {
				panics()
				return nil
			})
			if log := l.b.String(); strings.Contains(log, "CANARY") || !strings.Contains(log, want) || !strings.Contains(log, "record_test.go") {
				t.Errorf("want %q and the place, not the text: %s", want, log)
			}
		}
	})
	t.Run("leaves_the_server_working", func(t *testing.T) {
		rec, _ := newRecord()
		h := rec.Handler(func(http.ResponseWriter, *http.Request, *middleware.Exchange) error { panic(canary) })
		for range 3 {
			w := httptest.NewRecorder()
			if h.ServeHTTP(w, request("GET", "/")); w.Code != 500 {
				t.Errorf("%d", w.Code)
			}
		}
	})
}

func TestErrorAfterTheAnswerBegan(t *testing.T) {
	for name, begin := range map[string]func(http.ResponseWriter){
		"with_a_status": func(w http.ResponseWriter) { w.WriteHeader(204) },
		"with_a_body":   func(w http.ResponseWriter) { _, _ = io.WriteString(w, "half") },
		"with_a_flush":  func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() },
	} {
		t.Run(name+"_is_logged_and_not_answered", func(t *testing.T) {
			w, l := record(t, request("GET", "/"), func(w http.ResponseWriter, _ *http.Request, _ *middleware.Exchange) error {
				begin(w)
				return &problem.Error{Status: 500, Code: "internal", Public: "never seen", Err: errors.New(canary)}
			})
			if strings.Contains(w.Body.String(), "internal") || w.Code == 500 || w.Header().Get("X-Gatehouse") != "" {
				t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
			}
			line := l.one(t)
			if line["level"] != "ERROR" || !strings.Contains(fmt.Sprint(line["error"]), canary) {
				t.Errorf("log: %v", line)
			}
		})
	}
}

// A caller that has ended its own side of the connection still reads. Nothing is written
// where nobody seems to be there, and that is not to look like success.
func TestRecord_makes_no_success_of_an_answer_that_was_not_given(t *testing.T) {
	rec, _ := newRecord()
	server := httptest.NewServer(rec.Handler(func(_ http.ResponseWriter, r *http.Request, _ *middleware.Exchange) error {
		<-r.Context().Done()
		return r.Context().Err()
	}))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "GET /auth/verify HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if answer, _ := io.ReadAll(conn); len(answer) > 0 {
		t.Errorf("answered %q", answer)
	}
}

// broken is a stream with a bug.
type broken struct{}

func (broken) Run() { panic(canary) }

func (broken) End(error) {}

// A panic on a stream that has left its handler ends that stream alone, a WebSocket too, of
// which the ResponseWriter has seen nothing.
func TestRecord_survives_a_panic_of_a_stream(t *testing.T) {
	for name, status := range map[string]int{"of_events": http.StatusOK, "of_frames": 0} {
		t.Run(name, func(t *testing.T) {
			recorded := make(chan struct{})
			_, l := record(t, request("GET", "/"), func(w http.ResponseWriter, _ *http.Request, x *middleware.Exchange) error {
				if x.Event.Stream = true; status != 0 {
					w.WriteHeader(status)
				} else {
					x.Event.Status = http.StatusSwitchingProtocols
				}
				x.Decision.Stream, x.Event.Recorded = broken{}, func() { close(recorded) }
				return nil
			})
			<-recorded
			if line := l.one(t); line["level"] != "ERROR" || line["status"] != float64(max(status, 101)) {
				t.Errorf("%v", line)
			}
		})
	}
}
