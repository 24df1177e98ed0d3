package proxy

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
)

const (
	// maxHashed is the largest file that is tagged by its content.
	maxHashed = 16 << 20
	// maxTags bounds the memory that tags take.
	maxTags = 8192
)

// tagCache remembers the entity tags of files. Time and size alone would not
// do: reproducible images give every file the same time, and a page that names
// another version of a script is as long as the one before.
type tagCache struct {
	mu   sync.Mutex
	tags map[string]fileTag
}

type fileTag struct {
	info fs.FileInfo
	tag  string
}

func newTagCache() *tagCache { return &tagCache{tags: make(map[string]fileTag)} }

// tag returns the strong entity tag of the file, which is left at its start.
func (c *tagCache) tag(file *openFile) (string, error) {
	if file.info.Size() > maxHashed {
		return fmt.Sprintf(`"%x-%x"`, file.info.ModTime().UnixNano(), file.info.Size()), nil
	}
	c.mu.Lock()
	known, ok := c.tags[file.name]
	c.mu.Unlock()
	if ok && sameVersion(known.info, file.info) {
		return known.tag, nil
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	tag := `"` + base64.RawURLEncoding.EncodeToString(hash.Sum(nil)[:16]) + `"`
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.tags) >= maxTags {
		clear(c.tags)
	}
	c.tags[file.name] = fileTag{info: file.info, tag: tag}
	return tag, nil
}

func sameVersion(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}
