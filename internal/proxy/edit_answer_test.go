package proxy

import (
	"net/http"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/google/go-cmp/cmp"
)

func TestAnswer_drops_what_an_upstream_has_no_say_in(t *testing.T) {
	h := http.Header{"Content-Type": {"text/plain"}, "Vary": {"Accept"}, "Location": {"/x"}, "Www-Authenticate": {"Bearer"}, "X-Frame-Options": {"DENY"}}
	want := h.Clone()
	for _, name := range []string{
		"Clear-Site-Data", "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers", "X-Accel-Redirect",
		"X-Accel-Buffering", "X-Accel-Expires", "X-Sendfile", "X-Sendfile-Type", "Alt-Svc", "X-Gatehouse", "X-Gatehouse-Anything", "X-Request-Id",
		"NEL", "Report-To", "Reporting-Endpoints", "X-LiteSpeed-Purge",
	} {
		h.Set(name, "evil")
	}
	got := http.Header{}
	policy.answer(got, h, &Decision{Route: &routing.Route{}})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnswer_keeps_what_the_gateway_has_set(t *testing.T) {
	shared := []string{"Origin", "of another answer"}
	own := http.Header{"X-Request-Id": {"ours"}, "Strict-Transport-Security": {"max-age=1"}, "Vary": shared[:1], "Access-Control-Allow-Origin": {"https://a.example"}}
	h := http.Header{"X-Request-Id": {"theirs"}, "Strict-Transport-Security": {"max-age=0"}, "Vary": {"Accept"}}
	want := own.Clone()
	want["Vary"] = []string{"Origin", "Accept"}
	policy.answer(own, h, &Decision{Route: &routing.Route{}})
	if diff := cmp.Diff(want, own); diff != "" {
		t.Error(diff)
	}
	if shared[1] != "of another answer" {
		t.Errorf("what lies behind the gateway's values is %q", shared[1])
	}
}

func TestAnswer_tells_fronts_not_to_buffer_events(t *testing.T) {
	for contentType, want := range map[string]string{
		"text/event-stream": "no", "Text/Event-Stream; charset=utf-8": "no", "text/event-stream ; x": "no", "text/plain": "", "text/event-streams": "", "": "",
	} {
		h := http.Header{"Content-Type": {contentType}, "X-Accel-Buffering": {"yes"}}
		answer := http.Header{}
		policy.answer(answer, h, &Decision{Route: &routing.Route{}})
		if got := answer.Get("X-Accel-Buffering"); got != want {
			t.Errorf("%q: X-Accel-Buffering is %q, want %q", contentType, got, want)
		}
	}
}

func TestAnswer_keeps_private_answers_out_of_shared_caches(t *testing.T) {
	const ours = "private, no-store"
	for _, test := range []struct {
		in   []string
		want string
	}{
		{nil, ours},
		{[]string{""}, ours},
		{[]string{"public, max-age=600"}, ours},
		{[]string{"no-cache"}, ours},
		{[]string{"s-maxage=10"}, ours},
		{[]string{"privateer"}, ours},
		{[]string{"x=private"}, ours},
		{[]string{`x="a, private, b"`}, ours},
		{[]string{`private="Set-Cookie", max-age=60`}, ours},
		{[]string{"private"}, "private"},
		{[]string{"PRIVATE, max-age=60"}, "PRIVATE, max-age=60"},
		{[]string{"max-age=0,no-store"}, "max-age=0,no-store"},
		{[]string{"max-age=60", "private"}, "max-age=60"},
	} {
		h := http.Header{"Cdn-Cache-Control": {"max-age=1"}, "Cloudflare-Cdn-Cache-Control": {"max-age=1"}, "Surrogate-Control": {"max-age=1"}, "Edge-Control": {"max-age=1"},
			"Akamai-Cache-Control": {"max-age=1"}, "Vercel-Cdn-Cache-Control": {"max-age=1"}, "Netlify-Cdn-Cache-Control": {"max-age=1"},
			"Fastly-Cache-Control": {"max-age=1"}, "X-Litespeed-Cache-Control": {"public"}}
		if test.in != nil {
			h["Cache-Control"] = test.in
		}
		answer := http.Header{}
		policy.answer(answer, h, &Decision{Route: &routing.Route{}, Private: true})
		if got := answer.Get("Cache-Control"); got != test.want {
			t.Errorf("%q becomes %q, want %q", test.in, got, test.want)
		}
		if len(answer) != 1 {
			t.Errorf("%q: a CDN's own header is left: %v", test.in, answer)
		}
	}
}

// What was judged in the header must not come again behind the body.
func TestTrailer_drops_what_a_header_may_say(t *testing.T) {
	h := http.Header{
		"Grpc-Status": {"0"}, "Grpc-Message": {"ok"}, "Grpc-Status-Details-Bin": {"AA"}, "Server-Timing": {"db"}, "X-Checksum": {"1"},
		"Content-Digest": {"sha-256=:x:"}, "Repr-Digest": {"sha-256=:x:"}, "Etag": {`"x"`},
	}
	want := h.Clone()
	for _, name := range []string{
		"Set-Cookie", "Cache-Control", "CDN-Cache-Control", "Akamai-Cache-Control", "Surrogate-Control", "Edge-Control", "Expires", "Pragma", "Age", "Vary",
		"Content-Type", "Content-Length", "Content-Encoding", "Content-Range", "Content-Disposition", "Content-Security-Policy", "Location", "Refresh",
		"Transfer-Encoding", "Connection", "Trailer", "Upgrade", "Strict-Transport-Security", "X-Content-Type-Options", "X-Frame-Options",
		"Access-Control-Allow-Origin", "X-Accel-Redirect", "X-Request-Id", "X-Gatehouse", "Clear-Site-Data", "NEL", "WWW-Authenticate",
	} {
		h.Set(name, "evil")
	}
	policy.trailer(h)
	if diff := cmp.Diff(want, h); diff != "" {
		t.Error(diff)
	}
}

func TestAnswer_leaves_caching_to_the_upstream_where_it_may(t *testing.T) {
	for name, d := range map[string]Decision{
		"anonymous":       {Route: &routing.Route{}},
		"cache: upstream": {Route: &routing.Route{CacheUpstream: true}, Private: true},
	} {
		h := http.Header{"Cache-Control": {"public, max-age=600"}, "Surrogate-Control": {"max-age=1"}}
		got := http.Header{}
		policy.answer(got, h, &d)
		if diff := cmp.Diff(h, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func BenchmarkAnswerHeader(b *testing.B) {
	answer := http.Header{
		"Content-Type": {"application/json"}, "Content-Length": {"600"}, "Date": {"Thu, 26 Nov 2026 12:00:00 GMT"}, "Etag": {`"x"`}, "Vary": {"Accept"},
		"Cache-Control": {"private"}, "X-Powered-By": {"Express"}, "X-Ratelimit-Remaining": {"99"}, "Connection": {"keep-alive"}, "Keep-Alive": {"timeout=5"},
	}
	d := &Decision{Route: &routing.Route{}, Private: true}
	b.ReportAllocs()
	for b.Loop() {
		d.values = values{}
		own := http.Header{"X-Request-Id": {"id"}, "Strict-Transport-Security": {"max-age=1"}}
		policy.answer(own, answer, d)
	}
}
