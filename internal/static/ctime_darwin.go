package static

import (
	"io/fs"
	"syscall"
	"time"
)

// changeTime is when the system last saw the file's content or its times change
// (st_ctimespec of stat(2)).
func changeTime(info fs.FileInfo) time.Time {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(s.Ctimespec.Unix())
	}
	return time.Time{}
}
