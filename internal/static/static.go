// Package static serves the files of a directory: which of them there are to be
// had, their entity tags, types and ranges, and the fallback of a single-page
// application. Who may have them is decided before it is asked.
//
// The one invariant: nothing outside the directory, and nothing hidden in it, is
// served, whatever symbolic links say.
package static

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fetchmeta"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
)

// Files serves the regular files under one directory, and nothing else: no
// listings, and no names that begin with a dot but .well-known. The directory may
// be replaced while it is served. Safe for concurrent use.
type Files struct {
	dir      string
	fallback string
	tags     *tagCache
	found    extensions
}

// Target is what a request asks of a directory.
type Target struct {
	// Name is the path of the file below the directory, decoded and without a slash
	// at its start. One that is empty, or ends in a slash, means an index.html.
	Name string
	// Path is the request's own path, escaped, with which a redirect begins. It is
	// canonical: it begins with one slash, so it leads to nobody else's host.
	Path string
	// CacheControl is the header of that name of what is served (RFC 9111 §5.2.2).
	CacheControl string
}

// New serves dir, which must be there. The file fallback in it, if not
// empty, answers navigations to names that do not exist and are not those of
// assets, as single-page applications need it.
func New(dir, fallback string) (*Files, error) {
	f := &Files{dir: dir, fallback: fallback, tags: newTagCache()}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open static directory: %w", err)
	}
	defer func() { _ = root.Close() }()
	if fallback == "" {
		return f, nil
	}
	file, err := open(root, fallback)
	if err != nil {
		return nil, fmt.Errorf("open spa_fallback %s in %s: %w", fallback, dir, err)
	}
	return f, file.Close()
}

// Serve answers with the file that the target names, with a redirect to the
// directory that it names, or with the fallback. An error is a *problem.Error or
// a bug, and says that nothing was written.
func (f *Files) Serve(w http.ResponseWriter, r *http.Request, t Target) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return problem.MethodNotAllowed(http.MethodGet, http.MethodHead)
	}
	file, err := f.find(r, t)
	switch {
	case errors.Is(err, errDirectory):
		redirect(w, r, t)
		return nil
	case err != nil:
		return err
	}
	defer func() { _ = file.Close() }()
	return f.serve(w, r, t, file)
}

// find opens the file that the target names, or the fallback, and nothing besides: a
// client may read it as slowly as it likes. It returns errDirectory for a directory.
func (f *Files) find(r *http.Request, t Target) (*openFile, error) {
	// The directory is opened for each request, because a deployment may replace it,
	// or the symbolic link to it.
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		return nil, filesAway(fmt.Errorf("open static directory: %w", err))
	}
	defer func() { _ = root.Close() }()
	if hidden(t.Name) {
		return nil, problem.NotFound(nil)
	}
	file, err := open(root, t.Name)
	switch {
	case errors.Is(err, errDirectory):
		return nil, err
	case systemFailed(err):
		return nil, filesAway(err)
	case err != nil && f.fallsBack(root, r, t.Name):
		if file, err = open(root, f.fallback); err != nil {
			return nil, filesAway(fmt.Errorf("open spa_fallback: %w", err))
		}
		return file, nil
	case err != nil:
		return nil, problem.NotFound(err)
	}
	return file, nil
}

// fallsBack reports whether the fallback answers for a name that is not there.
// The dot in "/users/ada@example.com" is no sign of a file; that of "/app.js" is.
func (f *Files) fallsBack(root *os.Root, r *http.Request, name string) bool {
	if f.fallback == "" || !fetchmeta.Navigation(r) {
		return false
	}
	ext := extension(name)
	return ext == "" || !assetTypes[ext] && !f.found.has(root, ext)
}

// serve answers with the file. Browsers revalidate it by its tag. Its date is for
// people to read: no condition is judged by it, because builds and copies make
// dates up (RFC 9110 §13.1.3 and §13.1.5 ignore one where a resource has none).
func (f *Files) serve(w http.ResponseWriter, r *http.Request, t Target, file *openFile) error {
	tag, err := f.tags.tag(r.Context(), file)
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
	h.Set("Cache-Control", t.CacheControl)
	h.Set("Content-Type", contentType(file.name))
	return serveContent(w, r, file)
}

// redirect sends the browser to the directory, with the slash at its end.
func redirect(w http.ResponseWriter, r *http.Request, t Target) {
	target := t.Path + "/"
	if r.URL.RawQuery != "" {
		target += "?" + r.URL.RawQuery
	}
	w.Header().Set("Location", target)
	w.Header().Set("Cache-Control", t.CacheControl)
	w.WriteHeader(http.StatusFound)
}

// filesAway is the answer while a directory or its fallback is missing that was
// there at the start, as in the middle of a deployment.
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
