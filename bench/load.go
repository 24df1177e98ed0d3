package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

// result is what one measurement saw.
type result struct {
	count     float64 // requests
	perSecond float64
	p50, p99  time.Duration
	p999      time.Duration // 0: the client does not say
	cpu       time.Duration // of the party, a request
	// allocations are those of the party's whole process, a request.
	allocations float64
}

// String is for those who wait.
func (r result) String() string {
	return fmt.Sprintf("%8.0f/s, p99 %v", r.perSecond, r.p99.Round(10*time.Microsecond))
}

// resultOf sorts the times that the answers took.
func resultOf(times []time.Duration, took time.Duration) (result, error) {
	if len(times) == 0 {
		return result{}, errors.New("no request was answered in time")
	}
	slices.Sort(times)
	n := len(times)
	return result{
		count: float64(n), perSecond: float64(n) / took.Seconds(),
		p50: times[n/2], p99: times[n*99/100], p999: times[n*999/1000],
	}, nil
}

// load measures a party under a call that is repeated over all connections, each as
// soon as it has its answer. A warm-up of a quarter comes first.
func (l *lab) load(ctx context.Context, p *party, c call, connections int) (result, error) {
	if _, err := load(ctx, c, connections, l.duration/4); err != nil {
		return result{}, err
	}
	return l.loadWarm(ctx, p, c, connections)
}

// loadWarm is load without the warm-up.
func (l *lab) loadWarm(ctx context.Context, p *party, c call, connections int) (result, error) {
	return l.spending(ctx, p, func() (result, error) {
		if l.wrk && c.body == nil {
			return loadByWrk(ctx, l.dir, c, connections, l.duration)
		}
		return load(ctx, c, connections, l.duration)
	})
}

// spending adds to a measurement what the party's process used up for it.
func (l *lab) spending(ctx context.Context, p *party, measure func() (result, error)) (result, error) {
	before, err := p.spent(ctx, l)
	if err != nil {
		return result{}, err
	}
	r, err := measure()
	if err != nil {
		return result{}, err
	}
	after, err := p.spent(ctx, l)
	if err != nil {
		return result{}, err
	}
	r.cpu = time.Duration(float64(after.cpu-before.cpu) / r.count)
	r.allocations = (after.allocations - before.allocations) / r.count
	return r, nil
}

// spent is what a process has used up so far.
type spent struct {
	cpu         time.Duration
	allocations float64
}

func (p *party) spent(ctx context.Context, l *lab) (spent, error) {
	var s spent
	var err error
	if p.figures != "" {
		s.allocations, err = allocated(ctx, l.http, p.figures)
	}
	if p.process != nil {
		s.cpu = p.process.cpu()
	}
	return s, err
}

// load asks by the built-in client.
func load(ctx context.Context, c call, connections int, duration time.Duration) (result, error) {
	begin := time.Now()
	until := begin.Add(duration)
	times, err := everywhere(ctx, connections, func(ctx context.Context, i int) ([]time.Duration, error) {
		line, err := dial(ctx, c, until.Add(patience))
		if err != nil {
			return nil, err
		}
		defer line.close()
		return line.askUntil(ctx, until, i, connections)
	})
	if err != nil {
		return result{}, err
	}
	return resultOf(times, time.Since(begin))
}

// everywhere runs a share of the load on each connection, and ends all at the first
// error: one failure spoils the measurement.
func everywhere(ctx context.Context, connections int, share func(ctx context.Context, i int) ([]time.Duration, error)) ([]time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	times := make([][]time.Duration, connections)
	for i := range connections {
		wg.Go(func() {
			var err error
			if times[i], err = share(ctx, i); err != nil {
				cancel(err) // the first counts
			}
		})
	}
	wg.Wait()
	return slices.Concat(times...), context.Cause(ctx)
}

// line is one connection of the built-in client.
type line struct {
	conn   net.Conn
	reader *bufio.Reader
	call   call
	text   message
	buf    []byte
}

// dial connects. What is not answered by the deadline is an error.
func dial(ctx context.Context, c call, deadline time.Time) (*line, error) {
	dialer := net.Dialer{Timeout: patience}
	conn, err := dialer.DialContext(ctx, "tcp", c.url.Host)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(deadline); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return &line{conn: conn, reader: bufio.NewReaderSize(conn, 64<<10), call: c, text: c.message()}, nil
}

func (l *line) close() { _ = l.conn.Close() }

// askUntil asks until the time is over and once at least, with the cookies that are this
// connection's: every step-th, starting with the first-th.
func (l *line) askUntil(ctx context.Context, until time.Time, first, step int) ([]time.Duration, error) {
	times := make([]time.Duration, 0, 16<<10)
	for now, turn := time.Now(), first; len(times) == 0 || now.Before(until); turn += step {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := l.ask(turn); err != nil {
			return nil, err
		}
		next := time.Now()
		times = append(times, next.Sub(now))
		now = next
	}
	return times, nil
}

// ask sends the request with the cookies whose turn it is, and reads the answer.
func (l *line) ask(turn int) error {
	if err := l.send(turn); err != nil {
		return err
	}
	return readAnswer(l.reader, l.call.answer)
}

func (l *line) send(turn int) error {
	l.buf = l.text.append(l.buf[:0], l.call.cookies[turn%len(l.call.cookies)])
	message := net.Buffers{l.buf, l.call.body}
	_, err := message.WriteTo(l.conn)
	return err
}
