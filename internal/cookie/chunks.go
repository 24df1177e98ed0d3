package cookie

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// Where a handle is the session itself it is sealed already and longer than a
// cookie may be: it travels as it is, in base64url, cut into NAME, NAME-1, NAME-2
// and so on. NAME begins with how many there are, so that what an earlier,
// longer one left behind is not read. Chunks of two handles put together are a
// handle that does not open.

const (
	// loginRoom is what a request must be able to carry besides: the login cookie
	// at its longest.
	loginRoom = maxSize
	// maxChunks keeps the count at one digit.
	maxChunks = 9
)

var errTooLong = errors.New("handle longer than its cookies may be")

// chunkNames are the names of as many chunks as there may be: a cookie and its
// attributes may take maxSize each, though what is sent back is less.
func (o *Options) chunkNames() []string {
	names := []string{fullName(*o, o.Domain)}
	for i := 1; i < min((o.Bytes-loginRoom)/maxSize, maxChunks); i++ {
		names = append(names, names[0]+"-"+strconv.Itoa(i))
	}
	return names
}

// Capacity is how many bytes a handle may have that is set in chunks.
func (o Options) Capacity() int {
	return base64.RawURLEncoding.DecodedLen(len(o.chunkNames())*o.room() - len("n."))
}

// room is how many characters of a value fit into one chunk: name, value and
// attributes stay within what the strictest reading of RFC 6265 lets browsers keep.
func (o *Options) room() int {
	names := o.chunkNames()
	longest := o.persisted(o.sessionCookie(names[len(names)-1], "v"))
	return maxSize - (len(longest.String()) - len("v"))
}

// setChunks writes a sealed handle.
func (j *Jar) setChunks(w http.ResponseWriter, handle secret.Text) error {
	text := base64.RawURLEncoding.EncodeToString([]byte(handle.Reveal()))
	room := j.opts.room()
	n := (len("n.") + len(text) + room - 1) / room
	if n > len(j.names) {
		return errTooLong
	}
	text = strconv.Itoa(n) + "." + text
	for _, name := range j.names[:n] {
		end := min(room, len(text))
		http.SetCookie(w, j.opts.persisted(j.opts.sessionCookie(name, text[:end])))
		text = text[end:]
	}
	return nil
}

// head takes a first chunk apart: its part of the handle, and the names of the
// chunks that belong to it.
func (j *Jar) head(value string) (text string, names []string, ok bool) {
	if len(value) < len("n.") || value[1] != '.' {
		return "", nil, false
	}
	n := int(value[0]) - '0'
	if n < 1 || n > len(j.names) {
		return "", nil, false
	}
	return value[len("n."):], j.names[1:n], true
}

// unchunk returns the handle that the chunks' text makes; the empty one if it does
// not open.
func (j *Jar) unchunk(text string) secret.Text {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return secret.Text{}
	}
	handle := secret.NewText(string(raw))
	if !j.opts.Opens(handle) {
		return secret.Text{}
	}
	return handle
}

// UnsetSession takes back what SetSession has put into an answer that has not
// begun. What the browser has stays.
func (j *Jar) UnsetSession(h http.Header) {
	kept := h["Set-Cookie"][:0:0]
	for _, line := range h["Set-Cookie"] {
		if !j.setsSession(line) {
			kept = append(kept, line)
		}
	}
	if delete(h, "Set-Cookie"); len(kept) > 0 {
		h["Set-Cookie"] = kept
	}
}

func (j *Jar) setsSession(line string) bool {
	for _, name := range j.names {
		if rest, ok := strings.CutPrefix(line, name); ok && strings.HasPrefix(rest, "=") {
			return true
		}
	}
	return false
}
