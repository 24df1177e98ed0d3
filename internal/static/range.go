package static

import (
	"net/http"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/problem"
)

// maxRanges is how many parts of a file may be asked for at once. Whoever asks for
// more gets the whole file (RFC 9110 §14.2 lets a server ignore Range): a thousand
// parts of a byte each would cost a hundred times what the file does.
const maxRanges = 8

// serveContent leaves conditions and ranges to net/http. It words a refusal itself,
// as all answers of the gateway's own.
func serveContent(w http.ResponseWriter, r *http.Request, file *openFile) error {
	if strings.Count(r.Header.Get("Range"), ",") >= maxRanges {
		r.Header.Del("Range")
	}
	if r.Header.Get("Range") == "" {
		http.ServeContent(w, r, file.name, time.Time{}, file)
		return nil
	}
	ranged := &rangedWriter{ResponseWriter: w}
	http.ServeContent(ranged, r, file.name, time.Time{}, file)
	if !ranged.refused {
		return nil
	}
	size := http.Header{"Content-Range": w.Header()["Content-Range"]}
	for _, name := range []string{"Etag", "Last-Modified", "X-Content-Type-Options", "Cache-Control", "Content-Type", "Content-Range"} {
		w.Header().Del(name)
	}
	return &problem.Error{
		Status: http.StatusRequestedRangeNotSatisfiable, Code: "range_not_satisfiable", Header: size,
		Public: "The file has no bytes in the range that was asked for.",
	}
}

// rangedWriter holds a 416 back. Content-Range, which tells the file's size
// (RFC 9110 §15.5.17), is among the headers by then.
type rangedWriter struct {
	http.ResponseWriter
	refused bool
}

func (w *rangedWriter) WriteHeader(status int) {
	if w.refused = status == http.StatusRequestedRangeNotSatisfiable; !w.refused {
		w.ResponseWriter.WriteHeader(status)
	}
}

func (w *rangedWriter) Write(p []byte) (int, error) {
	if w.refused {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}
