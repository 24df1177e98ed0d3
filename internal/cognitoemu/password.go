package cognitoemu

import "unicode"

// policyFault says how a new password fails the policy of a new user pool, in the
// words of the real service; "" where it does not.
func policyFault(password string) string {
	var upper, lower, digit, symbol bool
	for _, r := range password {
		upper = upper || unicode.IsUpper(r)
		lower = lower || unicode.IsLower(r)
		digit = digit || unicode.IsDigit(r)
		symbol = symbol || unicode.IsPunct(r) || unicode.IsSymbol(r)
	}
	switch {
	case len(password) < 8:
		return "Password not long enough"
	case !lower:
		return "Password must have lowercase characters"
	case !upper:
		return "Password must have uppercase characters"
	case !digit:
		return "Password must have numeric characters"
	case !symbol:
		return "Password must have symbol characters"
	}
	return ""
}

// isPassword proves a password by itself, as opposed to the Secure Remote Password
// protocol.
func isPassword(sent string) func(string) bool {
	return func(password string) bool { return sameText(password, sent) }
}
