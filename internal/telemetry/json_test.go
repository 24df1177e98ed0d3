package telemetry_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

func TestJSON(t *testing.T) {
	t.Run("is_byte_for_byte_what_slog_writes", func(t *testing.T) {
		at := time.Date(2026, 11, 23, 12, 0, 0, 120_000_000, time.FixedZone("", 3600))
		for name, attrs := range map[string][]slog.Attr{
			"nothing":            nil,
			"what a request has": {slog.String("path", "/api/~x"), slog.Int("status", 200), slog.Int64("bytes", -1), slog.Float64("ms", 1.25)},
			"an empty string":    {slog.String("a", "")},
			"floats":             {slog.Float64("a", 0), slog.Float64("b", 1e-6), slog.Float64("c", 1e20), slog.Float64("d", 0.1), slog.Float64("e", -1e-7), slog.Float64("f", 1e21)},
			"no number":          {slog.Float64("a", math.NaN()), slog.Float64("b", math.Inf(1))},
			"controls":           {slog.String("a", "\x00\x1f\x7f\n\r\t")},
			"quotes":             {slog.String("a", `"`), slog.String("b", `\`)},
			"markup":             {slog.String("a", "<b>&</b>")},
			"other letters":      {slog.String("a", "é\u2028\u2029\U0001F600")},
			"not UTF-8":          {slog.String("a", "\xff\xfe")},
			"a key to escape":    {slog.String("a\"b", "x"), slog.String("\n", "x")},
			"no key":             {slog.String("", "x"), {}},
			"other kinds": {slog.Bool("a", true), slog.Duration("b", time.Second), slog.Time("c", at), slog.Any("d", errors.New("e")), slog.Uint64("e", 1),
				slog.Any("f", []int{1}), slog.Group("g", slog.Int("h", 1)), slog.Any("i", slog.LevelWarn)},
			"a long one": {slog.String("a", strings.Repeat("x", 5000))},
		} {
			for _, level := range []slog.Level{slog.LevelInfo, slog.LevelError, slog.LevelError + 2} {
				for _, message := range []string{"request", "a \"b\"\n"} {
					for _, at := range []time.Time{at, {}} {
						var got, want bytes.Buffer
						ours, slogs := logger(t, &got, "info", "json").Handler(), slog.Handler(slog.NewJSONHandler(&want, nil))
						for _, with := range []func(slog.Handler) slog.Handler{
							func(h slog.Handler) slog.Handler { return h },
							func(h slog.Handler) slog.Handler { return h.WithAttrs([]slog.Attr{slog.Int("x", 1)}) },
							func(h slog.Handler) slog.Handler { return h.WithGroup("g") },
						} {
							telemetry.WriteLine(t.Context(), with(ours), at, level, message, attrs)
							r := slog.NewRecord(at, level, message, 0)
							r.AddAttrs(attrs...)
							if err := with(slogs).Handle(t.Context(), r); err != nil {
								t.Errorf("%s: %v", name, err)
							}
						}
						if diff := cmp.Diff(want.String(), got.String()); diff != "" {
							t.Errorf("%s: %s", name, diff)
						}
					}
				}
			}
		}
	})
	t.Run("keeps_lines_whole_whoever_writes_them", func(t *testing.T) {
		var w bytes.Buffer
		l := logger(t, &w, "info", "json")
		plain := []slog.Attr{slog.String("a", "b")}
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 200 {
				telemetry.WriteLine(t.Context(), l.Handler(), time.Now(), slog.LevelInfo, "plain", plain)
			}
		}()
		for range 200 {
			l.Info("not plain", "a", "é")
		}
		<-done
		for line := range strings.Lines(w.String()) {
			if !strings.HasSuffix(line, "\"a\":\"b\"}\n") && !strings.HasSuffix(line, "\"a\":\"é\"}\n") {
				t.Fatalf("line %q", line)
			}
		}
	})
}

func TestEventLog_allocates_nothing(t *testing.T) {
	l, e := logger(t, &bytes.Buffer{}, "info", "json"), benchEvent()
	if n := testing.AllocsPerRun(100, func() { e.Log(t.Context(), l, e.Start) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkEventLog(b *testing.B) {
	l, err := telemetry.NewLogger(telemetry.NewBuffer(io.Discard), "info", "json")
	if err != nil {
		b.Fatal(err)
	}
	e := benchEvent()
	b.ReportAllocs()
	for b.Loop() {
		e.Log(b.Context(), l, time.Now())
	}
}

func benchEvent() *telemetry.Event {
	return &telemetry.Event{
		RequestID: "ABCDEFGHIJKLMNOPQRSTUVWXYZ", Start: time.Now(), Method: "GET", Host: "app.example.com", Path: "/api/orders", Route: "/api/",
		Client: "192.0.2.1", Status: 200, Bytes: 600, Session: strings.Repeat("s", 43), Subject: "0b2c7f1e-1111-2222-3333-444455556666",
		Upstream: "127.0.0.1:45678", UpstreamTime: 1234 * time.Microsecond,
	}
}
