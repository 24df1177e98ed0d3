package amplify

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// Sign-ins and sign-ups in a form of the page's own, which are off unless
// [Facade.PasswordSignIn]. What the page types passes through here and is kept nowhere.

// The parameters of a sign-in that pass. Not among them is the key of a device:
// its own password would have to be in the page.
var (
	authParameters     = []string{"USERNAME", "PASSWORD", "SRP_A", "CHALLENGE_NAME", "PREFERRED_CHALLENGE"}
	challengeResponses = []string{
		"USERNAME", "PASSWORD", "SRP_A", "PASSWORD_CLAIM_SECRET_BLOCK", "PASSWORD_CLAIM_SIGNATURE", "TIMESTAMP",
		"NEW_PASSWORD", "ANSWER", "CREDENTIAL", "EMAIL", "SOFTWARE_TOKEN_MFA_CODE", "SMS_MFA_CODE", "SMS_OTP_CODE", "EMAIL_OTP_CODE",
	}
)

// attributeResponse begins the names of attributes in an answer to a challenge.
const attributeResponse = "userAttributes."

// initiateAuth is InitiateAuth: the first step of a sign-in, or the refresh by which
// the library up to 6.12 gets tokens.
func (f *Facade) initiateAuth(w http.ResponseWriter, r *http.Request, x *middleware.Exchange, c *call) error {
	flow := c.text("AuthFlow")
	switch flow {
	case "REFRESH_TOKEN_AUTH", "REFRESH_TOKEN":
		return f.renew(w, r, x, c)
	case "USER_SRP_AUTH", "USER_PASSWORD_AUTH", "USER_AUTH", "CUSTOM_AUTH":
	default:
		return invalidParameter("AuthFlow takes USER_SRP_AUTH, USER_PASSWORD_AUTH, USER_AUTH, CUSTOM_AUTH and REFRESH_TOKEN_AUTH.")
	}
	params, err := c.texts("AuthParameters", func(name string) bool { return slices.Contains(authParameters, name) })
	if err != nil {
		return err
	}
	name := params["USERNAME"]
	input := pick(c.input, []string{"AuthFlow", "ClientMetadata"})
	input["AuthParameters"] = f.withSecretHash(params, name)
	return f.signInStep(w, r, x, c, input, session.SignIn{LoginID: name, Flow: shownFlow(flow, params)})
}

// shownFlow is the library's name of a flow, which tells apart what is one flow to
// the user pool.
func shownFlow(flow string, params map[string]string) string {
	switch {
	case flow != "CUSTOM_AUTH":
		return flow
	case params["CHALLENGE_NAME"] == "SRP_A":
		return "CUSTOM_WITH_SRP"
	}
	return "CUSTOM_WITHOUT_SRP"
}

// respond is RespondToAuthChallenge: a further step of a sign-in.
func (f *Facade) respond(w http.ResponseWriter, r *http.Request, x *middleware.Exchange, c *call) error {
	answers, err := c.texts("ChallengeResponses", func(name string) bool {
		return slices.Contains(challengeResponses, name) || strings.HasPrefix(name, attributeResponse)
	})
	if err != nil {
		return err
	}
	name := answers["USERNAME"]
	input := pick(c.input, []string{"ChallengeName", "ClientMetadata"})
	input["ChallengeResponses"] = f.withSecretHash(answers, name)
	return f.signInStep(w, r, x, c, input, session.SignIn{LoginID: name})
}

// signInStep makes one step of a sign-in, which ends in a session or a challenge.
func (f *Facade) signInStep(w http.ResponseWriter, r *http.Request, x *middleware.Exchange, c *call, input map[string]any, begins session.SignIn) error {
	// Without the keys the tokens cannot be checked, and the proof would be spent.
	if err := f.OAuth.FetchKeys(r.Context()); err != nil {
		return err
	}
	answer, next, err := f.asAnyone(r.Context(), x, c, input, begins)
	if err != nil {
		return err
	}
	result, done := answer["AuthenticationResult"]
	if !done || string(result) == "null" {
		return f.writeChallenge(w, x, answer, []string{"ChallengeName", "ChallengeParameters", "AvailableChallenges"}, next)
	}
	// The tokens are there: a browser that leaves now does not undo the sign-in.
	r = r.WithContext(context.WithoutCancel(r.Context()))
	if err := f.admit(w, r, x, result, next.SignIn); err != nil {
		return err
	}
	return f.writeTokens(w, x)
}

// asAnyone makes a call that no session stands behind: by the gateway's client, with
// the user pool's own Session in the place of what the page has for one. begins says
// how the sign-in begins, where it has a flow; else it is for want of anything better.
func (f *Facade) asAnyone(ctx context.Context, x *middleware.Exchange, c *call, input map[string]any, begins session.SignIn) (map[string]json.RawMessage, challenge, error) {
	if !f.PasswordSignIn {
		return nil, challenge{}, notSwitchedOn(c.name)
	}
	next, err := f.challenges.open(c.text("Session"))
	if err != nil {
		return nil, challenge{}, err
	}
	if begins.Flow != "" || next.SignIn.IsZero() {
		next.SignIn = begins
	}
	if begins.Flow != "" {
		if err := f.Flow.Starts.Take(ctx, x); err != nil {
			return nil, challenge{}, err
		}
	}
	// A further step names its user once more, and need not mean the same.
	if err := f.attempts.take(x, next.SignIn.LoginID, begins.LoginID); err != nil {
		return nil, challenge{}, err
	}
	if next.Session != "" {
		input["Session"] = next.Session
	}
	input["ClientId"] = f.Client.ID
	answer, err := f.API.Do(ctx, c.name, input)
	if err != nil {
		return nil, challenge{}, refused(err)
	}
	next.Session = ""
	_ = json.Unmarshal(answer["Session"], &next.Session) // none, or null, is none
	return answer, next, nil
}

// writeChallenge answers with these fields, and with what the page brings back.
func (f *Facade) writeChallenge(w http.ResponseWriter, x *middleware.Exchange, answer map[string]json.RawMessage, gives []string, next challenge) error {
	sealed, err := f.challenges.seal(next)
	if err != nil {
		return err
	}
	shown := pick(answer, gives)
	shown["Session"] = sealed
	return write(w, x, shown)
}

// admit makes a session of what the user pool gave for a sign-in, after the checks of
// any login, and gives it to the browser under a new handle.
func (f *Facade) admit(w http.ResponseWriter, r *http.Request, x *middleware.Exchange, result json.RawMessage, s session.SignIn) error {
	var granted struct {
		AccessToken, RefreshToken string
		IDToken                   string `json:"IdToken"`
		ExpiresIn                 int64
	}
	if err := json.Unmarshal(result, &granted); err != nil {
		return errors.Join(oauth.ErrInvalidToken, errors.New("AuthenticationResult is malformed"))
	}
	tokens, err := f.OAuth.Accept(r.Context(), oauth.Grant{
		Access: secret.NewText(granted.AccessToken), ID: secret.NewText(granted.IDToken),
		Refresh: secret.NewText(granted.RefreshToken), ExpiresIn: granted.ExpiresIn,
	})
	if err != nil {
		return err
	}
	made, err := f.Flow.Admit(r, x, tokens, s)
	if err != nil {
		return err
	}
	x.Caller = middleware.CallerOf(made)
	return f.Sessions.Cookies.SetSession(w, made.Handle)
}

// account is the operations about an account that nobody is signed in to: signing up,
// codes, forgotten passwords.
func (f *Facade) account(w http.ResponseWriter, r *http.Request, x *middleware.Exchange, c *call) error {
	name := c.text("Username")
	input := pick(c.input, c.op.takes)
	if hash := f.Client.SecretHash(name); hash != "" {
		input["SecretHash"] = hash
	}
	answer, next, err := f.asAnyone(r.Context(), x, c, input, session.SignIn{LoginID: name, Flow: "USER_AUTH"})
	if err != nil {
		return err
	}
	if next.Session == "" {
		return write(w, x, pick(answer, c.op.gives))
	}
	return f.writeChallenge(w, x, answer, c.op.gives, next)
}

// softwareToken is AssociateSoftwareToken and VerifySoftwareToken. Where the user pool
// asks for a second factor before it lets anyone in, they stand between two steps of a
// sign-in, and the page has a Session in place of an access token.
func (f *Facade) softwareToken(w http.ResponseWriter, r *http.Request, x *middleware.Exchange, c *call) error {
	if c.text("Session") == "" || c.text("AccessToken") != "" {
		return f.onBehalf(w, r, x, c)
	}
	answer, next, err := f.asAnyone(r.Context(), x, c, pick(c.input, c.op.takes), session.SignIn{})
	if err != nil {
		return err
	}
	return f.writeChallenge(w, x, answer, c.op.gives, next)
}

// changePassword is ChangePassword, which takes the old one.
func (f *Facade) changePassword(w http.ResponseWriter, r *http.Request, x *middleware.Exchange, c *call) error {
	if !f.PasswordSignIn {
		return notSwitchedOn(c.name)
	}
	if err := f.Sessions.Load(r.Context(), x); err != nil {
		return err
	}
	if err := f.attempts.take(x, x.Caller.Subject); err != nil {
		return err
	}
	return f.onBehalf(w, r, x, c)
}

// withSecretHash adds what proves a client that has a secret.
func (f *Facade) withSecretHash(params map[string]string, username string) map[string]string {
	if hash := f.Client.SecretHash(username); hash != "" {
		params["SECRET_HASH"] = hash
	}
	return params
}

func notSwitchedOn(operation string) error {
	return &problem.Error{Status: http.StatusNotFound, Code: "not_enabled",
		Public: operation + " takes a password, and this gateway takes none: sign in by redirect (signInWithRedirect)."}
}

func invalidParameter(public string) error {
	return &problem.Error{Status: http.StatusBadRequest, Code: "invalid_parameter", Public: public}
}
