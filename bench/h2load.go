package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// How h2load shares out the load: connections, and requests at a time on each, as of
// some browsers with a busy page.
const (
	h2Connections = 8
	h2Streams     = 4
)

// loadByH2load measures that many requests by HTTP/2 over TLS. (Told a duration instead,
// h2load 1.52 waits for ever if a connection takes longer than that to come about.)
func loadByH2load(ctx context.Context, dir string, c call, count int) (result, error) {
	program, _ := program("h2load") // the part looked for it
	log := filepath.Join(dir, "h2load.tsv")
	args := []string{
		"-t1", "-c" + strconv.Itoa(h2Connections), "-m" + strconv.Itoa(h2Streams), "-n" + strconv.Itoa(count), "--log-file=" + log,
	}
	for _, header := range c.lines() {
		args = append(args, "-H", header)
	}
	out, err := exec.CommandContext(ctx, program, append(args, c.url.String())...).CombinedOutput()
	if err != nil {
		return result{}, fmt.Errorf("run h2load: %w: %s", err, out)
	}
	if err := checkH2load(out); err != nil {
		return result{}, err
	}
	file, err := os.Open(log)
	if err != nil {
		return result{}, err
	}
	defer func() { _ = file.Close() }()
	times, took, err := readTimes(file)
	if err != nil {
		return result{}, err
	}
	if err := os.Remove(log); err != nil { // h2load adds to a file
		return result{}, err
	}
	return resultOf(times, took)
}

var (
	h2Done     = regexp.MustCompile(`(?m)^requests: .* done, [1-9]\d* succeeded, (\d+) failed, `)
	h2Refused  = regexp.MustCompile(`(?m)^status codes: \d+ 2xx, (\d+ 3xx, \d+ 4xx, \d+ 5xx)`)
	h2Protocol = regexp.MustCompile(`(?m)^Application protocol: (\S+)`)
)

// checkH2load fails unless every answer was good and came by HTTP/2.
func checkH2load(out []byte) error {
	found, err := submatches(string(out), h2Done, h2Refused, h2Protocol)
	if err != nil {
		return fmt.Errorf("read what h2load printed: %w: %s", err, out)
	}
	if found[0] != "0" || found[1] != "0 3xx, 0 4xx, 0 5xx" || found[2] != "h2" {
		return fmt.Errorf("not every answer was good and by HTTP/2: %s", out)
	}
	return nil
}

// readTimes reads how long each request took from h2load's log, and how long all of
// them did. A line has when it began, status, and how long it took, in microseconds and
// separated by tabs.
func readTimes(log io.Reader) (times []time.Duration, took time.Duration, err error) {
	first, last := int64(math.MaxInt64), int64(0)
	for lines := bufio.NewScanner(log); ; {
		if !lines.Scan() {
			return times, time.Duration(last-first) * time.Microsecond, lines.Err()
		}
		var begin, status, length int64
		if _, err := fmt.Sscanf(lines.Text(), "%d\t%d\t%d", &begin, &status, &length); err != nil {
			return nil, 0, fmt.Errorf("read h2load's log: %q: %w", lines.Text(), err)
		}
		first, last = min(first, begin), max(last, begin+length)
		times = append(times, time.Duration(length)*time.Microsecond)
	}
}
