package cognitoemu

import (
	"slices"
	"strings"
)

// attribute is a user attribute as the JSON API lists it.
type attribute struct{ Name, Value string }

func (e *Emulator) getUser(user caller, _ nothing) (any, error) {
	readable := visibleAttributes(grant{}, user.client, user.account)
	values, err := userAttributes(readable, user.account)
	if err != nil {
		return nil, err
	}
	attributes := make([]attribute, 0, len(values))
	for name, value := range values {
		attributes = append(attributes, attribute{name, value})
	}
	slices.SortFunc(attributes, func(a, b attribute) int { return strings.Compare(a.Name, b.Name) })
	return map[string]any{"Username": user.username, "UserAttributes": attributes}, nil
}
