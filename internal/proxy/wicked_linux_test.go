package proxy_test

import (
	"net"
	"syscall"
	"unsafe"
)

// delivered reports whether the other side's system has all that was written.
func delivered(conn *net.TCPConn) bool {
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	var waiting int32
	err = raw.Control(func(fd uintptr) {
		if _, _, failed := syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCOUTQ, uintptr(unsafe.Pointer(&waiting))); failed != 0 {
			waiting = 1
		}
	})
	return err == nil && waiting == 0
}
