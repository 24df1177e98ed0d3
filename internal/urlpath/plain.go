package urlpath

import "strings"

// Plain reports whether p is a path as it may stand in a configuration: absolute,
// without escapes, and without a segment that a reader could cut or leave out.
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

// Fold returns the form in which two paths are equal that the most tolerant reader
// takes for the same. It is [Path.Folded] for any text: it refuses nothing, and reads
// backslashes as slashes.
func Fold(p string) string {
	segments := strings.FieldsFunc(Decode(p), func(r rune) bool { return r == '/' || r == '\\' })
	for i, s := range segments {
		segments[i] = foldSegment(s)
	}
	return "/" + strings.Join(segments, "/")
}

// Decode decodes escapes until none is left, including those that appear by decoding.
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
