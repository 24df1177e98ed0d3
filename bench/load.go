package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// result is what one measurement saw.
type result struct {
	perSecond float64
	p50, p99  time.Duration
	cpu       time.Duration // of the proxy, a request
	// allocations are those of the proxy's whole process, a request.
	allocations float64
}

// request is one GET with the headers a browser sends with a call of a page, and
// the page's cookies. It is the same for every variant.
func request(target *url.URL, cookies string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: %s\r\n", target.RequestURI(), target.Host)
	for _, header := range browserHeaders(cookies) {
		b.WriteString(header + "\r\n")
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

func browserHeaders(cookies string) []string {
	return []string{
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
		"Accept: application/json",
		"Accept-Language: en-GB,en;q=0.9,de;q=0.8",
		"Accept-Encoding: gzip, deflate, br, zstd",
		"Sec-Fetch-Site: same-origin",
		"Sec-Fetch-Mode: cors",
		"Sec-Fetch-Dest: empty",
		`Sec-CH-UA: "Chromium";v="140", "Not=A?Brand";v="24"`,
		"Sec-CH-UA-Mobile: ?0",
		"Cookie: theme=dark; " + cookies + "; consent=necessary.statistics.2026",
	}
}

// load asks over the given number of connections, each as soon as it has its
// answer, for as long as told. An answer that is not the upstream's ends it: a
// fast refusal must not count as speed.
func load(ctx context.Context, target *url.URL, message []byte, connections int, duration time.Duration) (result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		wg    sync.WaitGroup
		times = make([][]time.Duration, connections)
		errs  = make([]error, connections)
		begin = time.Now()
		until = begin.Add(duration)
	)
	for i := range connections {
		wg.Go(func() {
			times[i], errs[i] = ask(ctx, target.Host, message, until)
			if errs[i] != nil {
				cancel() // one failure spoils the measurement
			}
		})
	}
	wg.Wait()
	took := time.Since(begin)
	if err := firstCause(errs); err != nil {
		return result{}, err
	}
	all := slices.Concat(times...)
	if len(all) == 0 {
		return result{}, errors.New("no request was answered in time")
	}
	slices.Sort(all)
	return result{
		perSecond: float64(len(all)) / took.Seconds(),
		p50:       all[len(all)/2],
		p99:       all[len(all)*99/100],
	}, nil
}

// firstCause prefers the error that made the others give up.
func firstCause(errs []error) error {
	var first error
	for _, err := range errs {
		if err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// ask is one connection's share of the load. It returns how long each answer took.
func ask(ctx context.Context, host string, message []byte, until time.Time) ([]time.Duration, error) {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(until.Add(10 * time.Second)); err != nil {
		return nil, err
	}
	reader := bufio.NewReaderSize(conn, 8<<10)
	times := make([]time.Duration, 0, 16<<10)
	for now := time.Now(); now.Before(until); {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if _, err := conn.Write(message); err != nil {
			return nil, err
		}
		if err := readAnswer(reader); err != nil {
			return nil, err
		}
		next := time.Now()
		times = append(times, next.Sub(now))
		now = next
	}
	return times, nil
}

// readAnswer takes one answer off the connection. It understands just what the
// upstream sends, and so costs far less than the proxies it measures.
func readAnswer(r *bufio.Reader) error {
	status, err := r.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("read the status line: %w", err)
	}
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("the answer was %q and not 200", strings.TrimSpace(string(status)))
	}
	length := -1
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("read a header: %w", err)
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return fmt.Errorf("read Content-Length: %w", err)
			}
		}
	}
	if length != answerSize {
		return fmt.Errorf("the answer has %d bytes and not the upstream's %d", length, answerSize)
	}
	_, err = io.CopyN(io.Discard, r, int64(length))
	return err
}
