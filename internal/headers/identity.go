package headers

// The headers that say who is calling, of a route with identity_headers.
const (
	Subject  = "X-Auth-Subject"
	Username = "X-Auth-Username"
	Email    = "X-Auth-Email"
	Groups   = "X-Auth-Groups"
)

// Identity are all of them.
func Identity() []string { return []string{Subject, Username, Email, Groups} }
