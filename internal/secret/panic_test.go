package secret

import (
	"errors"
	"fmt"
	"testing"
)

func TestOfPanic(t *testing.T) {
	var none []int
	for want, panics := range map[string]func(){
		"string":                                 func() { panic("canary") },
		"*errors.errorString":                    func() { panic(errors.New("canary")) },
		"*fmt.wrapError":                         func() { panic(fmt.Errorf("read: %w", errors.New("canary"))) },
		"runtime error: index out of range [-1]": func() { _ = none[len(none)-1] },
	} {
		t.Run(want, func(t *testing.T) {
			defer func() {
				if got := OfPanic(recover()); got != want {
					t.Errorf("%q", got)
				}
			}()
			panics()
		})
	}
}
