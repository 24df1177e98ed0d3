package urlpath

import "strings"

// Plain reports whether p is a path as it may stand in a configuration: it is
// absolute and holds no escapes, and no segment of it is one that a reader could
// cut or leave out.
func Plain(p string) bool {
	if strings.IndexByte(p, '%') >= 0 {
		return false
	}
	if _, err := Parse(p); err != nil {
		return false
	}
	for segment := range strings.SplitSeq(p, "/") {
		if cutSegment(segment) != segment {
			return false
		}
	}
	return true
}

// Fold is what the most tolerant reader makes of any path or text in the place of
// one: [Path.Folded] without refusals, and with backslashes read as slashes. Two
// paths that some reader could take for the same have the same form.
func Fold(p string) string {
	segments := strings.FieldsFunc(Decode(p), func(r rune) bool { return r == '/' || r == '\\' })
	for i, s := range segments {
		segments[i] = foldSegment(s)
	}
	return "/" + strings.Join(segments, "/")
}

// Decode takes escapes away until none is left, those that appear on the way too.
func Decode(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		b = append(b, s[i])
		for n := len(b) - 3; n >= 0 && b[n] == '%'; n = len(b) - 3 {
			c, ok := unhex(b, n)
			if !ok {
				break
			}
			b = append(b[:n], c)
		}
	}
	return string(b)
}
