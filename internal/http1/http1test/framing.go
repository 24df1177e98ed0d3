package http1test

import (
	"net/http"
	"strconv"
	"strings"
)

// lengths are answers by their Content-Length (RFC 9112 §6.3, rule 5).
func lengths() []Answer {
	length := func(value string) string { return ok + "Content-Length: " + value + "\r\n\r\nok" }
	all := []Answer{
		{Name: "a length of two", Raw: whole, Verdict: passed()},
		{Name: "a length with zeros before it", Raw: length("0002"), Verdict: passed("Content-Length", "0002").only()},
		{Name: "the length twice", Raw: ok + two + two + "\r\nok", Verdict: passed()},
		{Name: "the length three times", Raw: ok + two + "X: 1\r\n" + two + two + "\r\nok", Verdict: passed("X", "1")},
		{Name: "two lengths", Raw: ok + two + "Content-Length: 3\r\n\r\nok", Verdict: refused("twice, and not the same")},
		{Name: "the length in two spellings", Raw: ok + two + "Content-Length: 02\r\n\r\nok", Verdict: refused("twice, and not the same")},
		{Name: "a length of nothing", Raw: ok + "Content-Length: 0\r\n\r\n", Verdict: passed("Content-Length", "0").only().body("").with(Rests)},
		{Name: "a body that ends early", Raw: ok + "Content-Length: 3\r\n\r\nok", HangsUp: true, Verdict: Verdict{Status: 200, Header: header("Content-Length", "3"), Broken: cut}},
		{
			Name: "the greatest length", Raw: length("9223372036854775807"), HangsUp: true,
			Verdict: Verdict{Status: 200, Header: header("Content-Length", "9223372036854775807"), Broken: cut},
		},
		{Name: "a body that never begins", Raw: ok + two + "\r\n", HangsUp: true, Verdict: Verdict{Status: 200, Header: header("Content-Length", "2"), Broken: cut}},
		{Name: "a long body", Raw: ok + "Content-Length: 9000\r\n\r\n" + strings.Repeat("long body", 1000), Verdict: Verdict{
			Status: 200, Header: header("Content-Length", "9000"), Body: strings.Repeat("long body", 1000), End: Kept}},
		{Name: "no framing", Raw: ok + "X: 1\r\n\r\nok", HangsUp: true, Verdict: inChunks("X", "1").closed()},
		{Name: "no framing and no body", Raw: ok + "\r\n", HangsUp: true, Verdict: inChunks().body("").closed()},
		{Name: "a bad length of a 204", Raw: "HTTP/1.1 204 No Content\r\nContent-Length: x\r\n\r\n", Verdict: refused("Content-Length is no number")},
		{Name: "a bad length of a HEAD", Method: http.MethodHead, Raw: ok + "Content-Length: 1, 1\r\n\r\n", Verdict: refused("Content-Length is no number")},
		{Name: "a bad length beside chunks", Raw: ok + chunked + "Content-Length: x\r\n\r\n" + full, Verdict: refused("Content-Length is no number")},
	}
	for _, value := range []string{
		"", " ", "+2", "-2", "-0", "2, 2", "2,2", "2,", "2;", "2 2", "0x2", "2.0", "2e0", "2x", "x", "1_0", "٢", "９", "2\t2",
		"9223372036854775808", "18446744073709551618", "99999999999999999999999999", "two", "chunked", "\"2\"",
	} {
		all = append(all, Answer{Name: "the length " + strconv.Quote(value), Raw: length(value), Verdict: refused("Content-Length is no number")})
	}
	return all
}

// only is the verdict with no other length than the first.
func (v Verdict) only() Verdict {
	v.Header["Content-Length"] = v.Header["Content-Length"][:1]
	return v
}

// codings are answers by their Transfer-Encoding (§6.1; §6.3, rules 3 and 4).
func codings() []Answer {
	const other, both = "something else than chunked", "Transfer-Encoding in an answer of HTTP/1.0"
	coding := func(lines ...string) string {
		return ok + "Transfer-Encoding: " + strings.Join(lines, "\r\nTransfer-Encoding: ") + "\r\n\r\n" + full
	}
	all := []Answer{
		{Name: "chunks", Raw: coding("chunked"), Verdict: inChunks()},
		{Name: "chunks in any case", Raw: coding("cHUNKED"), Verdict: inChunks()},
		{Name: "blanks around the coding", Raw: coding(" \tchunked\t "), Verdict: inChunks()},
		{Name: "chunks and a length", Raw: ok + chunked + two + "\r\n" + full, Verdict: inChunks().closed()},
		{Name: "a length and chunks", Raw: ok + two + chunked + "\r\n" + full, Verdict: inChunks().closed()},
		{Name: "chunks and a length of nothing", Raw: ok + "Content-Length: 0\r\n" + chunked + "\r\n" + full, Verdict: inChunks().closed()},
		{Name: "chunks and the length twice", Raw: ok + two + two + chunked + "\r\n" + full, Verdict: inChunks().closed()},
		{Name: "chunks and two lengths", Raw: ok + two + "Content-Length: 3\r\n" + chunked + "\r\n" + full, Verdict: refused("twice, and not the same")},
		{Name: "chunks twice", Raw: coding("chunked", "chunked"), Verdict: refused(other)},
		{Name: "chunks and another coding", Raw: coding("chunked", "gzip"), Verdict: refused(other)},
		{Name: "another coding and chunks", Raw: coding("identity", "chunked"), Verdict: refused(other)},
		{Name: "chunks in HTTP/1.0", Raw: "HTTP/1.0 200 OK\r\n" + chunked + "\r\n" + full, Verdict: refused(both)},
		{Name: "chunks and a length in HTTP/1.0", Raw: "HTTP/1.0 200 OK\r\n" + two + chunked + "\r\n" + full, Verdict: refused(both)},
		{Name: "a bad coding of a 204", Raw: "HTTP/1.1 204 No Content\r\nTransfer-Encoding: gzip\r\n\r\n", Verdict: refused(other)},
		{Name: "a bad coding of a HEAD", Method: http.MethodHead, Raw: ok + "Transfer-Encoding: gzip\r\n\r\n", Verdict: refused(other)},
	}
	for _, value := range []string{
		"", "identity", "gzip", "gzip, chunked", "chunked, gzip", "chunked, chunked", "chunked,", ",chunked", "chunked;q=1", "chunked ;", "\"chunked\"",
		"xchunked", "chunkedx", "chunk ed", "chunked\xa0", "\xe1\xb6\x9chunked", "chun\xe2\x84\xaaed", "2",
	} {
		all = append(all, Answer{Name: "the coding " + strconv.Quote(value), Raw: coding(value), Verdict: refused(other)})
	}
	return all
}

const (
	chunkSize = "size of a chunk is no hexadecimal number"
	chunkLine = "a line between chunks is malformed"
	chunkEnd  = "a chunk does not end with CR LF"
	overhead  = "the chunks are too small"
)

// chunks are answers by their chunks (§7.1).
func chunks() []Answer {
	all := []Answer{
		{Name: "several chunks", Raw: pieces + inTwo + last, Verdict: inChunks()},
		{Name: "no chunk", Raw: pieces + last, Verdict: inChunks().body("")},
		{Name: "sizes in both cases", Raw: pieces + "a\r\n0123456789\r\nA\r\n0123456789\r\n" + last, Verdict: inChunks().body("01234567890123456789")},
		{Name: "zeros before a size", Raw: pieces + "0002\r\nok\r\n0000\r\n\r\n", Verdict: inChunks()},
		{Name: "a size of sixteen digits", Raw: pieces + "0000000000000002\r\nok\r\n" + last, Verdict: inChunks()},
		{Name: "chunks in a chunk", Raw: pieces + "5\r\n0\r\n\r\n\r\n" + last, Verdict: inChunks().body("0\r\n\r\n")},
		{Name: "an extension", Raw: pieces + "2;a=b\r\nok\r\n0;c\r\n\r\n", Verdict: inChunks()},
		{Name: "an extension in quotes", Raw: pieces + "2; a=\"\\\";\t\xc3\" \r\nok\r\n" + last, Verdict: inChunks()},
		{Name: "an empty extension", Raw: pieces + "2;\r\nok\r\n" + last, Verdict: inChunks()},
		{Name: "a long extension", Raw: pieces + "2;" + strings.Repeat("x", 4092) + "\r\nok\r\n" + last, Verdict: inChunks()},
		{Name: "an extension of a byte more", Raw: pieces + "2;" + strings.Repeat("x", 4093) + "\r\nok\r\n" + last, Verdict: broken(chunkLine)},
		{Name: "an extension without an end", Raw: pieces + "2;" + strings.Repeat("x", 100<<10), Verdict: broken(chunkLine)},
		{Name: "a byte in each chunk", Raw: pieces + strings.Repeat("1\r\nx\r\n", 5000) + last, Verdict: inChunks().body(strings.Repeat("x", 5000))},
		{Name: "more lines than data", Raw: pieces + strings.Repeat("1;"+strings.Repeat("x", 1000)+"\r\nx\r\n", 20) + last, Verdict: broken(overhead)},
		{Name: "a size without an end", Raw: pieces + strings.Repeat("0", 100<<10), Verdict: broken(chunkSize)},
		{Name: "LF in an extension", Raw: pieces + "2;a\nb\r\nok\r\n" + last, Verdict: broken(chunkLine)},
		{Name: "CR in an extension", Raw: pieces + "2;a\rb\r\nok\r\n" + last, Verdict: broken(chunkLine)},
		{Name: "CR behind an extension", Raw: pieces + "2;a\r\r\nok\r\n" + last, Verdict: broken(chunkLine)},
		{Name: "NUL in an extension", Raw: pieces + "2;a\x00\r\nok\r\n" + last, Verdict: broken(chunkLine)},
		{Name: "bare LF behind an extension", Raw: pieces + "2;a\nok\r\n" + last, Verdict: broken(chunkLine)},
		{Name: "CR behind a size", Raw: pieces + "2\rok\r\n" + last, Verdict: broken(chunkLine)},
		{Name: "bare LF behind a size", Raw: pieces + "2\nok\r\n" + last, Verdict: broken(chunkSize)},
		{Name: "bare LF behind data", Raw: pieces + "2\r\nok\n" + last, Verdict: broken(chunkEnd)},
		{Name: "CR behind data", Raw: pieces + "2\r\nok\r" + last, Verdict: broken(chunkEnd)},
		{Name: "nothing behind data", Raw: pieces + "2\r\nok" + last, Verdict: broken(chunkEnd)},
		{Name: "more data than the size", Raw: pieces + "2\r\nokay\r\n" + last, Verdict: broken(chunkEnd)},
		{Name: "less data than the size", Raw: pieces + "5\r\nok\r\n" + last, Verdict: broken(chunkSize)},
		{Name: "bare LF behind the last chunk", Raw: pieces + "2\r\nok\r\n0\n\r\n", Verdict: broken(chunkSize)},
		{Name: "bare LF behind the body", Raw: pieces + "2\r\nok\r\n0\r\n\n", Verdict: broken(lineEnd)},
		{Name: "the last line missing", Raw: pieces + "2\r\nok\r\n0\r\n", HangsUp: true, Verdict: broken(cut)},
		{Name: "the last chunk missing", Raw: pieces + "2\r\nok\r\n", HangsUp: true, Verdict: broken(cut)},
		{Name: "half a chunk", Raw: pieces + "2\r\no", HangsUp: true, Verdict: broken(cut)},
		{Name: "half a size", Raw: pieces + "2\r\nok\r\n2", HangsUp: true, Verdict: broken(cut)},
		{Name: "no chunk at all", Raw: pieces, HangsUp: true, Verdict: broken(cut)},
		{Name: "a body without chunks", Raw: pieces + "ok\r\n\r\n", Verdict: broken(chunkSize)},
	}
	for _, size := range []string{
		"", ";", ";a", "+2", "-2", "-0", "0x2", "x2", "2x", "2g", " 2", "2 ", "2\t", "2 ;a", "2.", "2,", "2_0", "\"2\"", "\xb2", "٢",
		"00000000000000002", "8000000000000000", "8000000000000002", "ffffffffffffffff", "10000000000000002", "-ffffffffffffffe",
	} {
		all = append(all, Answer{Name: "the size " + strconv.Quote(size), Raw: pieces + size + "\r\nok\r\n" + last, Verdict: broken(chunkSize)})
	}
	return all
}

// trailers are answers with lines behind the last chunk (§7.1.2).
func trailers() []Answer {
	announce := func(names string) string { return ok + "Trailer: " + names + "\r\n" + chunked + "\r\n" }
	most := 4096 - len("X-T: 1\r\nX: \r\n\r\n")
	all := []Answer{
		{Name: "a trailer", Raw: announce("X-T") + tail + "\r\n\r\n", Verdict: inChunks().trailer("X-T", "1")},
		{Name: "a trailer nobody announced", Raw: pieces + tail + "\r\n\r\n", Verdict: inChunks().trailer("X-T", "1")},
		{Name: "a trailer that does not come", Raw: announce("x-t, X-U") + tail + "\r\n\r\n", Verdict: inChunks().trailer("X-T", "1")},
		{Name: "no trailer but announced", Raw: announce("X-T,,\t,") + full, Verdict: inChunks()},
		{Name: "several trailers", Raw: pieces + tail + "\r\nx-t: 2\r\nX-U:\r\n\r\n", Verdict: inChunks().trailer("X-T", "1", "X-T", "2", "X-U", "")},
		{Name: "a trailer beside its header", Raw: ok + "X-T: 0\r\n" + chunked + "\r\n" + tail + "\r\n\r\n", Verdict: inChunks("X-T", "0").trailer("X-T", "1")},
		{Name: "trailers that frame", Raw: pieces + tail + "\r\nContent-Length: 9\r\nTransfer-Encoding: gzip\r\n\r\n", Verdict: inChunks().trailer(
			"X-T", "1", "Content-Length", "9", "Transfer-Encoding", "gzip")},
		{Name: "trailers announced for a body with a length", Raw: ok + "Trailer: Content-Length\r\n" + two + "\r\nok", Verdict: passed()},
		{
			Name: "4 kB of trailers", Raw: pieces + tail + "\r\nX: " + strings.Repeat("x", most) + "\r\n\r\n",
			Verdict: inChunks().trailer("X-T", "1", "X", strings.Repeat("x", most)),
		},
		{Name: "trailers of a byte more", Raw: pieces + tail + "\r\nX: " + strings.Repeat("x", most+1) + "\r\n\r\n", Verdict: broken("trailers are longer than 4 kB")},
		{Name: "trailers without an end", Raw: pieces + tail + "\r\nX: " + strings.Repeat("x", 100<<10), Verdict: broken("trailers are longer than 4 kB")},
		{Name: "half a trailer", Raw: pieces + tail, HangsUp: true, Verdict: broken(cut)},
		{Name: "no end behind trailers", Raw: pieces + tail + "\r\n", HangsUp: true, Verdict: broken(cut)},
		{Name: "bare LF behind a trailer", Raw: pieces + tail + "\n\r\n", Verdict: broken(lineEnd)},
		{Name: "bare LF behind trailers", Raw: pieces + tail + "\r\n\n", Verdict: broken(lineEnd)},
		{Name: "CR in a trailer", Raw: pieces + tail + "\rX: 2\r\n\r\n", Verdict: broken(badValue)},
		{Name: "NUL in a trailer", Raw: pieces + tail + "\x00\r\n\r\n", Verdict: broken(badValue)},
		{Name: "a trailer that is folded", Raw: pieces + tail + "\r\n 2\r\n\r\n", Verdict: broken(folded)},
		{Name: "a first trailer that is folded", Raw: pieces + "2\r\nok\r\n0\r\n X-T: 1\r\n\r\n", Verdict: broken(folded)},
		{Name: "a blank before a trailer's colon", Raw: pieces + "2\r\nok\r\n0\r\nX-T : 1\r\n\r\n", Verdict: broken(badName)},
		{Name: "a trailer without a colon", Raw: pieces + "2\r\nok\r\n0\r\nX-T\r\n\r\n", Verdict: broken(badName)},
		{Name: "a trailer without a name", Raw: pieces + "2\r\nok\r\n0\r\n: 1\r\n\r\n", Verdict: broken(badName)},
		{Name: "an answer for trailers", Raw: pieces + "2\r\nok\r\n0\r\n" + forged, Verdict: broken(badName)},
	}
	for _, names := range []string{"Content-Length", "X-T, transfer-encoding", "TRAILER"} {
		all = append(all, Answer{Name: "announcing " + names, Raw: announce(names) + full, Verdict: refused("Trailer announces a header that frames")})
	}
	return all
}
