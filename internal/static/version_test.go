package static_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/static"
)

// large is more than is tagged by content.
const large = 64<<20 + 1

// published is a static site of one file, whose times are whatever the test says.
type published struct {
	t     *testing.T
	path  string
	files *static.Files
	times time.Time
	size  int64 // of the file, if not that of the content
	// settled says that the clock is far ahead of the files' times.
	settled bool
}

func publish(t *testing.T, settled bool, times time.Time, size int64) *published {
	t.Helper()
	p := &published{t: t, path: filepath.Join(t.TempDir(), "app.js"), times: times, size: size, settled: settled}
	p.put("app-1")
	p.files = serving(t, filepath.Dir(p.path), "")
	return p
}

// put makes a new file of the content, and puts it in place of the old one.
func (p *published) put(content string) {
	p.t.Helper()
	p.change(func() {
		next := p.path + ".next"
		if err := os.WriteFile(next, []byte(content), 0o644); err != nil {
			p.t.Fatal(err)
		}
		p.pretend(next)
		if err := os.Rename(next, p.path); err != nil {
			p.t.Fatal(err)
		}
	})
}

// edit changes the content where it lies.
func (p *published) edit(content string) {
	p.t.Helper()
	p.change(func() {
		f, err := os.OpenFile(p.path, os.O_WRONLY, 0)
		if err != nil {
			p.t.Fatal(err)
		}
		if _, err := f.WriteString(content); err != nil {
			p.t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			p.t.Fatal(err)
		}
		p.pretend(p.path)
	})
}

// change takes a step. Where all is settled, years lie between two versions: it is
// repeated until the system's clock has moved on, which it does in jumps of some
// milliseconds.
func (p *published) change(step func()) {
	p.t.Helper()
	for before := p.changed(); ; {
		step()
		if now := p.changed(); !p.settled || now.IsZero() || !now.Equal(before) { // zero: no such clock
			return
		}
	}
}

// pretend makes a file as old, and as long, as the test says.
func (p *published) pretend(path string) {
	p.t.Helper()
	if p.size > 0 {
		if err := os.Truncate(path, p.size); err != nil {
			p.t.Fatal(err)
		}
	}
	if err := os.Chtimes(path, p.times, p.times); err != nil {
		p.t.Fatal(err)
	}
}

// changed is when the system saw the file change; zero where it does not tell.
func (p *published) changed() time.Time {
	p.t.Helper()
	info, err := os.Stat(p.path)
	if errors.Is(err, fs.ErrNotExist) {
		return time.Time{} // not published yet
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return static.ChangeTime(info)
}

func (p *published) get(h http.Header) *httptest.ResponseRecorder {
	p.t.Helper()
	method := "GET"
	if p.size > 0 {
		method = "HEAD" // megabytes need not be copied
	}
	w, err := ask(p.t, p.files, method, "/app.js", h)
	if err != nil {
		p.t.Fatal(err)
	}
	return w
}

// whenever runs a test right after the files were made, when two changes may bear
// the same time, and once more a hundred years on, when all is settled.
func whenever(t *testing.T, test func(t *testing.T, settled bool)) {
	t.Run("right_away", func(t *testing.T) { test(t, false) })
	t.Run("later", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(100 * 365 * 24 * time.Hour)
			test(t, true)
		})
	})
}

var (
	year1970 = time.Unix(1, 0)
	year1980 = time.Date(1980, 1, 1, 0, 0, 1, 0, time.UTC) // the least a ZIP file can say
	year2024 = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
)

// Files are replaced and edited, and look the same from outside: as long, and as
// old. No condition that a client may send holds for the next version.
func TestFiles_calls_no_other_version_unchanged(t *testing.T) {
	for _, size := range []int64{0, 17 << 20, large} {
		for _, times := range []time.Time{year1970, year1980, year2024} {
			if size == 17<<20 && times != year1980 {
				continue // hashing takes its time
			}
			t.Run(fmt.Sprintf("%d_%d", times.Year(), size), func(t *testing.T) {
				whenever(t, func(t *testing.T, settled bool) {
					p := publish(t, settled, times, size)
					for i, change := range []func(string){p.put, p.edit, p.put} {
						first := p.get(nil)
						change(fmt.Sprintf("app-%d", i+2))
						date := times.Format(http.TimeFormat)
						for name, h := range map[string]http.Header{
							"its tag":      {"If-None-Match": {first.Header().Get("Etag")}},
							"its date":     {"If-Modified-Since": {date}},
							"today":        {"If-Modified-Since": {time.Now().UTC().Format(http.TimeFormat)}},
							"tag and date": {"If-None-Match": {first.Header().Get("Etag")}, "If-Modified-Since": {date}},
						} {
							if w := p.get(h); w.Code != http.StatusOK {
								t.Errorf("change %d, asked by %s: %d", i, name, w.Code)
							}
						}
						for name, value := range map[string]string{"its tag": first.Header().Get("Etag"), "its date": date} {
							if value == "" {
								continue
							}
							if w := p.get(http.Header{"Range": {"bytes=4-4"}, "If-Range": {value}}); w.Code != http.StatusOK {
								t.Errorf("change %d: a part of the next version for %s: %d", i, name, w.Code)
							}
						}
					}
				})
			})
		}
	}
}

func TestFiles_calls_the_same_version_unchanged(t *testing.T) {
	for _, size := range []int64{0, 17 << 20} {
		whenever(t, func(t *testing.T, settled bool) {
			p := publish(t, settled, year1980, size)
			tag := p.get(nil).Header().Get("Etag")
			if w := p.get(http.Header{"If-None-Match": {tag}}); w.Code != http.StatusNotModified || tag == "" {
				t.Errorf("unchanged: %d for %s", w.Code, tag)
			}
			p.put("app-2")
			p.put("app-1")
			if w := p.get(http.Header{"If-None-Match": {tag}}); w.Code != http.StatusNotModified {
				t.Errorf("the first content again: %d", w.Code)
			}
			if w := p.get(http.Header{"Range": {"bytes=4-4"}, "If-Range": {tag}}); w.Code != http.StatusPartialContent || size == 0 && w.Body.String() != "1" {
				t.Errorf("a part of it: %d %q", w.Code, w.Body)
			}
		})
	}
	// A large file has a tag where the system says when it changed.
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(100 * 365 * 24 * time.Hour)
		p := publish(t, true, year1980, large)
		tag := p.get(nil).Header().Get("Etag")
		if p.changed().IsZero() != (tag == "") {
			t.Errorf("a large file has the tag %q", tag)
		}
		if w := p.get(http.Header{"If-None-Match": {tag}}); tag != "" && w.Code != http.StatusNotModified {
			t.Errorf("a large file, unchanged: %d", w.Code)
		}
	})
}

func TestFiles_tells_no_date_that_cannot_be(t *testing.T) {
	for times, want := range map[time.Time]string{
		year1970: "", year1980: "",
		time.Date(1989, 12, 31, 23, 59, 59, 0, time.UTC): "",
		year2024:                              "Thu, 29 Feb 2024 12:00:00 GMT",
		time.Now().Add(1 << 20 * time.Second): "", // RFC 9110 §8.8.2.1
	} {
		if got := publish(t, false, times, 0).get(nil).Header().Get("Last-Modified"); got != want {
			t.Errorf("%v: Last-Modified: %q, want %q", times, got, want)
		}
	}
}

// counter counts what an answer costs.
type counter struct {
	http.ResponseWriter
	bytes, writes int
}

func (c *counter) Write(p []byte) (int, error) {
	c.bytes, c.writes = c.bytes+len(p), c.writes+1
	return c.ResponseWriter.Write(p)
}

func TestFiles_answers_a_thousand_ranges_as_one_request(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "film.mp4", strings.Repeat("0123456789abcdef", 1<<16))
	files := serving(t, dir, "")
	count := func(ranges string) (*httptest.ResponseRecorder, *counter) {
		r := httptest.NewRequest("GET", "/film.mp4", nil)
		if ranges != "" {
			r.Header.Set("Range", ranges)
		}
		w := httptest.NewRecorder()
		c := &counter{ResponseWriter: w}
		if err := files.Serve(c, r, targetOf(t, "/film.mp4")); err != nil {
			t.Fatal(err)
		}
		return w, c
	}
	several := func(n int, first string) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = fmt.Sprintf(first, i*10)
		}
		return "bytes=" + strings.Join(parts, ",")
	}
	_, plain := count("")
	for name, c := range map[string]struct {
		ranges string
		status int
	}{
		"one":                    {"bytes=0-0", http.StatusPartialContent},
		"as many as are allowed": {several(8, "%d-%[1]d"), http.StatusPartialContent},
		"one more":               {several(9, "%d-%[1]d"), http.StatusOK},
		"thousands":              {several(4500, "%d-%[1]d"), http.StatusOK},
		"thousands, all open":    {several(4500, "%d-"), http.StatusOK},
		"commas":                 {"bytes=" + strings.Repeat(",", 4500) + "0-0", http.StatusOK},
		"more than there is":     {several(8, "%d-"), http.StatusOK},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			w, cost := count(c.ranges)
			if w.Code != c.status {
				t.Errorf("answered %d, want %d", w.Code, c.status)
			}
			if cost.writes > plain.writes+16 || cost.bytes > plain.bytes+4096 {
				t.Errorf("%d writes of %d bytes; the whole file takes %d of %d", cost.writes, cost.bytes, plain.writes, plain.bytes)
			}
		})
	}
}

// TestFiles_refuses_a_range_in_its_own_words, with nothing of the file's headers
// left but its size.
func TestFiles_refuses_a_range_in_its_own_words(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "film.mp4", "0123456789")
	files := serving(t, dir, "")
	for _, ranges := range []string{"bytes=10-", "bytes=99-100", "bytes=x", "lines=1-2"} {
		_, err := ask(t, files, "GET", "/film.mp4", http.Header{"Range": {ranges}})
		var p *problem.Error
		if !errors.As(err, &p) || p.Status != http.StatusRequestedRangeNotSatisfiable || p.Code != "range_not_satisfiable" {
			t.Errorf("%s: %v", ranges, err)
		}
	}
	_, err := ask(t, files, "GET", "/film.mp4", http.Header{"Range": {"bytes=10-"}})
	if p := (*problem.Error)(nil); !errors.As(err, &p) || p.Header.Get("Content-Range") != "bytes */10" {
		t.Errorf("the size is not told: %v", err)
	}
}
