package oauth

import (
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
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
		res, err := NewHTTPClient(nil).Get(url)
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
		if _, err := NewHTTPClient(nil).Get(s.URL); !errors.As(err, &unknown) {
			t.Error(err)
		}
	})
	t.Run("asks the proxy it is given to connect", func(t *testing.T) {
		asked := make(chan *http.Request, 1)
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked <- r
			w.WriteHeader(http.StatusProxyAuthRequired)
		}))
		t.Cleanup(proxy.Close)
		at, err := url.Parse(proxy.URL)
		if err != nil {
			t.Fatal(err)
		}
		at.User = url.UserPassword("gate", "hunter2")
		c := NewHTTPClient(func(*url.URL) (*url.URL, error) { return at, nil })
		_, err = c.Get("https://idp.example/oauth2/token")
		if r := <-asked; r.Method != http.MethodConnect || r.Host != "idp.example:443" || r.Header.Get("Proxy-Authorization") == "" {
			t.Errorf("the proxy was asked for %s %s", r.Method, r.Host)
		}
		told := cause(t.Context(), err).Error()
		if want := "proxyconnect tcp: the proxy " + at.Host + " answered 407"; told != want {
			t.Errorf("the error is told as %q, want %q", told, want)
		}
	})
	t.Run("uses no proxy from the environment", func(t *testing.T) {
		capped, ok := NewHTTPClient(nil).Transport.(capped)
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
