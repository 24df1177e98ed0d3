package command

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestSessionsListFollowsPages: whatever the path before the admin API, and
// however many pages there are.
func TestSessionsListFollowsPages(t *testing.T) {
	const pages, each = 3, 100
	admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var page int
		_, _ = fmt.Sscanf(r.URL.Query().Get("after"), "p%d", &page)
		if r.URL.Path != "/front/admin/users/sub-1/sessions" {
			http.NotFound(w, r)
			return
		}
		if page+1 < pages {
			w.Header().Set("Link", fmt.Sprintf(`</admin/users/sub-1/sessions?after=p%d&created=1>; rel="next"`, page+1))
		}
		var list []map[string]any
		for i := range each {
			list = append(list, map[string]any{"id": fmt.Sprintf("id-%d-%d", page, i), "ip": "192.0.2.1"})
		}
		_ = json.NewEncoder(w).Encode(list)
	}))
	defer admin.Close()
	run := func(asJSON bool) string {
		var out bytes.Buffer
		c := sessionsListCmd{User: "sub-1", adminFlags: adminFlags{Admin: admin.URL + "/front", JSON: asJSON, Timeout: time.Minute}}
		if err := c.Run(context.Background(), process{stdout: &out, stderr: &out}); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	lines := strings.Split(strings.TrimSpace(run(false)), "\n")
	if len(lines) != 1+pages*each || !strings.HasPrefix(lines[0], "ID ") || !strings.HasPrefix(lines[pages*each], "id-2-99 ") {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
	var list []struct{ ID string }
	if err := json.Unmarshal([]byte(run(true)), &list); err != nil || len(list) != pages*each || list[pages*each-1].ID != "id-2-99" {
		t.Errorf("%d sessions as JSON, %v", len(list), err)
	}
}
