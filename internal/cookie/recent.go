package cookie

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

const (
	// recentMost bounds each of the two generations, some 500 bytes an entry.
	recentMost = 8192
	// recentFor is the longest that a cookie is believed before it is opened again.
	recentFor = time.Minute
)

// recent remembers which handles the latest cookie values opened to: a page
// sends the same value with every request, and opening it costs a microsecond
// and a dozen allocations. The exact value is the key, so a forged or changed
// one is never found. Two generations make eviction a swap.
type recent struct {
	mu         sync.RWMutex
	young, old map[string]opened
}

type opened struct {
	handle secret.Text
	until  time.Time
}

func (c *recent) get(value string, now time.Time) (secret.Text, bool) {
	c.mu.RLock()
	o, ok := c.young[value]
	if !ok {
		o, ok = c.old[value]
	}
	c.mu.RUnlock()
	if !ok || !now.Before(o.until) {
		return secret.Text{}, false
	}
	return o.handle, true
}

// put remembers what value opened to, not beyond the cookie's own end.
func (c *recent) put(value string, handle secret.Text, now, end time.Time) {
	until := now.Add(recentFor)
	if end.Before(until) {
		until = end
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.young == nil || len(c.young) >= recentMost {
		c.old, c.young = c.young, make(map[string]opened)
	}
	// A clone: value is part of the request's whole header, which would stay alive.
	c.young[strings.Clone(value)] = opened{handle: handle, until: until}
}

// sealedAt reads when securecookie sealed a value that it has just opened: the
// decimal Unix time in front of the first "|". What it cannot read counts as long ago.
func sealedAt(value string) time.Time {
	raw, err := base64.URLEncoding.DecodeString(value)
	if err != nil {
		return time.Time{}
	}
	date, _, _ := bytes.Cut(raw, []byte("|"))
	seconds, err := strconv.ParseInt(string(date), 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}
