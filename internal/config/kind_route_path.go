package config

import (
	"net/url"
	"path"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/gatehouse-auth/gatehouse/internal/urlpath"
)

// routePath fills a *string, always with a slash at its end: routes match whole
// segments, so "/api" and "/api/" are one route. A path is literal. What other
// products take for a pattern is refused: it would match nothing, and the paths
// that were meant would fall on a shorter route, perhaps one without a check.
type routePath struct{}

func (routePath) want() string {
	return "a path such as /api/, absolute, unescaped, without empty or dot segments, ; and trailing dots"
}

func (k routePath) parse(field any, s string) error {
	if s == "" {
		return nil
	}
	if !urlpath.Plain(s) || isPattern(s) {
		return k.refuse(s)
	}
	put(field, strings.TrimSuffix(s, "/")+"/")
	return nil
}

// refuse says what to write instead, where that can be told.
func (k routePath) refuse(s string) error {
	what := k.want()
	before, after, hasHost := strings.Cut(s, "://")
	switch {
	case hasHost && only(before, lower):
		host, rest, _ := strings.Cut(after, "/")
		what, s = "a path alone, and "+strings.ToLower(host)+" as host", "/"+rest
	case isPattern(s):
		what = "a literal path, without patterns: all that lies below it matches, too"
	case strings.ContainsAny(s, "?#"):
		what = "a path without query and fragment"
	}
	if meant := meantPath(s); meant != "" {
		return curef("%s; write %s", what, meant)
	}
	return cure(what)
}

// isPattern reports whether a path has a sign that stands for others in the routes
// of other products: *, {id}, [id], <id>, :id or that of a regular expression. But
// for * and the colon, none of them may stand in a path anyway (RFC 3986 §3.3).
func isPattern(s string) bool { return patternAt(s) < len(s) }

func patternAt(s string) int {
	at := len(s)
	if i := strings.IndexAny(s, "*{}[]<>|^"); i >= 0 {
		at = i
	}
	if i := strings.Index(s, "/:"); i >= 0 {
		at = min(at, i+1)
	}
	return at
}

// meantPath is the literal path that s begins with, made canonical; empty where
// that is not to be told.
func meantPath(s string) string {
	s, _, _ = strings.Cut(s, "?")
	s, _, _ = strings.Cut(s, "#")
	s = strings.TrimPrefix(s, "^")
	if at := patternAt(s); at < len(s) {
		s = s[:strings.LastIndexByte(s[:at], '/')+1] // whole segments
	}
	s, err := url.PathUnescape(s)
	if err != nil {
		return ""
	}
	var kept []string
	for segment := range strings.SplitSeq(path.Clean("/"+s), "/") {
		segment, _, _ = strings.Cut(segment, ";")
		if segment = strings.TrimRight(segment, ". "); segment != "" {
			kept = append(kept, segment+"/")
		}
	}
	meant := "/" + strings.Join(kept, "")
	if !urlpath.Plain(meant) || isPattern(meant) {
		return ""
	}
	return meant
}

func (routePath) format(field any) []string { return taken(field) }
func (routePath) schema() *jsonschema.Schema {
	return orVariable(&jsonschema.Schema{Type: "string", Pattern: `^/[^*{}?#]*$`})
}
