package tunnel

import (
	"bytes"
	"slices"
	"testing"
)

// frame is a frame in raw form, with a header as long as the payload demands.
func frame(opcode byte, masked bool, payload int) []byte {
	mask := byte(0)
	if masked {
		mask = 0x80
	}
	var b []byte
	switch {
	case payload < 126:
		b = []byte{0x80 | opcode, mask | byte(payload)}
	case payload < 1<<16:
		b = []byte{opcode, mask | 126, byte(payload >> 8), byte(payload)}
	default:
		b = []byte{opcode, mask | 127, 0, 0, 0, 0, 0, byte(payload >> 16), byte(payload >> 8), byte(payload)}
	}
	if masked {
		b = append(b, 1, 2, 3, 4)
	}
	return append(b, bytes.Repeat([]byte{0x88}, payload)...) // as if each byte began a close frame
}

func TestFrames_knows_the_ends_of_frames_however_they_come(t *testing.T) {
	var bytes []byte
	var ends []int
	for _, f := range [][]byte{
		frame(1, false, 0), frame(2, false, 5), frame(9, false, 125), frame(1, true, 0), frame(2, true, 7),
		frame(1, false, 126), frame(0, true, 300), frame(2, false, 1<<16), frame(1, false, 1),
	} {
		bytes = append(bytes, f...)
		ends = append(ends, len(bytes))
	}
	for _, piece := range []int{1, 2, 3, 7, 64, 1000, len(bytes)} {
		var f frames
		for at := 0; at < len(bytes); {
			n := min(piece, len(bytes)-at)
			f.pass(bytes[at : at+n])
			at += n
			if got, want := f.between(), slices.Contains(ends, at); got != want {
				t.Fatalf("in pieces of %d: after %d bytes it is %v that a frame ends", piece, at, got)
			}
		}
	}
}

func TestFrames_has_no_place_behind_a_close_frame(t *testing.T) {
	var f frames
	f.pass(frame(opClose, false, 2))
	if f.between() {
		t.Error("another frame may follow")
	}
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte{0x81, 1, 'x', 0x88, 0}, 1)
	f.Add(frame(2, true, 126), 3)
	f.Fuzz(func(t *testing.T, p []byte, at int) {
		var whole, pieces frames
		at = max(0, min(at, len(p)))
		whole.pass(p)
		pieces.pass(p[:at])
		pieces.pass(p[at:])
		if whole.between() != pieces.between() || whole.payload != pieces.payload || whole.read != pieces.read {
			t.Errorf("%x cut at %d ends as %+v, whole as %+v", p, at, pieces, whole)
		}
	})
}
