package sessionstore

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// changeChannel carries the changes of all sessions. A cluster passes them on
// to all its nodes; should that ever be too much, sharded channels (SPUBLISH in
// the scripts, SSUBSCRIBE in subscribe) are the way, and these the two places.
const changeChannel = "gatehouse:changes"

const (
	// silence is how long a subscription may be silent before it is taken for
	// lost: a connection that died without a word shows no other way. Pings keep a
	// living one from it.
	silence = 3 * session.Heartbeat

	watchPause    = 50 * time.Millisecond // doubled after each try
	watchPauseMax = 500 * time.Millisecond
)

// encodeChange is a message: the generation, 8 bytes, the id, and the reason.
func encodeChange(c session.Change) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(c.ID)+len(c.Reason)), c.Generation)
	b = append(b, c.ID...)
	return append(b, c.Reason...)
}

// idLength is that of a public id.
const idLength = 43

// decodeChange reads a message; false for one that is not ours.
func decodeChange(m string) (session.Change, bool) {
	if len(m) < 8+idLength || !session.IsID(m[8:8+idLength]) {
		return session.Change{}, false
	}
	return session.Change{
		ID:         m[8 : 8+idLength],
		Generation: binary.BigEndian.Uint64([]byte(m[:8])),
		Reason:     session.Reason(m[8+idLength:]),
	}, true
}

// Watch implements [session.Changes].
func (r *Redis) Watch(ctx context.Context, receive func(session.Change), up func(bool)) error {
	for d := watchPause; ; d = min(2*d, watchPauseMax) {
		began := time.Now()
		_ = r.subscribe(ctx, receive, up) // what it was matters to nobody: try again
		up(false)
		if time.Since(began) > r.timeout {
			d = watchPause // it stood for a while
		}
		select {
		case <-time.After(d/2 + rand.N(d/2)): //nolint:gosec // spreads tries in time, guards nothing
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

var errResubscribed = errors.New("subscription made anew: changes may have been missed")

// subscribe tells of changes as long as one subscription holds.
func (r *Redis) subscribe(ctx context.Context, receive func(session.Change), up func(bool)) error {
	ctx, cancel := context.WithCancel(ctx)
	p := r.client.Subscribe(ctx, changeChannel)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	watchdog := time.AfterFunc(r.timeout, cancel) // until it stands; then silence
	defer watchdog.Stop()
	context.AfterFunc(ctx, func() { _ = p.Close() }) // what makes Receive return

	for subscribed := false; ; {
		message, err := p.Receive(ctx)
		if err != nil {
			return err
		}
		watchdog.Reset(silence)
		if _, ok := message.(*redis.Subscription); !ok {
			tell(message, receive, up)
			continue
		}
		// The driver connects again by itself, and says so by this alone.
		if subscribed {
			return errResubscribed
		}
		subscribed = true
		running.Go(func() { beat(ctx, p) })
	}
}

// tell passes on what a message says.
func tell(message any, receive func(session.Change), up func(bool)) {
	switch message := message.(type) {
	case *redis.Message:
		if c, ok := decodeChange(message.Payload); ok {
			receive(c)
		}
	case *redis.Pong:
		if prompt(message.Payload) {
			up(true)
		}
	}
}

// beat asks the server for signs of life until ctx ends. Each carries the time
// when it was asked for.
func beat(ctx context.Context, p *redis.PubSub) {
	t := time.NewTicker(session.Heartbeat * 4 / 5)
	defer t.Stop()
	for {
		if p.Ping(ctx, strconv.FormatInt(time.Now().UnixMilli(), 10)) != nil {
			return // Receive will see it, or the watchdog
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

// prompt reports whether a sign of life took no longer than it should. A late
// one says that the changes are late too.
func prompt(asked string) bool {
	ms, err := strconv.ParseInt(asked, 10, 64)
	late := time.Since(time.UnixMilli(ms))
	return err == nil && late.Abs() <= session.Heartbeat
}
