package oauth

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
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
	// stateWithAge is the version of a state that says how old a sign-in may be.
	stateWithAge = 2
	// clockSkew is how far the clocks of two instances, or of the provider and
	// an instance, may be apart.
	clockSkew = time.Minute
)

// The first byte of a state: two bits of version, a flag, two bits of restarts, and
// three flags.
const (
	versionShift, restartsShift = 6, 3
	maxRestarts                 = 3

	flagOverflow = 1 << 0 // the rest of the return-to is kept elsewhere
	flagSignup   = 1 << 1
	flagParams   = 1 << 2 // the parameters are there
	// flagSilent is the prompt none, which a restart needs whatever else fits: without
	// it, a login that was to ask nothing would.
	flagSilent = 1 << 5
)

// A sealed state is
//
//	version, restarts, flags 1 | issued-at 4 | binding fingerprint 8 |
//	max-age in seconds 4, in the second version |
//	five parameters, if there are any, each length 1 and bytes | return-to, packed
//
// Max-age is no parameter that is left out where they do not fit: without it a sign-in
// that is too old would be asked for again and again.
//
// under AES-256-GCM, the client id as additional data, so that a second gateway
// with the same keys and another client does not open it. The nonce of the seal
// is the login's attempt.
const (
	stateHead = 1 + 4 + fingerprintSize
	stateAge  = 4
	stateRoom = MaxState/4*3 - secret.Overhead - stateHead
)

// Pending is a login that came back: what its state said.
type Pending struct {
	// ReturnTo is the return-to, or where ReturnToOverflow its beginning; the
	// caller kept the rest under Key.
	ReturnTo         string
	ReturnToOverflow bool
	// Key names the login, as [Authorization.Key] did.
	Key      string
	Restarts int
	IssuedAt time.Time
	// Params are those of the start, for starting over. If they did not fit, all are
	// empty but Signup, MaxAge, and the Prompt of a silent login.
	Params Params

	attempt attempt
	bound   bool // opened in time and for this browser
}

// sealState returns the state for r, the attempt that it is, and how much of the
// return-to it holds.
func (c *Client) sealState(r Request, now time.Time) (state string, a attempt, kept int, err error) {
	silent := r.Params.Silent()
	if silent {
		r.Params.Prompt = "" // the flag says it
	}
	version, room := stateVersion, stateRoom
	age := r.Params.MaxAge / time.Second
	if r.Params.MaxAge = 0; age > 0 {
		version, room = stateWithAge, stateRoom-stateAge
	}
	params := appendParams(nil, &r.Params)
	kept, withParams := share(r.ReturnTo, len(params), room)
	packed, ok := pack(r.ReturnTo[:kept])
	if !ok {
		return "", attempt{}, 0, errReturnTo
	}
	head := byte(version<<versionShift | min(max(r.Restarts, 0), maxRestarts)<<restartsShift)
	if kept < len(r.ReturnTo) {
		head |= flagOverflow
	}
	if r.Params.Signup {
		head |= flagSignup
	}
	if silent {
		head |= flagSilent
	}
	if withParams {
		head |= flagParams
	} else {
		params = nil
	}
	b := make([]byte, 0, stateHead+stateRoom)
	b = append(b, head)
	b = binary.BigEndian.AppendUint32(b, uint32(now.Unix()))
	b = append(b, r.Binding.fingerprint()...)
	if version == stateWithAge {
		b = binary.BigEndian.AppendUint32(b, uint32(min(age, math.MaxUint32)))
	}
	b = append(b, params...)
	b = append(b, packed...)
	sealed := c.opts.Ring.Seal(stateLabel, b, []byte(c.opts.ClientID))
	copy(a[:], sealed)
	return base64.RawURLEncoding.EncodeToString(sealed), a, kept, nil
}

// errReturnTo is a fault of the caller's.
var errReturnTo = errors.New("[unexpected] return address is not normalised")

// share divides the room of a state between the return-to and the parameters, which
// only a restart needs: how many bytes of the first it holds, and whether the
// second. A return-to that fits comes first. Of one that does not fit the path is
// worth more than the parameters, and these more than the beginning of the query.
func share(returnTo string, params, room int) (kept int, withParams bool) {
	alone, beside := packable(room), packable(room-params)
	path := strings.IndexAny(returnTo, "?#")
	switch {
	case params == 0 || len(returnTo) <= beside:
		return min(len(returnTo), beside), params > 0
	case len(returnTo) > alone && path >= 0 && path < beside:
		return beside, true
	}
	return min(len(returnTo), alone), false
}

// appendParams appends nothing where there are none.
func appendParams(b []byte, p *Params) []byte {
	if *p == (Params{Signup: p.Signup}) {
		return b
	}
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
	same := subtle.ConstantTimeCompare(fingerprint, binding.fingerprint()) == 1
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
	if err != nil || len(b) < stateHead {
		return Pending{}, nil, ErrStateInvalid
	}
	rest := b[stateHead:]
	switch version := b[0] >> versionShift; {
	case version == stateVersion:
	case version == stateWithAge && len(rest) >= stateAge:
		p.Params.MaxAge = time.Duration(binary.BigEndian.Uint32(rest)) * time.Second
		rest = rest[stateAge:]
	default:
		return Pending{}, nil, ErrStateInvalid
	}
	copy(p.attempt[:], sealed)
	p.Key = p.attempt.key()
	p.Restarts = int(b[0] >> restartsShift & maxRestarts)
	p.ReturnToOverflow = b[0]&flagOverflow != 0
	p.IssuedAt = time.Unix(int64(binary.BigEndian.Uint32(b[1:])), 0)
	if b[0]&flagParams != 0 {
		if rest, ok = readParams(rest, &p.Params); !ok {
			return Pending{}, nil, ErrStateInvalid
		}
	}
	p.Params.Signup = b[0]&flagSignup != 0
	if b[0]&flagSilent != 0 {
		p.Params.Prompt = promptNone
	}
	if p.ReturnTo, ok = unpack(rest); !ok {
		return Pending{}, nil, ErrStateInvalid
	}
	return p, b[stateHead-fingerprintSize : stateHead], nil
}

func readParams(b []byte, p *Params) (rest []byte, ok bool) {
	for _, to := range []*string{&p.Provider, &p.IdPIdentifier, &p.LoginHint, &p.Lang, &p.Prompt} {
		if len(b) == 0 || len(b) < 1+int(b[0]) {
			return nil, false
		}
		*to, b = string(b[1:1+int(b[0])]), b[1+int(b[0]):]
	}
	return b, true
}
