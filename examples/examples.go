// Package examples holds small programs for either side of the gateway. Its tests
// run the APIs among them, compare them with what docs/apis.md quotes, and run the
// gateway with a store of its own.
package examples
