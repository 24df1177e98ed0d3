package telemetry_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

// sink keeps each write apart, and fails while it is full.
type sink struct {
	mu     sync.Mutex
	writes []string
	full   bool
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full {
		return 0, errors.New("no space left on device")
	}
	s.writes = append(s.writes, string(p))
	return len(p), nil
}

func (s *sink) all() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.writes, "")
}

func (s *sink) setFull(full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full = full
}

func TestBuffer(t *testing.T) {
	t.Run("never_tears_a_line", func(t *testing.T) {
		var s sink
		b := telemetry.NewBuffer(&s)
		var want bytes.Buffer
		for i, n := range []int{1, 100, 64 << 10, 1<<16 - 2, 1, 1 << 16, 1<<16 + 1, 3 << 16, 10, 1<<16 - 12, 5, 40000, 40000} {
			line := fmt.Sprintf("%d %s\n", i, strings.Repeat("x", n))
			want.WriteString(line)
			if n, err := b.Write([]byte(line)); n != len(line) || err != nil {
				t.Fatalf("%d bytes written of %d, error %v", n, len(line), err)
			}
		}
		if err := b.Flush(); err != nil {
			t.Fatal(err)
		}
		if s.all() != want.String() {
			t.Error("the lines are not as they came")
		}
		for _, w := range s.writes {
			if !strings.HasSuffix(w, "\n") {
				t.Errorf("a write of %d bytes ends inside a line", len(w))
			}
		}
		if len(s.writes) >= 13 {
			t.Errorf("%d writes of 13 lines: nothing was held back", len(s.writes))
		}
	})
	t.Run("keeps_lines_of_many_writers_whole", func(t *testing.T) {
		var s sink
		b := telemetry.NewBuffer(&s)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				line := strings.Repeat(string(rune('a'+i)), 50+1000*i) + "\n"
				for range 200 {
					_, _ = b.Write([]byte(line))
					if i == 0 {
						_ = b.Flush()
					}
				}
			})
		}
		wg.Wait()
		_ = b.Flush()
		lines := strings.Split(strings.TrimSuffix(s.all(), "\n"), "\n")
		if len(lines) != 1600 {
			t.Errorf("%d lines", len(lines))
		}
		for _, l := range lines {
			if strings.Trim(l, l[:1]) != "" {
				t.Fatalf("a mixed line: %.100q", l)
			}
		}
	})
	t.Run("goes_on_once_a_full_disk_has_room_again", func(t *testing.T) {
		var s sink
		b := telemetry.NewBuffer(&s)
		s.setFull(true)
		_, _ = b.Write([]byte("lost\n"))
		if err := b.Flush(); err == nil {
			t.Error("a flush that failed has no error")
		}
		_, _ = b.Write([]byte(strings.Repeat("x", 1<<17) + "\n"))
		s.setFull(false)
		_, err := b.Write([]byte("back\n"))
		if flushed := b.Flush(); err != nil || flushed != nil || s.all() != "back\n" {
			t.Errorf("wrote %.50q, errors %v, %v", s.all(), err, flushed)
		}
	})
}

func TestBufferRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sink
		b := telemetry.NewBuffer(&s)
		done := make(chan struct{})
		var running sync.WaitGroup
		running.Go(func() { b.Run(done, 200*time.Millisecond) })

		_, _ = b.Write([]byte("one\n"))
		time.Sleep(199 * time.Millisecond)
		synctest.Wait()
		if s.all() != "" {
			t.Error("it flushed before its time")
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if s.all() != "one\n" {
			t.Errorf("after the interval: %q", s.all())
		}
		_, _ = b.Write([]byte("two\n"))
		close(done)
		running.Wait()
		if s.all() != "one\ntwo\n" {
			t.Errorf("at the end: %q", s.all())
		}
	})
}
