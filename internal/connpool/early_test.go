package connpool

import (
	"testing"
	"time"
)

// An upstream may answer before it has read the body, and read no more of it.
func TestDo_gets_an_answer_before_its_body_is_read(t *testing.T) {
	r := real(t, options)
	q := request("PUT", "HTTP/1.1 413 Content Too Large\r\nContent-Length: 1\r\n\r\nx", "unread", "")
	q.Body = make([]byte, 64<<10)
	q.Timeout = 5 * time.Second
	x := r.begin(t, q)
	if x.Status != 413 || !x.Last {
		t.Errorf("%+v", x.Head)
	}
	finish(t, x)
	r.load(t, Load{})
}
