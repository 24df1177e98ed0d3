package config

import (
	"regexp"
	"strings"
)

// expand replaces ${NAME} and ${NAME:-default} by variables, and $$ by $. The
// default stands in for an unset variable and for an empty one, as in a shell;
// it nests nothing. What a variable holds is not looked at again, so that a
// password with a dollar sign stays what it is. Any other $ stands for itself.
func expand(text string, getenv func(string) (string, bool)) (string, error) {
	var out strings.Builder
	for {
		at := strings.IndexByte(text, '$')
		if at < 0 || at == len(text)-1 {
			out.WriteString(text)
			return out.String(), nil
		}
		out.WriteString(text[:at])
		text = text[at+1:]
		switch text[0] {
		case '$':
			out.WriteByte('$')
			text = text[1:]
		case '{':
			inner, rest, closed := strings.Cut(text[1:], "}")
			if !closed {
				return "", curePlaceholder
			}
			value, err := lookup(inner, getenv)
			if err != nil {
				return "", err
			}
			out.WriteString(value)
			text = rest
		default:
			out.WriteByte('$')
		}
	}
}

// curePlaceholder does not repeat what it found: it may be part of a secret.
const curePlaceholder = cure("${NAME} or ${NAME:-default}, and $$ for a dollar sign")

// lookup resolves what stands between the braces.
func lookup(inner string, getenv func(string) (string, bool)) (string, error) {
	name, def, hasDefault := strings.Cut(inner, ":-")
	if !isVariableName(name) || strings.Contains(def, "${") {
		return "", curePlaceholder
	}
	value, set := getenv(name)
	switch {
	case hasDefault && value == "":
		return strings.ReplaceAll(def, "$$", "$"), nil
	case !set:
		return "", curef("the variable %s to be set, or ${%s:-default} here", name, name)
	}
	return value, nil
}

func isVariableName(s string) bool {
	for i, c := range []byte(s) {
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// putsEscape reports whether a variable puts what reads as a percent-escape into
// the user or password of an address. Whoever gave the variable may not have
// meant it as one.
func putsEscape(text string, getenv func(string) (string, bool)) (found bool) {
	userinfo := text[:strings.LastIndexByte(text, '@')+1]
	_, _ = expand(userinfo, func(name string) (string, bool) {
		value, set := getenv(name)
		found = found || percentEscape.MatchString(value)
		return value, set
	})
	return found
}

var percentEscape = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
