package cognitoemu

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Why a password or a sign-up was refused.
var (
	errWrongCredentials = errors.New("incorrect username or password")
	errLockedOut        = errors.New("password attempts exceeded")
	errUserDisabled     = errors.New("user is disabled")
	errUserUnconfirmed  = errors.New("user is not confirmed")
	errUsernameExists   = errors.New("username exists")
	errUserNotFound     = errors.New("user does not exist")
)

// account is one user of the pool. Accounts are handed out as copies; their maps
// and slices are replaced, never changed in place.
type account struct {
	sub        string
	username   string // equals sub for native users, Provider_ID for federated ones
	password   string // in the clear: it is printed at start anyway
	attributes map[string]string
	groups     []string
	identity   *identity // nil for native users

	token        softwareToken
	devices      []device
	passkeys     []passkey
	registration passkeyRegistration
	confirmed    bool
	temporary    bool // the password was given, and is good for choosing one
	disabled     bool
	failures     int
	lockedUntil  time.Time
}

// identity is how a federated account is linked to its provider.
type identity struct {
	userID       string
	providerName string
	providerType ProviderType
	issuer       string
	created      time.Time
}

func (a account) federated() bool { return a.identity != nil }

// email is what a native user signs in by.
func (a account) email() string { return a.attributes["email"] }

// clone is a copy with maps and slices of its own.
func (a account) clone() account {
	a.attributes, a.devices, a.passkeys = maps.Clone(a.attributes), slices.Clone(a.devices), slices.Clone(a.passkeys)
	return a
}

// asUser is the account as a seed would have it.
func (a account) asUser() User {
	return User{Sub: a.sub, Email: a.email(), Name: a.attributes["name"], Password: a.password, TemporaryPassword: a.temporary, TOTPSecret: totpText(a.token.secret),
		Groups: slices.Clone(a.groups), Unverified: a.attributes["email_verified"] != "true", Disabled: a.disabled}
}

// directory holds the pool's users.
type directory struct {
	mu       sync.Mutex
	accounts map[string]*account // by sub
	subs     map[string]string   // by e-mail or username, lower case
}

func newDirectory(seed Seed, now time.Time) *directory {
	d := &directory{accounts: map[string]*account{}, subs: map[string]string{}}
	for _, user := range seed.Users {
		attributes := maps.Clone(user.Attributes)
		if attributes == nil {
			attributes = map[string]string{}
		}
		attributes["email"] = user.Email
		attributes["email_verified"] = strconv.FormatBool(!user.Unverified)
		if user.Name != "" {
			attributes["name"] = user.Name
		}
		token := softwareToken{secret: totpSecret(user.TOTPSecret), enabled: user.TOTPSecret != "", preferred: user.TOTPSecret != ""}
		devices := make([]device, len(user.Devices))
		for i, dev := range user.Devices {
			devices[i] = device{key: dev.Key, name: dev.Name, remembered: dev.Remembered, created: now, modified: now, usedAt: now}
		}
		d.add(&account{sub: user.Sub, username: user.Sub, password: user.Password,
			attributes: attributes, groups: slices.Clone(user.Groups), confirmed: true, token: token, devices: devices, temporary: user.TemporaryPassword, disabled: user.Disabled})
	}
	return d
}

// add needs the lock, or nobody else to know the directory yet.
func (d *directory) add(a *account) {
	d.accounts[a.sub] = a
	d.subs[strings.ToLower(a.username)] = a.sub
	if !a.federated() {
		d.subs[strings.ToLower(a.email())] = a.sub
	}
}

// remove needs the lock.
func (d *directory) remove(a *account) {
	delete(d.accounts, a.sub)
	delete(d.subs, strings.ToLower(a.username))
	if !a.federated() {
		delete(d.subs, strings.ToLower(a.email()))
	}
}

// find looks up by subject, username or the e-mail address of a native user.
func (d *directory) find(name string) *account {
	if a, ok := d.accounts[name]; ok {
		return a
	}
	return d.accounts[d.subs[strings.ToLower(name)]]
}

func (d *directory) lookup(name string) (account, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if a := d.find(name); a != nil {
		return *a, true
	}
	return account{}, false
}

const (
	freeFailures   = 5 // wrong passwords before the first lock-out
	maxLockOut     = 15 * time.Minute
	maxLockDoubles = 10 // 2^10 s is past maxLockOut already
)

// authenticate checks a password by whatever way it was proven. A user that does not exist and one with no
// password (a federated one) look the same as a wrong password. After five
// failures the user is locked out for 2^(n-5) seconds, at most a quarter of an
// hour; attempts while locked out do not count.
func (d *directory) authenticate(name string, proves func(password string) bool, now time.Time) (account, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.find(name)
	if a == nil || a.password == "" {
		return account{}, errWrongCredentials
	}
	if now.Before(a.lockedUntil) {
		return account{}, errLockedOut
	}
	if !proves(a.password) {
		a.failures++
		if over := a.failures - freeFailures; over >= 0 {
			a.lockedUntil = now.Add(min(time.Second<<min(over, maxLockDoubles), maxLockOut))
		}
		return account{}, errWrongCredentials
	}
	a.failures = 0
	switch {
	case a.disabled:
		return account{}, errUserDisabled
	case !a.confirmed:
		return *a, errUserUnconfirmed
	}
	return *a, nil
}

// register makes a native user that has still to confirm the address, which is among
// the attributes.
func (d *directory) register(attributes map[string]string, password string) (account, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if existing := d.find(attributes["email"]); existing != nil {
		return account{}, errUsernameExists
	}
	sub := newUUID()
	a := &account{sub: sub, username: sub, password: password, attributes: maps.Clone(attributes)}
	a.attributes["email_verified"] = "false"
	d.add(a)
	return *a, nil
}

// delete removes a user for good.
func (d *directory) delete(sub string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if a, ok := d.accounts[sub]; ok {
		d.remove(a)
	}
}

// change lets f alter a copy of the user, which counts unless f fails. An address
// that is another user's is refused.
func (d *directory) change(sub string, f func(*account) error) (account, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a, ok := d.accounts[sub]
	if !ok {
		return account{}, errUserNotFound
	}
	next := a.clone()
	if err := f(&next); err != nil {
		return account{}, err
	}
	if holder := d.find(next.email()); !next.federated() && holder != nil && holder != a {
		return account{}, errUsernameExists
	}
	d.remove(a)
	d.add(&next)
	return next, nil
}

// confirm verifies the address of a user that signed up.
func (d *directory) confirm(sub string) (account, error) {
	return d.change(sub, func(a *account) error {
		a.confirmed = true
		a.attributes["email_verified"] = "true"
		return nil
	})
}

// setPassword replaces a password and ends a lock-out.
func (d *directory) setPassword(sub, password string) (account, error) {
	return d.change(sub, func(a *account) error {
		a.password, a.temporary, a.failures, a.lockedUntil = password, false, 0, time.Time{}
		return nil
	})
}

// federate returns the account of a provider's person, made at the first sign-in.
// As in the real service it joins a group named after pool and provider.
func (d *directory) federate(poolID string, provider Provider, person ProviderPerson, now time.Time) (account, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	username := provider.Name + "_" + person.ID
	if a := d.find(username); a != nil {
		if a.disabled {
			return account{}, errUserDisabled
		}
		return *a, nil
	}
	attributes := maps.Clone(person.Attributes)
	if attributes == nil {
		attributes = map[string]string{}
	}
	attributes["email"] = person.Email
	attributes["email_verified"] = strconv.FormatBool(person.EmailVerified)
	if person.Name != "" {
		attributes["name"] = person.Name
	}
	a := &account{
		sub: stableUUID(poolID, provider.Name, person.ID), username: username, confirmed: true,
		attributes: attributes,
		groups:     append([]string{poolID + "_" + provider.Name}, person.Groups...),
		identity: &identity{userID: person.ID, providerName: provider.Name, providerType: provider.Type,
			issuer: provider.Issuer, created: now},
	}
	d.add(a)
	return *a, nil
}

// setDisabled returns the user's subject.
func (d *directory) setDisabled(name string, disabled bool) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.find(name)
	if a == nil {
		return "", errUserNotFound
	}
	a.disabled = disabled
	return a.sub, nil
}

// setGroups changes what is in the tokens that come from now on.
func (d *directory) setGroups(name string, groups []string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.find(name)
	if a == nil {
		return errUserNotFound
	}
	a.groups = groups
	return nil
}

// native lists the pool's own users by address.
func (d *directory) native() []account {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []account
	for _, a := range d.accounts {
		if !a.federated() {
			list = append(list, *a)
		}
	}
	slices.SortFunc(list, func(a, b account) int { return cmp.Compare(a.email(), b.email()) })
	return list
}
