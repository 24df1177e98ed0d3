package returnto_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// whatwg reads addresses as browsers do, by the URL Standard's own parser, and
// prints the origin each leads to from a page of the gateway; "" for none.
const whatwg = `
const {base, addresses} = JSON.parse(require('fs').readFileSync(0, 'utf8'))
const origin = address => { try { return new URL(address, base).origin } catch { return '' } }
process.stdout.write(JSON.stringify(addresses.map(origin)))
`

// origins asks the oracle about all addresses at once. Node.js is needed by the
// browser tests as well, so its absence is a failure.
func origins(t *testing.T, addresses []string) []string {
	t.Helper()
	in, err := json.Marshal(map[string]any{"base": own + "/auth/callback?code=x", "addresses": addresses})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", "-e", whatwg)
	cmd.Stdin = bytes.NewReader(in)
	answer, err := cmd.Output()
	if err != nil {
		t.Fatalf("ask Node.js: %v", err)
	}
	var found []string
	if err := json.Unmarshal(answer, &found); err != nil || len(found) != len(addresses) {
		t.Fatalf("%d answers to %d addresses, error %v", len(found), len(addresses), err)
	}
	return found
}

// combinations joins the pieces that attacks are made of, in every order, up to
// four of them.
func combinations() []string {
	pieces := []string{
		"/", "//", `\`, ".", "..", "%2f", "%5c", "%2e", "%09", "%0a", "\t", "\n", " ", "@", ":", ";", "?", "#", "%",
		"e", "https:", app, "http://localhost:5173", "app.example",
	}
	all, last := []string{""}, []string{""}
	for range 4 {
		var next []string
		for _, head := range last {
			for _, p := range pieces {
				next = append(next, head+p)
			}
		}
		all, last = append(all, next...), next
	}
	return all
}

func TestWHATWG(t *testing.T) {
	candidates := append(append(combinations(), hostile...), harmless...)
	for _, raw := range append(hostile, harmless...) {
		candidates = append(candidates, "/"+raw, app+raw, app+"/"+raw, "/a?x="+raw, "/;"+raw)
	}
	var accepted []string
	for _, raw := range candidates {
		if a, err := policy.Parse(raw); err == nil {
			accepted = append(accepted, a.String())
		}
		path, query, _ := strings.Cut(raw, "?")
		if a := policy.Request(path, query); !a.IsZero() {
			accepted = append(accepted, a.String())
		}
	}
	if len(accepted) < 1000 {
		t.Fatalf("only %d addresses were accepted: the oracle has nothing to judge", len(accepted))
	}
	may := map[string]bool{own: true}
	for _, o := range policy.Origins {
		may[o] = true
	}
	t.Run("every_accepted_address_leads_to_an_origin_of_the_policy", func(t *testing.T) {
		for i, o := range origins(t, accepted) {
			if !may[o] {
				t.Errorf("%q leads to %q", accepted[i], o)
			}
		}
		t.Logf("%d of %d candidates accepted and judged", len(accepted), len(candidates))
	})
	t.Run("the_oracle_itself_sees_addresses_leave", func(t *testing.T) {
		left := 0
		for _, o := range origins(t, hostile) {
			if !may[o] {
				left++
			}
		}
		if left < 40 {
			t.Errorf("it saw %d of the %d hostile addresses leave", left, len(hostile))
		}
	})
}
