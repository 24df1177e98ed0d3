// Package http1 reads the answers of HTTP/1.1 upstreams: where each begins, what
// its head says, where its body ends. It accepts what RFC 9112 allows and no more,
// because whoever reads an answer differently from its sender takes a part of it for
// the answer to the next request.
//
// The one invariant: no byte behind the end of an answer is read as part of one.
package http1

import (
	"bytes"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
)

// Bounds of one head, interim answers before it included.
const (
	MaxHeadBytes = 256 << 10
	maxFields    = 1000
	maxInterims  = 5
)

// Malformed is an answer that is no HTTP/1.1, or of which nobody can say where it
// ends. Its text says what is wrong and quotes nothing of the answer, which may hold
// a token.
type Malformed string

func (m Malformed) Error() string { return string(m) }

const (
	errNotHTTP     = Malformed("the answer does not begin with HTTP/1.0 or HTTP/1.1 and a status of three digits")
	errLineEnd     = Malformed("a line ends without CR LF")
	errHeadBytes   = Malformed("the answer's head is longer than 256 kB")
	errFields      = Malformed("the answer's head has more than 1000 lines")
	errReason      = Malformed("the answer's reason phrase holds control characters")
	errFolded      = Malformed("a header line begins with a blank")
	errName        = Malformed("the name of a header is no token")
	errValue       = Malformed("the value of a header holds control characters")
	errLength      = Malformed("Content-Length is no number")
	errLengths     = Malformed("Content-Length is there twice, and not the same")
	errCoding      = Malformed("Transfer-Encoding is something else than chunked")
	errOldCoding   = Malformed("Transfer-Encoding in an answer of HTTP/1.0")
	errTrailerName = Malformed("Trailer announces a header that frames the message")
	errInterims    = Malformed("more interim answers than anybody needs")
	errInterimBody = Malformed("an interim answer with a body")
)

// Ending says what tells the end of a body (RFC 9112 §6.3).
type Ending int

const (
	NoBody   Ending = iota // there is none, whatever the header says
	ByLength               // Content-Length
	Chunked                // the last chunk
	ByClose                // the end of the connection
)

// Head is the head of an answer, and what it says about its message.
type Head struct {
	Status int
	// Header has no framing but Content-Length.
	Header http.Header
	// Trailer has the names that are announced, without values; nil for none.
	Trailer http.Header
	// Length is what Content-Length says, which is of no body where Ending is NoBody;
	// -1 if it says nothing or does not count.
	Length int64
	Ending Ending
	// Last says that no other answer follows on this connection.
	Last bool
}

// Bodiless reports whether no bytes tell where the answer ends: an upstream that is
// wrong about that sends a body all the same.
func (h *Head) Bodiless() bool { return h.Ending == NoBody || h.Ending == ByLength && h.Length == 0 }

// headEnd returns where the head that begins at b ends; 0 if that is not in b yet. It
// looks from the byte at from on, where the last look ended. It reports what is wrong
// as soon as it is there: an upstream that writes lines without CR would otherwise be
// waited for.
func headEnd(b []byte, from int) (end int, err error) {
	if begin := b[:min(len(b), len(proto))]; string(begin) != proto[:len(begin)] {
		return 0, errNotHTTP
	}
	for {
		i := bytes.IndexByte(b[from:], '\n')
		if i < 0 {
			break
		}
		at := from + i
		switch {
		case at == 0 || b[at-1] != '\r':
			return 0, errLineEnd
		case at >= 2 && b[at-2] == '\n':
			return at + 1, nil
		}
		from = at + 1
	}
	if len(b) > MaxHeadBytes {
		return 0, errHeadBytes
	}
	return 0, nil
}

const proto = "HTTP/1."

// parse reads a whole head, which answers a request of that method. Header and
// trailer are left nil unless they are wanted.
func (h *Head) parse(block, method string, wanted bool) error {
	lines := strings.Count(block, "\n")
	if lines > maxFields+2 {
		return errFields
	}
	line, rest, _ := strings.Cut(block, "\r\n")
	minor, err := h.statusLine(line)
	if err != nil {
		return err
	}
	fields := fields{length: -1}
	if wanted {
		h.Header = make(http.Header, lines-2)
		fields.into, fields.values = h.Header, make([]string, lines-2)
	}
	for {
		line, rest, _ = strings.Cut(rest, "\r\n")
		if line == "" {
			break
		}
		if err := fields.line(line); err != nil {
			return err
		}
	}
	return h.frame(&fields, minor, method)
}

// statusLine reads "HTTP/1.1 200 OK"; the reason may be missing (RFC 9112 §4).
func (h *Head) statusLine(line string) (minor byte, err error) {
	const status = len("HTTP/1.1 ")
	if len(line) < status+3 || line[:len(proto)] != proto || line[status-1] != ' ' {
		return 0, errNotHTTP
	}
	minor = line[len(proto)] - '0'
	for _, c := range []byte(line[status : status+3]) {
		if c < '0' || c > '9' {
			return 0, errNotHTTP
		}
		h.Status = 10*h.Status + int(c-'0')
	}
	reason := line[status+3:]
	if minor > 1 || h.Status < 100 || reason != "" && reason[0] != ' ' {
		return 0, errNotHTTP
	}
	if !validValue(reason) {
		return 0, errReason
	}
	return minor, nil
}

// fields are what is known of the header lines read so far.
type fields struct {
	into   http.Header // nil if nobody wants it
	values []string    // of all headers that have one, which is an array less for each

	length  int64  // -1: there is none
	digits  string // as the length is spelled
	codings int    // lines of Transfer-Encoding
	chunked bool
	close   bool
	trailer []string
}

// split reads one header line, with the name as [http.CanonicalHeaderKey] spells it.
func split(line string) (name, value string, err error) {
	colon := strings.IndexByte(line, ':')
	switch {
	case line[0] == ' ' || line[0] == '\t':
		return "", "", errFolded // RFC 9112 §5.2, §2.2
	case colon <= 0 || !validName(line[:colon]):
		return "", "", errName // a blank before the colon too, §5.1
	}
	value = strings.Trim(line[colon+1:], " \t")
	if !validValue(value) {
		return "", "", errValue
	}
	return textproto.CanonicalMIMEHeaderKey(line[:colon]), value, nil
}

// line reads one line.
func (f *fields) line(line string) error {
	name, value, err := split(line)
	if err != nil {
		return err
	}
	switch name {
	case "Content-Length":
		return f.contentLength(value)
	case "Transfer-Encoding":
		f.codings++
		f.chunked = equalFold(value, "chunked")
		return nil
	case "Trailer":
		f.trailer = append(f.trailer, value)
		return nil
	case "Connection":
		f.close = f.close || listed(value, "close")
	}
	f.add(name, value)
	return nil
}

func (f *fields) add(name, value string) {
	switch before := f.into[name]; {
	case f.into == nil:
	case before != nil:
		f.into[name] = append(before, value)
	default:
		f.values[0] = value
		f.into[name], f.values = f.values[:1:1], f.values[1:]
	}
}

// contentLength reads a length that is there once, or again in the same spelling
// (RFC 9112 §6.3, rule 5). A list of numbers in one line is refused.
func (f *fields) contentLength(value string) error {
	for _, c := range []byte(value) {
		if c < '0' || c > '9' {
			return errLength
		}
	}
	n, err := strconv.ParseInt(value, 10, 64)
	switch {
	case err != nil:
		return errLength
	case f.length >= 0 && f.digits != value:
		return errLengths
	case f.length < 0:
		f.add("Content-Length", value)
	}
	f.length, f.digits = n, value
	return nil
}

// frame says where the message ends (RFC 9112 §6.3), and whether another may follow
// (§9.3): after an answer of HTTP/1.0 none does, whatever it says about that.
func (h *Head) frame(f *fields, minor byte, method string) error {
	switch {
	case f.codings > 0 && minor == 0:
		return errOldCoding // §6.1
	case f.codings > 1 || f.codings == 1 && !f.chunked:
		return errCoding
	}
	h.Length, h.Last = f.length, f.close || minor == 0
	if f.codings > 0 && f.length >= 0 {
		// Rule 3: the chunks count, and whoever sends both may mean something else.
		h.Length, h.Last = -1, true
		delete(h.Header, "Content-Length")
	}
	switch {
	case h.Status < 200:
		if f.codings > 0 || f.length > 0 {
			return errInterimBody // RFC 9110 §15.2
		}
		h.Ending = NoBody
	case method == http.MethodHead, h.Status == http.StatusNoContent, h.Status == http.StatusNotModified:
		h.Ending = NoBody
	case f.codings > 0:
		h.Ending = Chunked
	case f.length >= 0:
		h.Ending = ByLength
	default:
		h.Ending, h.Last = ByClose, true
	}
	if f.codings > 0 {
		return h.announce(f.trailer)
	}
	return nil
}

// announce reads what the Trailer header announces.
func (h *Head) announce(lines []string) error {
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			switch name = textproto.CanonicalMIMEHeaderKey(strings.Trim(name, " \t")); name {
			case "":
				continue
			case "Transfer-Encoding", "Content-Length", "Trailer":
				return errTrailerName
			}
			if h.Trailer == nil && h.Header != nil {
				h.Trailer = make(http.Header)
			}
			if h.Trailer != nil {
				h.Trailer[name] = nil
			}
		}
	}
	return nil
}

// listed reports whether a list separated by commas holds the token, in any case.
func listed(line, token string) bool {
	for item := range strings.SplitSeq(line, ",") {
		if equalFold(strings.Trim(item, " \t"), token) {
			return true
		}
	}
	return false
}

// equalFold reports whether s is the token in any case. Unicode has letters beyond
// ASCII that strings.EqualFold takes for k and s, and nobody else does.
func equalFold(s, token string) bool { return len(s) == len(token) && strings.EqualFold(s, token) }

// validName reports whether s is a token (RFC 9110 §5.6.2).
func validName(s string) bool {
	for i := range len(s) {
		if !tokenBytes[s[i]] {
			return false
		}
	}
	return s != ""
}

// validValue reports whether s is free of control characters but tabs (RFC 9110 §5.5).
func validValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

var tokenBytes = func() (table [256]bool) {
	for c := range table {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		digit := '0' <= c && c <= '9'
		table[c] = c < 0x80 && (letter || digit || strings.IndexByte("!#$%&'*+-.^_`|~", byte(c)) >= 0)
	}
	return table
}()
