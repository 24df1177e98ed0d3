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
		user, err := e.users.register(v.Username, v.Name, password)
		if err == nil {
			e.beginVerification(w, req, "/confirm", user.sub, user.email)
			return
		}
		v.faults = append(v.faults, formFault{"username", "An account with the given email already exists."})
	}
	e.showAccountPage(w, r, req, "signup", "Sign up", v)
}

// confirmPage is GET /confirm.
func (e *Emulator) confirmPage(w http.ResponseWriter, r *http.Request) {
	if req, pending, ok := e.verification(w, r); ok {
		e.showConfirm(w, r, req, accountView{Username: pending.email, Code: pending.code})
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
	if v, ok := e.resent(r); ok {
		e.showConfirm(w, r, req, v)
		return
	}
	if pending.accepts(r.PostForm.Get("code")) {
		if user, err := e.users.confirm(pending.sub); err == nil {
			e.finishVerification(w, r, req, user)
			return
		}
	}
	e.showConfirm(w, r, req, accountView{Username: pending.email, Code: pending.code, faults: []formFault{wrongCode}})
}
