package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// measureStreams holds many event streams open on which nothing comes.
func measureStreams(ctx context.Context, l *lab) (section, error) {
	entrants := append([]entrant{tuned}, l.gateways(ctx)...)
	parties, err := l.enter(ctx, append(entrants, nginx, haproxy, caddy, oauth2Proxy)...)
	if err != nil {
		return section{}, err
	}
	t := &table{head: []string{"variant", "memory a stream", "before (RSS)", "with the streams (RSS)"}}
	for _, p := range parties {
		before, after, err := l.weighStreams(ctx, p)
		if err != nil {
			return section{}, fmt.Errorf("%s: %w", p.name, err)
		}
		each := fmt.Sprintf("%.1f kB", float64(after-before)/float64(l.streams)/1e3)
		if before == 0 || after == 0 {
			each = "–"
		}
		l.say("%-34s %s a stream", p.name, each)
		t.add(p.name, each, megabytes(before), megabytes(after))
	}
	how := fmt.Sprintf("%d event streams by HTTP/1.1, each after its first event; memory is that of the proxy's processes, after a second of calls and then "+
		"with all streams open", l.streams)
	return l.report(ctx, how, measured, nil, t), nil
}

// weighStreams returns the memory of a party that has been in use, and that with the
// streams open.
func (l *lab) weighStreams(ctx context.Context, p *party) (before, after int64, err error) {
	c, err := p.get(apiPath)
	if err != nil {
		return 0, 0, err
	}
	if _, err := load(ctx, c, l.connections, min(time.Second, l.duration)); err != nil {
		return 0, 0, err
	}
	if err := rest(ctx); err != nil {
		return 0, 0, err
	}
	before = p.process.memory()
	streams, err := l.openStreams(ctx, p)
	defer func() {
		for _, s := range streams {
			s.close()
		}
	}()
	if err != nil {
		return 0, 0, err
	}
	if err := rest(ctx); err != nil {
		return 0, 0, err
	}
	return before, p.process.memory(), nil
}

// openStreams opens them all, and returns what it opened on an error too.
func (l *lab) openStreams(ctx context.Context, p *party) ([]*line, error) {
	c, err := p.call(http.MethodGet, streamPath, nil, anySize)
	if err != nil {
		return nil, err
	}
	var (
		mu   sync.Mutex
		open []*line
	)
	_, err = everywhere(ctx, l.connections, func(ctx context.Context, first int) ([]time.Duration, error) {
		for i := first; i < l.streams && ctx.Err() == nil; i += l.connections {
			s, err := dial(ctx, c, time.Now().Add(10*patience))
			if err != nil {
				return nil, err
			}
			mu.Lock()
			open = append(open, s)
			mu.Unlock()
			if err := s.waitForEvent(); err != nil {
				return nil, fmt.Errorf("stream %s: %w", strconv.Itoa(i), err)
			}
		}
		return nil, nil
	})
	return open, err
}

// waitForEvent reads up to the first event, in whatever framing it comes.
func (l *line) waitForEvent() error {
	if err := l.send(0); err != nil {
		return err
	}
	if _, err := readHead(l.reader); err != nil {
		return err
	}
	for wanted := []byte(firstEvent); ; {
		text, err := l.reader.ReadSlice('\n')
		if err != nil {
			return err
		}
		if bytes.HasPrefix(wanted, text) {
			l.reader = nil // its buffer is not needed any more
			return nil
		}
	}
}
