package cognitoemu

import (
	"net/http"
	"strings"
)

const wrongCode = "Invalid verification code provided, please try again."

// signUpPage is GET /signup, with the same query as /oauth2/authorize.
func (e *Emulator) signUpPage(w http.ResponseWriter, r *http.Request) {
	req, err := e.parseAuthorization(r)
	if err != nil {
		e.refuse(w, r, err)
		return
	}
	e.showAccountPage(w, r, req, "signup", "Sign up", accountView{Username: req.loginHint}, "")
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
	alert := passwordRefusal(password, r.PostForm.Get("confirm_password"))
	if !looksLikeEmail(v.Username) {
		alert = "Invalid email address format."
	}
	if alert != "" {
		e.showAccountPage(w, r, req, "signup", "Sign up", v, alert)
		return
	}
	user, err := e.users.register(v.Username, v.Name, password)
	if err != nil {
		e.showAccountPage(w, r, req, "signup", "Sign up", v, "An account with the given email already exists.")
		return
	}
	e.beginVerification(w, req, "/confirm", user.sub, user.email)
}

// confirmPage is GET /confirm.
func (e *Emulator) confirmPage(w http.ResponseWriter, r *http.Request) {
	if req, pending, ok := e.verification(w, r); ok {
		e.showConfirm(w, r, req, pending, "")
	}
}

func (e *Emulator) showConfirm(w http.ResponseWriter, r *http.Request, req authorizationRequest, pending verification, alert string) {
	e.showAccountPage(w, r, req, "confirm", "Confirm your account", accountView{Username: pending.email, Code: pending.code}, alert)
}

// confirm is POST /confirm: the right code ends the sign-up and signs in.
func (e *Emulator) confirm(w http.ResponseWriter, r *http.Request) {
	req, pending, ok := e.verification(w, r)
	if !ok || !e.acceptForm(w, r) {
		return
	}
	if !pending.accepts(r.PostForm.Get("code")) {
		e.showConfirm(w, r, req, pending, wrongCode)
		return
	}
	user, err := e.users.confirm(pending.sub)
	if err != nil {
		e.showConfirm(w, r, req, pending, wrongCode)
		return
	}
	e.finishVerification(w, r, req, user)
}
