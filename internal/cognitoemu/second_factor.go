package cognitoemu

import (
	"errors"
	"net/http"
	"strings"
)

// signInWith ends a sign-in at the hosted pages whose first factor was right: with a
// code for the application, or on the page that asks for the second factor.
func (e *Emulator) signInWith(w http.ResponseWriter, r *http.Request, req authorizationRequest, user account) {
	if !user.token.enabled {
		e.issueCode(w, req, user, e.signIn(w, r, user, cognitoProvider))
		return
	}
	session := randomText(16)
	e.challenges.add(session, challenge{name: softwareTokenMFA, username: user.sub, clientID: req.client.ID}, e.clock.now())
	e.setCookie(w, challengeCookie, session, challengeTTL)
	redirect(w, "/mfa?"+req.rawQuery)
}

// challengeCookie names the second factor that a browser waits for.
const challengeCookie = "challenge"

// secondFactor finds whose second factor the browser is asked for; where there is
// nobody it has answered.
func (e *Emulator) secondFactor(w http.ResponseWriter, r *http.Request) (authorizationRequest, challenge, bool) {
	req, err := e.parseAuthorization(r)
	if err != nil {
		e.refuse(w, r, err)
		return req, challenge{}, false
	}
	begun, err := e.challenges.find(cookieValue(r, challengeCookie), softwareTokenMFA, req.client.ID, e.clock.now())
	if err != nil {
		redirect(w, "/login?"+req.rawQuery)
	}
	return req, begun, err == nil
}

// secondFactorPage is GET /mfa.
func (e *Emulator) secondFactorPage(w http.ResponseWriter, r *http.Request) {
	if req, _, ok := e.secondFactor(w, r); ok {
		e.showSecondFactor(w, r, req)
	}
}

func (e *Emulator) showSecondFactor(w http.ResponseWriter, r *http.Request, req authorizationRequest, faults ...formFault) {
	e.showAccountPage(w, r, req, "mfa", "Enter your code", accountView{faults: faults})
}

// enterSecondFactor is POST /mfa: the right code signs in.
func (e *Emulator) enterSecondFactor(w http.ResponseWriter, r *http.Request) {
	req, begun, ok := e.secondFactor(w, r)
	if !ok || !e.acceptForm(w, r) {
		return
	}
	user, err := e.useSoftwareToken(begun.username, strings.TrimSpace(r.PostForm.Get("code")))
	switch {
	case errors.Is(err, errTOTPReused):
		e.showSecondFactor(w, r, req, formFault{"code", "Your software token has already been used once."})
	case err != nil:
		e.showSecondFactor(w, r, req, wrongCode)
	case user.disabled || !e.challenges.spend(cookieValue(r, challengeCookie)):
		redirect(w, "/login?"+req.rawQuery)
	default:
		e.setCookie(w, challengeCookie, "", -1)
		e.issueCode(w, req, user, e.signIn(w, r, user, cognitoProvider))
	}
}
