//go:build production

package command

const begin = "Write"

// leftOut are the commands that only other builds have.
var leftOut = []string{"dev", "cognito", "sample"}

// development is empty: a production build can neither play a user pool nor
// run without one.
type development struct{}
