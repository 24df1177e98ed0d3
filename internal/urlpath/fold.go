package urlpath

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxReadings bounds how often a path is decoded. Nobody honest encodes more than
// twice.
const maxReadings = 4

// part is a piece of a path between two slashes, decoded to the end.
type part struct {
	text string
	// hidden says that the slash before it was encoded. Some upstreams split there,
	// before or after they have cut parameters.
	hidden bool
}

// fold fills in how tolerant upstreams could read the path. It refuses every segment
// that one of them could read as "." or "..".
func (p *Path) fold() error {
	parts, err := p.parts()
	if err != nil {
		return err
	}
	if p.folded, err = join(parts); err != nil {
		return err
	}
	bare := withoutParameters(parts)
	for _, other := range [][]part{bare, withoutAuthority(parts), withoutAuthority(bare)} {
		// These are fewer of the same segments, so there is no error.
		if reading, _ := join(other); reading != p.folded {
			p.others = append(p.others, reading)
		}
	}
	return nil
}

// parts decodes the path until nothing is left to decode. It splits at encoded
// slashes too, as an upstream behind another decoder does.
func (p *Path) parts() ([]part, error) {
	var parts []part
	for segment := range strings.SplitSeq(p.literal, "/") {
		hidden := false
		for piece := range strings.SplitSeq(segment, "%2F") {
			reading, err := lastReading(piece)
			if err != nil {
				return nil, err
			}
			for text := range strings.SplitSeq(reading, "/") {
				parts = append(parts, part{text, hidden})
				hidden = true
			}
		}
	}
	return parts, nil
}

// join makes one path of the parts in their folded form. It leaves empty ones out,
// as a reader does that merges slashes, such as nginx by default.
func join(parts []part) (string, error) {
	var b strings.Builder
	for i, part := range parts {
		folded := foldSegment(part.text)
		last := i == len(parts)-1
		switch {
		case folded != "":
			b.WriteByte('/')
			b.WriteString(folded)
		// "/;v=1" is the root to a servlet container, at the end of a path only.
		case part.text != "" && !(last && part.text[0] == ';'):
			return "", errDots
		case last:
			b.WriteByte('/')
		}
	}
	return b.String(), nil
}

// cutSegment cuts parameters, and a query or fragment that was encoded, off a
// segment, and then the dots and spaces that some file systems ignore.
func cutSegment(segment string) string {
	if i := strings.IndexAny(segment, ";?#"); i >= 0 {
		segment = segment[:i]
	}
	return strings.TrimRightFunc(segment, func(r rune) bool { return r == '.' || unicode.IsSpace(r) })
}

// foldSegment is what cutSegment leaves, in lower case.
func foldSegment(segment string) string {
	segment = cutSegment(segment)
	if ascii(segment) {
		return strings.ToLower(segment)
	}
	// Some letters, such as ſ, become ASCII in upper case only.
	return strings.ToLower(strings.ToUpper(segment))
}

// withoutParameters returns the parts for a reader that cuts parameters before it
// decodes slashes, as servlet containers do: of "a;b%2Fc" the "a".
func withoutParameters(parts []part) []part {
	kept, cutting := make([]part, 0, len(parts)), false
	for _, part := range parts {
		cutting = cutting && part.hidden
		if !cutting {
			kept = append(kept, part)
		}
		cutting = cutting || strings.Contains(part.text, ";")
	}
	return kept
}

// withoutAuthority returns the parts for a reader that decodes slashes and then takes
// the segment behind two of them for a host, as URL parsers do (RFC 3986 §4.2): of
// "/%2Fa/b" the "/b". The slashes may stand behind a prefix that is stripped.
func withoutAuthority(parts []part) []part {
	for i := 1; i < len(parts); i++ {
		if parts[i].text != "" || i == len(parts)-1 {
			continue
		}
		host := i
		for host < len(parts)-1 && parts[host].text == "" {
			host++
		}
		rest := parts[host+1:]
		if len(rest) == 0 {
			rest = []part{{}} // no path is the root
		}
		return append(parts[:i:i], rest...)
	}
	return parts
}

// lastReading decodes a piece without slashes until nothing is left to decode.
func lastReading(reading string) (string, error) {
	for range maxReadings {
		reading = compatible(reading)
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

// unescapeLenient decodes the valid escapes of s, including "%u0041", and leaves the
// rest as it is.
func unescapeLenient(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' {
			if v, ok := unhex(s, i); ok {
				b = append(b, v)
				i += 2
				continue
			}
			if r, ok := unhexWide(s[i:]); ok {
				b = utf8.AppendRune(b, r)
				i += 5
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

// unhexWide returns the character that "%uXXXX" at the beginning of s stands for.
func unhexWide(s string) (rune, bool) {
	if len(s) < 6 || s[1]|0x20 != 'u' {
		return 0, false
	}
	v, err := strconv.ParseUint(s[2:6], 16, 16)
	return rune(v), err == nil
}

// compatible maps characters that some readers turn into ASCII with a meaning in
// paths (Unicode compatibility forms, Windows code pages). It leaves out invisible
// ones, as some file systems do.
func compatible(s string) string {
	if ascii(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '！' && r <= '～': // the fullwidth forms
			return r - '！' + '!'
		case unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, bestFit.Replace(s))
}

var bestFit = strings.NewReplacer(
	"\u2024", ".", "\u2025", "..", "\u2026", "...", "\ufe52", ".", "\u3002", ".", "\uff61", ".",
	"\u2044", "/", "\u2215", "/", "\uff3c", "/", "\ufe68", "/",
)

func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
