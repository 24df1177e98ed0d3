package web

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"net/url"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/loopback"
)

// ErrUnsafeAddress is returned for a page with a link, form, refresh or script that
// leads neither to a local path nor to an https address (or http on loopback).
var ErrUnsafeAddress = errors.New("address is neither a local path nor https")

// Page is one of the gateway's own pages. Every string is text, escaped by the
// template.
type Page struct {
	// Lang is the language of the page's texts, a BCP 47 tag. Default "en".
	Lang string
	// Title stands in the browser's tab. Default: Heading.
	Title string
	// Heading is the one h1 of the page.
	Heading string
	// Text says what happened, in a sentence or two.
	Text string
	// Quote is what somebody else said about it.
	Quote string
	// Hint is a second, smaller paragraph: what to do about it.
	Hint string
	// Action is the primary way on, Secondary the other one; both may be nil.
	Action    *Action
	Secondary *Action
	// Code and RequestID are small print for support: the problem's code and the
	// request's id.
	Code      string
	RequestID string
	// Refresh, if set, is the local or https address the page goes on to at once.
	// A link to it is shown as well. Under SameSite=Strict a navigation that came
	// from another site carries no cookie, whereas the one this page starts is the
	// own site's and does.
	Refresh string
	// Script, if set, is the address of the one module that the page runs; such a
	// page is served under [ScriptCSP]. What it says must hold without the script.
	Script string
}

// Action is a way on from a page: a link, or a form that posts.
type Action struct {
	Label string
	// Href is a local path ("/…") or an https address; http on loopback only.
	Href string
	// Post makes the action a form that POSTs Fields to Href.
	Post   bool
	Fields []Field
	// Top opens the action in the top window, for pages shown in a frame.
	Top bool
}

// Field is a hidden field of a form.
type Field struct{ Name, Value string }

var pageTemplate = template.Must(template.New("page").Parse(pageSource))

// view is a page as the template takes it.
type view struct {
	Page
	Buttons []button
	Style   template.CSS
}

type button struct {
	Action
	Class string
}

// Render returns the page as HTML in UTF-8, to be served under [CSP]. It fails
// with ErrUnsafeAddress on an address that a page must not lead to.
func (p Page) Render() ([]byte, error) {
	if p.Lang == "" {
		p.Lang = "en"
	}
	if p.Title == "" {
		p.Title = p.Heading
	}
	if err := p.checkAddresses(); err != nil {
		return nil, fmt.Errorf("render page: %w", err)
	}
	var b bytes.Buffer
	// The stylesheet is our own embedded file, the only text that is trusted.
	v := view{Page: p, Buttons: p.buttons(), Style: template.CSS(stylesheet)} //nolint:gosec // our own embedded file
	if err := pageTemplate.Execute(&b, v); err != nil {
		return nil, fmt.Errorf("render page: %w", err)
	}
	return b.Bytes(), nil
}

// buttons lists the ways on from the page, the most likely one first. A refresh
// is one of them: browsers may be told to ignore it.
func (p Page) buttons() []button {
	var list []button
	if p.Refresh != "" {
		list = append(list, button{Action{Label: "Continue", Href: p.Refresh}, "button primary"})
	}
	if p.Action != nil {
		list = append(list, button{*p.Action, "button primary"})
	}
	if p.Secondary != nil {
		list = append(list, button{*p.Secondary, "button"})
	}
	return list
}

// checkAddresses makes the addresses of the page, which is the caller's copy but
// for its actions, fit to be led to, or says that one is not.
func (p *Page) checkAddresses() error {
	var err error
	for _, address := range []*string{&p.Refresh, &p.Script} {
		if *address == "" {
			continue
		}
		if *address, err = safeAddress(*address); err != nil {
			return err
		}
	}
	for _, action := range []**Action{&p.Action, &p.Secondary} {
		if *action == nil {
			continue
		}
		checked := **action
		if checked.Href, err = safeAddress(checked.Href); err != nil {
			return err
		}
		*action = &checked
	}
	return nil
}

// quotes are what an address can do without. The template escapes them too, but
// the content of a meta refresh is parsed a second time by the browser, after
// unescaping (HTML, "shared declarative refresh steps"), and there a quote may
// cut the address short.
var quotes = strings.NewReplacer(`"`, "%22", "'", "%27", "`", "%60", "<", "%3C", ">", "%3E", `\`, "%5C")

// safeAddress returns address as a page may lead to it, or ErrUnsafeAddress.
// Browsers drop tabs and newlines, and read `\` as `/` where no query or fragment
// has begun (URL Standard §4.4).
func safeAddress(address string) (string, error) {
	begun := false
	for _, c := range address {
		begun = begun || c == '?' || c == '#'
		if c <= ' ' || c == 0x7f || c == '\\' && !begun {
			return "", ErrUnsafeAddress
		}
	}
	if strings.HasPrefix(address, "/") {
		if strings.HasPrefix(address, "//") {
			return "", ErrUnsafeAddress
		}
		return quotes.Replace(address), nil
	}
	u, err := url.Parse(uptoPath(address))
	if err != nil || u.Host == "" || u.User != nil {
		return "", ErrUnsafeAddress
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback.Host(u.Hostname())) {
		return "", ErrUnsafeAddress
	}
	return quotes.Replace(address), nil
}

// uptoPath returns scheme and authority of an absolute address. What follows them
// need not be what net/url takes: to browsers a lone "%" is no fault.
func uptoPath(address string) string {
	scheme, rest, _ := strings.Cut(address, "://")
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	return scheme + "://" + rest
}
