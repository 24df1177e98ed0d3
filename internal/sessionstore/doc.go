// Package sessionstore keeps session records: in this process ([Memory]), in
// Redis ([Redis]), or nowhere but in the browser ([Cookie]). Every store passes
// the one suite in storetest.
//
// It leaves to session what a record is, how it is sealed, and when a session
// is refreshed or ended; it never imports net/http, and no error of a driver
// leaves it bare.
//
// The one invariant: a store says that a session is gone only when it knows.
// Whatever keeps it from knowing is session.ErrUnavailable.
package sessionstore
