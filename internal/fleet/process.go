package fleet

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// built is the gateway's binary, built once for all tests of a run.
var built struct {
	sync.Once
	path string
	err  error
}

// Binary returns the path of a gateway built from this checkout, with the race
// detector: a process that finds a race exits with status 66, which fails the
// test when it is stopped.
func Binary(t testing.TB) string {
	t.Helper()
	built.Do(func() {
		dir, err := os.MkdirTemp("", "gatehouse-fleet")
		if err != nil {
			built.err = err
			return
		}
		built.path = filepath.Join(dir, "gateway")
		cmd := exec.Command("go", "build", "-race", "-o", built.path, "./cmd/gateway")
		cmd.Dir = "../.."
		if out, err := cmd.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("%w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatalf("build the gateway: %v", built.err)
	}
	return built.path
}

// RemoveBinary removes what Binary built. TestMain calls it at the end.
func RemoveBinary() {
	if built.path != "" {
		_ = os.RemoveAll(filepath.Dir(built.path))
	}
}

// process is a child that can be ended, stopped and started again.
type process struct {
	t    testing.TB
	name string
	args []string

	mu   sync.Mutex
	cmd  *exec.Cmd
	logs *logs
}

func newProcess(t testing.TB, name string, args ...string) *process {
	p := &process{t: t, name: name, args: args, logs: &logs{}}
	t.Cleanup(func() {
		p.signal(syscall.SIGCONT)
		p.stop()
		if t.Failed() {
			t.Logf("the end of the log of %s:\n%s", name, p.logs.tail(4000))
		}
	})
	return p
}

// start runs the child.
func (p *process) start() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cmd = exec.Command(Binary(p.t), p.args...)
	p.cmd.Stdout, p.cmd.Stderr = p.logs, p.logs
	p.cmd.Env = append(os.Environ(), "GORACE=halt_on_error=1")
	if err := p.cmd.Start(); err != nil {
		p.t.Fatalf("start %s: %v", p.name, err)
	}
}

// stop ends the child in order (SIGTERM), and fails the test if it did not end well.
func (p *process) stop() {
	if err := p.end(syscall.SIGTERM); err != nil {
		p.t.Errorf("%s ended with %v", p.name, err)
	}
}

// kill ends the child as a crash does (kill -9).
func (p *process) kill() { _ = p.end(syscall.SIGKILL) }

func (p *process) end(sig syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return nil
	}
	_ = p.cmd.Process.Signal(sig)
	err := p.cmd.Wait()
	p.cmd = nil
	return err
}

// signal reaches a child that runs.
func (p *process) signal(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		_ = p.cmd.Process.Signal(sig)
	}
}

// pause stops a child that runs (SIGSTOP), and returns when it stands still.
func (p *process) pause() {
	p.signal(syscall.SIGSTOP)
	p.mu.Lock()
	defer p.mu.Unlock()
	for status := syscall.WaitStatus(0); p.cmd != nil && !status.Stopped(); {
		if _, err := syscall.Wait4(p.cmd.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil && !errors.Is(err, syscall.EINTR) {
			p.t.Errorf("wait for %s to stand still: %v", p.name, err)
			return
		}
	}
}

// logs keeps the end of what a child writes: in a long run it writes gigabytes.
type logs struct {
	mu  sync.Mutex
	buf []byte
	cut int // bytes that are no longer kept
}

const keptLogs = 1 << 20

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = append(l.buf, p...)
	if over := len(l.buf) - keptLogs; over > keptLogs {
		l.buf = append([]byte(nil), l.buf[over:]...)
		l.cut += over
	}
	return len(p), nil
}

// written is how many bytes there were so far.
func (l *logs) written() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cut + len(l.buf)
}

// since returns what was written after that many bytes.
func (l *logs) since(written int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.buf[max(0, written-l.cut):])
}

func (l *logs) tail(n int) string { return l.since(l.written() - n) }
