package static

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// maxLinks is how many symbolic links a path may lead through, as in Linux
// (path_resolution(7)).
const maxLinks = 40

var (
	errDirectory  = errors.New("is a directory")
	errNotRegular = errors.New("is not a regular file")
	errHidden     = errors.New("a symbolic link leads to a name that begins with a dot")
	errEscapes    = errors.New("a symbolic link leads out of the directory")
	errLinks      = errors.New("too many symbolic links")
)

// openFile is a regular file that can be served.
type openFile struct {
	*os.File
	info fs.FileInfo
	name string
}

// open opens the regular file name, or the index.html of the directory name if
// it ends in a slash. A directory without that slash that has an index.html is
// errDirectory, because relative links in it would lead elsewhere.
func open(root *os.Root, name string) (*openFile, error) {
	if name == "" || strings.HasSuffix(name, "/") {
		name += "index.html"
	}
	// Localize refuses names that mean something else to the system, such as
	// "NUL" or "page.html::$DATA" on Windows.
	if _, err := filepath.Localize(name); err != nil {
		return nil, fmt.Errorf("localize file name: %w", err)
	}
	// The kind is asked for first, because opening a named pipe would block.
	at, info, err := resolve(root, name)
	if err != nil {
		return nil, fmt.Errorf("find static file: %w", err)
	}
	if info.IsDir() {
		if _, index, err := resolve(root, name+"/index.html"); err == nil && index.Mode().IsRegular() {
			return nil, errDirectory
		}
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	file, err := root.Open(at)
	if err != nil {
		return nil, fmt.Errorf("open static file: %w", err)
	}
	// It is asked for again, because a deployment may have replaced the file.
	if info, err = file.Stat(); err != nil {
		return nil, errors.Join(fmt.Errorf("open static file: %w", err), file.Close())
	}
	return &openFile{File: file, info: info, name: name}, nil
}

// resolve follows the symbolic links in name, and returns the name that they lead
// to. [os.Root] keeps them inside the directory, but would follow one to ".env".
func resolve(root *os.Root, name string) (at string, info fs.FileInfo, err error) {
	at = "."
	for rest, links := name, 0; rest != ""; {
		segment, behind, _ := strings.Cut(rest, "/")
		next, err := step(at, segment)
		if err != nil {
			return "", nil, err
		}
		if info, err = root.Lstat(next); err != nil {
			return "", nil, err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			at, rest = next, behind
			continue
		}
		if links++; links > maxLinks {
			return "", nil, errLinks
		}
		target, err := linkTarget(root, next)
		if err != nil {
			return "", nil, err
		}
		rest = target + "/" + behind
	}
	return at, info, nil
}

// step returns where a segment leads from the directory at.
func step(at, segment string) (string, error) {
	switch {
	case segment == "" || segment == ".":
		return at, nil
	case segment == ".." && at == ".":
		return "", errEscapes
	case segment == "..":
		return path.Dir(at), nil
	case hiddenBehindLink(segment):
		return "", errHidden
	}
	return path.Join(at, segment), nil
}

// linkTarget reads a symbolic link, which must be relative.
func linkTarget(root *os.Root, link string) (string, error) {
	target, err := root.Readlink(link)
	if err != nil {
		return "", err
	}
	if filepath.IsAbs(target) {
		return "", errEscapes
	}
	return filepath.ToSlash(target), nil
}

// hidden reports whether a segment begins with a dot: .git, .env, .htpasswd.
func hidden(name string) bool {
	for segment := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(segment, ".") && segment != ".well-known" {
			return true
		}
	}
	return false
}

// hiddenBehindLink is hidden for a segment that a link leads to. It lets names pass
// that begin with two dots: a Kubernetes volume of a ConfigMap is a set of links to
// "..data", which is a link to "..2026_11_26_…". Replacing that one updates all files
// at once.
func hiddenBehindLink(segment string) bool {
	return hidden(segment) && !strings.HasPrefix(segment, "..")
}
