package static

import (
	"io/fs"
	"syscall"
	"time"
)

// changeTime is when the system last saw the file's content or its times change
// (st_ctim of stat(2)).
func changeTime(info fs.FileInfo) time.Time {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(s.Ctim.Unix())
	}
	return time.Time{}
}
