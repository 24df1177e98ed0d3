// Package problem is the only place where an error becomes an answer: kind to
// status, code, public text, page or JSON (RFC 9457), and log level. What the
// errors mean is decided where they arise. The gateway's own answers that are no
// errors are written here as well, since they have the same headers.
//
// The one invariant: no answer holds the text of an internal error, and none clears
// a cookie.
package problem

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fetchmeta"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/returnto"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/telemetry"
)

// statusClientGone is logged, never sent, for a client that left before its answer.
const statusClientGone = 499

var (
	problems      = telemetry.NewCounter("problems_total", "Answers that were a problem, by its code.", "code")
	misconfigured = telemetry.NewCounter("misconfigured_total", "Refusals by the user pool that an operator must mend, by where they happened.", "where")
)

// Options of a Renderer.
type Options struct {
	// LoginPath is the path of the login endpoint, such as /auth/login.
	LoginPath string
	// StartURL is where pages lead that have nothing better: a local path, or an
	// https address. Default "/".
	StartURL string
	// PublicURL is the gateway's own address, which pages of a host that is not
	// the gateway's lead to. Default: StartURL.
	PublicURL string
	// ReturnTo turns the request's own target into a return address.
	ReturnTo returnto.Policy
	// Metrics counts problems; may be nil.
	Metrics *telemetry.Metrics
}

// Renderer turns errors into answers. Safe for concurrent use.
type Renderer struct{ opts Options }

// NewRenderer builds a Renderer.
func NewRenderer(o Options) *Renderer {
	o.StartURL = cmp.Or(o.StartURL, "/")
	o.PublicURL = cmp.Or(o.PublicURL, o.StartURL)
	return &Renderer{opts: o}
}

// Unauthenticated is the 401 of the gateway's own endpoints. Routes return
// session.ErrNotFound instead, which sends a login navigation to log in.
func Unauthenticated() error {
	return &Error{Status: http.StatusUnauthorized, Code: "unauthenticated", Public: "There is no session. Sign in first."}
}

// Render answers with err and records it on the event. Where the caller has left it only
// records that, and writes nothing.
func (p *Renderer) Render(w http.ResponseWriter, r *http.Request, ev *telemetry.Event, err error) {
	if gone(r, ev, err) {
		return
	}
	e, level := classify(err)
	p.note(ev, e, level)
	h := w.Header()
	OwnHeaders(h)
	h.Del("Content-Length") // of the answer that a panic cut off before it began
	h.Del("Content-Encoding")
	if leadsToLogin(e, err) && fetchmeta.LoginNavigation(r) {
		h.Set("Location", p.loginURL(r, ev, e.LoginQuery))
		w.WriteHeader(http.StatusFound)
		return
	}
	e.SetHeaders(h)
	switch {
	case e.Body != nil:
		write(w, e.Status, e.ContentType, e.Body)
	case fetchmeta.Navigation(r):
		p.page(w, r, ev, e)
	default:
		p.document(w, ev, e)
	}
}

// RenderDocument is Render for where no browser calls: the answer is always a
// document, never a page or a redirect. It reports whether there is one: not where the
// caller has left.
func (p *Renderer) RenderDocument(w http.ResponseWriter, r *http.Request, ev *telemetry.Event, err error) (answered bool) {
	if gone(r, ev, err) {
		return false
	}
	e, level := classify(err)
	p.note(ev, e, level)
	OwnHeaders(w.Header())
	e.SetHeaders(w.Header())
	ev.Status = e.Status
	p.document(w, ev, e)
	return true
}

// note records the problem on the event and counts it.
func (p *Renderer) note(ev *telemetry.Event, e *Error, level slog.Level) {
	ev.Code, ev.Err, ev.Level = string(e.Code), e.Err, level
	p.count(e, ev)
}

// SetHeaders sets the headers that e demands. Retry-After is rounded up to whole
// seconds (RFC 9110 §10.2.3), for a caller that comes too early is refused again.
func (e *Error) SetHeaders(h http.Header) {
	maps.Copy(h, e.Header)
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int((e.RetryAfter+time.Second-1)/time.Second)))
	}
}

// challenges reports whether the answer says how a program proves itself: a login is no
// cure then.
func (e *Error) challenges() bool { return len(e.Header["Www-Authenticate"]) > 0 }

// Of returns the answer to err, as a copy that a handler may put words of its
// own to.
func Of(err error) *Error {
	e, level := classify(err)
	own := *e
	own.level = level
	return &own
}

// gone reports whether there is nobody left to answer, and records that.
func gone(r *http.Request, ev *telemetry.Event, err error) bool {
	if r.Context().Err() == nil || !errors.Is(err, context.Canceled) {
		return false
	}
	ev.Status, ev.Code = statusClientGone, "client_gone"
	return true
}

// noSession tells the two kinds that mean there is no session (any more) from
// the 401 of an own endpoint, which never becomes a redirect.
func noSession(err error) bool {
	return errors.Is(err, session.ErrNotFound) || errors.Is(err, oauth.ErrGrantRevoked)
}

// leadsToLogin reports whether a login navigation is sent to log in.
func leadsToLogin(e *Error, err error) bool {
	signedOut := e.Status == http.StatusUnauthorized && noSession(err)
	return (signedOut || e.LoginQuery != "") && !e.challenges()
}

// classify finds the answer to err. The order matters: that something could not be
// asked comes before what was found.
func classify(err error) (*Error, slog.Level) {
	var (
		e       *Error
		tooMany *session.TooManyError
	)
	switch {
	case errors.As(err, &e):
		return e, e.Level()
	case errors.As(err, &tooMany):
		return &Error{Status: 429, Code: "too_many_refreshes", Err: err, RetryAfter: tooMany.RetryAfter,
			Public: "This session was refreshed too often within a minute."}, slog.LevelInfo
	case errors.Is(err, session.ErrUnavailable):
		return &Error{Status: 503, Code: "store_unavailable", Err: err, RetryAfter: 2 * time.Second,
			Public: "The session store does not answer. Nobody is signed out; try again shortly."}, slog.LevelError
	case errors.Is(err, session.ErrConflict):
		return &Error{Status: 503, Code: "session_busy", Err: err, RetryAfter: time.Second,
			Public: "The session is changing. Try again."}, slog.LevelWarn
	case noSession(err):
		return &Error{Status: 401, Code: "unauthenticated", Err: err,
			Public: "There is no session. Sign in first."}, slog.LevelInfo
	case errors.Is(err, session.ErrTooLarge):
		return &Error{Status: 502, Code: "session_too_large", Err: err,
			Public: "Your tokens are too large for this gateway to keep in cookies.",
			Hint: "Its operator must mend that: fewer groups and claims in the tokens, a higher limits.cookie_bytes, " +
				"or a session.store that is Redis."}, slog.LevelError
	case errors.Is(err, session.ErrNoRegistry):
		return &Error{Status: 501, Code: "no_registry", Err: err,
			Public: "This gateway's session store is cookie:, which keeps no list of sessions, so none can be shown " +
				"or ended from here. Disable the user at the user pool, or sign them out there (admin-user-global-sign-out)."}, slog.LevelInfo
	case errors.Is(err, oauth.ErrMisconfigured):
		return &Error{Status: 502, Code: "misconfigured", Err: err,
			Public: "This gateway and the sign-in service do not fit together as they are set up.",
			Hint: "Trying again does not help: the operator of this site must mend that. " +
				"Give them the request's id below; its line in the log says where to look."}, slog.LevelError
	case errors.Is(err, oauth.ErrInvalidToken):
		return &Error{Status: 502, Code: "invalid_token", Err: err,
			Public: "The sign-in service sent a token that does not verify."}, slog.LevelError
	case errors.Is(err, oauth.ErrUnavailable):
		return ProviderUnavailable(err), slog.LevelWarn
	default:
		return &Error{Status: 500, Code: "internal", Err: err,
			Public: "Something went wrong inside the gateway."}, slog.LevelError
	}
}

// ProviderUnavailable is the 503 where the user pool is needed and does not answer, for
// whatever reason.
func ProviderUnavailable(err error) *Error {
	return &Error{Status: http.StatusServiceUnavailable, Code: "idp_unavailable", Err: err, RetryAfter: providerPause(err),
		Public: "The sign-in service does not answer. Try again shortly."}
}

// providerPause is how long to wait for a user pool that does not answer: as long
// as it asked for, if it did.
func providerPause(err error) time.Duration {
	var busy *oauth.BusyError
	if errors.As(err, &busy) {
		if wait := time.Until(busy.Until); wait > 0 {
			return wait
		}
	}
	return 5 * time.Second
}

func (p *Renderer) count(e *Error, ev *telemetry.Event) {
	p.opts.Metrics.Count(problems, string(e.Code))
	if e.Code == "misconfigured" {
		p.opts.Metrics.Count(misconfigured, ev.Route)
	}
}

// loginURL is the login with this query, and with the way back to the page that was
// asked for.
func (p *Renderer) loginURL(r *http.Request, ev *telemetry.Event, query string) string {
	back := p.opts.ReturnTo.Request(r.URL.EscapedPath(), r.URL.RawQuery)
	if back.IsZero() {
		return p.loginWith(query)
	}
	if back.Truncated() {
		ev.AddNote("address is too long to return to: cut to its path")
	}
	return p.loginWith(query, "return_to="+url.QueryEscape(back.String()))
}

// loginWith is the login with these parts of a query, of which some may be empty.
func (p *Renderer) loginWith(parts ...string) string {
	parts = slices.DeleteFunc(parts, func(part string) bool { return part == "" })
	if len(parts) == 0 {
		return p.opts.LoginPath
	}
	return p.opts.LoginPath + "?" + strings.Join(parts, "&")
}

// document is the answer to a call (RFC 9457 §3.1; code, reason, requestId and
// loginUrl are extension members).
type document struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail,omitempty"`
	Code      Code   `json:"code"`
	Reason    string `json:"reason,omitempty"`
	RequestID string `json:"requestId"`
	LoginURL  string `json:"loginUrl,omitempty"`
}

func (p *Renderer) document(w http.ResponseWriter, ev *telemetry.Event, e *Error) {
	d := document{
		Type: "about:blank", Title: http.StatusText(e.Status), Status: e.Status,
		Detail: e.Public, Code: e.Code, Reason: e.Reason, RequestID: ev.RequestID,
	}
	if e.Status == http.StatusUnauthorized || e.LoginQuery != "" {
		d.LoginURL = p.loginWith(e.LoginQuery)
	}
	body, err := json.Marshal(d)
	if err != nil {
		body = []byte(`{"type":"about:blank","title":"Internal Server Error","status":500,"code":"internal"}`)
	}
	write(w, e.Status, "application/problem+json", append(body, '\n'))
}
