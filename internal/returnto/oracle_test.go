package returnto_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/returnto"
)

// whatwg reads addresses as browsers do, by the URL Standard's own parser, as
// from a page of the gateway.
const whatwg = `
const {base, addresses} = JSON.parse(require('fs').readFileSync(0, 'utf8'))
const read = address => {
  try {
    const u = new URL(address, base)
    return {origin: u.origin, href: u.href, path: u.pathname, local: u.pathname + u.search + u.hash, user: u.username + u.password}
  } catch { return {} }
}
process.stdout.write(JSON.stringify(addresses.map(read)))
`

// reading is where an address leads; all empty for nowhere.
type reading struct{ Origin, Href, Path, Local, User string }

// read asks the oracle about all addresses at once. Node.js is needed by the
// browser tests as well, so its absence is a failure.
func read(addresses []string) []reading {
	in, err := json.Marshal(map[string]any{"base": own + "/auth/callback?code=x", "addresses": addresses})
	if err != nil {
		panic(err)
	}
	cmd := exec.Command("node", "-e", whatwg)
	cmd.Stdin = bytes.NewReader(in)
	answer, err := cmd.Output()
	if err != nil {
		panic(fmt.Sprintf("ask Node.js: %v", err))
	}
	var found []reading
	if err := json.Unmarshal(answer, &found); err != nil || len(found) != len(addresses) {
		panic(fmt.Sprintf("%d answers to %d addresses, error %v", len(found), len(addresses), err))
	}
	return found
}

// Attacks are made of the first pieces, odd addresses of the others too.
var (
	attacks = []string{
		"/", "//", `\`, ".", "..", "%2f", "%5c", "%2e", "%09", "%0a", "\t", "\n", " ", "@", ":", ";", "?", "#", "%",
		"e", "https:", app, "http://localhost:5173", "app.example", own,
	}
	pieces = append(attacks[:len(attacks):len(attacks)],
		"[", "]", "{", "}", "|", "^", "`", "'", `"`, "<", ">", "é", "\u2028", "😀", "%C3%A9", "%25", "%2E", "%zz", "&a=",
		"\x00", "\x7f", "/auth/login", "HTTPS://OWN.example:443", "auth", "login",
	)
)

// oracle has read the candidates, once for all tests.
var oracle = sync.OnceValues(func() ([]string, []reading) {
	all := candidates()
	return all, read(all)
})

// candidates are combinations of the pieces: all of two, all of three of the
// first, and as many longer ones by chance; always the same.
func candidates() []string {
	var all []string
	for _, a := range pieces {
		for _, b := range pieces {
			all = append(all, a+b)
		}
	}
	for _, a := range attacks {
		for _, b := range attacks {
			for _, c := range attacks {
				all = append(all, a+b+c)
			}
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 30_000 {
		var b strings.Builder
		b.WriteString([]string{"", "/", "/", own, app}[r.IntN(5)])
		for range 3 + r.IntN(8) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		all = append(all, b.String())
	}
	for _, raw := range append(slices.Concat(hostile, harmless), spellings...) {
		all = append(all, raw, "/"+raw, app+raw, app+"/"+raw, own+raw, "/a?x="+raw, "/a#"+raw, "/;"+raw)
	}
	return slices.DeleteFunc(all, func(s string) bool {
		return len(s) > returnto.MaxLength/2 || !utf8.ValidString(s) // JSON has no other text
	})
}

// TestWHATWG holds the grammar against the URL Standard's own parser, in both
// directions: an accepted address is, byte for byte, what that parser makes of it,
// and leads to an origin of the policy; a refused one leads elsewhere, or is
// refused for a reason that is stated here.
func TestWHATWG(t *testing.T) {
	all, readings := oracle()
	accepted, left := 0, 0
	for i, raw := range all {
		want := readings[i]
		ours := want.Origin == own || slices.Contains(policy.Origins, want.Origin)
		if !ours && want.Origin != "" {
			left++
		}
		a, err := policy.Parse(raw)
		if err != nil {
			if why := reason(raw, want); ours && why == "" {
				t.Errorf("%q is refused, and leads to %q", raw, want.Href)
			}
			continue
		}
		accepted++
		absolute := a.String()
		if strings.HasPrefix(absolute, "/") {
			absolute = own + absolute
		}
		if !ours || want.Href != absolute {
			t.Errorf("%q is accepted as %q, and leads to %q", raw, a, want.Href)
		}
	}
	t.Logf("of %d candidates %d are accepted; %d lead elsewhere", len(all), accepted, left)
	if accepted < 10_000 || left < 5_000 {
		t.Errorf("%d accepted, %d led elsewhere: too few to judge by", accepted, left)
	}
}

// reason says why an address that leads to one of our origins is refused; "" is
// no reason.
func reason(raw string, want reading) string {
	raw = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(strings.TrimFunc(raw, func(r rune) bool { return r <= ' ' }))
	slashed := strings.ReplaceAll(strings.ToLower(raw), `\`, "/")
	path := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, decodeFully(want.Path))
	authority, absolute := strings.CutPrefix(slashed, "https://")
	if !absolute {
		authority, absolute = strings.CutPrefix(slashed, "http://")
	}
	authority, _, _ = strings.Cut(strings.NewReplacer("?", "/", "#", "/").Replace(authority), "/")
	plain := strings.TrimSuffix(strings.TrimSuffix(authority, ":443"), ":80")
	switch {
	case want.User != "":
		return "it has user information"
	case !absolute && (!strings.HasPrefix(slashed, "/") || strings.HasPrefix(slashed, "//")):
		return "it is neither a path nor absolute"
	case absolute && plain != "own.example" && plain != "app.example" && plain != "localhost:5173":
		return "its authority is spelled as no browser writes it"
	case strings.HasPrefix(strings.ReplaceAll(path, `\`, "/"), "//"):
		return "its path, decoded, reads as an authority"
	case strings.HasPrefix(strings.ToLower(strings.ReplaceAll(path, `\`, "/")), "/auth"):
		return "it may be the login itself; TestParseRefusesTheLogin judges"
	}
	return ""
}

// TestParseTakesWhatPagesSend: every address that a page of this origin can be at
// is accepted as the page spells it, by its parts or in full, and is what the
// browser is sent back to.
func TestParseTakesWhatPagesSend(t *testing.T) {
	all, readings := oracle()
	sent := 0
	for i, at := range readings {
		if !strings.HasPrefix(at.Href, own+"/") || reason("/", at) != "" {
			continue
		}
		sent++
		for _, spelled := range []string{at.Local, at.Href} {
			a, err := policy.Parse(spelled)
			if want := strings.TrimPrefix(spelled, own); err != nil || a.String() != want {
				t.Errorf("%q, the address of %q, becomes %q, error %v", spelled, all[i], a, err)
			}
		}
	}
	if sent < 5_000 {
		t.Errorf("only %d addresses could be sent", sent)
	}
}
