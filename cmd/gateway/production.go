//go:build production

package main

const begin = ""

// development is empty: a production build can neither play a user pool nor
// run without one.
type development struct{}
