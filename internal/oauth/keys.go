package oauth

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	// keysFetchTimeout bounds one fetch of the key set.
	keysFetchTimeout = 5 * time.Second
	// keysSoftAge is when the set is fetched anew, so that a withdrawn key goes;
	// meanwhile the keys in hand serve.
	keysSoftAge = time.Hour
	// keysHardAge is when the keys in hand stop serving, as the provider has not
	// answered for so long.
	keysHardAge = 24 * time.Hour
	// unknownKeyPause is the least time between two fetches that unknown key ids
	// caused. Anyone may send a token with a new kid.
	unknownKeyPause = 30 * time.Second
	// retryPause is the least time from one fetch to the next while they fail,
	// whoever asks: a login finds the keys again a second after they are back, and
	// a provider in trouble is asked once a second by an instance.
	retryPause = time.Second
)

var (
	errUnknownKey = errors.New("the provider's key set has no one key of that id")
	// errNoKeys: a token cannot be judged, whoever is to blame.
	errNoKeys = errors.New("fetch key set")
)

// FetchKeys waits until the provider's key set is in hand, fetched by this call if
// need be. Errors: [ErrUnavailable], [ErrMisconfigured]; both name its address.
func (c *Client) FetchKeys(ctx context.Context) error { return c.keys.ready(ctx) }

// KeysKnown reports whether the provider's key set was ever had. Once it was, it
// stays so: what is in hand serves for a day, and then a login asks again.
func (c *Client) KeysKnown() bool { return c.keys.known() }

// keySet is the provider's JSON Web Key Set, cached. Nothing is fetched before
// someone asks. A fetch runs detached from its caller, whose leaving must not cost the
// others their answer. One runs at a time, except in an outage: the next one then does
// not wait for one that hangs on an old connection.
type keySet struct {
	url     string
	setting string // where an operator says where the set is
	http    *http.Client
	observe Observer

	mu       sync.Mutex
	keys     map[string]*rsa.PublicKey // nil for a kid that two keys claim
	fetched  time.Time                 // the last success
	lastErr  error                     // why the last fetch failed, sorted; nil after a success
	began    time.Time                 // the last fetch, however it ended
	unknown  time.Time                 // the last fetch caused by an unknown kid
	inFlight chan struct{}             // closed when the latest fetch ends; nil: it has
}

func newKeySet(url, setting string, h *http.Client, observe Observer) *keySet {
	return &keySet{url: url, setting: setting, http: h, observe: observe}
}

// key returns the key with this id. Errors: [ErrInvalidToken] (the provider has
// no such key, or two of them); [ErrUnavailable] or [ErrMisconfigured], with
// errNoKeys, where the set could not be had.
func (s *keySet) key(ctx context.Context, kid string) (*rsa.PublicKey, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	k, wait := s.look(ctx, kid)
	if wait != nil {
		if err := await(ctx, wait); err != nil {
			return nil, err
		}
		k, _ = s.look(ctx, kid)
	}
	if k == nil {
		return nil, s.absent()
	}
	return k, nil
}

// ready waits until there are keys in hand, of whatever id.
func (s *keySet) ready(ctx context.Context) error {
	s.mu.Lock()
	if s.usable() {
		if time.Since(s.fetched) > keysSoftAge {
			s.start(ctx) // and do not wait
		}
		s.mu.Unlock()
		return nil
	}
	wait := s.start(ctx)
	s.mu.Unlock()
	if wait != nil {
		if err := await(ctx, wait); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.usable() {
		return nil
	}
	return s.lastErr
}

// await waits for a fetch to end, or for the caller to leave.
func await(ctx context.Context, fetched <-chan struct{}) error {
	select {
	case <-fetched:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w: wait: %w", ErrUnavailable, errNoKeys, ctx.Err())
	}
}

// look finds a key. For a kid that is unknown, or claimed by two keys, it starts
// or joins a fetch and returns what to wait for, unless the budget for such
// fetches is spent.
func (s *keySet) look(ctx context.Context, kid string) (*rsa.PublicKey, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.keys[kid]; k != nil {
		return k, nil
	}
	// A failed fetch answered nobody; the next has its own, shorter pause.
	if s.lastErr == nil && s.inFlight == nil {
		if !s.unknown.IsZero() && time.Since(s.unknown) < unknownKeyPause {
			return nil, nil
		}
		s.unknown = time.Now()
	}
	return nil, s.start(ctx)
}

// absent says what an unknown kid means: a fact if the set was had, nothing if
// the last fetch failed.
func (s *keySet) absent() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lastErr != nil {
		return s.lastErr
	}
	return fmt.Errorf("%w: %w", ErrInvalidToken, errUnknownKey)
}

// usable reports whether the keys in hand may serve. Call with mu held.
func (s *keySet) usable() bool {
	return s.keys != nil && time.Since(s.fetched) <= keysHardAge
}

// start begins a fetch, or joins the one under way. It returns nil while a
// failure is too fresh to try again. A fetch keeps the values of the context that
// began it, and not its end. Call with mu held.
func (s *keySet) start(ctx context.Context) <-chan struct{} {
	if s.lastErr == nil && s.inFlight != nil {
		return s.inFlight
	}
	if s.lastErr != nil && time.Since(s.began) < retryPause {
		return s.inFlight
	}
	done, began := make(chan struct{}), time.Now()
	s.inFlight, s.began = done, began
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keysFetchTimeout)
		defer cancel()
		keys, err := s.fetch(ctx)
		s.observe(ctx, "jwks", time.Since(began), err)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.settle(keys, err, began)
		if s.inFlight == done {
			s.inFlight = nil
		}
		close(done)
	}()
	return done
}

// settle records the outcome of a fetch; a failure leaves the keys in hand, and
// says nothing against a fetch that began later. Call with mu held.
func (s *keySet) settle(keys map[string]*rsa.PublicKey, err error, began time.Time) {
	switch {
	case err == nil:
		s.keys, s.fetched, s.lastErr = keys, time.Now(), nil
	case !s.fetched.After(began):
		s.lastErr = err
	}
}

// known reports whether the set was ever had.
func (s *keySet) known() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.fetched.IsZero()
}

// fetch asks the provider. Its errors are sorted, and [errNoKeys].
func (s *keySet) fetch(ctx context.Context) (map[string]*rsa.PublicKey, error) {
	keys, err := s.get(ctx)
	var answered *fault
	switch {
	case err == nil:
		return keys, nil
	// Cognito says 404 of a pool that does not exist, and 400 of an id that is none.
	case errors.As(err, &answered) && (noSuchEndpoint(answered.status) || answered.status == http.StatusBadRequest):
		answered.address, answered.setting = s.url, s.setting
		return nil, fmt.Errorf("%w: %w: %w", ErrMisconfigured, errNoKeys, err)
	}
	return nil, fmt.Errorf("%w: %w: %s: %w", ErrUnavailable, errNoKeys, s.url, err)
}

func (s *keySet) get(ctx context.Context) (map[string]*rsa.PublicKey, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	res, err := s.http.Do(req)
	if err != nil {
		return nil, cause(ctx, err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, &fault{status: res.StatusCode}
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return nil, cause(ctx, err)
	}
	if len(body) > maxAnswer {
		return nil, errAnswerTooLong
	}
	return parseKeySet(body)
}
