package memlimit

import (
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// containerLimit returns the least limit of memory, in bytes, among the control group
// that the process is in and those above it, as far as they can be seen from here, and
// the file that says so; 0 where there is none (cgroups(7), proc_pid_cgroup(5)).
//
// In a container without a namespace of its own for control groups, the path is that
// on the host, and only its root is there: what is missing is passed over.
func containerLimit(root fs.FS) (limit int64, file string) {
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0, "" // not Linux
	}
	for line := range strings.Lines(string(groups)) {
		mount, name, group := memoryGroup(strings.TrimSpace(line))
		if mount == "" {
			continue
		}
		for at := path.Clean("/" + group); ; at = path.Dir(at) {
			candidate := path.Join(mount, at, name)
			if n := readLimit(root, candidate); n > 0 && (limit == 0 || n < limit) {
				limit, file = n, "/"+candidate
			}
			if at == "/" {
				break
			}
		}
	}
	return limit, file
}

// memoryGroup reads a line of /proc/self/cgroup, id:controllers:group. It returns where
// the hierarchy that limits memory is mounted, and the name of its files of limits;
// nothing for other hierarchies.
func memoryGroup(line string) (mount, name, group string) {
	id, rest, _ := strings.Cut(line, ":")
	controllers, group, _ := strings.Cut(rest, ":")
	switch {
	case id == "0" && controllers == "": // version 2
		return "sys/fs/cgroup", "memory.max", group
	case slices.Contains(strings.Split(controllers, ","), "memory"): // version 1
		return "sys/fs/cgroup/memory", "memory.limit_in_bytes", group
	}
	return "", "", ""
}

// readLimit returns the number in a file; 0 where it is missing or says that there is
// no limit: "max" in version 2, in version 1 what is left of 2^63 in whole pages.
func readLimit(root fs.FS, name string) int64 {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n < 0 || n >= 1<<62 {
		return 0
	}
	return n
}
