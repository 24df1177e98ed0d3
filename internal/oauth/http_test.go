package oauth

import (
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHTTPClient(t *testing.T) {
	serve := func(t *testing.T, size int) *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/redirect" {
				http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
				http.Redirect(w, r, "/target", http.StatusFound)
				return
			}
			_, _ = io.WriteString(w, strings.Repeat("x", size))
		}))
		t.Cleanup(s.Close)
		return s
	}
	get := func(t *testing.T, url string) (*http.Response, int, error) {
		res, err := NewHTTPClient().Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		b, err := io.ReadAll(res.Body)
		return res, len(b), err
	}

	t.Run("reads an answer of 1 MiB", func(t *testing.T) {
		if _, n, err := get(t, serve(t, maxAnswer).URL); err != nil || n != maxAnswer {
			t.Errorf("%d bytes, %v", n, err)
		}
	})
	t.Run("fails, not ends, one byte later", func(t *testing.T) {
		if _, n, err := get(t, serve(t, maxAnswer+1).URL); !errors.Is(err, errAnswerTooLong) || n > maxAnswer {
			t.Errorf("%d bytes, %v", n, err)
		}
	})
	t.Run("follows no redirect", func(t *testing.T) {
		if res, _, err := get(t, serve(t, 1).URL+"/redirect"); err != nil || res.StatusCode != http.StatusFound {
			t.Errorf("%d, %v", res.StatusCode, err)
		}
	})
	t.Run("checks certificates", func(t *testing.T) {
		s := httptest.NewTLSServer(http.NotFoundHandler())
		s.Config.ErrorLog = nil
		t.Cleanup(s.Close)
		var unknown x509.UnknownAuthorityError
		if _, err := NewHTTPClient().Get(s.URL); !errors.As(err, &unknown) {
			t.Error(err)
		}
	})
	t.Run("uses no proxy from the environment", func(t *testing.T) {
		capped, ok := NewHTTPClient().Transport.(capped)
		if !ok || capped.next.(*http.Transport).Proxy != nil {
			t.Error("a variable could reroute client secrets")
		}
	})
	t.Run("a caller's client is kept from redirects and cookies", func(t *testing.T) {
		p := newProvider(t)
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		own := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}
		c := p.serve(func(o *Options) { o.HTTP = own })
		p.jwks = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }
		if err := c.keys.ready(t.Context()); !errors.Is(err, ErrUnavailable) {
			t.Error(err)
		}
		p.noOtherRequest(t)
		if c.http.Jar != nil {
			t.Error("keeps cookies")
		}
		if own.CheckRedirect(nil, nil) != nil || own.Jar == nil {
			t.Error("the caller's own client was changed")
		}
	})
}
