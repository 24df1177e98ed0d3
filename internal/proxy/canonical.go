package proxy

import (
	"errors"
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/urlpath"
)

// Why a request's target is refused before its path is read; for the log only.
var (
	errConnect = errors.New("request target is not a path")
	errSpace   = errors.New("query has a space")
)

// Canonical returns the path of the request's target. It is a *problem.Error,
// 400 ambiguous_path, if two readers could take the path for different ones:
// the gateway judges one path, and the upstream must not serve another.
func Canonical(r *http.Request) (urlpath.Path, error) {
	if r.Method == http.MethodConnect {
		return urlpath.Path{}, ambiguous(errConnect)
	}
	// HTTP/2 can carry a space, where HTTP/1.1 would take the target to end. In a
	// path it is escaped; the query is forwarded as it came.
	if strings.IndexByte(r.URL.RawQuery, ' ') >= 0 {
		return urlpath.Path{}, ambiguous(errSpace)
	}
	p, err := urlpath.Parse(targetPath(r))
	if err != nil {
		return urlpath.Path{}, ambiguous(err)
	}
	return p, nil
}

// targetPath returns the raw path of the request's target. It looks at the
// target as it came, because r.URL shows a raw "#" as if it were "%23".
func targetPath(r *http.Request) string {
	target := r.RequestURI
	if target == "" { // made by a program, not read by a server
		target = r.URL.EscapedPath()
	}
	if r.URL.Host != "" { // absolute form, RFC 9112 §3.2.2
		if _, rest, ok := strings.Cut(target, "://"); ok {
			target = "/"
			if i := strings.IndexAny(rest, "/?"); i >= 0 && rest[i] == '/' {
				target = rest[i:]
			}
		}
	}
	path, _, _ := strings.Cut(target, "?")
	return path
}

// ambiguous is the answer to a path that has more than one reading.
func ambiguous(reason error) error {
	return &problem.Error{
		Status: http.StatusBadRequest,
		Code:   "ambiguous_path",
		Public: "The path of the request can be read in more than one way.",
		Err:    reason,
	}
}
