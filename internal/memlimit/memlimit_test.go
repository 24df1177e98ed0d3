package memlimit

import (
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"testing/fstest"
	"time"
)

// files is a tree with these contents.
func files(contents map[string]string) fstest.MapFS {
	tree := fstest.MapFS{}
	for name, text := range contents {
		tree[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return tree
}

func TestContainerLimit(t *testing.T) {
	const (
		v1  = "12:pids:/docker/c\n4:cpu,memory:/docker/c\n0::/system.slice\n"
		own = "sys/fs/cgroup/memory/docker/c/memory.limit_in_bytes"
	)
	for name, tt := range map[string]struct {
		tree  map[string]string
		limit int64
		file  string
	}{
		"version_2_in_a_namespace_of_its_own": {
			map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "536870912\n"},
			512 << 20, "/sys/fs/cgroup/memory.max",
		},
		"version_2_nested_and_the_pod_has_less": {
			map[string]string{
				"proc/self/cgroup":                         "0::/kubepods/pod1/c\n",
				"sys/fs/cgroup/kubepods/memory.max":        "8589934592\n",
				"sys/fs/cgroup/kubepods/pod1/memory.max":   "268435456\n",
				"sys/fs/cgroup/kubepods/pod1/c/memory.max": "536870912\n",
			},
			256 << 20, "/sys/fs/cgroup/kubepods/pod1/memory.max",
		},
		"version_2_without_a_namespace_sees_its_root_only": {
			map[string]string{"proc/self/cgroup": "0::/docker/c\n", "sys/fs/cgroup/memory.max": "1000\n"},
			1000, "/sys/fs/cgroup/memory.max",
		},
		"version_2_without_a_limit": {
			map[string]string{"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": "max\n"}, 0, "",
		},
		"version_2_outside_its_namespace": {
			map[string]string{"proc/self/cgroup": "0::/../../sibling\n", "sys/fs/cgroup/memory.max": "1000\n"},
			1000, "/sys/fs/cgroup/memory.max",
		},
		"version_1": {
			map[string]string{"proc/self/cgroup": v1, own: "536870912\n"}, 512 << 20, "/" + own,
		},
		"version_1_without_a_namespace_sees_its_root_only": {
			map[string]string{"proc/self/cgroup": v1, "sys/fs/cgroup/memory/memory.limit_in_bytes": "1000\n"},
			1000, "/sys/fs/cgroup/memory/memory.limit_in_bytes",
		},
		"version_1_without_a_limit": {
			map[string]string{"proc/self/cgroup": v1, own: "9223372036854771712\n"}, 0, "",
		},
		"other_controllers_only": {
			map[string]string{"proc/self/cgroup": "3:memoryless:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "1000\n"}, 0, "",
		},
		"files_that_say_nothing": {
			map[string]string{"proc/self/cgroup": "\n::\n0::\n", "sys/fs/cgroup/memory.max": "-1\n"}, 0, "",
		},
		"no_control_groups": {nil, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			limit, file := containerLimit(files(tt.tree))
			if limit != tt.limit || file != tt.file {
				t.Errorf("%d by %q, want %d by %q", limit, file, tt.limit, tt.file)
			}
		})
	}
}

// restored puts the process's settings back when the test is over.
func restored(t *testing.T) {
	limit, percent := debug.SetMemoryLimit(-1), debug.SetGCPercent(100)
	debug.SetMemoryLimit(math.MaxInt64)
	t.Cleanup(func() {
		debug.SetMemoryLimit(limit)
		debug.SetGCPercent(percent)
	})
}

func TestApply(t *testing.T) {
	container := map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "1000000000\n"}
	for name, tt := range map[string]struct {
		tree, environ map[string]string
		want          Settings
	}{
		"takes_nine_tenths_of_the_containers_limit": {
			container, map[string]string{"GOGC": "100"}, Settings{900_000_000, "/sys/fs/cgroup/memory.max", "GOGC"},
		},
		"leaves_what_the_operator_said": {
			container, map[string]string{"GOGC": "100", "GOMEMLIMIT": "off"}, Settings{0, "GOMEMLIMIT", "GOGC"},
		},
		"sets_no_limit_where_there_is_none": {
			nil, map[string]string{"GOGC": "100"}, Settings{0, "no limit", "GOGC"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			restored(t)
			got := apply(files(tt.tree), func(name string) (string, bool) { v, ok := tt.environ[name]; return v, ok })
			if got != tt.want {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
			if limit := debug.SetMemoryLimit(-1); tt.want.Limit > 0 && limit != tt.want.Limit {
				t.Errorf("the limit is %d", limit)
			}
			if percent := gogc(); percent != 100 {
				t.Errorf("GOGC is %d", percent)
			}
		})
	}
}

func TestPercent(t *testing.T) {
	for alive, want := range map[uint64]int{
		0: 400, 10 << 20: 400, 16 << 20: 400, 32 << 20: 200, 64 << 20: 100, 128 << 20: 50, 10 << 30: 50,
	} {
		if got := percent(alive); got != want {
			t.Errorf("percent(%d MB) = %d, want %d", alive>>20, got, want)
		}
	}
}

// TestPace: GOGC follows the heap up and down again.
func TestPace(t *testing.T) {
	restored(t)
	got := apply(files(nil), func(string) (string, bool) { return "", false })
	if got.CollectBy != "heap size" || gogc() != mostPercent {
		t.Errorf("%+v, GOGC %d", got, gogc())
	}
	kept := make([]byte, headroom)
	waitFor(t, func() bool { return gogc() <= 100 })
	runtime.KeepAlive(kept)
	waitFor(t, func() bool { return gogc() == mostPercent })
}

// waitFor collects garbage until what follows from that is there.
func waitFor(t *testing.T, is func() bool) {
	t.Helper()
	for began := time.Now(); !is(); runtime.GC() {
		if time.Since(began) > time.Minute {
			t.Fatalf("GOGC stays at %d", gogc())
		}
	}
}

func gogc() int {
	s := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(s)
	return int(s[0].Value.Uint64())
}
