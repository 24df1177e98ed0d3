package config

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// readSecret puts what a *_file key's file holds in the place of the secret.
func (l *loader) readSecret(k *key) {
	set := l.top.given[k.path]
	if k.fileOf == "" || !l.top.filled(k.path) {
		return
	}
	reject := func(err error) {
		l.rejectKey(l.top, k, -1, err)
		l.top.faulty[k.fileOf] = true // that it is missing now is no second fault
	}
	if l.top.filled(k.fileOf) {
		reject(curef("only one of %s and %s", k.fileOf, k.path))
		return
	}
	path := set.items[0].text
	data, err := l.src.ReadFile(path)
	if err != nil {
		reject(curef("a file that can be read (%s%s)", reason(err), lookedAt(path)))
		return
	}
	text, err := secret.FromFile(data)
	if err != nil {
		reject(curef("a file %v", err))
		return
	}
	held := set
	held.literal = true
	held.items = secretItems(text, index[k.fileOf].list, set.line)
	l.top.given[k.fileOf] = held
	if !l.top.filled(k.fileOf) {
		reject(cure("a file with the secret in it; this one is empty"))
	}
}

// reason is why a file was not read, without the path, which the fault shows.
func reason(err error) string {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err.Error()
	}
	return "it is not there or not ours to read"
}

// lookedAt says where a relative path led. Everywhere in the configuration such
// a path starts at the working directory, not at the file that names it.
func lookedAt(path string) string {
	if filepath.IsAbs(path) {
		return ""
	}
	full, err := filepath.Abs(path)
	if err != nil {
		return "; a relative path starts at the working directory"
	}
	return ": " + full + "; a relative path starts at the working directory"
}

// secretItems are the secrets of a file: one, or for a list one a line, or
// several separated by commas.
func secretItems(data string, list bool, line int) []item {
	if !list {
		return []item{{data, line}}
	}
	var out []item
	for _, part := range strings.FieldsFunc(data, func(r rune) bool { return r == '\n' || r == ',' }) {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, item{part, line})
		}
	}
	return out
}
