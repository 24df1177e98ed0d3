package cognitoemu

import (
	"errors"
	"net/http"
	"slices"
)

// loginView is what the sign-in page shows.
type loginView struct {
	formView
	Username  string
	Providers []string // external ones, a button each
	Password  bool     // the pool's own users may sign in
	Current   string   // who is signed in in this browser already
	SignUpURL string
	ForgotURL string
	Users     []userLink
}

// userLink offers a ready-made user: the link fills in the address.
type userLink struct {
	User
	URL string
}

// loginPage is GET /login; it takes every parameter of /oauth2/authorize.
func (e *Emulator) loginPage(w http.ResponseWriter, r *http.Request) {
	req, err := e.parseAuthorization(r)
	if err != nil {
		e.refuse(w, r, err)
		return
	}
	if lang := r.URL.Query().Get("lang"); lang != "" && len(lang) <= 16 {
		e.setCookie(w, "lang", lang, 0)
	}
	e.showLogin(w, r, req, req.loginHint, "")
}

func (e *Emulator) showLogin(w http.ResponseWriter, r *http.Request, req authorizationRequest, username, alert string) {
	v := loginView{
		formView:  e.form(w, r),
		Username:  username,
		Password:  slices.Contains(req.client.Providers, cognitoProvider),
		SignUpURL: localURL("/signup", req.rawQuery),
		ForgotURL: localURL("/forgotPassword", req.rawQuery),
	}
	for _, name := range req.client.Providers {
		if name != cognitoProvider {
			v.Providers = append(v.Providers, name)
		}
	}
	if _, user, ok := e.signedIn(r); ok && !req.wants("login") {
		v.Current = user.email()
	}
	for _, user := range e.shownUsers() {
		v.Users = append(v.Users, userLink{user, localURL("/login", withParameter(req.rawQuery, "login_hint", user.Email))})
	}
	shown := view{Title: "Sign in", Client: req.client.Name, Data: v}
	if alert != "" {
		shown.Alerts = []string{alert}
	}
	e.render(w, http.StatusOK, "login", shown, formTargets(req.client)...)
}

// login is POST /login: a password, a button of an external provider, or the
// button that goes on with the login that the browser has.
func (e *Emulator) login(w http.ResponseWriter, r *http.Request) {
	req, err := e.parseAuthorization(r)
	if err != nil {
		e.refuse(w, r, err)
		return
	}
	if !e.acceptForm(w, r) {
		return
	}
	if provider := r.PostForm.Get("identity_provider"); provider != "" {
		redirect(w, "/oauth2/authorize?"+withParameter(req.rawQuery, "identity_provider", provider))
		return
	}
	if r.PostForm.Has("continue") {
		if session, user, ok := e.signedIn(r); ok && !req.wants("login") {
			e.issueCode(w, req, user, session)
			return
		}
		e.showLogin(w, r, req, "", "You are no longer signed in here. Please sign in again.")
		return
	}
	e.passwordLogin(w, r, req)
}

func (e *Emulator) passwordLogin(w http.ResponseWriter, r *http.Request, req authorizationRequest) {
	username := r.PostForm.Get("username")
	if !slices.Contains(req.client.Providers, cognitoProvider) {
		e.showLogin(w, r, req, username, "Sign in with one of the providers.")
		return
	}
	user, err := e.users.authenticate(username, isPassword(r.PostForm.Get("password")), e.clock.now())
	switch {
	case errors.Is(err, errUserUnconfirmed):
		e.beginVerification(w, req, "/confirm", e.sendConfirmation(user))
	case err != nil:
		e.log.Info("sign-in refused", "reason", err)
		e.showLogin(w, r, req, username, loginRefusal(err))
	case user.temporary: // the page of a forgotten password sets another one
		e.beginVerification(w, req, "/confirmforgotPassword", e.sendPasswordCode(user.sub))
	default:
		e.signInWith(w, r, req, user)
	}
}

func loginRefusal(err error) string {
	switch {
	case errors.Is(err, errLockedOut):
		return "Password attempts exceeded. Wait a moment and try again."
	case errors.Is(err, errUserDisabled):
		return "User is disabled."
	default:
		return "Incorrect username or password."
	}
}

// withParameter sets one parameter of a raw query that parsed before.
func withParameter(rawQuery, name, value string) string {
	query, err := parseQuery(rawQuery)
	if err != nil {
		return rawQuery
	}
	query.Set(name, value)
	return query.Encode()
}
