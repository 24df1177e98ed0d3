package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// messageSize is how long a WebSocket message is in bytes; below 126 its length stands
// in one byte.
const messageSize = 100

// measureWebSocket sends messages that the upstream sends back, one at a time on each
// connection.
func measureWebSocket(ctx context.Context, l *lab) (section, error) {
	entrants := append([]entrant{tuned}, l.gateways(ctx)...)
	parties, err := l.enter(ctx, append(entrants, nginx, haproxy, caddy, oauth2Proxy)...)
	if err != nil {
		return section{}, err
	}
	rounds := l.few()
	all, err := inTurn(ctx, l, rounds, parties, func(ctx context.Context, p *party) (result, error) {
		if _, err := l.converse(ctx, p, l.duration/4); err != nil {
			return result{}, err
		}
		return l.spending(ctx, p, func() (result, error) { return l.converse(ctx, p, l.duration) })
	})
	if err != nil {
		return section{}, err
	}
	t := &table{head: []string{"variant", "messages/s", "× tuned", "× nginx", "× oauth2-proxy", "p50", "p99", "CPU a message"}}
	for _, p := range parties {
		r := all[p.name]
		t.add(p.name, medianCount(r, rateOf), times(r, all[nameTuned]), times(r, all[nameNginx]), times(r, all[namePeer]),
			medianTime(r, p50Of), medianTime(r, p99Of), medianTime(r, cpuOf))
	}
	how := fmt.Sprintf("%d connections; messages of %d bytes, there and back; a client of the benchmark's own, %s", l.connections, messageSize, l.medians(rounds))
	return l.report(ctx, how, measured, nil, t), nil
}

// converse opens the connections and sends messages until the time is over.
func (l *lab) converse(ctx context.Context, p *party, duration time.Duration) (result, error) {
	c, err := p.socket()
	if err != nil {
		return result{}, err
	}
	begin := time.Now()
	until := begin.Add(duration)
	times, err := everywhere(ctx, l.connections, func(ctx context.Context, _ int) ([]time.Duration, error) {
		line, err := dial(ctx, c, until.Add(patience))
		if err != nil {
			return nil, err
		}
		defer line.close()
		if err := line.upgrade(); err != nil {
			return nil, err
		}
		return line.echoUntil(ctx, until)
	})
	if err != nil {
		return result{}, err
	}
	return resultOf(times, time.Since(begin))
}

// socket is the opening handshake (RFC 6455 §4.1).
func (p *party) socket() (call, error) {
	c, err := p.call(http.MethodGet, socketPath, nil, anySize)
	if err != nil {
		return call{}, err
	}
	key := make([]byte, 16)
	_, _ = rand.Read(key) // never fails
	c.headers = append(c.headers, [2]string{"Origin", p.base}, [2]string{"Connection", "Upgrade"}, [2]string{"Upgrade", "websocket"},
		[2]string{"Sec-WebSocket-Version", "13"}, [2]string{"Sec-WebSocket-Key", base64.StdEncoding.EncodeToString(key)})
	return c, nil
}

func (l *line) upgrade() error {
	if err := l.send(0); err != nil {
		return err
	}
	_, err := readHead(l.reader)
	return err
}

// echoUntil sends a message until the time is over and once at least, each when the last
// one is back.
func (l *line) echoUntil(ctx context.Context, until time.Time) ([]time.Duration, error) {
	sent, back := frames(bytes.Repeat([]byte("m"), messageSize))
	got := make([]byte, len(back))
	var times []time.Duration
	for now := time.Now(); len(times) == 0 || now.Before(until); {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if _, err := l.conn.Write(sent); err != nil {
			return nil, err
		}
		if _, err := io.ReadFull(l.reader, got); err != nil {
			return nil, err
		}
		if !bytes.Equal(got, back) {
			return nil, errors.New("the message came back as another one")
		}
		next := time.Now()
		times = append(times, next.Sub(now))
		now = next
	}
	return times, nil
}

// frames are a message of less than 126 bytes as a client sends it, masked, and as a
// server does (RFC 6455 §5.2). A mask of zeroes is as good as any here: it is there
// against caches.
func frames(message []byte) (client, server []byte) {
	const text, masked = 0x81, 0x80
	client = append([]byte{text, masked | byte(len(message)), 0, 0, 0, 0}, message...)
	server = append([]byte{text, byte(len(message))}, message...)
	return client, server
}
