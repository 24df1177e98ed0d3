// Package paging cuts lists of sessions into pages: ?after names the last session of
// the page before, and a Link header (RFC 8288) the address of the next one. It leaves
// to its callers whose sessions they are, and what is shown of each.
//
// The one invariant: the address of a next page leads on, also where the session that
// it names has ended meanwhile, because it has the time of that session too.
package paging

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// ErrAfter answers a page of sessions that was asked for after one that is not there.
var ErrAfter = &problem.Error{Status: http.StatusBadRequest, Code: "invalid_after",
	Public: "after names no session of this list. Without it the list begins with the newest."}

// After returns the position that a request for a list names; zero for its beginning.
// The error is [ErrAfter].
func After(r *http.Request) (session.Position, error) {
	q := r.URL.Query()
	if !q.Has("after") {
		return session.Position{}, nil
	}
	p := session.Position{ID: q.Get("after")}
	if !session.IsID(p.ID) {
		return session.Position{}, ErrAfter
	}
	if !q.Has("created") {
		return p, nil
	}
	ms, err := strconv.ParseInt(q.Get("created"), 10, 64)
	if err != nil || ms <= 0 {
		return session.Position{}, ErrAfter
	}
	p.CreatedAt = time.UnixMilli(ms)
	return p, nil
}

// LinkNext names the address of the next page, if there is one.
func LinkNext(w http.ResponseWriter, r *http.Request, next session.Position) {
	if !next.IsZero() {
		w.Header().Set("Link", fmt.Sprintf(`<%s?after=%s&created=%d>; rel="next"`, r.URL.EscapedPath(), next.ID, next.CreatedAt.UnixMilli()))
	}
}
