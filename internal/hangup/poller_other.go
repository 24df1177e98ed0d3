//go:build !linux

package hangup

import "errors"

// poller is none here: whoever wants to know reads.
type poller struct{}

func newPoller() (*poller, error) { return nil, errors.ErrUnsupported }

func (*poller) add(socket) error { return errors.ErrUnsupported }

func (*poller) remove(uintptr) {}

func (*poller) wait() []socket { return nil }

func (*poller) close() {}
