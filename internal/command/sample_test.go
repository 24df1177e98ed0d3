//go:build !production

package command

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/websocket"

	"github.com/gatehouse-auth/gatehouse/web"
)

// accessToken is shaped as Cognito's, with a signature that is none.
func accessToken(claims string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"kid":"k","alg":"RS256"}`)) + "." + encode([]byte(claims)) + "." + encode([]byte(strings.Repeat("s", 256)))
}

func callSample(t *testing.T, r *http.Request) (*http.Response, string) {
	t.Helper()
	w := httptest.NewRecorder()
	newSample(web.Demo).ServeHTTP(w, r)
	return w.Result(), w.Body.String()
}

func TestSampleHello(t *testing.T) {
	token := accessToken(`{"sub":"5f0c","username":"alice","cognito:groups":["staff","admins"],"scope":"openid email"}`)

	t.Run("shows_the_claims_of_the_bearer_token", func(t *testing.T) {
		r := httptest.NewRequest(http.MethodGet, "/api/hello", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		_, body := callSample(t, r)
		var got helloAnswer
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatalf("answer is not JSON: %v\n%s", err, body)
		}
		want := sampleClaims{Subject: "5f0c", Username: "alice", Groups: []string{"staff", "admins"}, Scope: "openid email"}
		if diff := cmp.Diff(want, sampleClaims{got.Subject, got.Username, got.Groups, got.Scope}); diff != "" {
			t.Errorf("claims (-want +got):\n%s", diff)
		}
		if got.Verified || !strings.Contains(got.Note, "not verified") {
			t.Errorf("verified = %v, note = %q: the sample must not claim to verify", got.Verified, got.Note)
		}
		if !strings.HasPrefix(got.Greeting, "Hello! ") || got.Time.IsZero() {
			t.Errorf("greeting = %q, time = %v", got.Greeting, got.Time)
		}
	})

	t.Run("never_sends_a_token_back", func(t *testing.T) {
		for _, name := range []string{"Authorization", "X-Forwarded-Access-Token", "Cookie"} {
			for _, prefix := range []string{"", "Bearer ", "bearer ", "a=b; session="} {
				r := httptest.NewRequest(http.MethodGet, "/api/hello?token="+token, nil)
				r.Header.Set(name, prefix+token)
				_, body := callSample(t, r)
				for _, part := range append(strings.Split(token, "."), token) {
					if strings.Contains(body, part) {
						t.Errorf("%s: %s… came back", name, prefix)
					}
				}
			}
		}
	})

	t.Run("masks_authorization_to_its_length", func(t *testing.T) {
		r := httptest.NewRequest(http.MethodGet, "/api/hello", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("X-Request-Id", "abc")
		got := maskedHeaders(r.Header)
		want := map[string]string{"Authorization": "Bearer " + mask(token), "X-Request-Id": "abc"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("headers (-want +got):\n%s", diff)
		}
		if m := mask(token); !strings.HasPrefix(m, "ey… (") || !strings.HasSuffix(m, " characters)") {
			t.Errorf("mask = %q", m)
		}
	})

	t.Run("greets_a_stranger_without_a_readable_token", func(t *testing.T) {
		for _, authorization := range []string{"", "Bearer ", "Bearer a.b.c", "Bearer a.!.c", "Basic eHg6eXk=", "Bearer " + accessToken(`[1]`)} {
			r := httptest.NewRequest(http.MethodGet, "/api/hello", nil)
			if authorization != "" {
				r.Header.Set("Authorization", authorization)
			}
			if res, body := callSample(t, r); res.StatusCode != 200 || !strings.Contains(body, "Hello, stranger!") {
				t.Errorf("Authorization %.8q: %d %s", authorization, res.StatusCode, body)
			}
		}
	})
}

func TestSampleEcho(t *testing.T) {
	t.Run("returns_the_body", func(t *testing.T) {
		r := httptest.NewRequest(http.MethodPost, "/api/echo", strings.NewReader(`{"a":1}`))
		r.Header.Set("Content-Type", "application/json")
		res, body := callSample(t, r)
		if body != `{"a":1}` || res.Header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("got %s %q", res.Header.Get("Content-Type"), body)
		}
	})
	t.Run("never_answers_a_page", func(t *testing.T) {
		r := httptest.NewRequest(http.MethodPost, "/api/echo", strings.NewReader("<script>1</script>"))
		r.Header.Set("Content-Type", "text/html")
		res, _ := callSample(t, r)
		if got := res.Header.Get("Content-Type"); got != "application/octet-stream" || res.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("Content-Type = %q", got)
		}
	})
	t.Run("refuses_a_large_body", func(t *testing.T) {
		r := httptest.NewRequest(http.MethodPost, "/api/echo", strings.NewReader(strings.Repeat("x", sampleEchoLimit+1)))
		if res, _ := callSample(t, r); res.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("status = %d", res.StatusCode)
		}
	})
	t.Run("answers_while_the_body_still_comes", func(t *testing.T) {
		server := httptest.NewServer(newSample(nil))
		defer server.Close()
		body, feed := io.Pipe()
		defer func() { _ = feed.Close() }()
		go func() { _, _ = feed.Write(make([]byte, 8<<10)) }() // more than the answer's buffer
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/api/echo", body)
		if err != nil {
			t.Fatal(err)
		}
		res, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		if _, err := res.Body.Read(make([]byte, 1)); err != nil {
			t.Fatalf("no byte came back before the body ended: %v", err)
		}
	})
}

func TestSampleSlow(t *testing.T) {
	t.Run("waits_as_long_as_asked", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			res, body := callSample(t, httptest.NewRequest(http.MethodGet, "/api/slow?ms=1500", nil))
			if waited := time.Since(start); waited != 1500*time.Millisecond || res.StatusCode != 200 {
				t.Errorf("waited %v, answered %d %s", waited, res.StatusCode, body)
			}
		})
	})
	t.Run("refuses_what_is_no_number_of_milliseconds", func(t *testing.T) {
		for _, ms := range []string{"", "x", "-1", "60001", "9223372036854775807"} {
			if res, _ := callSample(t, httptest.NewRequest(http.MethodGet, "/api/slow?ms="+ms, nil)); res.StatusCode != http.StatusBadRequest {
				t.Errorf("ms=%s: status %d", ms, res.StatusCode)
			}
		}
	})
}

func TestSampleEvents(t *testing.T) {
	server := httptest.NewServer(newSample(nil))
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/api/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if got := res.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("Content-Type = %q", got)
	}
	lines := bufio.NewScanner(res.Body)
	for n := 0; lines.Scan() && n < 2; {
		if strings.HasPrefix(lines.Text(), `data: {"n":`) {
			n++
		}
	}
	if err := lines.Err(); err != nil {
		t.Errorf("the stream ended: %v", err)
	}
}

func TestSampleSocket(t *testing.T) {
	server := httptest.NewServer(newSample(nil))
	defer server.Close()
	config, err := websocket.NewConfig(strings.Replace(server.URL, "http", "ws", 1)+"/api/socket", server.URL)
	if err != nil {
		t.Fatal(err)
	}
	config.Header.Set("Authorization", "Bearer "+accessToken(`{"sub":"s","username":"alice"}`))
	conn, err := config.DialContext(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	expect := func(want string) {
		t.Helper()
		var got string
		if err := websocket.Message.Receive(conn, &got); err != nil || got != want {
			t.Fatalf("received %q, %v; want %q", got, err, want)
		}
	}
	expect("Hello, alice!")
	for _, text := range []string{"one", "", "zwölf"} {
		if err := websocket.Message.Send(conn, text); err != nil {
			t.Fatal(err)
		}
		expect(text)
	}
}

func TestSampleRoutes(t *testing.T) {
	t.Run("answers_unknown_api_paths_with_a_problem", func(t *testing.T) {
		for _, r := range []*http.Request{
			httptest.NewRequest(http.MethodGet, "/api/", nil),
			httptest.NewRequest(http.MethodGet, "/api/nothing", nil),
			httptest.NewRequest(http.MethodDelete, "/api/hello", nil),
		} {
			res, body := callSample(t, r)
			if res.StatusCode != 404 || res.Header.Get("Content-Type") != "application/problem+json" || !json.Valid([]byte(body)) {
				t.Errorf("%s %s: %d %s", r.Method, r.URL, res.StatusCode, body)
			}
		}
	})
	t.Run("serves_the_demo_under_its_policy", func(t *testing.T) {
		for path, contentType := range map[string]string{
			"/": "text/html", "/demo.js": "text/javascript", "/views/api.js": "text/javascript", "/demo.css": "text/css", "/mark.svg": "image/svg+xml",
		} {
			res, _ := callSample(t, httptest.NewRequest(http.MethodGet, path, nil))
			if res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Content-Type"), contentType) {
				t.Errorf("%s: %d %s", path, res.StatusCode, res.Header.Get("Content-Type"))
			}
			if res.Header.Get("Content-Security-Policy") != web.DemoCSP {
				t.Errorf("%s lacks the policy", path)
			}
		}
	})
	t.Run("serves_no_pages_without_a_demo", func(t *testing.T) {
		w := httptest.NewRecorder()
		newSample(nil).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		if w.Code != http.StatusNotFound {
			t.Errorf("status = %d", w.Code)
		}
	})
}
