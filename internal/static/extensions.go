package static

import (
	"io/fs"
	"os"
	"path"
	"sync"
	"time"
)

const (
	// listingAge is how long a listing holds, unless the whole directory is replaced.
	listingAge = 5 * time.Second
	// maxListed bounds a listing, in entries; it takes some 10 ms.
	maxListed = 10_000
)

// extensions knows which extensions the files of a directory have. Safe for
// concurrent use.
type extensions struct {
	mu    sync.Mutex
	of    fs.FileInfo // the directory that was listed
	at    time.Time
	known map[string]bool
}

// has reports whether the directory has a file with the extension.
func (e *extensions) has(root *os.Root, ext string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if info, err := root.Stat("."); err == nil && (!os.SameFile(info, e.of) || time.Since(e.at) > listingAge) {
		e.of, e.at, e.known = info, time.Now(), extensionsIn(root)
	}
	return e.known[ext]
}

// extensionsIn lists the extensions of the files that can be served, those near
// the top first. What cannot be read counts as empty.
func extensionsIn(root *os.Root) map[string]bool {
	found := make(map[string]bool)
	budget := maxListed
	for dirs := []string{"."}; len(dirs) > 0 && budget > 0; dirs = dirs[1:] {
		for _, entry := range entriesOf(root, dirs[0], budget) {
			budget--
			switch name := entry.Name(); {
			case hidden(name):
			case entry.IsDir():
				dirs = append(dirs, path.Join(dirs[0], name))
			default:
				found[extension(name)] = true
			}
		}
	}
	return found
}

func entriesOf(root *os.Root, dir string, most int) []fs.DirEntry {
	f, err := root.Open(dir)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	entries, _ := f.ReadDir(most) // those before an error count
	return entries
}
