package cognitoemu

import (
	"net/http"
	"slices"
)

// verificationCookie names what the browser was sent a code for: a sign-up or a
// forgotten password.
const verificationCookie = "page-data"

// formFault is one thing wrong with what was typed into a form.
type formFault struct{ field, text string }

var wrongCode = formFault{"code", "Invalid verification code provided, please try again."}

// beginVerification sends the browser to the page that asks for the code.
func (e *Emulator) beginVerification(w http.ResponseWriter, req authorizationRequest, page string, sent verification) {
	e.setCookie(w, verificationCookie, e.verifications.remember(sent.codeKey()), pageTTL)
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
	pending, ok := e.verifications.recall(cookieValue(r, verificationCookie))
	if !ok {
		redirect(w, "/login?"+req.rawQuery)
	}
	return req, pending, ok
}

// resent answers the button that asks for another code: the view has it. It
// reports whether that was the button.
func (e *Emulator) resent(r *http.Request, pending verification) (accountView, bool) {
	if !r.PostForm.Has("resend") {
		return accountView{}, false
	}
	sent := e.send(pending)
	return accountView{Username: sent.to, Code: sent.code, Resent: true}, true
}

// finishVerification goes on with whoever proved the address.
func (e *Emulator) finishVerification(w http.ResponseWriter, r *http.Request, req authorizationRequest, proven verification, user account) {
	e.verifications.end(proven.codeKey())
	e.setCookie(w, verificationCookie, "", -1)
	if user.disabled {
		redirect(w, "/login?"+req.rawQuery)
		return
	}
	e.signInWith(w, r, req, user)
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
	if policyFault(password) != "" {
		faults = append(faults, formFault{"password", "The password needs at least 8 characters, with upper and lower case, a digit and a special character."})
	}
	if password != repeated {
		faults = append(faults, formFault{"password", "The passwords do not match."})
	}
	return faults
}
