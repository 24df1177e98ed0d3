package main

import (
	"syscall"
	"time"
)

// pause sleeps to within some fifty microseconds. The runtime's own timers are
// rounded up to a millisecond while nothing else is to do, and that would be most of
// what is measured.
func pause(d time.Duration) {
	left := syscall.NsecToTimespec(int64(d))
	for syscall.Nanosleep(&left, &left) == syscall.EINTR {
	}
}
