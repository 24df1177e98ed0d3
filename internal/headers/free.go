package headers

import "net/http"

// Free reports whether the configuration may have the gateway send something of its
// own under that name: one that is plain, means nothing else in a request and is not
// set by the gateway anyway. From clients such a header is dropped on all routes, so it
// must be none that browsers or proxies send.
func Free(name string) bool {
	name = http.CanonicalHeaderKey(name)
	return Plain(name) && !Known.Of(name).Has(HopByHop|OfProxies|Restated) && meant.Of(name) == 0
}

// meant finds the names that are not free, besides those that [Known] says it of.
var meant = func() *Table {
	var rows []Row
	for _, name := range []string{
		// What the gateway sets or reads itself.
		"Authorization", "Cookie", "Set-Cookie*", "Host", "Tracestate", "X-Gatehouse*", "X-Amz-*",

		// What the request is, as some servers have it: another path, method or scheme.
		"X-Original-*", "X-Rewrite-*", "X-HTTP-Method*", "X-Method-*", "X-Forwarded-Uri", "X-Forwarded-Path",
		"X-Forwarded-Method", "X-Forwarded-Scheme", "X-Forwarded-Ssl", "Front-End-Https", "Proxy", "Proxy-*",
		"X-Accel-*", "X-Sendfile*", "HTTP2-Settings", "Expect",

		// What is answered with: fronts are told who is calling in an answer.
		"X-Auth-Login-Url", "Location", "Refresh", "Vary", "Age", "ETag", "Expires", "Last-Modified", "Link", "Server", "Server-Timing",
		"WWW-Authenticate", "Retry-After", "Strict-Transport-Security", "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy",
		"Permissions-Policy", "Cross-Origin-*", "Clear-Site-Data", "Alt-Svc", "NEL", "Report-To", "Reporting-Endpoints", "RateLimit*",

		// What calls are made with.
		"Grpc-*", "Idempotency-Key", "X-Idempotency-Key", "X-Requested-With",

		// The fields of HTTP (RFC 9110, RFC 9111) and of browsers (Fetch, Client Hints).
		"Accept", "Accept-*", "Access-Control-*", "Cache-Control", "Content-*", "Date", "Device-Memory", "DNT", "Downlink",
		"DPR", "Early-Data", "ECT", "From", "If-*", "Last-Event-ID", "Max-Forwards", "Origin", "Pragma", "Prefer", "Priority",
		"Purpose", "Range", "Referer", "RTT", "Save-Data", "Sec-*", "Service-Worker", "Upgrade-Insecure-Requests",
		"User-Agent", "Via", "Viewport-Width", "Warning", "Width",
	} {
		rows = append(rows, Row{name, NeverUpstream})
	}
	return NewTable(rows...)
}()
