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
	"syscall"
	"time"
)

// process is a child that ends with this program.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	log   string // file with what it wrote to standard error
	done  chan struct{}
}

// command is what a process runs.
type command struct {
	dir    string // of its logs
	name   string
	args   []string
	env    []string  // besides this program's own
	stdout io.Writer // nil: a file, as nobody has the time to read a pipe while processors are measured
}

// patience is how long a process may take to answer, and then to end.
const patience = 30 * time.Second

// start runs the command. Where it fails later, its log says why.
func start(ctx context.Context, c command) (*process, error) {
	p := &process{cmd: exec.CommandContext(ctx, c.name, c.args...), done: make(chan struct{})}
	log, err := os.CreateTemp(c.dir, filepath.Base(c.name)+"-*.log")
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the child has its own
	p.log = log.Name()
	p.cmd.Env = append(os.Environ(), c.env...)
	p.cmd.Stdout, p.cmd.Stderr = c.stdout, log
	if c.stdout == nil {
		out, err := os.CreateTemp(c.dir, filepath.Base(c.name)+"-*.out")
		if err != nil {
			return nil, err
		}
		defer func() { _ = out.Close() }()
		p.cmd.Stdout = out
	}
	// nginx leaves its workers behind if it is killed, so it is asked first.
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = patience
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	p.stdin = stdin
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(c.name), err)
	}
	go func() {
		_ = p.cmd.Wait() // a process that was ended has no better story to tell
		close(p.done)
	}()
	return p, nil
}

// stop ends the process, by force where it takes long or the system has no gentler way.
func (p *process) stop() {
	_ = p.stdin.Close()
	if p.cmd.Process.Signal(syscall.SIGTERM) == nil {
		select {
		case <-p.done:
			return
		case <-time.After(2 * time.Second): // streams that nobody reads any more
		}
	}
	_ = p.cmd.Process.Kill()
	<-p.done
}

// startRole runs this program again in a role, given by its variables, and returns
// the address it serves.
func startRole(ctx context.Context, dir, role, scheme string, variables ...string) (*process, string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = reader.Close() }()
	p, err := start(ctx, command{dir: dir, name: self, args: []string{role}, env: variables, stdout: writer})
	_ = writer.Close()
	if err != nil {
		return nil, "", err
	}
	line, err := bufio.NewReader(reader).ReadString('\n')
	if err != nil {
		p.stop()
		return nil, "", fmt.Errorf("start %s: %w: %s", role, err, p.complaint())
	}
	return p, scheme + "://" + strings.TrimSpace(line), nil
}

// waitUntilListening dials until somebody listens.
func (p *process) waitUntilListening(ctx context.Context, address string) error {
	var dialer net.Dialer
	return p.wait(ctx, address, func(ctx context.Context) error {
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err
	})
}

// waitUntilAnswered asks until the address answers with 200.
func (p *process) waitUntilAnswered(ctx context.Context, client *http.Client, address string) error {
	return p.wait(ctx, address, func(ctx context.Context) error {
		resp, err := get(ctx, client, address)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return errors.New(resp.Status)
		}
		return nil
	})
}

func (p *process) wait(ctx context.Context, address string, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("ended before it answered: %s", p.complaint())
		case <-ctx.Done():
			return fmt.Errorf("no answer from %s: %w: %s", address, errors.Join(err, ctx.Err()), p.complaint())
		case <-time.After(500 * time.Microsecond):
		}
	}
}

func get(ctx context.Context, client *http.Client, address string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	return client.Do(req)
}

// family is the process and its children, such as the workers of nginx.
func (p *process) family() []int {
	pid := p.cmd.Process.Pid
	family := []int{pid}
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for _, child := range strings.Fields(string(text)) {
			if n, err := strconv.Atoi(child); err == nil {
				family = append(family, n)
			}
		}
	}
	return family
}

// cpu is the processor time that the process and its children have used so far; 0
// where the system does not say so in /proc.
func (p *process) cpu() time.Duration {
	var all time.Duration
	for _, pid := range p.family() {
		all += processorTime(pid)
	}
	return all
}

func processorTime(pid int) time.Duration {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
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

// memory is the resident memory of the process and its children in bytes; 0 where
// unknown. What several share counts for each.
func (p *process) memory() int64 {
	var all int64
	for _, pid := range p.family() {
		all += memoryOf(pid)
	}
	return all
}

func memoryOf(pid int) int64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
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

// mallocs is the metric that counts a process's allocations, as Go's collector for
// Prometheus names it.
const mallocs = "go_memstats_mallocs_total"

// allocated reads from a page of metrics how often the process has allocated so far.
func allocated(ctx context.Context, client *http.Client, address string) (float64, error) {
	resp, err := get(ctx, client, address)
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

// complaint is the end of what the process wrote to standard error.
func (p *process) complaint() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	const enough = 4 << 10
	return strings.TrimSpace(string(text[max(0, len(text)-enough):]))
}
