// Package cognitoemu plays an Amazon Cognito user pool on one listener: the
// hosted pages, the OAuth endpoints, discovery, and the part of the JSON API
// that a gateway and pages with aws-amplify need. `gateway dev`, `gateway cognito`
// and the tests use it.
//
// It owns everything a user pool would own: users, groups, grants, signing
// keys, the one-hour sign-in cookie, and the quirks of the real service, each
// at the real path with the real error. All of it lives in memory and is gone
// when the process is. Listening, shutting down and printing the banner are
// left to the caller; no goroutine outlives a call.
//
// Where the behaviour of the real service is not documented, the comment says
// "assumed".
//
// The one invariant: this package shares no code with what it is used to test.
// It imports nothing else of this module, because a helper's bug that sat on
// both sides would cancel out in every test.
package cognitoemu
