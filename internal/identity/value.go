package identity

import (
	"encoding/json"
	"strconv"
	"strings"
)

// claim writes a claim as a header's value: a text, a number, a truth value, or a list of
// such. Empty for anything else, a list with anything else in it too: it would read as
// a shorter one.
func claim(value any) string {
	elements, several := value.([]any)
	if !several {
		s, _ := scalar(value)
		return escape(s, text)
	}
	texts := make([]string, len(elements))
	for i, e := range elements {
		s, ok := scalar(e)
		if !ok {
			return ""
		}
		texts[i] = s
	}
	return list(texts)
}

// scalar is a claim as its text.
func scalar(value any) (s string, ok bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

// list writes texts with commas between them.
func list(texts []string) string {
	escaped := make([]string, len(texts))
	for i, t := range texts {
		escaped[i] = escape(t, element)
	}
	return strings.Join(escaped, ",")
}

// charset says which bytes stand for themselves.
type charset string

const (
	// text is visible ASCII without the sign of escapes.
	text charset = "%"
	// element is a text that is one of several: without what separates them.
	element charset = "%,"
)

// escape percent-encodes (RFC 3986 §2.1) each byte of s that is no visible ASCII, or is
// among those.
func escape(s string, those charset) string {
	plain := 0
	for plain < len(s) && !those.escapes(s[plain]) {
		plain++
	}
	if plain == len(s) {
		return s
	}
	const hex = "0123456789ABCDEF"
	var out strings.Builder
	out.WriteString(s[:plain])
	for _, b := range []byte(s[plain:]) {
		if those.escapes(b) {
			out.Write([]byte{'%', hex[b>>4], hex[b&15]})
		} else {
			out.WriteByte(b)
		}
	}
	return out.String()
}

func (c charset) escapes(b byte) bool {
	return b <= ' ' || b > '~' || strings.IndexByte(string(c), b) >= 0
}
