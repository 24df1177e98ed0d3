package oauth

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

const (
	// StateLifetime is how long after its start a login may come back.
	StateLifetime = 10 * time.Minute
	// MaxState is the most characters a state has. There is no published limit,
	// but Cognito wraps the state once more for federated providers, whose
	// addresses have limits of their own.
	MaxState = 512

	stateLabel   = "login state"
	stateVersion = 1
	// clockSkew is how far the clocks of two instances, or of the provider and
	// an instance, may be apart.
	clockSkew = time.Minute
)

// The flags of a state.
const (
	flagOverflow = 1 << iota // the return-to is kept elsewhere
	flagSignup
	flagParams // the parameters fitted
)

// A sealed state is
//
//	version 1 | issued-at 4 | attempt 16 | binding fingerprint 16 | restarts 1 | flags 1 |
//	return-to length 2 | return-to | five parameters, each length 1 | bytes
//
// under AES-256-GCM, the client id as additional data, so that a second gateway
// with the same keys and another client does not open it.
const (
	stateHead = 1 + 4 + 16 + 16 + 1 + 1 + 2
	stateRoom = MaxState/4*3 - secret.Overhead
)

// Pending is a login that came back: what its state said.
type Pending struct {
	ReturnTo string
	// ReturnToOverflow: the return-to is not here; the caller kept it under Key.
	ReturnToOverflow bool
	// Key names the login, as [Authorization.Key] did.
	Key      string
	Restarts int
	IssuedAt time.Time
	// Params are those of the start, for starting over; empty if they did not fit.
	Params Params

	attempt attempt
	bound   bool // opened in time and for this browser
}

// sealState returns the state for r, and whether the return-to did not fit. The
// return-to goes first; the parameters, which only a restart needs, take what
// room is left.
func (c *Client) sealState(a attempt, r Request, now time.Time) (state string, overflow bool) {
	var flags byte
	returnTo := r.ReturnTo
	if stateHead+len(returnTo) > stateRoom {
		returnTo, flags = "", flagOverflow
	}
	params := appendParams(nil, &r.Params)
	if stateHead+len(returnTo)+len(params) > stateRoom {
		params = nil
	} else {
		flags |= flagParams
	}
	if r.Params.Signup {
		flags |= flagSignup
	}
	b := make([]byte, 0, stateRoom)
	b = append(b, stateVersion)
	b = binary.BigEndian.AppendUint32(b, uint32(now.Unix()))
	b = append(b, a[:]...)
	b = append(b, a.fingerprint(r.Binding)...)
	b = append(b, byte(min(max(r.Restarts, 0), 255)), flags)
	b = binary.BigEndian.AppendUint16(b, uint16(len(returnTo)))
	b = append(b, returnTo...)
	b = append(b, params...)
	sealed := c.opts.Ring.Seal(stateLabel, b, []byte(c.opts.ClientID))
	return base64.RawURLEncoding.EncodeToString(sealed), flags&flagOverflow != 0
}

func appendParams(b []byte, p *Params) []byte {
	for _, v := range p.values() {
		b = append(b, byte(len(v.value)))
		b = append(b, v.value...)
	}
	return b
}

// Open reads a state that came back with the browser that holds binding (zero:
// the browser holds none).
//
// [ErrStateInvalid]: not ours, or changed; Pending is empty. [ErrStateExpired]
// and [ErrStateUnbound]: ours, and not good for this callback; Pending is
// filled so that the caller can start over, but [Client.Exchange] refuses it.
func (c *Client) Open(state string, binding Binding) (Pending, error) {
	p, fingerprint, err := c.openState(state)
	if err != nil {
		return Pending{}, fmt.Errorf("open login state: %w", err)
	}
	now := time.Now()
	switch age := now.Sub(p.IssuedAt); {
	case age < -clockSkew:
		return Pending{}, fmt.Errorf("open login state: %w: issued in the future", ErrStateInvalid)
	case age > StateLifetime:
		return p, fmt.Errorf("open login state: %w", ErrStateExpired)
	}
	same := subtle.ConstantTimeCompare(fingerprint, p.attempt.fingerprint(binding)) == 1
	if !same || binding.IsZero() {
		return p, fmt.Errorf("open login state: %w", ErrStateUnbound)
	}
	p.bound = true
	return p, nil
}

// openState unseals and decodes. Behind the seal the bytes are our own; the
// checks guard against an older or newer instance, not an attacker.
func (c *Client) openState(state string) (p Pending, fingerprint []byte, err error) {
	if len(state) > MaxState {
		return Pending{}, nil, ErrStateInvalid
	}
	sealed, ok := decodeStrict(state)
	if !ok {
		return Pending{}, nil, ErrStateInvalid
	}
	b, err := c.opts.Ring.Open(stateLabel, sealed, []byte(c.opts.ClientID))
	if err != nil || len(b) < stateHead || b[0] != stateVersion {
		return Pending{}, nil, ErrStateInvalid
	}
	p.IssuedAt = time.Unix(int64(binary.BigEndian.Uint32(b[1:])), 0)
	copy(p.attempt[:], b[5:])
	p.Key = p.attempt.key()
	fingerprint = b[21:37]
	p.Restarts = int(b[37])
	flags := b[38]
	n, rest := int(binary.BigEndian.Uint16(b[39:])), b[stateHead:]
	if n > len(rest) {
		return Pending{}, nil, ErrStateInvalid
	}
	p.ReturnTo = string(rest[:n])
	p.ReturnToOverflow = flags&flagOverflow != 0
	p.Params.Signup = flags&flagSignup != 0
	if flags&flagParams != 0 && !readParams(rest[n:], &p.Params) {
		return Pending{}, nil, ErrStateInvalid
	}
	return p, fingerprint, nil
}

func readParams(b []byte, p *Params) bool {
	for _, to := range []*string{&p.Provider, &p.IdPIdentifier, &p.LoginHint, &p.Lang, &p.Prompt} {
		if len(b) == 0 || len(b) < 1+int(b[0]) {
			return false
		}
		*to, b = string(b[1:1+int(b[0])]), b[1+int(b[0]):]
	}
	return len(b) == 0
}
