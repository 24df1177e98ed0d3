package cognitoemu

import (
	"net/http"
	"strings"
)

// signUpPage is GET /signup, with the same query as /oauth2/authorize.
func (e *Emulator) signUpPage(w http.ResponseWriter, r *http.Request) {
	req, err := e.parseAuthorization(r)
	if err != nil {
		e.refuse(w, r, err)
		return
	}
	e.showAccountPage(w, r, req, "signup", "Sign up", accountView{Username: req.loginHint})
}

// signUp is POST /signup.
func (e *Emulator) signUp(w http.ResponseWriter, r *http.Request) {
	req, err := e.parseAuthorization(r)
	if err != nil {
		e.refuse(w, r, err)
		return
	}
	if !e.acceptForm(w, r) {
		return
	}
	v := accountView{Username: strings.TrimSpace(r.PostForm.Get("username")), Name: strings.TrimSpace(r.PostForm.Get("name"))}
	password := r.PostForm.Get("password")
	if !looksLikeEmail(v.Username) {
		v.faults = append(v.faults, formFault{"username", "Invalid email address format."})
	}
	v.faults = append(v.faults, passwordFaults(password, r.PostForm.Get("confirm_password"))...)
	if len(v.faults) == 0 {
		attributes := map[string]string{"email": v.Username}
		if v.Name != "" {
			attributes["name"] = v.Name
		}
		user, err := e.users.register(attributes, password)
		if err == nil {
			e.beginVerification(w, req, "/confirm", e.sendConfirmation(user))
			return
		}
		v.faults = append(v.faults, formFault{"username", "An account with the given email already exists."})
	}
	e.showAccountPage(w, r, req, "signup", "Sign up", v)
}

// sendConfirmation "sends" the code that ends a sign-up.
func (e *Emulator) sendConfirmation(user account) verification {
	return e.send(verification{owner: user.sub, sub: user.sub, to: user.email(), purpose: signUpCode})
}

// confirmPage is GET /confirm.
func (e *Emulator) confirmPage(w http.ResponseWriter, r *http.Request) {
	if req, pending, ok := e.verification(w, r); ok {
		e.showConfirm(w, r, req, accountView{Username: pending.to, Code: pending.code})
	}
}

func (e *Emulator) showConfirm(w http.ResponseWriter, r *http.Request, req authorizationRequest, v accountView) {
	e.showAccountPage(w, r, req, "confirm", "Confirm your account", v)
}

// confirm is POST /confirm: the right code ends the sign-up and signs in.
func (e *Emulator) confirm(w http.ResponseWriter, r *http.Request) {
	req, pending, ok := e.verification(w, r)
	if !ok || !e.acceptForm(w, r) {
		return
	}
	if v, ok := e.resent(r, pending); ok {
		e.showConfirm(w, r, req, v)
		return
	}
	if _, err := e.verifications.check(pending.codeKey(), r.PostForm.Get("code"), e.clock.now()); err == nil {
		if user, err := e.users.confirm(pending.sub); err == nil {
			e.finishVerification(w, r, req, pending, user)
			return
		}
	}
	e.showConfirm(w, r, req, accountView{Username: pending.to, Code: pending.code, faults: []formFault{wrongCode}})
}
