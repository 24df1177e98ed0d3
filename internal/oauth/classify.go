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
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

var errNotAnAnswer = errors.New("answer not understood")

// fault is what may be told of an error answer: its status, its code where that
// is one of the standards', and with it the description, in quotes and without
// what may be a secret. Never a byte of anything else: error texts go to logs,
// and a provider's page may hold what was sent to it.
type fault struct {
	status      int
	code        string
	description string
	// address was asked, and setting is what to look at, where an operator must act.
	address, setting string
}

func (f *fault) Error() string {
	text := fmt.Sprintf("answered %d", f.status)
	if f.code != "" {
		text += " " + f.code
	}
	if f.description != "" {
		text += fmt.Sprintf(" %q", f.description)
	}
	return lookAt(f.address+" "+text, f.setting)
}

// lookAt adds to a text which settings of the configuration it is about.
func lookAt(text, setting string) string {
	text = strings.TrimSpace(text)
	if setting == "" {
		return text
	}
	return text + "; look at " + setting
}

// misconfiguring are the codes that an operator must act on (RFC 6749 §5.2,
// RFC 7009 §2.2.1).
var misconfiguring = map[string]bool{
	"invalid_client":         true,
	"unauthorized_client":    true,
	"unsupported_grant_type": true,
	"unsupported_token_type": true,
	"invalid_scope":          true,
	"invalid_request":        true,
}

// classify sorts an error answer of the endpoint at address. It is an allow-list:
// only what says clearly that the grant is dead, that this client is set up
// wrongly, or that there is no such endpoint, is taken for that; 429, 5xx and
// everything odd mean that nothing is known.
func (c *Client) classify(address string, answered fault) error {
	definite := answered.status == http.StatusBadRequest || answered.status == http.StatusUnauthorized
	switch {
	case definite && answered.code == "invalid_grant":
		return fmt.Errorf("%w: %w", ErrGrantRevoked, &answered)
	case definite && misconfiguring[answered.code]:
		answered.address, answered.setting = address, c.opts.Settings.Client
		return fmt.Errorf("%w: %w", ErrMisconfigured, &answered)
	case noSuchEndpoint(answered.status):
		return fmt.Errorf("%w: %w", ErrMisconfigured,
			&fault{status: answered.status, address: address, setting: c.opts.Settings.Domain})
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, &fault{status: answered.status})
}

// noSuchEndpoint reports whether a status says that something else is there.
func noSuchEndpoint(status int) bool {
	return status == http.StatusNotFound || status == http.StatusMethodNotAllowed || status == http.StatusGone
}

// classifyToken sorts what x/oauth2 says about a call of the token endpoint that
// sent these secrets.
// Its own texts quote the answer and are dropped.
func (c *Client) classifyToken(ctx context.Context, err error, sent []secret.Text) error {
	var answered *oauth2.RetrieveError
	if !errors.As(err, &answered) {
		return fmt.Errorf("%w: %w", ErrUnavailable, cause(ctx, err))
	}
	if busy := busy(answered.Response, time.Now()); busy != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, busy)
	}
	f := fault{status: answered.Response.StatusCode}
	if !isForm(answered.Response) { // x/oauth2 reads forms too; no token endpoint answers in them
		f.code = answered.ErrorCode
		f.description = loggable(answered.ErrorDescription, sent)
	}
	return c.classify(c.opts.TokenURL, f)
}

// maxRetryAfter bounds what is believed of a Retry-After: a slip of the provider
// or of something before it must not keep sessions out for a day.
const maxRetryAfter = time.Minute

// busy returns what a 429, or a 503 with a Retry-After, says; nil for any other
// answer.
func busy(res *http.Response, now time.Time) *BusyError {
	wait := retryAfter(res.Header, now)
	limited := res.StatusCode == http.StatusTooManyRequests
	if !limited && (res.StatusCode != http.StatusServiceUnavailable || wait == 0) {
		return nil
	}
	e := &BusyError{Status: res.StatusCode}
	if wait > 0 {
		e.Until = now.Add(wait)
	}
	return e
}

// retryAfter reads the header in either of its forms (RFC 9110 §10.2.3); 0 where
// there is none, none of use, or a date that has passed. A date is held against
// the answer's own, as the two clocks may differ.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second
	}
	until, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	if sent, err := http.ParseTime(h.Get("Date")); err == nil {
		now = sent
	}
	return min(max(until.Sub(now), 0), maxRetryAfter)
}

// cause is why a call had no answer, as far as it is safe to tell: net/http
// quotes malformed answers, in errors of private types.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var transport *url.Error
	if errors.As(err, &transport) {
		err = transport.Err
	}
	if !tellable(err) {
		return errNotAnAnswer
	}
	return err
}

func tellable(err error) bool {
	for _, known := range []error{
		io.EOF, io.ErrUnexpectedEOF, errAnswerTooLong, errNotAnAnswer, context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	var (
		network     net.Error
		certificate *tls.CertificateVerificationError
	)
	return errors.As(err, &network) || errors.As(err, &certificate)
}
