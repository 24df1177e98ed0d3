package oauth

import (
	"regexp"
	"strings"
	"unicode"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// maxDescription is how many characters are kept of an error_description.
const maxDescription = 300

// description makes of a provider's error_description (RFC 6749 §4.1.2.1, §5.2)
// what may be shown and logged as text: at most maxDescription characters, on one
// line, without control characters and those that turn the reading direction.
func description(s string) string { return shortened(oneLine(s)) }

func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strings.TrimSpace(s)
}

func shortened(s string) string {
	if runes := []rune(s); len(runes) > maxDescription {
		s = string(runes[:maxDescription])
	}
	return s
}

// secretLike is what may be a token, a code or a part of one: no word of a
// sentence is that long.
var secretLike = regexp.MustCompile(`[A-Za-z0-9._~+/=-]{32,}`)

// loggable is the description of a token endpoint's answer to a call that sent
// some secrets, without these and whatever else may be one: the endpoint might
// quote what it was sent. It is shortened last, so that no part of a secret remains.
func loggable(s string, sent []secret.Text) string {
	s = oneLine(s)
	for _, text := range sent {
		if !text.Empty() {
			s = strings.ReplaceAll(s, text.Reveal(), hidden)
		}
	}
	return shortened(secretLike.ReplaceAllString(s, hidden))
}

const hidden = "[…]"
