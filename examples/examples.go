// Package examples holds small programs for either side of the gateway. Its tests
// run the APIs among them, and compare them with what docs/apis.md quotes.
package examples
