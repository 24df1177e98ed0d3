package main

import (
	"bufio"
	"errors"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

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
}

func TestReadAnswer(t *testing.T) {
	body := strings.Repeat("x", answerSize)
	head := "HTTP/1.1 200 OK\r\ncontent-length: " + strconv.Itoa(answerSize) + "\r\n\r\n"
	for _, tc := range []struct {
		name, answer string
		ok           bool
	}{
		{"upstreams_own_answer", head + body, true},
		{"refusal_does_not_count", "HTTP/1.1 401 Unauthorized\r\nContent-Length: 600\r\n\r\n" + body, false},
		{"other_body_does_not_count", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", false},
		{"answer_without_length", "HTTP/1.1 200 OK\r\n\r\n" + body, false},
		{"answer_cut_short", head + body[1:], false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := readAnswer(bufio.NewReader(strings.NewReader(tc.answer)))
			if (err == nil) != tc.ok {
				t.Errorf("readAnswer = %v, want ok %v", err, tc.ok)
			}
		})
	}
}

func TestLoad(t *testing.T) {
	upstream, err := roleHandler(roleUpstream)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(upstream)
	defer server.Close()
	target, err := url.Parse(server.URL + apiPath)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(tunedProxy(target))
	defer proxy.Close()
	through, err := url.Parse(proxy.URL + apiPath)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("counts_answers_through_the_tuned_proxy", func(t *testing.T) {
		var r result
		err := errors.New("not asked")
		for d := 100 * time.Millisecond; err != nil && d < time.Minute; d *= 4 { // a busy machine needs longer for the first
			r, err = load(t.Context(), through, request(through, plainCookies), 2, d)
		}
		if err != nil {
			t.Fatal(err)
		}
		if r.perSecond <= 0 || r.p50 <= 0 || r.p99 < r.p50 {
			t.Errorf("result = %+v, want a rate and ordered latencies", r)
		}
	})
	t.Run("ends_at_the_first_bad_answer", func(t *testing.T) {
		server.Close()
		if _, err := load(t.Context(), through, request(through, plainCookies), 2, time.Minute); err == nil {
			t.Error("a proxy whose upstream is gone was counted as answering")
		}
	})
}

func TestParseWrk(t *testing.T) {
	const out = "  Latency Distribution\n     50%    1.25ms\n     75%    2.00ms\n     99%   12.50ms\n  1000 requests in 1.00s\nRequests/sec:   1234.50\n"
	want := result{perSecond: 1234.5, p50: 1250 * time.Microsecond, p99: 12500 * time.Microsecond}
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
