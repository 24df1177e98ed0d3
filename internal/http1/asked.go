package http1

import (
	"bytes"
	"strconv"
	"strings"
)

// asked follows a request as net/http writes it, to know where it ends. So it is well
// formed, and framed by lines that net/http has written itself. The zero value is
// between two requests.
type asked struct {
	head   []byte // as much of it as was written
	left   int64  // of a body with a length
	chunks chunks
	stage  askedStage
	body   bool // it has one
}

type askedStage int

const (
	notAsked askedStage = iota
	writesHead
	writesLength
	writesChunks
)

// over reports whether the request was written to its end.
func (a *asked) over() bool { return a.stage == notAsked }

// begin begins a request.
func (a *asked) begin() { *a = asked{head: a.head[:0], stage: writesHead} }

// pass takes the next bytes of the request.
func (a *asked) pass(p []byte) {
	if a.stage == writesHead {
		p = a.passHead(p)
	}
	switch a.stage {
	case writesLength:
		if a.left -= int64(len(p)); a.left <= 0 {
			a.stage = notAsked
		}
	case writesChunks:
		for len(p) > 0 && a.chunks.state != ended {
			n, _, err := a.chunks.scan(p)
			if err != nil {
				return // it never ends, so no other request follows it
			}
			p = p[n:]
		}
		if a.chunks.state == ended {
			a.stage = notAsked
		}
	}
}

// passHead takes bytes of the head, and returns those behind it.
func (a *asked) passHead(p []byte) (rest []byte) {
	const emptyLine = "\r\n\r\n"
	from := max(0, len(a.head)-len(emptyLine))
	a.head = append(a.head, p...)
	i := bytes.Index(a.head[from:], []byte(emptyLine))
	if i < 0 {
		return nil
	}
	end := from + i + len(emptyLine)
	a.stage = notAsked
	for line := range strings.SplitSeq(string(a.head[:end]), "\r\n") {
		if digits, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			if a.left, _ = strconv.ParseInt(digits, 10, 64); a.left > 0 {
				a.stage = writesLength
			}
		} else if line == "Transfer-Encoding: chunked" {
			a.stage = writesChunks
		}
	}
	a.body = a.stage != notAsked
	return a.head[end:]
}
