package docs

import (
	"strings"
	"testing"
)

// TestAPIs has the snippets of apis.md judge tokens of the emulator.
func TestAPIs(t *testing.T) {
	for name, c := range map[string]struct {
		start func(t *testing.T, p *pool) *verifier
		// cools says that it waits before it asks for keys again.
		cools bool
	}{
		"Go": {start: startGo}, "Node.js": {start: startNode, cools: true}, "Python": {start: startPython},
	} {
		t.Run(name, func(t *testing.T) {
			p := startPool(t)
			good := p.signIn(client).AccessToken
			v := c.start(t, p)
			v.takes(good)
			for what, token := range p.bad(good) {
				t.Run("refuses_"+what, func(t *testing.T) {
					answer := v.judge(token)
					t.Log(answer)
					if !strings.HasPrefix(answer, "refused") {
						t.Error("it does not")
					}
				})
			}
			v.takes(good) // and goes on
			if c.cools {
				return
			}
			if err := p.emulator.Levers().RotateKeys(); err != nil {
				t.Fatal(err)
			}
			v.takes(p.signIn(client).AccessToken)
		})
	}
}
