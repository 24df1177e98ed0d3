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

	"github.com/gatehouse-auth/gatehouse/internal/backoff"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// changeChannel carries the changes of all sessions. A cluster passes them on
// to all its nodes; should that ever be too much, sharded channels (SPUBLISH in
// the scripts, SSUBSCRIBE in subscribe) are the way, and these the two places.
const changeChannel = "gatehouse:changes"

// beatChannel is the beginning of a subscription's own channel, for its signs of
// life: on one channel for all, each of n instances would hear n of them.
const beatChannel = "gatehouse:beat:"

const (
	// silence is how long a subscription may hear no sign of life before it is
	// taken for lost: a connection that died without a word shows no other way.
	silence = 3 * session.Heartbeat
	// beatTimeout bounds the sending of one. It counts no more by then, but may
	// have opened a connection for the next.
	beatTimeout = 2 * session.Heartbeat

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
	for tries := backoff.New(watchPause, watchPauseMax); ; {
		began := time.Now()
		err := r.subscribe(ctx, receive, up)
		r.log.Debug("subscription to the changes of sessions lost", "error", err)
		if time.Since(began) > r.timeout {
			tries.Reset() // it stood for a while
		}
		if !tries.Wait(ctx) {
			return ctx.Err()
		}
	}
}

var errResubscribed = errors.New("subscription made anew: changes may have been missed")

// subscribe tells of changes as long as one subscription holds.
func (r *Redis) subscribe(ctx context.Context, receive func(session.Change), up func(bool)) error {
	ctx, cancel := context.WithCancel(ctx)
	p, beat := r.open(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer up(false) // before the wait for a beat that hangs
	defer cancel()
	watchdog := time.AfterFunc(r.timeout, cancel) // until it stands; then silence
	defer watchdog.Stop()
	context.AfterFunc(ctx, func() { _ = p.Close() }) // what makes Receive return
	for confirmed := 0; ; {
		message, err := p.Receive(ctx)
		if err != nil {
			return err
		}
		switch message := message.(type) {
		case *redis.Message:
			if c, ok := decodeChange(message.Payload); ok && message.Channel == changeChannel {
				receive(c)
			} else if prompt(message.Payload) {
				watchdog.Reset(silence)
				up(true)
			}
		case *redis.Pong:
			watchdog.Reset(silence)
			if prompt(message.Payload) {
				up(true)
			}
		case *redis.Subscription:
			switch confirmed++; {
			case confirmed == beat.channels:
				watchdog.Reset(silence)
				running.Go(func() { r.keepBeating(ctx, beat.send) })
				running.Go(func() { r.warnOfLoss(ctx) })
			case confirmed > beat.channels: // the driver connects again by itself, and says so by this alone
				return errResubscribed
			}
		}
	}
}

// signOfLife is how a subscription shows that changes arrive by it.
type signOfLife struct {
	channels int // subscribed to, before the first
	send     func(ctx context.Context, now string) error
}

// open subscribes. At one server a PING on the subscription's own connection
// proves it. Where another server may become the primary, it would not: the
// subscription at the one of before still stands, and answers. There signs of
// life are changes that nobody hears of but this subscription. They take the way
// that changes take, by the client that writes to the server that takes writes
// now.
func (r *Redis) open(ctx context.Context) (*redis.PubSub, signOfLife) {
	if !r.moves {
		p := r.client.Subscribe(ctx, changeChannel)
		return p, signOfLife{1, func(ctx context.Context, now string) error { return p.Ping(ctx, now) }}
	}
	own := beatChannel + strconv.FormatUint(rand.Uint64(), 36) //nolint:gosec // tells subscriptions apart, guards nothing
	return r.client.Subscribe(ctx, changeChannel, own), signOfLife{2, func(ctx context.Context, now string) error {
		return beatScript.Run(ctx, r.client, []string{own}, now).Err()
	}}
}

// keepBeating sends signs of life until ctx ends. Whether one arrived is for the
// subscription to say.
func (r *Redis) keepBeating(ctx context.Context, send func(context.Context, string) error) {
	t := time.NewTicker(session.Heartbeat * 4 / 5)
	defer t.Stop()
	for {
		bounded, cancel := context.WithTimeout(ctx, beatTimeout)
		if err := send(bounded, strconv.FormatInt(time.Now().UnixMilli(), 10)); err != nil {
			r.log.Debug("sign of life not sent", "error", err)
		}
		cancel()
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

// prompt reports whether a sign of life took no longer than it should. A late
// one says that the changes are late too.
func prompt(sent string) bool {
	ms, err := strconv.ParseInt(sent, 10, 64)
	late := time.Since(time.UnixMilli(ms))
	return err == nil && late.Abs() <= session.Heartbeat
}
