package defaultport_test

import (
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/defaultport"
)

func TestCut(t *testing.T) {
	for _, test := range []struct{ scheme, hostport, want string }{
		{"https", "app.example.com:443", "app.example.com"},
		{"https", "app.example.com", "app.example.com"},
		{"https", "app.example.com:80", "app.example.com:80"},
		{"https", "app.example.com:8443", "app.example.com:8443"},
		{"https", "[::1]:443", "[::1]"},
		{"https", "[2001:db8::443]", "[2001:db8::443]"},
		{"http", "localhost:80", "localhost"},
		{"http", "localhost:443", "localhost:443"},
		{"http", "localhost:8080", "localhost:8080"},
		{"redis", "localhost:80", "localhost:80"},
	} {
		if got := defaultport.Cut(test.scheme, test.hostport); got != test.want {
			t.Errorf("Cut(%q, %q) = %q, want %q", test.scheme, test.hostport, got, test.want)
		}
	}
}
