//go:build unix

package clientconn

import "syscall"

// descriptors is how many files the process may have open; 0 where that is not known.
func descriptors() uint64 {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return uint64(limit.Cur) //nolint:unconvert // it has another type on FreeBSD
}
