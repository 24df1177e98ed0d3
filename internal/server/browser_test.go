package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// browser behaves as one where the gateway can tell: it keeps cookies, sends
// fetch metadata, follows redirects of navigations, and records every byte that
// the gateway sent, interim answers and trailers included.
type browser struct {
	t    testing.TB
	http *http.Client
	wire *wire
	rig  *rig
	// old leaves fetch metadata out, as browsers before 2023 did.
	old bool
}

// page is the end of a navigation.
type page struct {
	url    *url.URL
	status int
	header http.Header
	body   string
	// hops are the addresses that the navigation went through, this one last.
	hops []string
}

func (r *rig) browser() *browser {
	r.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return &browser{
		t: r.t, rig: r, wire: r.wire,
		http: &http.Client{
			Jar:           jar,
			Transport:     r.transport(),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// open types an address into the address bar.
func (b *browser) open(address string) page { return b.navigate("GET", address, "none", nil) }

// follow clicks a link on a page of another site.
func (b *browser) follow(address string) page { return b.navigate("GET", address, "cross-site", nil) }

// navigate loads a document, following redirects as a browser does.
func (b *browser) navigate(method, address, site string, form url.Values) page {
	b.t.Helper()
	var hops []string
	for range 20 {
		hops = append(hops, address)
		var body io.Reader
		if method == http.MethodPost {
			body = strings.NewReader(form.Encode())
		}
		req := b.request(method, address, body)
		req.Header.Set("Accept", "text/html,application/xhtml+xml")
		if form != nil && method == http.MethodPost {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("Origin", b.rig.originOf(address, site))
		}
		b.metadata(req, site, "navigate", "document")
		res, text := b.do(req)
		location := res.Header.Get("Location")
		if location == "" || res.StatusCode < 300 || res.StatusCode > 399 {
			return page{url: req.URL, status: res.StatusCode, header: res.Header, body: text, hops: hops}
		}
		next, err := req.URL.Parse(location)
		if err != nil {
			b.t.Fatalf("Location %q: %v", location, err)
		}
		if next.Host != req.URL.Host {
			site = "cross-site"
		}
		address, method, form = next.String(), http.MethodGet, nil
	}
	b.t.Fatalf("redirected 20 times: %q", hops)
	return page{}
}

// fetch is a call by a page of the gateway's own origin.
func (b *browser) fetch(method, path, body string, headers ...string) (*http.Response, string) {
	b.t.Helper()
	return b.fetchFrom("same-origin", method, path, body, headers...)
}

// fetchFrom is a call by a page that is same-origin, same-site or cross-site.
func (b *browser) fetchFrom(site, method, path, body string, headers ...string) (*http.Response, string) {
	b.t.Helper()
	req := b.request(method, b.rig.url+path, strings.NewReader(body))
	if method != http.MethodGet || site != "same-origin" {
		req.Header.Set("Origin", b.rig.originOf(b.rig.url, site))
	}
	req.Header.Set("Accept", "application/json")
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	b.metadata(req, site, "cors", "empty")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return b.do(req)
}

func (b *browser) request(method, address string, body io.Reader) *http.Request {
	b.t.Helper()
	req, err := http.NewRequest(method, address, body)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("User-Agent", "Mozilla/5.0 (flow test)")
	return req
}

func (b *browser) metadata(req *http.Request, site, mode, dest string) {
	if b.old {
		return
	}
	req.Header.Set("Sec-Fetch-Site", site)
	req.Header.Set("Sec-Fetch-Mode", mode)
	req.Header.Set("Sec-Fetch-Dest", dest)
}

func (b *browser) do(req *http.Request) (*http.Response, string) {
	b.t.Helper()
	res, err := b.http.Do(req)
	if err != nil {
		b.t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatalf("%s %s: read body: %v", req.Method, req.URL, err)
	}
	return res, string(body)
}

var (
	formRE  = regexp.MustCompile(`(?s)<form[^>]*action="([^"]*)"[^>]*>(.*?)</form>`)
	inputRE = regexp.MustCompile(`<input[^>]*name="([^"]*)"[^>]*>`)
	valueRE = regexp.MustCompile(`value="([^"]*)"`)
)

// submit sends the form of p that has the named field, filled in.
func (b *browser) submit(p page, field string, fill url.Values) page {
	b.t.Helper()
	for _, form := range formRE.FindAllStringSubmatch(p.body, -1) {
		values := url.Values{}
		for _, input := range inputRE.FindAllStringSubmatch(form[2], -1) {
			value := ""
			if m := valueRE.FindStringSubmatch(input[0]); m != nil {
				value = html.UnescapeString(m[1])
			}
			values.Set(input[1], value)
		}
		if _, ok := values[field]; field != "" && !ok {
			continue
		}
		for name, v := range fill {
			values[name] = v
		}
		action, err := p.url.Parse(html.UnescapeString(form[1]))
		if err != nil {
			b.t.Fatal(err)
		}
		return b.navigate("POST", action.String(), "same-origin", values)
	}
	b.t.Fatalf("no form with field %q on %s:\n%s", field, p.url, p.body)
	return page{}
}

// signIn logs in through the hosted page and ends at returnTo.
func (b *browser) signIn(user, returnTo string) page {
	b.t.Helper()
	p := b.open(b.rig.url + "/auth/login?return_to=" + url.QueryEscape(returnTo))
	return b.password(p, user)
}

// password fills in the hosted page.
func (b *browser) password(p page, user string) page {
	b.t.Helper()
	return b.submit(p, "password", url.Values{"username": {user}, "password": {"Passw0rd!"}})
}

// wire records what the gateway sent to browsers.
type wire struct {
	mu   sync.Mutex
	seen bytes.Buffer
}

func (w *wire) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen.String()
}

type recordedConn struct {
	net.Conn
	wire *wire
}

func (c recordedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.wire.mu.Lock()
	c.wire.seen.Write(p[:n])
	c.wire.mu.Unlock()
	return n, err
}

// transport dials every host name at loopback and records what comes over TLS,
// which only the gateway speaks.
func (r *rig) transport() *http.Transport {
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		var d net.Dialer
		return d.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	}
	return &http.Transport{
		DialContext: dial,
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			secured := tls.Client(conn, &tls.Config{RootCAs: r.roots, ServerName: "example.com"})
			if err := secured.HandshakeContext(ctx); err != nil {
				return nil, err
			}
			return recordedConn{secured, r.wire}, nil
		},
		DisableCompression:  true,
		MaxIdleConnsPerHost: 100,
	}
}
