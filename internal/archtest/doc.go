// Package archtest owns the shape of the module: which package may import which
// of ours, what stays out of a production build, that every package says what it
// is for, and that docs/errors.md explains every problem code. What the layers mean
// is in docs/architecture.md.
//
// The one invariant: the table in layers_test.go reads from the ground up, and a
// row may name only rows above it. So the import graph is acyclic and layered by
// construction, and a change of the layering is a change of that one table.
package archtest
