package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

func logger(t *testing.T, w *bytes.Buffer, level, format string) *slog.Logger {
	t.Helper()
	l, err := telemetry.NewLogger(w, level, format)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// fields reads the one line that w holds.
func fields(t *testing.T, w *bytes.Buffer) map[string]any {
	t.Helper()
	if line := w.Bytes(); bytes.Count(line, []byte("\n")) != 1 || line[len(line)-1] != '\n' {
		t.Fatalf("not one line: %q", line)
	}
	var f map[string]any
	if err := json.Unmarshal(w.Bytes(), &f); err != nil {
		t.Fatalf("%v in %q", err, w.Bytes())
	}
	return f
}

func TestEventLog(t *testing.T) {
	t.Run("writes_all_it_knows_as_one_line", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var w bytes.Buffer
			e := telemetry.Event{
				RequestID: "id", Start: time.Now(), Method: "GET", Host: "app.example", Path: "/api/x", Route: "/api/",
				Client: "192.0.2.1", Status: 502, Bytes: 17, Session: "public id", Subject: "sub", Code: "upstream_unavailable",
				Err: errors.New("dial"), Level: slog.LevelWarn, Upstream: "http://a", UpstreamTime: 1500 * time.Microsecond,
				Refresh: "done", Note: "a note",
			}
			time.Sleep(2500 * time.Microsecond)
			e.Log(t.Context(), logger(t, &w, "info", "json"), time.Now())
			want := map[string]any{
				"level": "WARN", "msg": "request", "requestId": "id", "method": "GET", "host": "app.example", "path": "/api/x",
				"route": "/api/", "client": "192.0.2.1", "status": 502.0, "bytes": 17.0, "session": "public id", "subject": "sub",
				"code": "upstream_unavailable", "error": "dial", "upstream": "http://a", "upstreamMs": 1.5, "ms": 2.5,
				"refresh": "done", "note": "a note",
			}
			got := fields(t, &w)
			delete(got, "time")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	})
	t.Run("leaves_out_what_is_empty", func(t *testing.T) {
		var w bytes.Buffer
		e := telemetry.Event{Start: time.Now()}
		e.Log(t.Context(), logger(t, &w, "info", "json"), time.Now())
		got := fields(t, &w)
		for _, name := range []string{"route", "client", "session", "subject", "code", "error", "upstream", "upstreamMs", "refresh", "note"} {
			if v, ok := got[name]; ok {
				t.Errorf("%s is there: %v", name, v)
			}
		}
	})
	t.Run("keeps_hostile_text_inside_its_line_and_field", func(t *testing.T) {
		for _, text := range []string{
			"\r\n{\"level\":\"ERROR\"}", "\n", "\r", "\x1b[2J", "\u2028", "\u2029", "\x00", "\u0085", `"} {"x":"`, `\`, "\u202e", "\xff\xfe",
		} {
			var js, txt bytes.Buffer
			e := telemetry.Event{Path: "/" + text, Host: text, Code: text, Note: text, Err: errors.New(text)}
			e.Log(t.Context(), logger(t, &js, "info", "json"), time.Now())
			e.Log(t.Context(), logger(t, &txt, "info", "text"), time.Now())
			if got := fields(t, &js)["path"]; got != "/"+strings.ToValidUTF8(text, "\ufffd") && text != "\xff\xfe" {
				t.Errorf("path %q for %q", got, text)
			}
			for format, b := range map[string][]byte{"json": js.Bytes(), "text": txt.Bytes()} {
				if bytes.Count(b, []byte("\n")) != 1 || bytes.ContainsAny(b, "\r\x1b\x00\u2028\u2029") {
					t.Errorf("%s: %q", format, b)
				}
			}
		}
	})
	t.Run("below_the_logs_level_it_writes_nothing", func(t *testing.T) {
		var w bytes.Buffer
		e := telemetry.Event{Level: slog.LevelInfo}
		e.Log(context.Background(), logger(t, &w, "warn", "json"), time.Now())
		if w.Len() != 0 {
			t.Errorf("%q", w.Bytes())
		}
	})
}

func TestNewLogger(t *testing.T) {
	for _, level := range []string{"debug", "info", "warn", "error"} {
		t.Run(level+"_is_a_level", func(t *testing.T) {
			var w bytes.Buffer
			l := logger(t, &w, level, "text")
			var seen []string
			for _, at := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
				w.Reset()
				if l.Log(t.Context(), at, "m"); w.Len() > 0 {
					seen = append(seen, strings.ToLower(at.String()))
				}
			}
			if len(seen) == 0 || seen[0] != level {
				t.Errorf("it shows %v", seen)
			}
		})
	}
	for _, c := range [][2]string{{"", "json"}, {"loud", "json"}, {"info", ""}, {"info", "xml"}, {"info", "JSON"}} {
		t.Run(fmt.Sprintf("level_%q_in_format_%q_is_refused", c[0], c[1]), func(t *testing.T) {
			if l, err := telemetry.NewLogger(&bytes.Buffer{}, c[0], c[1]); err == nil || l != nil {
				t.Errorf("error %v", err)
			}
		})
	}
}
