// Package secret holds what must never be printed: [Text], a string that shows
// nothing of itself under any formatting verb, encoder or logger, and [Ring],
// the keys that seal and open with rotation.
//
// It owns no policy: who may reveal a secret, and under which label a key is
// used, is decided by the caller. The one invariant: the only way from a Text
// to its characters is [Text.Reveal], so a search for that name finds every
// place where a secret leaves.
package secret

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// redacted stands for every secret in every output.
const redacted = "[secret]"

// Text is a string that does not print. It holds a pointer, because fmt reaches
// unexported string fields of a struct without asking their methods. The zero
// value is the empty secret.
type Text struct{ v *string }

// NewText wraps s.
func NewText(s string) Text {
	if s == "" {
		return Text{}
	}
	return Text{v: &s}
}

// Reveal returns the characters. Every call is a place where a secret leaves.
func (t Text) Reveal() string {
	if t.v == nil {
		return ""
	}
	return *t.v
}

// Empty reports whether there is no secret.
func (t Text) Empty() bool { return t.v == nil }

// Equal compares in constant time. An empty secret equals nothing, not even
// another empty one.
func (t Text) Equal(u Text) bool {
	if t.v == nil || u.v == nil {
		return false
	}
	return subtle.ConstantTimeCompare([]byte(*t.v), []byte(*u.v)) == 1
}

// Format implements [fmt.Formatter] for every verb and flag.
func (t Text) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, t.mask()) }

// MarshalText implements [encoding.TextMarshaler], which also serves JSON and YAML.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.mask()), nil }

// LogValue implements [slog.LogValuer].
func (t Text) LogValue() slog.Value { return slog.StringValue(t.mask()) }

func (t Text) mask() string {
	if t.v == nil {
		return ""
	}
	return redacted
}
