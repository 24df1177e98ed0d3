package handlers

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/web"
)

// Modules serves the ES modules of @gatehouse/client, for pages without a build
// step. They are files, the same for everyone, and so may be cached where answers
// may not.
//
// Each module has an address with the version of all of them in it, which never
// means another content; modules import each other there. A page imports an entry,
// whose address has none and which leads on to the version at hand: a page never
// gets modules of two versions.
type Modules struct {
	path    string // {mount}/sdk
	version string
	files   map[string][]byte
}

// moduleEntries are the modules that pages import. In front of each runs served.js,
// which tells them where their gateway is.
var moduleEntries = []string{"index.js", "react.js"}

// NewModules reads the modules of fsys, an embedded folder, to be served below path.
func NewModules(path string, fsys fs.FS) *Modules {
	m := &Modules{path: path, files: map[string][]byte{}}
	hash := sha256.New()
	names, err := fs.Glob(fsys, "*.js") // sorted
	for _, name := range names {
		if m.files[name], err = fs.ReadFile(fsys, name); err != nil {
			break
		}
		_, _ = fmt.Fprintf(hash, "%s %d\n%s", name, len(m.files[name]), m.files[name])
	}
	if err != nil {
		panic(fmt.Sprintf("read the embedded modules: %v", err)) // they are part of the program
	}
	m.version = hex.EncodeToString(hash.Sum(nil))[:16]
	return m
}

// File is GET {mount}/sdk/{version}/{file}: a module. 404 for another version than
// this instance's.
func (m *Modules) File(w http.ResponseWriter, r *http.Request, _ *middleware.Exchange) error {
	body, ok := m.files[chi.URLParam(r, "file")]
	if !ok || chi.URLParam(r, "version") != m.version {
		return noSuchModule()
	}
	return m.write(w, r, body, "public, max-age=31536000, immutable")
}

// Entry is GET {mount}/sdk/{file}: the module that a page imports.
func (m *Modules) Entry(w http.ResponseWriter, r *http.Request, _ *middleware.Exchange) error {
	name := chi.URLParam(r, "file")
	if m.files[name] == nil || !slices.Contains(moduleEntries, name) {
		return noSuchModule()
	}
	return m.write(w, r, fmt.Appendf(nil, "import './%[1]s/served.js';\nexport * from './%[1]s/%[2]s';\n", m.version, name), "no-cache")
}

func noSuchModule() error {
	return problem.NoSuch("There is no such module here. Pages import index.js, and load again after an update.")
}

// Popup is GET {mount}/sdk/popup.html: the page on which a login ends that has a
// window of its own. Its script tells the pages of this origin, and closes it.
func (m *Modules) Popup(w http.ResponseWriter, _ *http.Request, _ *middleware.Exchange) error {
	return problem.WritePage(w, http.StatusOK, web.Page{
		Heading: "Signing in has ended", Text: "You can close this window and go on in the other one.",
		Script: m.path + "/" + m.version + "/popup.js",
	})
}

// write answers with a module. A page of another origin may import it where CORS
// lets it read answers; what it says is known to everyone, so embedding it is free.
func (m *Modules) write(w http.ResponseWriter, r *http.Request, body []byte, caching string) error {
	h, tag := w.Header(), `"`+m.version+`"`
	problem.OwnHeaders(h)
	h.Set("Cache-Control", caching)
	h.Set("Etag", tag)
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	// Browsers send the one tag that they hold, made weak by a front that compresses.
	if strings.Contains(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body) // a client that left cannot be told
	return nil
}
