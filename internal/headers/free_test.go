package headers_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/headers"
)

func TestFree(t *testing.T) {
	for _, name := range []string{
		"X-Forwarded-User", "X-Forwarded-Email", "X-Auth-Department", "Remote-User", "X-WebAuth-User", "X-User", "Department", "X-Remote-User", "X-Tenant-1",
	} {
		if !headers.Free(name) || !headers.Free(strings.ToLower(name)) {
			t.Errorf("%s is not free", name)
		}
	}
	for _, name := range []string{
		"Authorization", "Location", "Vary", "Strict-Transport-Security", "X-Auth-Login-Url", "RateLimit-Policy", "Cookie", "Host", "Content-Length", "Content-Type", "Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
		"Keep-Alive", "Proxy-Authorization", "X-Request-Id", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Real-IP",
		"traceparent", "tracestate", "X-Gatehouse", "X-Gatehouse-Verify", "X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method-Override", "Proxy",
		"Accept", "Origin", "Sec-Fetch-Site", "If-None-Match", "Range", "User-Agent", "Expect", "X-Forwarded-Uri",
		"X-Amz-Target", "Grpc-Timeout", "Idempotency-Key", "X-Requested-With",
		"", "X_User", "X.User", "X User", "X-User:", "X-Üser", "X-User\r\n",
	} {
		if headers.Free(name) || headers.Free(strings.ToUpper(name)) {
			t.Errorf("%q is free", name)
		}
	}
}
