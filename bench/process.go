package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// process is a child that ends with this program.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	log   string // file with what it wrote to standard error
	done  chan struct{}
}

// start runs the command. Its log goes to a file, as nobody has the time to read a
// pipe while the processors are measured.
func start(ctx context.Context, dir string, stdout io.Writer, env []string, name string, args ...string) (*process, error) {
	p := &process{cmd: exec.CommandContext(ctx, name, args...), done: make(chan struct{})}
	log, err := os.CreateTemp(dir, filepath.Base(name)+"-*.log")
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the child has its own
	p.log = log.Name()
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout = stdout
	p.cmd.Stderr = log
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	p.stdin = stdin
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(name), err)
	}
	go func() {
		_ = p.cmd.Wait() // a process that was killed has no better story to tell
		close(p.done)
	}()
	return p, nil
}

func (p *process) stop() {
	_ = p.stdin.Close()
	_ = p.cmd.Process.Kill()
	<-p.done
}

// startRole runs this program again in a role and returns the address it serves.
func startRole(ctx context.Context, dir, role, upstream string) (*process, string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = reader.Close() }()
	p, err := start(ctx, dir, writer, []string{upstreamVariable + "=" + upstream}, self, role)
	_ = writer.Close()
	if err != nil {
		return nil, "", err
	}
	line, err := bufio.NewReader(reader).ReadString('\n')
	if err != nil {
		p.stop()
		return nil, "", fmt.Errorf("start %s: %w: %s", role, err, p.complaint())
	}
	return p, "http://" + strings.TrimSpace(line), nil
}

// waitUntilAnswered asks until the address answers with 200.
func (p *process) waitUntilAnswered(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		status, err := get(ctx, client, address)
		if err == nil && status == http.StatusOK {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("ended before it answered: %s", p.complaint())
		case <-ctx.Done():
			return fmt.Errorf("no answer from %s (last: %d, %w): %s", address, status, errors.Join(err, ctx.Err()), p.complaint())
		case <-time.After(500 * time.Microsecond):
		}
	}
}

func get(ctx context.Context, client *http.Client, address string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// cpu is the processor time the process has used so far; 0 where the system
// does not say so in /proc.
func (p *process) cpu() time.Duration {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, ok := bytes.Cut(data, []byte(") ")) // the name may hold spaces
	fields := strings.Fields(string(rest))
	if !ok || len(fields) < 13 {
		return 0
	}
	const tick = 10 * time.Millisecond // USER_HZ is 100 on every Linux that Go runs on
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * tick
}

// mallocs is the metric that counts a process's allocations, as Go's collector for
// Prometheus names it.
const mallocs = "go_memstats_mallocs_total"

// allocated reads from a page of metrics how often the process has allocated so far.
func allocated(ctx context.Context, address string) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, err
	}
	resp, err := (&http.Client{Timeout: 5 * time.Second}).Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return readMetric(resp.Body, mallocs)
}

func readMetric(page io.Reader, name string) (float64, error) {
	lines := bufio.NewScanner(page)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, errors.Join(fmt.Errorf("no metric %s", name), lines.Err())
}

// memory is the resident memory of the process in bytes; 0 where unknown.
func (p *process) memory() int64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kilobytes, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kilobytes << 10
		}
	}
	return 0
}

// freeAddress is a loopback address that nobody listens on at the moment.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String(), nil
}

// complaint is the end of what the process wrote to standard error.
func (p *process) complaint() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	const enough = 4 << 10
	return strings.TrimSpace(string(text[max(0, len(text)-enough):]))
}
