package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
)

// browser is as much of one as a sign-in takes: cookies, redirects, one form.
type browser struct{ http.Client }

func (l *lab) newBrowser() (*browser, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	transport := l.cert.transport()
	transport.DisableKeepAlives = false
	return &browser{http.Client{Jar: jar, Timeout: patience, Transport: transport}}, nil
}

// signIn begins at a proxy's login address and ends at the API's answer. At its first
// time the user pool asks for the password.
func (b *browser) signIn(ctx context.Context, login string) error {
	page, at, err := b.navigate(ctx, http.MethodGet, login, nil)
	if err != nil {
		return err
	}
	if at.Path == apiPath {
		return nil
	}
	action, fields, err := passwordForm(page)
	if err != nil {
		return fmt.Errorf("%w at %s", err, at.Host)
	}
	target, err := at.Parse(action)
	if err != nil {
		return err
	}
	fields.Set("username", benchUser)
	fields.Set("password", benchPassword)
	_, at, err = b.navigate(ctx, http.MethodPost, target.String(), fields)
	if err != nil {
		return err
	}
	if at.Path != apiPath {
		return fmt.Errorf("the sign-in ended at %s and not at %s", at.Path, apiPath)
	}
	return nil
}

// cookies are what the browser would send there.
func (b *browser) cookies(address string) (string, error) {
	target, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	var pairs []string
	for _, c := range b.Jar.Cookies(target) {
		pairs = append(pairs, (&http.Cookie{Name: c.Name, Value: c.Value}).String())
	}
	return strings.Join(pairs, "; "), nil
}

// navigate loads a page, following redirects, and returns it and where it was.
func (b *browser) navigate(ctx context.Context, method, address string, form url.Values) (string, *url.URL, error) {
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return "", nil, err
	}
	req.Header.Set("Accept", "text/html,application/xhtml+xml")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", req.URL.Scheme+"://"+req.URL.Host)
	}
	resp, err := b.Do(req)
	if err != nil {
		return "", nil, err
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return "", nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return "", nil, fmt.Errorf("%s answered %s", resp.Request.URL.Host, resp.Status)
	}
	return string(page), resp.Request.URL, nil
}

var (
	formPattern  = regexp.MustCompile(`(?is)<form\b([^>]*)>(.*?)</form>`)
	inputPattern = regexp.MustCompile(`(?is)<input\b([^>]*)>`)
	attribute    = regexp.MustCompile(`(?is)\b(action|type|name|value)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))`)
)

// passwordForm finds the form that asks for a password, and its hidden fields.
func passwordForm(page string) (action string, fields url.Values, err error) {
	for _, form := range formPattern.FindAllStringSubmatch(page, -1) {
		fields, asks := url.Values{}, false
		for _, input := range inputPattern.FindAllStringSubmatch(form[2], -1) {
			a := attributes(input[1])
			switch a["type"] {
			case "hidden":
				fields.Set(a["name"], a["value"])
			case "password":
				asks = true
			}
		}
		if asks {
			return attributes(form[1])["action"], fields, nil
		}
	}
	return "", nil, errors.New("find the password form")
}

func attributes(tag string) map[string]string {
	found := map[string]string{}
	for _, m := range attribute.FindAllStringSubmatch(tag, -1) {
		found[strings.ToLower(m[1])] = html.UnescapeString(m[2] + m[3] + m[4])
	}
	return found
}
