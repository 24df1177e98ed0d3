package routing

import (
	"errors"
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/urlpath"
)

// errSpace is for the log only.
var errSpace = errors.New("query has a space")

// Target is what a request asks for, as it was said: nothing of it is decoded.
// It is that of the request at hand ([TargetOf]), or of one that a front asks
// about.
type Target struct {
	Method string
	// Host is the effective host in lower case, without the scheme's default port.
	Host string
	// Path is the raw path: escaped, without the query.
	Path string
	// Query is what stands behind the first "?".
	Query string
}

// TargetOf returns the target of a request to an effective host.
func TargetOf(r *http.Request, host string) Target {
	return Target{Method: r.Method, Host: host, Path: rawPath(r), Query: r.URL.RawQuery}
}

// rawPath returns the path of the request's target. It looks at the target as it
// came, because r.URL shows a raw "#" as if it were "%23".
func rawPath(r *http.Request) string {
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

// Canonical returns the path of the target. It is a *problem.Error, 400
// ambiguous_path, if two readers could take the path for different ones: the
// gateway judges one path, and the upstream must not serve another.
func (t Target) Canonical() (urlpath.Path, error) {
	// HTTP/2 can carry a space, where HTTP/1.1 would take the target to end. In a
	// path it is escaped; the query is forwarded as it came.
	if strings.IndexByte(t.Query, ' ') >= 0 {
		return urlpath.Path{}, ambiguous(errSpace)
	}
	p, err := urlpath.Parse(t.Path)
	if err != nil {
		return urlpath.Path{}, ambiguous(err)
	}
	return p, nil
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
