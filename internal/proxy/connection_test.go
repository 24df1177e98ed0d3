package proxy

import (
	"net/http"
	"testing"

	"golang.org/x/net/http/httpguts"
)

// What Connection names goes, and nothing else.
func FuzzDropNamed(f *testing.F) {
	for _, line := range []string{"x-one", "close, X-ONE", ",\tx-one ,", "keep-alive", "x-one;q", "\"x-one\"", "x-one x-two", "", "x-on\xe2\x84\xaa", "x_one", "x-one\x00"} {
		f.Add(line, "X-Two, "+line)
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		h := http.Header{}
		for _, name := range []string{"X-One", "X-Two", "X_one", "Content-Type", "Keep-Alive"} {
			h[name] = []string{"1"}
		}
		lines := []string{first, second}
		dropNamed(h, lines)
		for _, name := range []string{"X-One", "X-Two", "X_one", "Content-Type"} {
			_, kept := h[name]
			if named := httpguts.HeaderValuesContainsToken(lines, name); named == kept || lists(lines, name) != named {
				t.Errorf("%q: %s is kept: %v, and listed: %v; to net/http it is named: %v", lines, name, kept, lists(lines, name), named)
			}
		}
	})
}

// Unicode has letters that fold to k and s, and mean neither to anybody else.
func TestLists_knows_no_letters_beyond_ASCII(t *testing.T) {
	for item, token := range map[string]string{"\u212aeep-alive": "keep-alive", "trailer\u017f": "trailers"} {
		if lists([]string{item}, token) {
			t.Errorf("%q is taken for %s", item, token)
		}
	}
}
