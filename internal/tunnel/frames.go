package tunnel

import "encoding/binary"

// opClose is the opcode of a close frame (RFC 6455 §5.2).
const opClose = 8

// frames follows the frames of one direction of a WebSocket (RFC 6455 §5.2). It
// looks at their headers only.
type frames struct {
	head    [14]byte // of the frame that begins
	read    int      // how much of head has passed
	payload uint64   // how much of the frame at hand has not
	closed  bool     // a close frame has begun, behind which there are no others
}

// between reports whether a frame may be put in here. In the middle of a message
// a control frame may (RFC 6455 §5.4).
func (f *frames) between() bool { return f.read == 0 && f.payload == 0 && !f.closed }

// pass takes note of bytes that have passed.
func (f *frames) pass(p []byte) {
	for len(p) > 0 {
		if f.payload > 0 {
			n := min(f.payload, uint64(len(p)))
			f.payload -= n
			p = p[n:]
			continue
		}
		f.head[f.read] = p[0]
		f.read++
		p = p[1:]
		if f.read == f.size() {
			f.begin()
		}
	}
}

// size is how long the header is, as far as what has passed of it tells.
func (f *frames) size() int {
	if f.read < 2 {
		return 2
	}
	size := 2
	switch f.head[1] & 0x7f {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	if f.head[1]&0x80 != 0 { // a masking key follows
		size += 4
	}
	return size
}

// begin reads a header that is complete.
func (f *frames) begin() {
	switch length := f.head[1] & 0x7f; length {
	case 126:
		f.payload = uint64(binary.BigEndian.Uint16(f.head[2:]))
	case 127:
		f.payload = binary.BigEndian.Uint64(f.head[2:])
	default:
		f.payload = uint64(length)
	}
	f.closed = f.closed || f.head[0]&0x0f == opClose
	f.read = 0
}
