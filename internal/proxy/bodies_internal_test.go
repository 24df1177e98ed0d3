package proxy

import "testing"

// A body takes no more memory than it may need, while its client is waited for.
func TestBodies_have_buffers_for_what_is_to_come(t *testing.T) {
	var b bodies
	for length, want := range map[int64]int{1: littleBytes, littleBytes: littleBytes, littleBytes + 1: wholeBytes, wholeBytes: wholeBytes} {
		buffer := b.get(length)
		if buffer.size() != want || cap(buffer.bytes) != want+1 || b.used.Load() != int64(want) {
			t.Errorf("%d bytes: a buffer for %d, %d in use", length, buffer.size(), b.used.Load())
		}
		b.put(buffer, length == 1)
		if again := b.get(length); again.size() != want {
			t.Errorf("%d bytes, again: a buffer for %d", length, again.size())
		} else {
			b.put(again, false)
		}
		if used := b.used.Load(); used != 0 {
			t.Errorf("%d bytes are in use in the end", used)
		}
	}
}
