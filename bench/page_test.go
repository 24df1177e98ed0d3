package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTable(t *testing.T) {
	t.Run("is_Markdown_with_figures_to_the_right", func(t *testing.T) {
		table := &table{head: []string{"variant", "requests/s"}}
		table.add("nginx", "12")
		const want = "| variant | requests/s |\n| --- | ---: |\n| nginx | 12 |\n"
		if diff := cmp.Diff(want, table.String()); diff != "" {
			t.Errorf("table (-want +got):\n%s", diff)
		}
	})
}

func TestReport(t *testing.T) {
	t.Run("names_who_is_not_installed_and_how_to_change_that", func(t *testing.T) {
		l := &lab{bench: &bench{}, dir: t.TempDir()}
		absent := entrant{name: "Nobody", program: "no-such-program", install: "apt-get install nobody"}
		parties, err := l.enter(t.Context(), absent)
		if err != nil || len(parties) != 0 {
			t.Fatalf("parties = %v, %v, want none", parties, err)
		}
		text := l.report(t.Context(), "32 connections", nil, nil).text
		if want := "\nNot measured, as it is not installed: Nobody (apt-get install nobody).\n"; !strings.Contains(text, want) {
			t.Errorf("report %q lacks %q", text, want)
		}
	})
}

func TestWritten(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                             "–",
		12345 * time.Nanosecond:       "12.3µs",
		3740 * time.Microsecond:       "3.74ms",
		11_640 * time.Microsecond:     "11.6ms",
		1_234_567 * time.Microsecond:  "1.23s",
		999_999 * time.Nanosecond:     "1ms",
		87_000_000 * time.Nanosecond:  "87ms",
		100_400 * time.Nanosecond:     "100µs",
		2 * 60 * 1000 * 1000 * 1000:   "2m0s",
		time.Second + time.Nanosecond: "1s",
	} {
		t.Run(want, func(t *testing.T) {
			if got := written(d); got != want {
				t.Errorf("written(%d) = %q, want %q", d, got, want)
			}
		})
	}
}

func TestPage(t *testing.T) {
	const before = "# Benchmarks\n\nWords.\n\n<!-- bench:requests -->\nold\n<!-- /bench:requests -->\nMore words.\n"
	requests := part{name: "requests"}
	newPage := func(t *testing.T) string {
		t.Helper()
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "images"), 0o700); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "benchmarks.md")
		if err := os.WriteFile(file, []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	t.Run("changes_what_stands_between_the_markers_alone", func(t *testing.T) {
		file := newPage(t)
		p, err := openPage(file, []part{requests})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time over the first
			if err := p.put(requests, section{text: "new\n", plot: &plot{title: "Rates", subtitle: "longer is better"}}); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		const want = "# Benchmarks\n\nWords.\n\n<!-- bench:requests -->\n\n![Rates, longer is better](images/bench-requests.svg)\n\nnew\n\n<!-- /bench:requests -->\nMore words.\n"
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("page (-want +got):\n%s", diff)
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(file), "images", "bench-requests.svg")); err != nil {
			t.Error(err)
		}
	})
	t.Run("is_refused_without_the_markers_before_anything_is_measured", func(t *testing.T) {
		_, err := openPage(newPage(t), []part{requests, {name: "bodies"}})
		if err == nil || !strings.Contains(err.Error(), "<!-- bench:bodies -->") {
			t.Errorf("err = %v, want one that names the marker", err)
		}
	})
	t.Run("of_the_documentation_has_a_place_for_each_part", func(t *testing.T) {
		if _, err := openPage(filepath.Join("..", "docs", "benchmarks.md"), parts); err != nil {
			t.Error(err)
		}
	})
}

func TestPlot(t *testing.T) {
	p := &plot{title: "Rates & more", subtitle: "longer is better", bars: []bar{
		{label: "<nginx>", value: 200, text: "200"}, {label: "gateway", value: 100, text: "100", ours: true}, {label: "none", text: "0"},
	}}
	drawn := p.svg()
	t.Run("is_well_formed", func(t *testing.T) {
		d := xml.NewDecoder(strings.NewReader(drawn))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				return
			} else if err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Run("has_bars_in_proportion_and_ours_stands_out", func(t *testing.T) {
		for _, want := range []string{`class="bar" x="276" y="84" width="324.0"`, `class="bar ours" x="276" y="118" width="162.0"`} {
			if !strings.Contains(drawn, want) {
				t.Errorf("the plot lacks %s", want)
			}
		}
	})
	t.Run("tells_its_figures_to_who_does_not_see_them", func(t *testing.T) {
		if want := "longer is better: &lt;nginx&gt; 200; gateway 100; none 0</desc>"; !strings.Contains(drawn, want) {
			t.Errorf("the plot lacks %s", want)
		}
	})
}
