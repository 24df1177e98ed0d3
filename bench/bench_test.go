package main

import (
	"bufio"
	"context"
	"errors"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestMain lets this binary play the roles that the program starts itself in.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && isRole(os.Args[1]) {
		exit(serveRole(os.Args[1], os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

// TestRun: the gateway, its sessions and who else is there, for real and shortly.
func TestRun(t *testing.T) {
	gateway := os.Getenv("GATEWAY_BIN")
	if gateway == "" {
		var err error
		if gateway, err = build(t.Context(), filepath.Join(t.TempDir(), "gateway")); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	if err := run(t.Context(), []string{"-quick", "-only", "requests,sessions,auth", "-gateway", gateway}, &out, t.Output()); err != nil {
		t.Fatal(err)
	}
	for _, row := range []string{"| upstream itself |", "| ReverseProxy, tuned |", "| gateway", "| nginx |", "| Caddy |", "| 1000 |", "pairs/s"} {
		if !strings.Contains(out.String(), row) {
			t.Errorf("the report lacks %q:\n%s", row, out.String())
		}
	}
}

func TestMedian(t *testing.T) {
	for _, tc := range []struct {
		name   string
		values []float64
		want   float64
	}{
		{"none", nil, 0},
		{"odd_count_takes_the_middle", []float64{9, 1, 5}, 5},
		{"even_count_takes_the_mean_of_two", []float64{4, 1, 9, 2}, 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := median(tc.values); got != tc.want {
				t.Errorf("median(%v) = %v, want %v", tc.values, got, tc.want)
			}
		})
	}
}

func TestRatio(t *testing.T) {
	t.Run("is_taken_within_the_round", func(t *testing.T) {
		a := []result{{perSecond: 10}, {perSecond: 100}, {perSecond: 30}}
		b := []result{{perSecond: 20}, {perSecond: 200}, {perSecond: 30}}
		if got := ratio(a, b); got != 0.5 {
			t.Errorf("ratio = %v, want 0.5", got)
		}
	})
	t.Run("is_a_dash_where_one_was_not_measured", func(t *testing.T) {
		if got := times([]result{{perSecond: 10}}, nil); got != "–" {
			t.Errorf("times = %q, want a dash", got)
		}
	})
}

func TestParse(t *testing.T) {
	t.Run("takes_every_part_by_default", func(t *testing.T) {
		s, err := parse(nil, t.Output())
		if err != nil || len(s.parts) != len(parts) {
			t.Errorf("parts = %d, %v, want all %d", len(s.parts), err, len(parts))
		}
	})
	t.Run("takes_the_parts_that_are_named", func(t *testing.T) {
		s, err := parse([]string{"-only", "h2,bodies"}, t.Output())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"h2", "bodies"}, each(s.parts, func(p part) string { return p.name })); diff != "" {
			t.Errorf("parts (-want +got):\n%s", diff)
		}
	})
	for name, args := range map[string][]string{
		"a_part_that_is_none":        {"-only", "requests,speed"},
		"no_round":                   {"-rounds", "0"},
		"a_further_argument":         {"requests"},
		"half_seconds_for_wrk":       {"-wrk", "-duration", "1500ms"},
		"a_measurement_of_no_length": {"-wrk=false", "-duration", "1ms"},
	} {
		t.Run("refuses_"+name, func(t *testing.T) {
			if _, err := parse(args, t.Output()); err == nil {
				t.Errorf("%v was taken", args)
			}
		})
	}
}

func TestReadAnswer(t *testing.T) {
	body := strings.Repeat("x", answerSize)
	head := "HTTP/1.1 200 OK\r\ncontent-length: " + strconv.Itoa(answerSize) + "\r\n\r\n"
	for _, tc := range []struct {
		name, answer string
		want         int
		ok           bool
	}{
		{"upstreams_own_answer", head + body, answerSize, true},
		{"answer_of_any_size", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", anySize, true},
		{"refusal_does_not_count", "HTTP/1.1 401 Unauthorized\r\nContent-Length: 600\r\n\r\n" + body, answerSize, false},
		{"other_body_does_not_count", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", answerSize, false},
		{"answer_without_length", "HTTP/1.1 200 OK\r\n\r\n" + body, anySize, false},
		{"answer_cut_short", head + body[1:], answerSize, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := readAnswer(bufio.NewReader(strings.NewReader(tc.answer)), tc.want)
			if (err == nil) != tc.ok {
				t.Errorf("readAnswer = %v, want ok %v", err, tc.ok)
			}
		})
	}
}

// throughTuned is a party that is the tuned proxy before the upstream, in this process.
func throughTuned(t *testing.T) (p *party, closeUpstream func()) {
	t.Helper()
	upstream := httptest.NewServer(newUpstream())
	t.Cleanup(upstream.Close)
	target, err := url.Parse(upstream.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(tunedProxy(target))
	t.Cleanup(proxy.Close)
	return &party{name: nameTuned, base: proxy.URL, cookies: plainCookies}, upstream.Close
}

func checkResult(t *testing.T, r result, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if r.perSecond <= 0 || r.p50 <= 0 || r.p99 < r.p50 || r.p999 < r.p99 || r.count < 1 {
		t.Errorf("result = %+v, want a rate and ordered latencies", r)
	}
}

func TestLoad(t *testing.T) {
	p, closeUpstream := throughTuned(t)
	for _, tc := range []struct {
		name, method, path string
		body               []byte
		answer             int
	}{
		{"counts_small_answers", "GET", apiPath, nil, answerSize},
		{"counts_long_answers", "GET", bytesPath + "100000", nil, 100_000},
		{"counts_answers_to_long_requests", "POST", takePath, make([]byte, 100_000), answerSize},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := p.call(tc.method, tc.path, tc.body, tc.answer)
			if err != nil {
				t.Fatal(err)
			}
			r, err := load(t.Context(), c, 2, 100*time.Millisecond)
			checkResult(t, r, err)
		})
	}
	t.Run("counts_messages_of_a_web_socket", func(t *testing.T) {
		l := &lab{bench: &bench{settings: settings{connections: 2}}}
		r, err := l.converse(t.Context(), p, 100*time.Millisecond)
		checkResult(t, r, err)
	})
	t.Run("opens_streams_and_sees_their_first_event", func(t *testing.T) {
		l := &lab{bench: &bench{settings: settings{connections: 2, streams: 5}}}
		open, err := l.openStreams(t.Context(), p)
		if err != nil || len(open) != 5 {
			t.Errorf("%d streams are open, %v, want 5", len(open), err)
		}
		for _, s := range open {
			s.close()
		}
	})
	t.Run("ends_at_the_first_bad_answer", func(t *testing.T) {
		closeUpstream()
		c, err := p.get(apiPath)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := load(t.Context(), c, 2, time.Minute); err == nil {
			t.Error("a proxy whose upstream is gone was counted as answering")
		}
	})
}

func TestLoadAt(t *testing.T) {
	p, _ := throughTuned(t)
	c, err := p.get(apiPath)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("asks_as_often_as_told_and_no_more", func(t *testing.T) {
		r, err := result{}, errBehind
		for errors.Is(err, errBehind) { // once more, where the machine slept for seconds
			r, err = loadAt(t.Context(), c, 2, 50, 200*time.Millisecond)
		}
		if err != nil {
			t.Fatal(err)
		}
		if r.count != 10 || r.perSecond != 50 {
			t.Errorf("%v requests, %v a second, want 10 and 50", r.count, r.perSecond)
		}
	})
	t.Run("counts_from_the_moment_at_which_a_request_was_due", func(t *testing.T) {
		line, err := dial(t.Context(), c, time.Now().Add(patience))
		if err != nil {
			t.Fatal(err)
		}
		defer line.close()
		due := make(chan time.Time, 1)
		due <- time.Now().Add(-time.Second)
		close(due)
		times, err := line.askWhenDue(t.Context(), due, 0)
		if err != nil || len(times) != 1 || times[0] < time.Second {
			t.Errorf("times = %v, %v, want one above a second", times, err)
		}
	})
	t.Run("gives_up_on_a_party_that_is_slower_than_the_rate", func(t *testing.T) {
		line, err := dial(t.Context(), c, time.Now().Add(patience))
		if err != nil {
			t.Fatal(err)
		}
		defer line.close()
		due := make(chan time.Time, 1)
		due <- time.Now().Add(-2 * tooLate)
		close(due)
		if _, err := line.askWhenDue(t.Context(), due, 0); !errors.Is(err, errBehind) {
			t.Errorf("err = %v, want errBehind", err)
		}
	})
}

func TestTurn(t *testing.T) {
	c := call{method: "GET", url: &url.URL{Scheme: "http", Host: "localhost:1", Path: "/p"}, cookies: []string{"a=1", "a=2"}}
	t.Run("message_takes_the_cookies_of_the_turn", func(t *testing.T) {
		const want = "GET /p HTTP/1.1\r\nHost: localhost:1\r\nCookie: theme=dark; a=2; consent=necessary.statistics.2026\r\n\r\n"
		if got := string(c.message().append(nil, c.cookies[1])); got != want {
			t.Errorf("message = %q, want %q", got, want)
		}
	})
	t.Run("script_for_wrk_has_all_of_them", func(t *testing.T) {
		file, err := turnScript(t.TempDir(), c)
		if err != nil {
			t.Fatal(err)
		}
		script, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want := `local cookies, n = {}, 0
for cookie in io.lines("` + filepath.Join(filepath.Dir(file), "cookies") + `") do cookies[#cookies + 1] = cookie end
local before, after = "GET /p HTTP/1.1\013\010Host: localhost:1\013\010Cookie: theme=dark; ", "; consent=necessary.statistics.2026\013\010\013\010"
function request()
  n = n % #cookies + 1
  return before .. cookies[n] .. after
end
`
		if diff := cmp.Diff(want, string(script)); diff != "" {
			t.Errorf("script (-want +got):\n%s", diff)
		}
		if list, err := os.ReadFile(filepath.Join(filepath.Dir(file), "cookies")); string(list) != "a=1\na=2" {
			t.Errorf("cookies = %q, %v", list, err)
		}
	})
}

func TestInTurn(t *testing.T) {
	t.Run("begins_each_round_with_another_party", func(t *testing.T) {
		var order []string
		l := &lab{bench: &bench{log: t.Output()}}
		all, err := inTurn(t.Context(), l, 2, []*party{{name: "a"}, {name: "b"}}, func(_ context.Context, p *party) (result, error) {
			order = append(order, p.name)
			return result{perSecond: float64(len(order))}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"a", "b", "b", "a"}, order); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]float64{1, 4}, each(all["a"], rateOf)); diff != "" {
			t.Errorf("rates of a (-want +got):\n%s", diff)
		}
	})
}

func TestParseWrk(t *testing.T) {
	const out = "  Latency Distribution\n     50%    1.25ms\n     75%    2.00ms\n     99%   12.50ms\n  1000 requests in 1.00s, 1MB read\nRequests/sec:   1234.50\n"
	want := result{count: 1000, perSecond: 1234.5, p50: 1250 * time.Microsecond, p99: 12500 * time.Microsecond}
	t.Run("reads_rate_and_latencies", func(t *testing.T) {
		got, err := parseWrk(out)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(result{})); diff != "" {
			t.Errorf("result (-want +got):\n%s", diff)
		}
	})
	t.Run("refuses_a_run_with_bad_answers", func(t *testing.T) {
		if _, err := parseWrk(out + "  Non-2xx or 3xx responses: 3\n"); err == nil {
			t.Error("bad answers were counted")
		}
	})
}

func TestH2load(t *testing.T) {
	const good = `Application protocol: h2
requests: 11 total, 43 started, 11 done, 11 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 12 2xx, 0 3xx, 0 4xx, 0 5xx
`
	for _, tc := range []struct {
		name, from, to string
		ok             bool
	}{
		{"good_answers_count", "", "", true},
		{"refusals_do_not", "0 4xx", "5 4xx", false},
		{"failures_do_not", "0 failed", "1 failed", false},
		{"answers_by_HTTP_1_do_not", "h2", "http/1.1", false},
		{"nothing_answered_does_not", "11 succeeded", "0 succeeded", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := checkH2load([]byte(strings.Replace(good, tc.from, tc.to, 1))); (err == nil) != tc.ok {
				t.Errorf("checkH2load = %v, want ok %v", err, tc.ok)
			}
		})
	}
	t.Run("log_gives_each_time_and_that_of_all", func(t *testing.T) {
		times, took, err := readTimes(strings.NewReader("1000\t200\t50\n1010\t200\t90\n"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]time.Duration{50 * time.Microsecond, 90 * time.Microsecond}, times); diff != "" {
			t.Errorf("times (-want +got):\n%s", diff)
		}
		if took != 100*time.Microsecond {
			t.Errorf("took = %v, want 100µs", took)
		}
	})
	t.Run("log_in_another_form_is_refused", func(t *testing.T) {
		if _, _, err := readTimes(strings.NewReader("1000 200\n")); err == nil {
			t.Error("a line of two columns was read")
		}
	})
}

func TestFrames(t *testing.T) {
	t.Run("are_those_of_RFC_6455", func(t *testing.T) {
		client, server := frames([]byte("Hello"))
		if diff := cmp.Diff([]byte{0x81, 0x85, 0, 0, 0, 0, 'H', 'e', 'l', 'l', 'o'}, client); diff != "" {
			t.Errorf("client's (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]byte{0x81, 0x05, 'H', 'e', 'l', 'l', 'o'}, server); diff != "" { // §5.7's example
			t.Errorf("server's (-want +got):\n%s", diff)
		}
	})
}

func TestPasswordForm(t *testing.T) {
	const page = `<form action="/search"><input name=q></form>
<form method="post" action="/login?a=1&amp;b=2"><input type="hidden" name="_csrf" value="x&amp;y">
<input name="username"><input type='password' name=password></form>`
	t.Run("finds_the_form_with_the_password", func(t *testing.T) {
		action, fields, err := passwordForm(page)
		if err != nil {
			t.Fatal(err)
		}
		if action != "/login?a=1&b=2" {
			t.Errorf("action = %q", action)
		}
		if diff := cmp.Diff(url.Values{"_csrf": {"x&y"}}, fields); diff != "" {
			t.Errorf("fields (-want +got):\n%s", diff)
		}
	})
	t.Run("says_when_there_is_none", func(t *testing.T) {
		if _, _, err := passwordForm(`<form><input name="q"></form>`); err == nil {
			t.Error("found a form without a password")
		}
	})
}
