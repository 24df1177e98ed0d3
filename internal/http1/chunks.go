package http1

import (
	"net/http"
	"strings"
)

const (
	maxSizeDigits = 16       // of a chunk's size: 64 bits
	maxChunkLine  = 4 << 10  // with its extensions and its end
	maxOverhead   = 16 << 10 // of lines over data
	maxTrailers   = 4 << 10  // with the empty line
)

const (
	errChunkSize = Malformed("the size of a chunk is no hexadecimal number")
	errChunkLine = Malformed("a line between chunks is malformed")
	errChunkEnd  = Malformed("a chunk does not end with CR LF")
	errOverhead  = Malformed("the chunks are too small for what stands between them")
	errTrailers  = Malformed("the trailers are longer than 4 kB")
)

// chunks finds its way through a body in chunks (RFC 9112 §7.1), whatever pieces it
// comes in. The zero value is before the first.
type chunks struct {
	state    chunkState
	digits   int   // of the size
	left     int64 // of the chunk's data
	line     int   // bytes of this line
	overhead int64 // how far lines are ahead of data
	trailers []byte
}

type chunkState int

const (
	inSize chunkState = iota
	inExtension
	afterSizeCR
	inData
	afterData
	afterDataCR
	inTrailers
	ended
)

// scan takes the next bytes of p, at least one unless the body has ended, and
// reports whether they are data. With an error those are taken that stand before it.
func (c *chunks) scan(p []byte) (n int, data bool, err error) {
	if c.state == inData {
		n = int(min(c.left, int64(len(p))))
		if c.left -= int64(n); c.left == 0 {
			c.state = afterData
		}
		return n, true, nil
	}
	for n < len(p) && c.state != inData && c.state != ended {
		if err := c.step(p[n]); err != nil {
			return n, false, err
		}
		n++
	}
	return n, false, nil
}

// step takes one byte of what stands between data.
func (c *chunks) step(b byte) error {
	switch c.state {
	case inSize:
		return c.size(b)
	case inExtension:
		switch {
		case b == '\r':
			c.state = afterSizeCR
		case b < ' ' && b != '\t' || b == 0x7f:
			return errChunkLine
		}
		return c.grow()
	case afterSizeCR:
		if b != '\n' {
			return errChunkLine
		}
		if err := c.grow(); err != nil {
			return err
		}
		return c.begin()
	case afterData:
		if b != '\r' {
			return errChunkEnd
		}
		c.state = afterDataCR
	case afterDataCR:
		if b != '\n' {
			return errChunkEnd
		}
		c.state, c.digits, c.line = inSize, 0, 0
	case inTrailers:
		return c.trailer(b)
	}
	return nil
}

// size takes a byte of the line that begins a chunk.
func (c *chunks) size(b byte) error {
	digit := int64(-1)
	switch {
	case '0' <= b && b <= '9':
		digit = int64(b - '0')
	case 'a' <= b|0x20 && b|0x20 <= 'f':
		digit = int64(b|0x20-'a') + 10
	}
	switch {
	case digit >= 0:
		if c.digits == maxSizeDigits || c.left>>59 != 0 { // it would not be an int64 any more
			return errChunkSize
		}
		c.left = c.left<<4 | digit
		c.digits++
	case c.digits == 0:
		return errChunkSize
	case b == '\r':
		c.state = afterSizeCR
	case b == ';':
		c.state = inExtension
	default:
		return errChunkSize
	}
	return c.grow()
}

// grow counts a byte of the line.
func (c *chunks) grow() error {
	if c.line++; c.line > maxChunkLine {
		return errChunkLine
	}
	return nil
}

// begin begins the chunk whose line has ended. Lines may take as much as data does,
// and a little more: otherwise a sender could keep a receiver busy with nothing.
func (c *chunks) begin() error {
	if c.left == 0 {
		c.state = inTrailers
		return nil
	}
	c.overhead = max(0, c.overhead+int64(c.line)-16-2*min(c.left, maxOverhead))
	if c.overhead > maxOverhead {
		return errOverhead
	}
	c.state = inData
	return nil
}

// trailer takes a byte of the lines behind the last chunk, up to the empty one.
func (c *chunks) trailer(b byte) error {
	c.trailers = append(c.trailers, b)
	n := len(c.trailers)
	switch {
	case n > maxTrailers:
		return errTrailers
	case b != '\n':
		return nil
	case n == 1 || c.trailers[n-2] != '\r':
		return errLineEnd
	case n == 2 || c.trailers[n-3] == '\n':
		if err := c.checkTrailers(); err != nil {
			return err
		}
		c.state = ended
	}
	return nil
}

// checkTrailers says what is wrong with the lines behind the last chunk.
func (c *chunks) checkTrailers() error { return c.eachTrailer(func(string, string) {}) }

// eachTrailer calls add for every line behind the last chunk.
func (c *chunks) eachTrailer(add func(name, value string)) error {
	for line := range strings.SplitSeq(string(c.trailers), "\r\n") {
		if line == "" {
			return nil
		}
		name, value, err := split(line)
		if err != nil {
			return err
		}
		add(name, value)
	}
	return nil
}

// addTrailers adds the lines behind the last chunk to h.
func (c *chunks) addTrailers(h http.Header) {
	_ = c.eachTrailer(func(name, value string) { h[name] = append(h[name], value) }) // which was checked
}
