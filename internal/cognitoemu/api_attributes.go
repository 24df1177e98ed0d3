package cognitoemu

import (
	"cmp"
	"errors"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// attribute is a user attribute as the JSON API lists it.
type attribute struct{ Name, Value string }

// listAttributes lists attributes by name.
func listAttributes(values map[string]string) []attribute {
	list := make([]attribute, 0, len(values))
	for name, value := range values {
		list = append(list, attribute{name, value})
	}
	slices.SortFunc(list, func(a, b attribute) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

func (e *Emulator) getUser(user caller, _ nothing) (any, error) {
	values, err := userAttributes(visibleAttributes(grant{}, user.client, user.account), user.account)
	if err != nil {
		return nil, err
	}
	out := user.mfaOf()
	out["Username"], out["UserAttributes"] = user.username, listAttributes(values)
	return out, nil
}

const maxAttributeLength = 2048 // characters

var phonePattern = regexp.MustCompile(`^\+[0-9]{1,15}$`) // E.164

// verifiedBy are the attributes that a code proves, with those that say it was done.
var verifiedBy = map[string]string{"email": "email_verified", "phone_number": "phone_number_verified"}

// writableAttributes checks what a client wants to write, in this order: its
// permission, the pool's schema, the values. The words are the real service's where
// they are known.
func (e *Emulator) writableAttributes(client Client, sent []attribute) (map[string]string, error) {
	values := make(map[string]string, len(sent))
	for _, a := range sent {
		if err := e.checkWritable(client, a.Name); err != nil {
			return nil, err
		}
		if err := checkAttributeValue(a); err != nil {
			return nil, err
		}
		values[a.Name] = a.Value
	}
	return values, nil
}

func (e *Emulator) checkWritable(client Client, name string) error {
	switch {
	case name == "sub" || name == "identities":
		return invalidParameter("Cannot modify the non-mutable attribute %s", name)
	case !client.canWrite(name):
		return notAuthorized("A client attempted to write unauthorized attribute")
	case !e.hasAttribute(name):
		return invalidParameter("Attributes did not conform to the schema: Type for attribute {%s} could not be determined", name)
	}
	return nil
}

// canWrite: what says that an attribute was verified is the pool's to write.
func (c Client) canWrite(attribute string) bool {
	if attribute == "email_verified" || attribute == "phone_number_verified" {
		return false
	}
	return len(c.WriteAttributes) == 0 || slices.Contains(c.WriteAttributes, attribute)
}

// hasAttribute reports whether the pool's schema has an attribute: the standard ones
// and the custom ones of the seed.
func (e *Emulator) hasAttribute(name string) bool {
	for _, names := range scopeAttributes {
		if slices.Contains(names, name) {
			return true
		}
	}
	return name == "address" || slices.Contains(e.seed.customAttributes(), name)
}

// customAttributes are those that the seed declares or uses.
func (s Seed) customAttributes() []string {
	var names []string
	for _, name := range s.CustomAttributes {
		names = append(names, "custom:"+strings.TrimPrefix(name, "custom:"))
	}
	people := make([]map[string]string, 0, len(s.Users))
	for _, user := range s.Users {
		people = append(people, user.Attributes)
	}
	for _, provider := range s.Providers {
		for _, person := range provider.Users {
			people = append(people, person.Attributes)
		}
	}
	for _, attributes := range people {
		for name := range attributes {
			if strings.HasPrefix(name, "custom:") {
				names = append(names, name)
			}
		}
	}
	return names
}

func checkAttributeValue(a attribute) error {
	switch {
	case utf8.RuneCountInString(a.Value) > maxAttributeLength:
		return invalidParameter("Attributes did not conform to the schema: %s: String must be no longer than %d characters", a.Name, maxAttributeLength)
	case a.Name == "email" && a.Value == "":
		return errEmailRequired
	case a.Name == "email" && !looksLikeEmail(a.Value):
		return invalidParameter("Invalid email address format.")
	case a.Name == "phone_number" && a.Value != "" && !phonePattern.MatchString(a.Value):
		return invalidParameter("Invalid phone number format.")
	}
	return nil
}

// errEmailRequired: people sign in by it.
var errEmailRequired = invalidParameter("Attributes did not conform to the schema: email: The attribute is required")

// updateUserAttributes sets attributes; an empty value removes one. A new e-mail
// address counts once its code was sent back, and until then the old one does, as in
// a pool that keeps the original attribute value while an update is pending.
func (e *Emulator) updateUserAttributes(user caller, input struct{ UserAttributes []attribute }) (any, error) {
	values, err := e.writableAttributes(user.client, input.UserAttributes)
	if err != nil {
		return nil, err
	}
	email, given := values["email"]
	delete(values, "email")
	if holder, taken := e.users.lookup(email); given && taken && holder.sub != user.sub {
		return nil, errAliasExists
	}
	if _, err := e.users.change(user.sub, func(a *account) error {
		a.set(values)
		return nil
	}); err != nil {
		return nil, err
	}
	sent := []any{}
	switch update := (verification{owner: user.sub, sub: user.sub, to: email, purpose: "email"}); {
	case given && email != user.email():
		sent = append(sent, e.send(update).delivery())
	case given: // back to the address that counts
		e.verifications.end(update.codeKey())
	}
	return map[string]any{"CodeDeliveryDetailsList": sent}, nil
}

// set writes attributes. A number that changed is not verified any more.
func (a *account) set(values map[string]string) {
	for name, value := range values {
		if verified, ok := verifiedBy[name]; ok && a.attributes[name] != value {
			delete(a.attributes, verified)
			if value != "" {
				a.attributes[verified] = "false"
			}
		}
		if value == "" {
			delete(a.attributes, name)
			continue
		}
		a.attributes[name] = value
	}
}

func (e *Emulator) deleteUserAttributes(user caller, input struct{ UserAttributeNames []string }) (any, error) {
	removed := make(map[string]string, len(input.UserAttributeNames))
	for _, name := range input.UserAttributeNames {
		if err := e.checkWritable(user.client, name); err != nil {
			return nil, err
		}
		if name == "email" {
			return nil, errEmailRequired
		}
		removed[name] = ""
	}
	_, err := e.users.change(user.sub, func(a *account) error {
		a.set(removed)
		return nil
	})
	return nothing{}, err
}

// getUserAttributeVerificationCode sends a code to the value that waits for one, or
// else to the one that counts.
func (e *Emulator) getUserAttributeVerificationCode(user caller, input struct{ AttributeName string }) (any, error) {
	if _, ok := verifiedBy[input.AttributeName]; !ok {
		return nil, invalidParameter("Invalid attribute to verify: %s", input.AttributeName)
	}
	sent := verification{owner: user.sub, sub: user.sub, to: user.attributes[input.AttributeName], purpose: purpose(input.AttributeName)}
	if pending, ok := e.verifications.find(sent.codeKey()); ok {
		sent.to = pending.to
	}
	if sent.to == "" {
		return nil, invalidParameter("User does not have the attribute %s", input.AttributeName)
	}
	return map[string]any{"CodeDeliveryDetails": e.send(sent).delivery()}, nil
}

func (e *Emulator) verifyUserAttribute(user caller, input struct{ AttributeName, Code string }) (any, error) {
	verified, ok := verifiedBy[input.AttributeName]
	if !ok {
		return nil, invalidParameter("Invalid attribute to verify: %s", input.AttributeName)
	}
	key := newCodeKey(user.sub, purpose(input.AttributeName))
	pending, err := e.apiCheckCode(key, input.Code)
	if err != nil {
		return nil, err
	}
	_, err = e.users.change(user.sub, func(a *account) error {
		a.attributes[input.AttributeName], a.attributes[verified] = pending.to, "true"
		return nil
	})
	if errors.Is(err, errUsernameExists) {
		return nil, errAliasExists
	}
	e.verifications.end(key)
	return nothing{}, err
}

var errAliasExists = &apiError{"AliasExistsException", "An account with the given email already exists."}

// apiCheckCode returns the code that was typed, or why it does not count in the words
// of the JSON API.
func (e *Emulator) apiCheckCode(key codeKey, typed string) (verification, error) {
	pending, err := e.verifications.check(key, typed, e.clock.now())
	switch {
	case errors.Is(err, errCodeExpired):
		return verification{}, &apiError{"ExpiredCodeException", "Invalid code provided, please request a code again."}
	case errors.Is(err, errCodeMismatch):
		return verification{}, &apiError{"CodeMismatchException", wrongCode.text}
	case errors.Is(err, errTooManyAttempts):
		return verification{}, errLimitExceeded
	}
	return pending, err
}

var errLimitExceeded = &apiError{"LimitExceededException", "Attempt limit exceeded, please try after some time."}

// delivery says where a code went, with no more of the address than its owner needs
// to know it again.
func (v verification) delivery() any {
	details := map[string]string{"AttributeName": "email", "DeliveryMedium": "EMAIL", "Destination": maskEmail(v.to)}
	if v.purpose == "phone_number" {
		details = map[string]string{"AttributeName": "phone_number", "DeliveryMedium": "SMS", "Destination": maskPhone(v.to)}
	}
	return details
}

// maskEmail is a***@e***.
func maskEmail(address string) string {
	local, domain, _ := strings.Cut(address, "@")
	return firstRune(local) + "***@" + firstRune(domain) + "***"
}

// maskPhone is +*******0199.
func maskPhone(number string) string {
	hidden := max(len(number)-5, 0) // all but the plus sign and four digits
	return "+" + strings.Repeat("*", hidden) + number[min(hidden+1, len(number)):]
}

func firstRune(s string) string {
	_, size := utf8.DecodeRuneInString(s)
	return s[:size]
}
