package cognitoemu

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// verificationCookie names what the browser was sent a code for: a sign-up or a
// forgotten password.
const verificationCookie = "page-data"

// formFault is one thing wrong with what was typed into a form.
type formFault struct{ field, text string }

var wrongCode = formFault{"code", "Invalid verification code provided, please try again."}

// verification is a code that would have been mailed. One for an address that
// nobody has carries no subject and is never right: the pages look the same.
type verification struct {
	sub   string
	email string
	code  string
}

// verifications are the codes that are waited for, by the cookie's value.
type verifications struct {
	mu      sync.Mutex
	pending map[string]verification
}

func newVerifications() *verifications { return &verifications{pending: map[string]verification{}} }

func (v *verifications) begin(sub, email string) (id string) {
	id = randomText(16)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.pending[id] = verification{sub: sub, email: email, code: newVerificationCode()}
	return id
}

// renew replaces the code by another one, if it is still waited for.
func (v *verifications) renew(id string) (verification, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	pending, ok := v.pending[id]
	for old := pending.code; ok && pending.code == old; {
		pending.code = newVerificationCode()
		v.pending[id] = pending
	}
	return pending, ok
}

func newVerificationCode() string {
	n, _ := rand.Int(rand.Reader, big.NewInt(1_000_000)) // see randomBytes
	return fmt.Sprintf("%06d", n)
}

func (v *verifications) find(id string) (verification, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	pending, ok := v.pending[id]
	return pending, ok
}

func (v *verifications) end(id string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.pending, id)
}

// accepts reports whether sent is the code, as a person might have typed it.
func (v verification) accepts(sent string) bool {
	return v.sub != "" && strings.TrimSpace(sent) == v.code
}

// beginVerification "sends" a code and the browser to the page that asks for it.
func (e *Emulator) beginVerification(w http.ResponseWriter, req authorizationRequest, page, sub, email string) {
	e.setCookie(w, verificationCookie, e.verifications.begin(sub, email), pageTTL)
	redirect(w, page+"?"+req.rawQuery)
}

// verification finds what the browser was sent a code for; where there is nothing
// it has answered.
func (e *Emulator) verification(w http.ResponseWriter, r *http.Request) (authorizationRequest, verification, bool) {
	req, err := e.parseAuthorization(r)
	if err != nil {
		e.refuse(w, r, err)
		return req, verification{}, false
	}
	pending, ok := e.verifications.find(cookieValue(r, verificationCookie))
	if !ok {
		redirect(w, "/login?"+req.rawQuery)
	}
	return req, pending, ok
}

// resent answers the button that asks for another code: the view has it. It
// reports whether that was the button.
func (e *Emulator) resent(r *http.Request) (accountView, bool) {
	if !r.PostForm.Has("resend") {
		return accountView{}, false
	}
	pending, ok := e.verifications.renew(cookieValue(r, verificationCookie))
	return accountView{Username: pending.email, Code: pending.code, Resent: true}, ok
}

// finishVerification signs in whoever proved the address.
func (e *Emulator) finishVerification(w http.ResponseWriter, r *http.Request, req authorizationRequest, user account) {
	e.verifications.end(cookieValue(r, verificationCookie))
	e.setCookie(w, verificationCookie, "", -1)
	if user.disabled {
		redirect(w, "/login?"+req.rawQuery)
		return
	}
	e.issueCode(w, req, user, e.signIn(w, user, cognitoProvider))
}

// accountView is what the pages around sign-up and forgotten passwords show.
type accountView struct {
	formView
	Username string
	Name     string
	Code     string // of the mail that is never sent
	Resent   bool   // it is a new one
	LoginURL string

	faults []formFault
}

// Invalid reports whether something is wrong with the field.
func (v accountView) Invalid(field string) bool {
	return slices.ContainsFunc(v.faults, func(f formFault) bool { return f.field == field })
}

// Focus reports whether the field is where to go on: the first that is wrong, or
// else the first of the page.
func (v accountView) Focus(field, first string) bool {
	if len(v.faults) > 0 {
		first = v.faults[0].field
	}
	return field == first
}

// showAccountPage renders one of those pages; title is its heading.
func (e *Emulator) showAccountPage(w http.ResponseWriter, r *http.Request, req authorizationRequest, page, title string, v accountView) {
	v.formView, v.LoginURL = e.form(w, r), localURL("/login", req.rawQuery)
	shown := view{Title: title, Client: req.client.Name, Data: v}
	for _, fault := range v.faults {
		shown.Alerts = append(shown.Alerts, fault.text)
	}
	if v.Resent {
		shown.Notice = "We have sent a new code. The one before no longer works."
	}
	e.render(w, http.StatusOK, page, shown, formTargets(req.client)...)
}

// passwordFaults says all that is wrong with a new password. Both fields come back
// empty, so that the first is where to go on.
func passwordFaults(password, repeated string) []formFault {
	var faults []formFault
	if !goodPassword(password) {
		faults = append(faults, formFault{"password", "The password needs at least 8 characters, with upper and lower case, a digit and a special character."})
	}
	if password != repeated {
		faults = append(faults, formFault{"password", "The passwords do not match."})
	}
	return faults
}

// goodPassword is the policy of a new user pool.
func goodPassword(password string) bool {
	var upper, lower, digit, special bool
	for _, r := range password {
		upper = upper || unicode.IsUpper(r)
		lower = lower || unicode.IsLower(r)
		digit = digit || unicode.IsDigit(r)
		special = special || unicode.IsPunct(r) || unicode.IsSymbol(r)
	}
	return len(password) >= 8 && upper && lower && digit && special
}
