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
	email := strings.TrimSpace(r.PostForm.Get("username"))
	user, ok := e.users.lookup(email)
	if !ok || user.federated() || !user.confirmed {
		user.sub = ""
	}
	e.beginVerification(w, req, "/confirmforgotPassword", user.sub, email)
}

// newPasswordPage is GET /confirmforgotPassword.
func (e *Emulator) newPasswordPage(w http.ResponseWriter, r *http.Request) {
	if req, pending, ok := e.verification(w, r); ok {
		e.showNewPassword(w, r, req, accountView{Username: pending.email, Code: pending.code})
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
	if v, ok := e.resent(r); ok {
		e.showNewPassword(w, r, req, v)
		return
	}
	v := accountView{Username: pending.email, Code: pending.code}
	if !pending.accepts(r.PostForm.Get("code")) {
		v.faults = append(v.faults, wrongCode)
	}
	password := r.PostForm.Get("password")
	v.faults = append(v.faults, passwordFaults(password, r.PostForm.Get("confirm_password"))...)
	if len(v.faults) == 0 {
		user, err := e.users.setPassword(pending.sub, password)
		if err == nil {
			e.finishVerification(w, r, req, user)
			return
		}
		v.faults = append(v.faults, wrongCode)
	}
	e.showNewPassword(w, r, req, v)
}
