package http1test

import (
	"net/http"
	"strconv"
	"strings"
)

// interims are answers with others before them (RFC 9110 §15.2).
func interims() []Answer {
	const hint, many = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n", "more interim answers than anybody needs"
	const body = "an interim answer with a body"
	long := "HTTP/1.1 103 Early Hints\r\nLink: " + strings.Repeat("x", 128<<10) + "\r\n\r\n"
	return []Answer{
		{Name: "100", Raw: "HTTP/1.1 100 Continue\r\n\r\n" + whole, Verdict: passed()},
		{Name: "103", Raw: hint + whole, Verdict: passed()},
		{Name: "an interim answer that nobody knows", Raw: "HTTP/1.1 199 Odd\r\n\r\n" + whole, Verdict: passed()},
		{Name: "an interim answer to a HEAD", Method: http.MethodHead, Raw: hint + ok + two + "\r\n", Verdict: passed().body("").with(Rests)},
		{Name: "an interim answer that closes", Raw: "HTTP/1.1 100 Continue\r\nConnection: close\r\n\r\n" + whole, Verdict: passed()},
		{Name: "an interim answer of no length", Raw: "HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n" + whole, Verdict: passed()},
		{Name: "five interim answers", Raw: strings.Repeat(hint, 5) + whole, Verdict: passed()},
		{Name: "six interim answers", Raw: strings.Repeat(hint, 6) + whole, Verdict: refused(many)},
		{Name: "10,000 interim answers", Raw: strings.Repeat("HTTP/1.1 102 \r\n\r\n", 10_000) + whole, Verdict: refused(many)},
		{Name: "long interim answers", Raw: long + long + whole, Verdict: refused("longer than 256 kB")},
		{Name: "an interim answer with a body", Raw: "HTTP/1.1 103 Hints\r\n" + two + "\r\nno" + whole, Verdict: refused(body)},
		{Name: "an interim answer in chunks", Raw: "HTTP/1.1 103 Hints\r\n" + chunked + "\r\n" + full + whole, Verdict: refused(body)},
		{Name: "an interim answer that is malformed", Raw: "HTTP/1.1 103 Hints\r\nX : 1\r\n\r\n" + whole, Verdict: refused(badName)},
		{Name: "bytes behind an interim answer", Raw: hint + "no" + whole, Verdict: refused(notHTTP)},
		{Name: "an interim answer and no other", Raw: hint, HangsUp: true, Verdict: refused(cut)},
		{Name: "an interim answer and half another", Raw: hint + "HTTP/1.1 200", HangsUp: true, Verdict: refused(cut)},
	}
}

// bodiless are answers that have no body, whatever they say about one (RFC 9112
// §6.3, rule 1).
func bodiless() []Answer {
	const noContent, notModified = "HTTP/1.1 204 No Content\r\n", "HTTP/1.1 304 Not Modified\r\nEtag: \"x\"\r\n"
	none := Verdict{Status: 204, Header: header(), End: Rests}
	same := Verdict{Status: 304, Header: header("Etag", `"x"`), End: Rests}
	head := Verdict{Status: 200, Header: header(), End: Rests}
	all := []Answer{
		{Name: "204", Raw: noContent + "\r\n", Verdict: none},
		{Name: "204 with a length", Raw: noContent + two + "\r\n", Verdict: none.also("Content-Length", "2")},
		{Name: "204 in chunks", Raw: noContent + chunked + "\r\n", Verdict: none},
		{Name: "204 that closes", Raw: noContent + "Connection: close\r\n\r\n", Verdict: none.also("Connection", "close").closed()},
		{Name: "204 of HTTP/1.0", Raw: "HTTP/1.0 204 No Content\r\n\r\n", Verdict: none.closed()},
		{Name: "304", Raw: notModified + "\r\n", Verdict: same},
		{Name: "304 with a length", Raw: notModified + two + "\r\n", Verdict: same.also("Content-Length", "2")},
		{Name: "304 in chunks and with a length", Raw: notModified + chunked + two + "\r\n", Verdict: same.closed()},
		{Name: "a HEAD", Method: http.MethodHead, Raw: ok + "\r\n", Verdict: head},
		{Name: "a HEAD with a length", Method: http.MethodHead, Raw: ok + two + "\r\n", Verdict: head.also("Content-Length", "2")},
		{Name: "a HEAD in chunks", Method: http.MethodHead, Raw: ok + chunked + "\r\n", Verdict: head},
		{Name: "a HEAD in chunks and with a length", Method: http.MethodHead, Raw: ok + chunked + two + "\r\n", Verdict: head.closed()},
		{Name: "a HEAD that announces trailers", Method: http.MethodHead, Raw: ok + "Trailer: X-T\r\n" + chunked + "\r\n", Verdict: head},
		{Name: "a HEAD that announces a length behind", Method: http.MethodHead, Raw: ok + "Trailer: Content-Length\r\n" + chunked + "\r\n", Verdict: refused("Trailer announces")},
		{Name: "a HEAD of a 404", Method: http.MethodHead, Raw: "HTTP/1.1 404 Not Found\r\n" + two + "\r\n", Verdict: head.also("Content-Length", "2").status(404)},
		{Name: "a POST of a 204", Method: http.MethodPost, Raw: noContent + "\r\n", Verdict: none},
		{Name: "205 with a body", Raw: "HTTP/1.1 205 Reset Content\r\n" + two + "\r\nok", Verdict: passed().status(205)},
		{Name: "205 in chunks", Raw: "HTTP/1.1 205 Reset Content\r\n" + chunked + "\r\n" + full, Verdict: inChunks().status(205)},
		{Name: "205 without framing", Raw: "HTTP/1.1 205 Reset Content\r\n\r\nok", HangsUp: true, Verdict: inChunks().status(205).closed()},
	}
	for name, body := range map[string]string{"a body": "ok", "an answer": forged, "chunks": full, "a line": "\r\n", "a byte": "\x00", "a lot": strings.Repeat("x", 20<<10)} {
		all = append(all,
			Answer{Name: "204 and " + name, Raw: noContent + "\r\n" + body, Verdict: none.with(Excess)},
			Answer{Name: "304 and " + name, Raw: notModified + "\r\n" + body, Verdict: same.with(Excess)},
			Answer{Name: "a HEAD and " + name, Method: http.MethodHead, Raw: ok + two + "\r\n" + body, Verdict: head.also("Content-Length", "2").with(Excess)},
			Answer{Name: "a HEAD in chunks and " + name, Method: http.MethodHead, Raw: ok + chunked + "\r\n" + body, Verdict: head.with(Excess)},
			Answer{Name: "no length and " + name, Raw: ok + "Content-Length: 0\r\n\r\n" + body, Verdict: head.also("Content-Length", "0").with(Excess)},
		)
	}
	return all
}

// also is the verdict with one more header.
func (v Verdict) also(name, value string) Verdict {
	v.Header = v.Header.Clone()
	v.Header[name] = append(v.Header[name], value)
	return v
}

// ends are answers by what may follow them (RFC 9112 §9).
func ends() []Answer {
	all := []Answer{
		{Name: "bytes behind a length", Raw: whole + "x", Verdict: passed().with(Excess)},
		{Name: "a line behind a length", Raw: whole + "\r\n", Verdict: passed().with(Excess)},
		{Name: "an answer behind a length", Raw: whole + forged, Verdict: passed().with(Excess)},
		{Name: "bytes behind an answer that closes", Raw: ok + "Connection: close\r\n" + two + "\r\nokx", Verdict: passed("Connection", "close").with(Excess)},
		{Name: "bytes behind chunks", Raw: pieces + full + "x", Verdict: inChunks().with(Excess)},
		{Name: "an answer behind chunks", Raw: pieces + full + forged, Verdict: inChunks().with(Excess)},
		{Name: "an interim answer behind a length", Raw: whole + "HTTP/1.1 100 Continue\r\n\r\n", Verdict: passed().with(Excess)},
		{Name: "bytes behind trailers", Raw: pieces + tail + "\r\n\r\nx", Verdict: inChunks().trailer("X-T", "1").with(Excess)},
		{
			Name: "close and a name", Raw: ok + "Connection: close, X-One\r\nX-One: 1\r\n" + two + "\r\nok",
			Verdict: passed("Connection", "close, X-One", "X-One", "1").closed(),
		},
		{
			Name: "a name", Raw: ok + "Connection: x-one\r\nX-One: 1\r\n" + two + "\r\nok",
			Verdict: passed("Connection", "x-one", "X-One", "1"),
		},
		{
			Name: "close in the second line", Raw: ok + "Connection: keep-alive\r\nconnection: Close\r\n" + two + "\r\nok",
			Verdict: passed("Connection", "keep-alive", "Connection", "Close").closed(),
		},
		{Name: "close behind chunks", Raw: ok + "Connection: close\r\n" + chunked + "\r\n" + full, Verdict: inChunks("Connection", "close").closed()},
		{
			Name: "how long it stays", Raw: ok + "Keep-Alive: timeout=5, max=100\r\n" + two + "\r\nok",
			Verdict: passed("Keep-Alive", "timeout=5, max=100"),
		},
	}
	for value, end := range map[string]End{
		"close": Closed, "CLOSE": Closed, "keep-alive, close": Closed, "close,keep-alive": Closed, ",\tclose ,": Closed, "x,close": Closed,
		"keep-alive": Kept, "closed": Kept, "x-close": Kept, "close x": Kept, "\"close\"": Kept, "close;x": Kept, "": Kept, ",": Kept,
	} {
		all = append(all, Answer{
			Name: "Connection: " + strconv.Quote(value), Raw: ok + "Connection: " + value + "\r\n" + two + "\r\nok",
			Verdict: passed("Connection", strings.Trim(value, " \t")).with(end),
		})
	}
	return all
}
