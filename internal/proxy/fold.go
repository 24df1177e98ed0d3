package proxy

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxReadings bounds how often a path is decoded in search of what it hides;
// nobody honest encodes more than twice.
const maxReadings = 4

// foldPath returns the folded form of the path, having refused every segment
// that an upstream could read as "." or "..".
func foldPath(p Path) (string, error) {
	reading, err := lastReading(p)
	if err != nil {
		return "", err
	}
	if !ascii(reading) {
		// Upper first: some letters, such as ſ, have an ASCII upper case only.
		reading = strings.ToLower(strings.ToUpper(bestFit.Replace(reading)))
	}
	segments := strings.Split(reading, "/")
	for i, segment := range segments {
		folded := foldSegment(segment)
		// "/;v=1" is the root to a servlet container, at the end of a path only.
		last := i == len(segments)-1 && strings.HasPrefix(segment, ";")
		if folded == "" && segment != "" && !last {
			return "", errDots
		}
		segments[i] = folded
	}
	return strings.Join(segments, "/"), nil
}

// foldSegment cuts parameters, and a query or fragment that was encoded, off a
// segment, and then the dots and spaces that some file systems ignore.
func foldSegment(segment string) string {
	if i := strings.IndexAny(segment, ";?#"); i >= 0 {
		segment = segment[:i]
	}
	return strings.ToLower(strings.TrimRightFunc(segment, func(r rune) bool { return r == '.' || unicode.IsSpace(r) }))
}

// lastReading decodes the path until nothing is left to decode, taking encoded
// slashes for slashes: an upstream behind another decoder sees it so.
func lastReading(p Path) (string, error) {
	reading := p.literal
	if p.slash {
		reading = strings.ReplaceAll(reading, "%2F", "/")
	}
	for range maxReadings {
		next := unescapeLenient(reading)
		if next == reading {
			return reading, nil
		}
		if strings.Count(next, "/") != strings.Count(reading, "/") {
			return "", errDoubleSlash
		}
		if err := checkText(next); err != nil {
			return "", err
		}
		reading = next
	}
	return "", errNested
}

// unescapeLenient decodes the valid escapes of s and leaves the rest alone.
func unescapeLenient(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			if v, ok := unhex(s, i); ok {
				c = v
				i += 2
			}
		}
		b = append(b, c)
	}
	return string(b)
}

// bestFit maps the characters that Unicode compatibility forms and Windows
// code pages turn into dots and slashes.
var bestFit = strings.NewReplacer(
	"\u2024", ".", "\u2025", "..", "\u2026", "...", "\ufe52", ".", "\uff0e", ".", "\u3002", ".", "\uff61", ".",
	"\uff0f", "/", "\u2044", "/", "\u2215", "/", "\uff3c", "/", "\ufe68", "/",
)

func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
