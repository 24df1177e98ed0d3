package static

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"sync"
	"time"
)

const (
	// maxHashed is the largest file that is tagged by its content.
	maxHashed = 64 << 20
	// maxTags bounds the memory that tags take.
	maxTags = 8192
	// settling is how long after a change another one may bear the same time, on
	// the coarsest clock of a file system (FAT: two seconds).
	settling = 2 * time.Second
)

// firstYear is before any file of the web was made, so an earlier time is made up.
var firstYear = time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)

// plausible reports whether a file's time is one at which it may have been made.
func plausible(t time.Time) bool { return !t.Before(firstYear) && !t.After(time.Now()) }

// tagCache makes and remembers the entity tags of files. Two contents of one name
// never get the same tag, even where their sizes and times are the same: a
// reproducible build gives every file one time, and a page that names another
// version of a script is as long as before. Safe for concurrent use.
type tagCache struct {
	mu   sync.Mutex
	tags map[string]fileTag

	hashing chan struct{} // a token for each file that is being hashed
}

type fileTag struct {
	info fs.FileInfo
	tag  string
}

func newTagCache() *tagCache {
	return &tagCache{tags: make(map[string]fileTag), hashing: make(chan struct{}, runtime.GOMAXPROCS(0))}
}

// tag returns the strong entity tag of the file, or "" where no tag would hold. It
// hashes the content, once for each version. For a file over maxHashed it takes what
// the system says about the file, so that two instances tag it differently. The file
// is at its start afterwards.
func (c *tagCache) tag(ctx context.Context, file *openFile) (string, error) {
	changed := changeTime(file.info)
	settled := !changed.IsZero() && time.Since(changed) > settling
	switch {
	case file.info.Size() <= maxHashed:
		return c.contentTag(ctx, file, settled)
	case settled && plausible(changed):
		return fmt.Sprintf(`"%x-%x-%x"`, file.info.Size(), file.info.ModTime().UnixNano(), changed.UnixNano()), nil
	}
	return "", nil
}

// contentTag hashes the file, unless it is remembered. It remembers the tag of a
// file that is settled.
func (c *tagCache) contentTag(ctx context.Context, file *openFile, settled bool) (string, error) {
	if tag, ok := c.remembered(file); ok {
		return tag, nil
	}
	select {
	case c.hashing <- struct{}{}:
		defer func() { <-c.hashing }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if tag, ok := c.remembered(file); ok { // made while this one waited
		return tag, nil
	}
	tag, err := hashOf(file)
	if err != nil {
		return "", err
	}
	if now, err := file.Stat(); err != nil || !sameVersion(now, file.info) {
		return "", nil // written to while it was read
	}
	if settled {
		c.remember(file, tag)
	}
	return tag, nil
}

func (c *tagCache) remembered(file *openFile) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.tags[file.name]
	return known.tag, ok && sameVersion(known.info, file.info)
}

func (c *tagCache) remember(file *openFile, tag string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.tags) >= maxTags {
		clear(c.tags)
	}
	c.tags[file.name] = fileTag{info: file.info, tag: tag}
}

func hashOf(file *openFile) (string, error) {
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	return `"` + base64.RawURLEncoding.EncodeToString(hash.Sum(nil)[:16]) + `"`, nil
}

// sameVersion compares above all the time of the last change, which the system sets
// and nobody can set back.
func sameVersion(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && changeTime(a).Equal(changeTime(b)) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}
