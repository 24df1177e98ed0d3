package pieces

import (
	"bytes"
	"io"
	"slices"
	"testing"
)

// script is a source whose reads bring so many bytes each, as far as they have room.
type script struct {
	brings []int
	rooms  []int // of the reads there were
	sent   bytes.Buffer
}

func (s *script) Read(p []byte) (int, error) {
	s.rooms = append(s.rooms, len(p))
	if len(s.brings) == 0 {
		return 0, io.EOF
	}
	n := min(s.brings[0], len(p))
	if s.brings[0] -= n; s.brings[0] == 0 {
		s.brings = s.brings[1:]
	}
	for i := range p[:n] {
		p[i] = byte(s.sent.Len() + i)
	}
	s.sent.Write(p[:n])
	return n, nil
}

func TestReader_waits_with_little(t *testing.T) {
	for _, test := range []struct {
		name   string
		large  bool
		brings []int
		rooms  []int
	}{
		{"events", false, []int{100, 2047, 1}, []int{Little, Little, Little, Little}},
		{"an answer, at once", true, []int{9000}, []int{Most, Most}},
		{"an answer, then events", true, []int{9000, 100, 100}, []int{Most, Most, Little, Little}},
		{"a message of more than little", false, []int{5000, 10}, []int{Little, Most, Most, Little}},
		{"as much as little, exactly", false, []int{Little, 10}, []int{Little, Most, Little}},
		{"as much as little, exactly, in a large one", true, []int{Little, 10}, []int{Most, Little, Little}},
		{"a flow", false, []int{100_000}, []int{Little, Most, Most, Most, Most}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &script{brings: test.brings}
			r := Take(test.large)
			defer r.Close()
			var got bytes.Buffer
			for {
				p, err := r.Next(s)
				got.Write(p)
				if in := len(p) > 0 && r.large != nil && &p[0] == &r.large[0]; err == nil && in != (r.large != nil) {
					t.Errorf("a large buffer is held for a piece of %d bytes that is not in it", len(p))
				}
				if err != nil {
					break
				}
			}
			if !bytes.Equal(got.Bytes(), s.sent.Bytes()) {
				t.Errorf("%d bytes came out as %d others", s.sent.Len(), got.Len())
			}
			if !slices.Equal(s.rooms, test.rooms) {
				t.Errorf("reads had room for %v, want %v", s.rooms, test.rooms)
			}
		})
	}
}

func TestReader_allocates_nothing(t *testing.T) {
	src := bytes.NewReader(make([]byte, 10_000))
	if n := testing.AllocsPerRun(100, func() {
		src.Reset(nil)
		r := Take(false)
		defer r.Close()
		if _, err := r.Next(src); err != io.EOF {
			t.Error(err)
		}
	}); n > 0.5 { // a collection may empty the pools
		t.Errorf("%v allocations", n)
	}
}
