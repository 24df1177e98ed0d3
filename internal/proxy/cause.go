package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strings"
	"syscall"

	"github.com/gatehouse-auth/gatehouse/internal/connpool"
	"github.com/gatehouse-auth/gatehouse/internal/http1"
)

// cause is an error with a text that is safe to log. The texts of net/http quote
// what an upstream sent, which may be the token that it got, or a user's data. So
// the text names the kind of error, in words of our own.
type cause struct {
	text string
	err  error
}

func causeOf(err error) error { return &cause{words(err), err} }

func (c *cause) Error() string { return c.text }

// Unwrap lets callers sort the error by its kind.
func (c *cause) Unwrap() error { return c.err }

// fault is an error of ours, whose text is safe.
type fault string

func (f fault) Error() string { return string(f) }

// words says what kind of error err is.
func words(err error) string {
	var (
		own    fault
		answer http1.Malformed
		asked  connpool.Unsendable
		lookup *net.DNSError
		op     *net.OpError
		errno  syscall.Errno
		late   net.Error
		reset  streamError
	)
	switch {
	case errors.As(err, &own):
		return own.Error()
	case errors.As(err, &answer):
		return answer.Error()
	case errors.As(err, &asked):
		return asked.Error()
	case errors.As(err, &reset):
		return reset.Error()
	case errors.As(err, &lookup):
		return lookupWords(lookup)
	case errors.As(err, &op) && op.Op == "dial" && op.Timeout():
		return "connect: no answer in time"
	case errors.As(err, &late) && late.Timeout():
		return "no answer in time"
	case errors.As(err, &errno) && errors.As(err, &op):
		return op.Op + ": " + errno.Error()
	case errors.As(err, &errno):
		return errno.Error()
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection ended in the middle of a message"
	case errors.Is(err, io.EOF):
		return "the connection ended where a message was due"
	}
	if text := tlsWords(err); text != "" {
		return text
	}
	return messageWords(err)
}

func lookupWords(err *net.DNSError) string {
	switch {
	case err.IsNotFound:
		return "look up the host: there is none of that name"
	case err.IsTimeout:
		return "look up the host: no answer in time"
	}
	return "look up the host: the name server failed"
}

func tlsWords(err error) string {
	var (
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		op        *net.OpError
		record    tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &authority):
		return "TLS: the certificate is of an unknown authority"
	case errors.As(err, &name):
		return "TLS: the certificate is for another name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "TLS: the certificate has expired, or is not valid yet"
	case errors.As(err, &invalid):
		return "TLS: the certificate is not valid for this use"
	case errors.As(err, &op) && op.Op == "remote error": // an alert, of a fixed set
		return "TLS: the other side refuses: " + strings.TrimPrefix(op.Err.Error(), "tls: ")
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return "TLS: the other side does not speak it"
	}
	return ""
}

// plain are the texts of errors of net/http that have no name. They are constant,
// so they quote nothing.
var plain = map[string]bool{
	"http: server closed idle connection": true,
	"http2: client connection lost":       true,
	fmt.Sprintf("net/http: server response headers exceeded %d bytes; aborted", headerBytes): true,
}

// messageWords says what is wrong with a message itself. It names the error's type,
// as a hint for whoever knows net/http.
func messageWords(err error) string {
	innermost := err
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(next) {
		innermost = next
	}
	var header textproto.ProtocolError
	switch {
	case plain[innermost.Error()]:
		return innermost.Error()
	case errors.As(err, &header):
		return "a header line is malformed"
	}
	return fmt.Sprintf("the message is malformed, or the connection broke (%T)", innermost)
}
