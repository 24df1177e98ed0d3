package oauth

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// maxAnswer is the most that is read of any answer of a provider, in bytes.
const maxAnswer = 1 << 20

var errAnswerTooLong = errors.New("answer too long")

// NewHTTPClient returns a client for calls to an identity provider: no redirects,
// certificates checked, TLS 1.2 or later, no answer longer than 1 MiB. It has no
// overall timeout: each call brings its own. proxy returns the forward proxy for an
// address, or nil for none. A nil proxy means none at all; the environment is not
// asked.
func NewHTTPClient(proxy func(*url.URL) (*url.URL, error)) *http.Client {
	t := &http.Transport{
		Proxy:                  nil,
		OnProxyConnectResponse: checkConnected,
		DialContext:            (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:    5 * time.Second,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           64,
		MaxIdleConnsPerHost:    32,
		IdleConnTimeout:        60 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		// The answers are small, so that compression gains nothing, and a compressed
		// one could expand without limit.
		DisableCompression: true,
	}
	if proxy != nil {
		t.Proxy = func(r *http.Request) (*url.URL, error) { return proxy(r.URL) }
	}
	return plain(&http.Client{Transport: capped{t}})
}

// checkConnected words a proxy's refusal of CONNECT (RFC 9110 §9.3.6) by its
// status alone, as the kind of error that net/http has for a proxy out of reach.
func checkConnected(_ context.Context, proxy *url.URL, _ *http.Request, res *http.Response) error {
	if res.StatusCode == http.StatusOK {
		return nil
	}
	return &net.OpError{Op: "proxyconnect", Net: "tcp", Err: fmt.Errorf("the proxy %s answered %d", proxy.Host, res.StatusCode)}
}

// plain returns a copy of h that follows no redirect and keeps no cookies. A
// redirect would carry the code, the verifier and the secret wherever it points.
func plain(h *http.Client) *http.Client {
	c := *h
	c.Jar = nil
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// capped bounds the answers of a transport.
type capped struct{ next http.RoundTripper }

func (t capped) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	res.Body = &cappedBody{ReadCloser: res.Body, remaining: maxAnswer}
	return res, nil
}

type cappedBody struct {
	io.ReadCloser
	remaining int64
}

// Read fails, rather than ends, at the limit: half an answer must not pass for
// a whole one.
func (b *cappedBody) Read(p []byte) (int, error) {
	if b.remaining < 0 {
		return 0, errAnswerTooLong
	}
	if int64(len(p)) > b.remaining+1 {
		p = p[:b.remaining+1]
	}
	n, err := b.ReadCloser.Read(p)
	b.remaining -= int64(n)
	if b.remaining < 0 {
		return n - 1, errAnswerTooLong
	}
	return n, err
}
