package oauth

import (
	"regexp"
	"strings"
	"unicode"
)

// maxDescription is how many characters are kept of an error_description.
const maxDescription = 300

// description makes of a provider's error_description (RFC 6749 §4.1.2.1, §5.2)
// what may be shown and logged as text: at most maxDescription characters, on one
// line, without control characters and those that turn the reading direction.
func description(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	s = strings.TrimSpace(s)
	if runes := []rune(s); len(runes) > maxDescription {
		s = string(runes[:maxDescription])
	}
	return s
}

// secretLike is what may be a token, a code or a part of one: no word of a
// sentence is that long.
var secretLike = regexp.MustCompile(`[A-Za-z0-9._~+/=-]{32,}`)

// withoutSecrets takes what may be a secret out of a text: a token endpoint might
// quote what it was sent.
func withoutSecrets(s string) string { return secretLike.ReplaceAllString(s, "[…]") }
