package admin

// Stats is the answer to GET /admin/stats, about this instance; times are Unix
// seconds.
type Stats struct {
	Version       string     `json:"version"`
	Commit        string     `json:"commit"`
	StartedAt     int64      `json:"startedAt"`
	UptimeSeconds int64      `json:"uptimeSeconds"`
	Store         StoreStats `json:"store"`
	// Sessions are of all instances that share the store; left out where nobody knows.
	Sessions *SessionStats `json:"sessions,omitempty"`
}

// SessionStats is how many sessions there were, and when they were counted.
type SessionStats struct {
	Count     int   `json:"count"`
	CountedAt int64 `json:"countedAt"`
}

// StoreStats is how the session store does.
type StoreStats struct {
	Kind      string `json:"kind"`
	Available bool   `json:"available"`
	// Milliseconds is how long the store took to answer just now.
	Milliseconds float64 `json:"milliseconds"`
}

// Session is one session as an operator sees it, an element of the answer to
// GET /admin/users/{sub}/sessions; times are Unix seconds.
type Session struct {
	ID         string `json:"id"`
	Username   string `json:"username"`
	CreatedAt  int64  `json:"createdAt"`
	LastSeenAt int64  `json:"lastSeenAt"`
	ExpiresAt  int64  `json:"expiresAt"`
	UserAgent  string `json:"userAgent"`
	IP         string `json:"ip"`
}

// UserEnd is the answer to DELETE /admin/users/{sub}/sessions: what the end of all
// of a user's sessions came to.
type UserEnd struct {
	Ended         int     `json:"ended"`
	GlobalSignOut SignOut `json:"globalSignOut"`
}

// SignOut is what became of a user's tokens at the user pool.
type SignOut string

// The outcomes of a sign-out at the user pool.
const (
	SignOutDone          SignOut = "done"
	SignOutNoCredentials SignOut = "no_credentials" // AWS gives this process none
	SignOutUnknownUser   SignOut = "unknown_user"
	SignOutFailed        SignOut = "failed"
)
