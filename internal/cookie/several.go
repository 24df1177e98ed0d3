package cookie

import (
	"iter"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// A browser may send several cookies of one name: a parent domain's beside the
// host's, of another gateway or planted there ("cookie tossing"), in an order that
// says nothing. The one that opens counts. Several that open, with different
// contents, count as none: nothing tells which of them is meant.

// maxJoins bounds how many chunks are put together for one request.
const maxJoins = 256

// Seen returns how many cookies of the session's name came, and with how many
// different handles they open; more than two are not told apart. It is for saying
// why there is no session.
func (j *Jar) Seen(r *http.Request) (came, opened int) {
	for range values(r, j.session) {
		came++
	}
	return came, len(j.handles(r))
}

// Ambiguous reports whether several session cookies came that open with different
// handles, so that none of them counts.
func (j *Jar) Ambiguous(r *http.Request) bool {
	_, more := first(r, j.session)
	return more && len(j.handles(r)) > 1
}

// handles returns what the session cookies open with: each handle once, and no
// more than two.
func (j *Jar) handles(r *http.Request) []secret.Text {
	var opened []secret.Text
	joins := maxJoins
	for value := range values(r, j.session) {
		candidates := []secret.Text{}
		if j.opts.Opens == nil {
			candidates = append(candidates, j.open(value))
		} else if text, rest, ok := j.head(value); ok {
			candidates = j.join(r, text, rest, &joins)
		}
		for _, handle := range candidates {
			if !handle.Empty() && len(opened) < 2 && !slices.ContainsFunc(opened, handle.Equal) {
				opened = append(opened, handle)
			}
		}
	}
	return opened
}

// join returns the handles that text makes with the chunks of the names to come,
// each of which may have come several times.
func (j *Jar) join(r *http.Request, text string, names []string, joins *int) []secret.Text {
	if *joins--; *joins < 0 {
		return nil
	}
	if len(names) == 0 {
		return []secret.Text{j.unchunk(text)}
	}
	var handles []secret.Text
	for part := range values(r, names[0]) {
		handles = append(handles, j.join(r, text+part, names[1:], joins)...)
	}
	return handles
}

// first returns the value of the first cookie of that name, and whether more came.
func first(r *http.Request, name string) (value string, more bool) {
	for v := range values(r, name) {
		if value != "" {
			return value, true
		}
		value = v
	}
	return value, false
}

// values yields the values of the request's cookies of that name, as they come and
// without empty ones. The header is scanned, not parsed: no allocation, and no
// leniency about spaces before "=" or quotes, which browsers never send for our
// cookies.
func values(r *http.Request, name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range r.Header["Cookie"] {
			for line != "" {
				var pair string
				pair, line, _ = strings.Cut(line, ";")
				pair = strings.TrimLeft(pair, " \t")
				if len(pair) <= len(name) || pair[len(name)] != '=' || pair[:len(name)] != name {
					continue
				}
				value := strings.TrimRight(pair[len(name)+1:], " \t")
				if value != "" && !yield(value) {
					return
				}
			}
		}
	}
}
