package hangup

import (
	"errors"
	"os"
	"syscall"
)

// poller is an epoll instance (epoll(7)). Go's own tells of an end only those who read.
type poller struct {
	file *os.File // which Go's own poller waits for, so that no thread does
	raw  syscall.RawConn

	events [64]syscall.EpollEvent
	ready  []socket
}

func newPoller() (*poller, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	if err := syscall.SetNonblock(fd, true); err != nil { // or os takes it for a file
		_ = syscall.Close(fd)
		return nil, err
	}
	p := &poller{file: os.NewFile(uintptr(fd), "epoll")}
	if p.raw, err = p.file.SyscallConn(); err != nil {
		_ = p.file.Close()
		return nil, err
	}
	return p, nil
}

// add has the end of a socket be told of once: of all else that happens on it, nothing.
func (p *poller) add(s socket) error {
	return p.control(syscall.EPOLL_CTL_ADD, s.fd, &syscall.EpollEvent{
		Events: syscall.EPOLLRDHUP | syscall.EPOLLONESHOT, Fd: int32(s.fd), Pad: s.turn,
	})
}

func (p *poller) remove(fd uintptr) { _ = p.control(syscall.EPOLL_CTL_DEL, fd, nil) }

func (p *poller) control(what int, fd uintptr, event *syscall.EpollEvent) (err error) {
	if failed := p.raw.Control(func(epoll uintptr) { err = syscall.EpollCtl(int(epoll), what, int(fd), event) }); failed != nil {
		return failed
	}
	return err
}

// wait returns the sockets that have ended, of which there is at least one; none once the
// poller is closed.
func (p *poller) wait() []socket {
	p.ready = p.ready[:0]
	_ = p.raw.Read(func(epoll uintptr) bool {
		n, err := syscall.EpollWait(int(epoll), p.events[:], 0)
		for i := range max(0, n) {
			p.ready = append(p.ready, socket{uintptr(p.events[i].Fd), p.events[i].Pad})
		}
		return n > 0 || err != nil && !errors.Is(err, syscall.EINTR)
	})
	return p.ready
}

func (p *poller) close() { _ = p.file.Close() }
