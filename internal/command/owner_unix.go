//go:build unix

package command

import (
	"io/fs"
	"os"
	"syscall"
)

// ownFile reports whether the file is this process's user's.
func ownFile(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Getuid()
}
