package cognitoemu

import (
	"net/http"
	"strings"
)

// forgotPasswordPage is GET /forgotPassword, with the same query as
// /oauth2/authorize.
func (e *Emulator) forgotPasswordPage(w http.ResponseWriter, r *http.Request) {
	req, err := e.parseAuthorization(r)
	if err != nil {
		e.refuse(w, r, err)
		return
	}
	e.showAccountPage(w, r, req, "forgot", "Forgot your password?", accountView{Username: req.loginHint})
}

// forgotPassword is POST /forgotPassword. It goes on alike for every address, so
// that nobody learns which ones have an account.
func (e *Emulator) forgotPassword(w http.ResponseWriter, r *http.Request) {
	req, err := e.parseAuthorization(r)
	if err != nil {
		e.refuse(w, r, err)
		return
	}
	if !e.acceptForm(w, r) {
		return
	}
	e.beginVerification(w, req, "/confirmforgotPassword", e.sendPasswordCode(strings.TrimSpace(r.PostForm.Get("username"))))
}

// sendPasswordCode "sends" the code for a new password. To a name that is no user's,
// or none with a password of the pool, goes a code that is never right.
func (e *Emulator) sendPasswordCode(name string) verification {
	user, ok := e.users.lookup(name)
	if !ok || user.federated() || !user.confirmed {
		return e.send(verification{owner: name, to: name, purpose: newPasswordCode})
	}
	return e.send(verification{owner: user.sub, sub: user.sub, to: user.email(), purpose: newPasswordCode})
}

// newPasswordPage is GET /confirmforgotPassword.
func (e *Emulator) newPasswordPage(w http.ResponseWriter, r *http.Request) {
	if req, pending, ok := e.verification(w, r); ok {
		e.showNewPassword(w, r, req, accountView{Username: pending.to, Code: pending.code})
	}
}

func (e *Emulator) showNewPassword(w http.ResponseWriter, r *http.Request, req authorizationRequest, v accountView) {
	e.showAccountPage(w, r, req, "newpassword", "Set a new password", v)
}

// newPassword is POST /confirmforgotPassword: the right code sets the password and
// signs in. Tokens issued before stay good, as at the real service.
func (e *Emulator) newPassword(w http.ResponseWriter, r *http.Request) {
	req, pending, ok := e.verification(w, r)
	if !ok || !e.acceptForm(w, r) {
		return
	}
	if v, ok := e.resent(r, pending); ok {
		e.showNewPassword(w, r, req, v)
		return
	}
	v := accountView{Username: pending.to, Code: pending.code}
	if _, err := e.verifications.check(pending.codeKey(), r.PostForm.Get("code"), e.clock.now()); err != nil {
		v.faults = append(v.faults, wrongCode)
	}
	password := r.PostForm.Get("password")
	v.faults = append(v.faults, passwordFaults(password, r.PostForm.Get("confirm_password"))...)
	if len(v.faults) == 0 {
		user, err := e.users.setPassword(pending.sub, password)
		if err == nil {
			e.finishVerification(w, r, req, pending, user)
			return
		}
		v.faults = append(v.faults, wrongCode)
	}
	e.showNewPassword(w, r, req, v)
}
