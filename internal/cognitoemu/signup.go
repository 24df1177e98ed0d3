package cognitoemu

import (
	"crypto/rand"
	"errors"
	"fmt"
	"html/template"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"unicode"
)

// signUpCookie names the browser's unconfirmed sign-up.
const signUpCookie = "page-data"

// signUps are the confirmations that are waited for, by the cookie's value.
type signUps struct {
	mu      sync.Mutex
	pending map[string]signUpCode
}

type signUpCode struct {
	sub  string
	code string
}

func newSignUps() *signUps { return &signUps{pending: map[string]signUpCode{}} }

func (s *signUps) begin(sub string) (id string) {
	n, _ := rand.Int(rand.Reader, big.NewInt(1_000_000)) // see randomBytes
	id = randomText(16)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending[id] = signUpCode{sub: sub, code: fmt.Sprintf("%06d", n)}
	return id
}

func (s *signUps) find(id string) (signUpCode, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pending, ok := s.pending[id]
	return pending, ok
}

func (s *signUps) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pending, id)
}

// signUpView is what the sign-up and the confirmation page show.
type signUpView struct {
	formView
	Username string
	Name     string
	Code     string // of the mail that is never sent
	LoginURL template.URL
}

// signUpPage is GET /signup, with the same query as /oauth2/authorize.
func (e *Emulator) signUpPage(w http.ResponseWriter, r *http.Request) {
	req, err := e.parseAuthorization(r)
	if err != nil {
		e.refuse(w, r, err)
		return
	}
	e.showSignUp(w, r, req, signUpView{Username: req.loginHint}, "")
}

func (e *Emulator) showSignUp(w http.ResponseWriter, r *http.Request, req authorizationRequest, v signUpView, alert string) {
	v.formView, v.LoginURL = e.form(w, r), localURL("/login", req.rawQuery)
	e.render(w, http.StatusOK, "signup", view{Title: "Sign up", Client: req.client.Name, Alert: alert, Data: v}, formTargets(req.client)...)
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
	v := signUpView{Username: strings.TrimSpace(r.PostForm.Get("username")), Name: strings.TrimSpace(r.PostForm.Get("name"))}
	password := r.PostForm.Get("password")
	if alert := signUpRefusal(v.Username, password, r.PostForm.Get("confirm_password")); alert != "" {
		e.showSignUp(w, r, req, v, alert)
		return
	}
	user, err := e.users.register(v.Username, v.Name, password)
	if err != nil {
		e.showSignUp(w, r, req, v, "An account with the given email already exists.")
		return
	}
	e.beginConfirmation(w, req, user)
}

func signUpRefusal(username, password, repeated string) string {
	switch {
	case !looksLikeEmail(username):
		return "Invalid email address format."
	case !goodPassword(password):
		return "The password needs at least 8 characters, with upper and lower case, a digit and a special character."
	case password != repeated:
		return "The passwords do not match."
	}
	return ""
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

// beginConfirmation sends the browser to the page that asks for the code.
func (e *Emulator) beginConfirmation(w http.ResponseWriter, req authorizationRequest, user account) {
	e.setCookie(w, signUpCookie, e.signUps.begin(user.sub), pageTTL)
	redirect(w, "/confirm?"+req.rawQuery)
}

// confirmPage is GET /confirm.
func (e *Emulator) confirmPage(w http.ResponseWriter, r *http.Request) {
	req, pending, ok := e.confirmation(w, r)
	if ok {
		e.showConfirm(w, r, req, pending, "")
	}
}

func (e *Emulator) showConfirm(w http.ResponseWriter, r *http.Request, req authorizationRequest, pending signUpCode, alert string) {
	user, _ := e.users.lookup(pending.sub)
	v := signUpView{formView: e.form(w, r), Username: user.email, Code: pending.code}
	e.render(w, http.StatusOK, "confirm", view{Title: "Confirm your account", Client: req.client.Name, Alert: alert, Data: v}, formTargets(req.client)...)
}

// confirmation finds the browser's pending sign-up; where there is none it has
// answered.
func (e *Emulator) confirmation(w http.ResponseWriter, r *http.Request) (authorizationRequest, signUpCode, bool) {
	req, err := e.parseAuthorization(r)
	if err != nil {
		e.refuse(w, r, err)
		return req, signUpCode{}, false
	}
	pending, ok := e.signUps.find(cookieValue(r, signUpCookie))
	if !ok {
		redirect(w, "/login?"+req.rawQuery)
	}
	return req, pending, ok
}

// confirm is POST /confirm: the right code ends the sign-up and signs in.
func (e *Emulator) confirm(w http.ResponseWriter, r *http.Request) {
	req, pending, ok := e.confirmation(w, r)
	if !ok || !e.acceptForm(w, r) {
		return
	}
	if strings.TrimSpace(r.PostForm.Get("code")) != pending.code {
		e.showConfirm(w, r, req, pending, "Invalid verification code provided, please try again.")
		return
	}
	user, err := e.users.confirm(pending.sub)
	if errors.Is(err, errUserNotFound) {
		redirect(w, "/login?"+req.rawQuery)
		return
	}
	e.signUps.end(cookieValue(r, signUpCookie))
	e.setCookie(w, signUpCookie, "", -1)
	e.issueCode(w, req, user, e.signIn(w, user, cognitoProvider))
}
