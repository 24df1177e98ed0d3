package middleware

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// Require holds the caller against the rules of the route. It stands behind
// [Sessions.FreshToken], so that it judges what the user pool says of the caller by now,
// and not what it said before the refresh that this request caused.
func Require(next Handler) Handler {
	return func(w http.ResponseWriter, r *http.Request, x *Exchange) error {
		if rules := x.Decision.Route.Access.Require; rules != nil {
			if x.Caller.Anonymous() {
				return session.ErrNotFound
			}
			if err := meets(rules, &x.Caller, time.Now()); err != nil {
				return err
			}
		}
		return next(w, r, x)
	}
}

// meets returns the refusal of a caller who lacks something. What can be had by signing
// in once more comes last: it is no use to who lacks something else.
func meets(rules *routing.Require, c *Caller, now time.Time) error {
	id := c.Identity()
	if !rules.Groups.Empty() && !holds(id.Access["cognito:groups"], rules.Groups) {
		return lacks(rules, "Only members of one of these groups may do that: "+rules.Groups.String()+".")
	}
	for _, scope := range rules.Scopes {
		if !listed(id.Access.Text("scope"), scope) {
			return lacksScope(rules, c, scope)
		}
	}
	for i := range rules.Claims {
		if claim := &rules.Claims[i]; !holds(id.Claim(claim.Name), claim.Values) {
			return lacks(rules, "Your account has not the value of "+claim.Name+" that this takes.")
		}
	}
	// A sign-in of which nobody knows the time is of the year 1.
	if rules.MaxAuthAge > 0 && now.Sub(c.AuthTime()) > rules.MaxAuthAge {
		return stepUp(rules.MaxAuthAge, c)
	}
	return nil
}

// holds reports whether a claim is one of the values, or a list with one of them in it.
// An object is none, nor is a list in a list.
func holds(claim any, values routing.Set) bool {
	list, ok := claim.([]any)
	if !ok {
		return is(claim, values)
	}
	for _, each := range list {
		if is(each, values) {
			return true
		}
	}
	return false
}

func is(claim any, values routing.Set) bool {
	switch v := claim.(type) {
	case string:
		return values.Has(v)
	case json.Number:
		return values.Has(v.String())
	case bool:
		if v {
			return values.Has("true")
		}
		return values.Has("false")
	}
	return false
}

// listed reports whether a word stands in words, which single spaces separate (RFC 6749
// §3.3).
func listed(words, word string) bool {
	for more := true; more; {
		var first string
		if first, words, more = strings.Cut(words, " "); first == word {
			return true
		}
	}
	return false
}

func lacks(rules *routing.Require, what string) *problem.Error {
	e := &problem.Error{Status: http.StatusForbidden, Code: "forbidden", Public: what, Err: errors.New(what)}
	if rules.Unsaid {
		e.Public = "Your account may not do that."
	}
	return e
}

// lacksScope tells a program by the header too (RFC 6750 §3.1).
func lacksScope(rules *routing.Require, c *Caller, scope string) error {
	e := lacks(rules, "The access token lacks the scope "+scope+".")
	if c.Token == nil {
		return e
	}
	params := `error="insufficient_scope"`
	if !rules.Unsaid {
		params += fmt.Sprintf(`, scope="%s"`, strings.Join(rules.Scopes, " "))
	}
	return challenge(params, e)
}

// stepUp asks for another sign-in: of a browser by a login that asks, of a program besides
// in the words of RFC 9470 §3.
func stepUp(most time.Duration, c *Caller) error {
	e := problem.StepUp(most)
	if c.Token == nil {
		return e
	}
	return challenge(fmt.Sprintf(`error="insufficient_user_authentication", max_age="%d"`, int(most/time.Second)), e)
}
