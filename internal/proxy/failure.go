package proxy

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/connpool"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
)

// classify turns the error that ended a trip before its answer began into the
// answer for the caller: that the caller has left, its fault, or the upstream's.
func (t *trip) classify(err error) error {
	if t.silent() {
		return bodyTimeout()
	}
	if err := t.in.Context().Err(); err != nil {
		return err
	}
	if broken := t.body.outcome(); t.bodyBroken() {
		var limit *http.MaxBytesError
		if errors.As(broken, &limit) {
			return tooLarge(broken)
		}
		return &problem.Error{
			Status: http.StatusBadRequest,
			Code:   "malformed_body",
			Public: "The body of the request is malformed or incomplete.",
			Err:    fmt.Errorf("read request body: %w", causeOf(broken)),
		}
	}
	if errors.Is(err, errCrowded) {
		return InstanceBusy(fmt.Errorf("ask upstream %s: %w", t.up.name, err))
	}
	if errors.Is(err, connpool.ErrBusy) {
		return &problem.Error{
			Status: http.StatusServiceUnavailable,
			Code:   "upstream_busy",
			Public: "The service behind this address is busy. Try again in a moment.",
			Header: http.Header{"Retry-After": {"1"}},
			Err:    fmt.Errorf("ask upstream %s: %w", t.up.name, err),
		}
	}
	err = fmt.Errorf("ask upstream %s: %w", t.up.name, causeOf(err))
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		return &problem.Error{
			Status: http.StatusGatewayTimeout,
			Code:   "upstream_timeout",
			Public: "The service behind this address did not answer in time.",
			Err:    err,
		}
	}
	return &problem.Error{
		Status: http.StatusBadGateway,
		Code:   "upstream_unavailable",
		Public: "The service behind this address cannot be reached.",
		Err:    err,
	}
}

func tooLarge(cause error) error {
	return &problem.Error{
		Status: http.StatusRequestEntityTooLarge,
		Code:   "body_too_large",
		Public: "The body of the request is larger than this gateway accepts.",
		Err:    cause,
	}
}

// InstanceBusy answers what finds no place as the whole instance is full.
func InstanceBusy(cause error) error {
	return &problem.Error{
		Status: http.StatusServiceUnavailable, Code: "instance_busy", RetryAfter: time.Second,
		Public: "This instance has as many requests and streams open as it may. Try again shortly.",
		Err:    cause,
	}
}

// stopping answers a handshake that comes while all tunnels are being ended.
func stopping() error {
	return &problem.Error{
		Status: http.StatusServiceUnavailable, Code: "draining",
		Public: "This instance is stopping.",
		Header: http.Header{"Connection": {"close"}},
	}
}

// closing makes the answer to err the last one of its connection where the
// request's body is not read to its end; see unfinished.
func (t *trip) closing(err error) error {
	var p *problem.Error
	if errors.As(err, &p) && t.unfinished() {
		p.Header = http.Header{"Connection": {"close"}}
	}
	return err
}
