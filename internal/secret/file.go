package secret

import (
	"bytes"
	"errors"
	"strings"
)

// What a secret's file may not be. The words read on after "a file …".
var (
	ErrUTF16 = errors.New("in UTF-8: this one is in UTF-16, as > of Windows PowerShell writes it")
	ErrBytes = errors.New("with text in it: this one has NUL bytes")
)

// The byte-order marks of Unicode (The Unicode Standard §23.8). The mark of
// UTF-32 in little endian begins like that of UTF-16.
var (
	markUTF8    = []byte("\xef\xbb\xbf")
	markUTF16LE = []byte("\xff\xfe")
	markUTF16BE = []byte("\xfe\xff")
)

// FromFile returns the secret that a file holds: what is in it, less a UTF-8
// byte-order mark at its beginning and one line end at its end, both of which
// editors put there unasked. The error is [ErrUTF16] or [ErrBytes].
func FromFile(data []byte) (string, error) {
	if bytes.HasPrefix(data, markUTF16LE) || bytes.HasPrefix(data, markUTF16BE) {
		return "", ErrUTF16
	}
	text := string(bytes.TrimPrefix(data, markUTF8))
	if strings.ContainsRune(text, 0) {
		return "", ErrBytes
	}
	return strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r"), nil
}
