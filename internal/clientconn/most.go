package clientconn

import "math"

const (
	// reserve are the descriptors of what no client asks for: logs, listeners, the store,
	// the user pool, probes.
	reserve = 128
	// least is how many connections are admitted in any case.
	least = 16
)

// Most is how many connections clients may have open, so that what is opened for them
// finds descriptors: half of the process's limit, as a request upstream takes one more.
func Most() int { return share(descriptors()) }

func share(descriptors uint64) int {
	switch {
	case descriptors == 0 || descriptors > math.MaxInt32:
		return math.MaxInt32
	case descriptors < 2*least+reserve:
		return least
	}
	return int(descriptors-reserve) / 2
}
