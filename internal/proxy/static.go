package proxy

import (
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/fetchmeta"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
)

// Static serves the regular files under one directory, and nothing else: no
// listings, no names that begin with a dot but .well-known, nothing outside,
// whatever symbolic links say. The directory may be replaced while it is served.
type Static struct {
	dir      string
	fallback string
	tags     *tagCache
}

// NewStatic serves dir. The file fallback in it, if not empty, answers
// navigations to names without an extension that do not exist, as single-page
// applications need it. Nothing is opened before the first request.
func NewStatic(dir, fallback string) *Static {
	return &Static{dir: dir, fallback: fallback, tags: newTagCache()}
}

// Relay implements [Relay].
func (s *Static) Relay(w http.ResponseWriter, r *http.Request, d *Decision) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return notAllowed([]string{http.MethodGet, http.MethodHead})
	}
	// Opened for each request: a deployment may have put another directory, or
	// another symbolic link, in its place.
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return fmt.Errorf("open static directory: %w", err)
	}
	defer func() { _ = root.Close() }()

	name := localPath(d)
	if hidden(name) {
		return notFound(nil)
	}
	file, err := open(root, name)
	if errors.Is(err, errDirectory) {
		redirect(w, r, d)
		return nil
	}
	if err != nil && s.fallback != "" && path.Ext(name) == "" && fetchmeta.Navigation(r) {
		name = s.fallback
		file, err = open(root, name)
	}
	if err != nil {
		return notFound(err)
	}
	defer func() { _ = file.Close() }()
	return s.serve(w, r, d, file)
}

// localPath returns the path in the directory, without a slash at its start.
func localPath(d *Decision) string {
	p := d.Path.Literal()
	if d.Route.StripPrefix {
		p = after(p, d.Route.segments())
	}
	return strings.TrimPrefix(p, "/")
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

var (
	errDirectory  = errors.New("is a directory")
	errNotRegular = errors.New("is not a regular file")
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
	local, err := filepath.Localize(name)
	if err != nil {
		return nil, fmt.Errorf("localize file name: %w", err)
	}
	// Asked first, because opening a named pipe would block.
	info, err := root.Stat(local)
	if err != nil {
		return nil, fmt.Errorf("find static file: %w", err)
	}
	if info.IsDir() {
		if index, err := root.Stat(filepath.Join(local, "index.html")); err == nil && index.Mode().IsRegular() {
			return nil, errDirectory
		}
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	file, err := root.Open(local)
	if err != nil {
		return nil, fmt.Errorf("open static file: %w", err)
	}
	return &openFile{File: file, info: info, name: name}, nil
}

// serve answers with the file. Everything is revalidated at each use, by a tag
// that is made of the content: that is one short round trip for a file that has
// not changed, and a new deployment is seen at once.
func (s *Static) serve(w http.ResponseWriter, r *http.Request, d *Decision, file *openFile) error {
	tag, err := s.tags.tag(file)
	if err != nil {
		return fmt.Errorf("read static file: %w", err)
	}
	h := w.Header()
	h.Set("Etag", tag)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-cache")
	if d.Private && !d.Route.CacheUpstream {
		h.Set("Cache-Control", "private, no-store")
	}
	if t := contentType(file.name); t != "" {
		h.Set("Content-Type", t)
	}
	http.ServeContent(w, r, file.name, file.info.ModTime(), file)
	return nil
}

// redirect sends the browser to the directory, with the slash at its end.
func redirect(w http.ResponseWriter, r *http.Request, d *Decision) {
	// A canonical path begins with one slash only, so this is always local.
	target := d.Path.Escaped() + "/"
	if r.URL.RawQuery != "" {
		target += "?" + r.URL.RawQuery
	}
	h := w.Header()
	h.Set("Location", target)
	h.Set("Cache-Control", "no-cache")
	if d.Private {
		h.Set("Cache-Control", "private, no-store")
	}
	w.WriteHeader(http.StatusFound)
}

// webTypes are the types that a page needs to work. They do not come from the
// system's table, which may be missing, or say text/plain for scripts.
var webTypes = map[string]string{
	".css":         "text/css; charset=utf-8",
	".html":        "text/html; charset=utf-8",
	".ico":         "image/x-icon",
	".js":          "text/javascript; charset=utf-8",
	".json":        "application/json",
	".map":         "application/json",
	".mjs":         "text/javascript; charset=utf-8",
	".svg":         "image/svg+xml",
	".txt":         "text/plain; charset=utf-8",
	".wasm":        "application/wasm",
	".webmanifest": "application/manifest+json",
	".woff":        "font/woff",
	".woff2":       "font/woff2",
}

func contentType(name string) string {
	ext := strings.ToLower(path.Ext(name))
	if t := webTypes[ext]; t != "" {
		return t
	}
	return mime.TypeByExtension(ext)
}

func notFound(cause error) error {
	return &problem.Error{
		Status: http.StatusNotFound,
		Code:   "not_found",
		Public: "There is nothing at this address.",
		Err:    cause,
	}
}
