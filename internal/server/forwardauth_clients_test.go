package server_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// dialFront connects to a front as a browser does.
func dialFront(t testing.TB, f *fronted, protocol string) *tls.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", f.front)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return tls.Client(conn, &tls.Config{RootCAs: f.roots, ServerName: "app.example.com", NextProtos: []string{protocol}})
}

// lineClient writes request lines (RFC 9112 §3).
type lineClient struct {
	t    testing.TB
	f    *fronted
	conn *tls.Conn // nil: to be opened
	read *bufio.Reader
}

func newLineClient(t testing.TB, f *fronted) client { return &lineClient{t: t, f: f} }

func (c *lineClient) get(target string) (status int) {
	if c.conn == nil {
		c.conn = dialFront(c.t, c.f, "http/1.1")
		c.read = bufio.NewReader(c.conn)
	}
	_, err := fmt.Fprintf(c.conn, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, host(c.f.url))
	if err == nil {
		var res *http.Response
		if res, err = http.ReadResponse(c.read, nil); err == nil {
			_, err = io.Copy(io.Discard, res.Body)
			status = res.StatusCode
			if res.Close {
				err = io.EOF
			}
		}
	}
	if err != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
	return status
}

// frameClient writes frames (RFC 9113 §8.3.1), so that a target may be anything.
type frameClient struct {
	t      testing.TB
	f      *fronted
	conn   *tls.Conn // nil: to be opened
	framer *http2.Framer
	block  bytes.Buffer
	encode *hpack.Encoder
	stream uint32
}

func newFrameClient(t testing.TB, f *fronted) client { return &frameClient{t: t, f: f} }

func (c *frameClient) open() {
	c.conn = dialFront(c.t, c.f, "h2")
	if _, err := io.WriteString(c.conn, http2.ClientPreface); err != nil {
		c.t.Fatal(err)
	}
	c.framer = http2.NewFramer(c.conn, c.conn)
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.encode, c.stream = hpack.NewEncoder(&c.block), 1
	if err := c.framer.WriteSettings(); err != nil {
		c.t.Fatal(err)
	}
}

func (c *frameClient) get(target string) int {
	if c.conn == nil {
		c.open()
	}
	c.block.Reset()
	for _, field := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", host(c.f.url)}, {":path", target}} {
		_ = c.encode.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	stream := c.stream
	c.stream += 2
	err := c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: c.block.Bytes(), EndStream: true, EndHeaders: true})
	status, ended := 0, false
	for err == nil && !ended {
		status, ended, err = c.next(stream, status)
	}
	if err != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
	return status
}

// next reads a frame, and says what is known of a stream by then.
func (c *frameClient) next(stream uint32, before int) (status int, ended bool, err error) {
	frame, err := c.framer.ReadFrame()
	if err != nil {
		return before, false, err
	}
	switch frame := frame.(type) {
	case *http2.SettingsFrame:
		if !frame.IsAck() {
			err = c.framer.WriteSettingsAck()
		}
	case *http2.PingFrame:
		err = c.framer.WritePing(true, frame.Data)
	case *http2.GoAwayFrame:
		err = io.EOF
	case *http2.RSTStreamFrame:
		ended = frame.StreamID == stream
	case *http2.MetaHeadersFrame:
		if frame.StreamID == stream {
			before, _ = strconv.Atoi(frame.PseudoValue("status"))
			ended = frame.StreamEnded()
		}
	case *http2.DataFrame:
		if n := uint32(len(frame.Data())); n > 0 {
			err = c.framer.WriteWindowUpdate(0, n)
		}
		ended = frame.StreamID == stream && frame.StreamEnded()
	}
	return before, ended, err
}
