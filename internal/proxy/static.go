package proxy

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fetchmeta"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/urlpath"
)

// Static serves the regular files under one directory, and nothing else: no
// listings, no names that begin with a dot but .well-known, nothing outside,
// whatever symbolic links say. The directory may be replaced while it is served.
type Static struct {
	dir      string
	fallback string
	tags     *tagCache
	found    extensions
}

// NewStatic serves dir, which must be there. The file fallback in it, if not
// empty, answers navigations to names that do not exist and are not those of
// assets, as single-page applications need it.
func NewStatic(dir, fallback string) (*Static, error) {
	s := &Static{dir: dir, fallback: fallback, tags: newTagCache()}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open static directory: %w", err)
	}
	defer func() { _ = root.Close() }()
	if fallback == "" {
		return s, nil
	}
	file, err := open(root, fallback)
	if err != nil {
		return nil, fmt.Errorf("open spa_fallback %s in %s: %w", fallback, dir, err)
	}
	return s, file.Close()
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
		return filesAway(fmt.Errorf("open static directory: %w", err))
	}
	defer func() { _ = root.Close() }()

	name := localPath(d)
	if hidden(name) {
		return notFound(nil)
	}
	file, err := open(root, name)
	switch {
	case errors.Is(err, errDirectory):
		redirect(w, r, d)
		return nil
	case systemFailed(err):
		return filesAway(err)
	case err != nil && s.fallsBack(root, r, name):
		if file, err = open(root, s.fallback); err != nil {
			return filesAway(fmt.Errorf("open spa_fallback: %w", err))
		}
	case err != nil:
		return notFound(err)
	}
	defer func() { _ = file.Close() }()
	return s.serve(w, r, d, file)
}

// fallsBack reports whether the fallback answers for a name that is not there.
// The dot in "/users/ada@example.com" is no sign of a file; that of "/app.js" is.
func (s *Static) fallsBack(root *os.Root, r *http.Request, name string) bool {
	if s.fallback == "" || !fetchmeta.Navigation(r) {
		return false
	}
	ext := extension(name)
	return ext == "" || !assetTypes[ext] && !s.found.has(root, ext)
}

// localPath returns the path in the directory, without a slash at its start.
func localPath(d *Decision) string {
	p := d.Path.Literal()
	if d.Route.StripPrefix {
		p = urlpath.After(p, d.Route.segments())
	}
	return strings.TrimPrefix(p, "/")
}

// serve answers with the file. Everything is revalidated at each use, by a tag:
// that is one short round trip for a file that has not changed, and a new
// deployment is seen at once. Dates are for people to read. No condition is
// judged by one, because builds and copies make them up (RFC 9110 §13.1.3 and
// §13.1.5 ignore it where a resource has none).
func (s *Static) serve(w http.ResponseWriter, r *http.Request, d *Decision, file *openFile) error {
	tag, err := s.tags.tag(r.Context(), file)
	if err != nil {
		return fmt.Errorf("read static file: %w", err)
	}
	h := w.Header()
	if tag != "" {
		h.Set("Etag", tag)
	}
	if at := file.info.ModTime(); plausible(at) {
		h.Set("Last-Modified", at.UTC().Format(http.TimeFormat))
	}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-cache")
	if d.Private && !d.Route.CacheUpstream {
		h.Set("Cache-Control", "private, no-store")
	}
	h.Set("Content-Type", contentType(file.name))
	return serveContent(w, r, file)
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

func notFound(cause error) error {
	return &problem.Error{
		Status: http.StatusNotFound,
		Code:   "not_found",
		Public: "There is nothing at this address.",
		Err:    cause,
	}
}

// filesAway is the answer while a directory or its fallback is missing, which
// was there at the start: in the middle of a deployment.
func filesAway(cause error) error {
	return &problem.Error{
		Status: http.StatusServiceUnavailable, Code: "files_unavailable", RetryAfter: 2 * time.Second,
		Public: "The files of this site are not there at the moment. Try again shortly.",
		Err:    cause,
	}
}

// systemFailed tells a system that cannot open files from a file that is not there.
func systemFailed(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.EIO)
}
