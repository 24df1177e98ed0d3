package middleware_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/middleware"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
	"github.com/gatehouse-auth/gatehouse/internal/routing"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// callerOf is a caller with these claims: by a session, or by a bearer if id is empty.
func callerOf(id, access string, signIn time.Time) middleware.Caller {
	if id == "" {
		t := oauth.Tokens{AccessClaims: json.RawMessage(access)}
		return middleware.CallerWith(&oauth.AccessToken{Subject: "s", AuthTime: signIn, Identity: t.Identity()}, secret.NewText("Bearer t"))
	}
	s := &session.Session{Subject: "s"}
	s.Tokens.IDClaims, s.Tokens.AccessClaims, s.Tokens.AuthTime = json.RawMessage(id), json.RawMessage(access), signIn
	return middleware.CallerOf(s)
}

// judge asks a route with these rules.
func judge(rules *routing.Require, c middleware.Caller) error {
	x := on(route(routing.AuthEither))
	x.Caller, x.Decision.Route.Access.Require = c, rules
	_, reached, err := walk(request("GET", "/api/x"), x, middleware.Require)
	if reached != (err == nil) {
		return errors.New("[unexpected] reached, or not")
	}
	return err
}

func manyGroups(n int, more ...string) string {
	groups := more
	for i := range n {
		groups = append([]string{fmt.Sprintf("group-%d", i)}, groups...)
	}
	claims, _ := json.Marshal(map[string]any{"cognito:groups": groups})
	return string(claims)
}

func TestRequire(t *testing.T) {
	claim := func(name string, values ...string) *routing.Require {
		return &routing.Require{Claims: []routing.Claim{{Name: name, Values: routing.NewSet(values...)}}}
	}
	groups := func(names ...string) *routing.Require { return &routing.Require{Groups: routing.NewSet(names...)} }
	scopes := func(names ...string) *routing.Require { return &routing.Require{Scopes: names} }
	const none = "{}"
	for name, c := range map[string]struct {
		rules      *routing.Require
		id, access string
		meets      bool
	}{
		"no_rules":                           {nil, none, none, true},
		"a_group":                            {groups("a"), none, `{"cognito:groups":["a"]}`, true},
		"one_of_the_groups":                  {groups("a", "b"), none, `{"cognito:groups":["x","b"]}`, true},
		"none_of_the_groups":                 {groups("a", "b"), none, `{"cognito:groups":["x","ab","A"]}`, false},
		"no_group_at_all":                    {groups("a"), none, none, false},
		"an_empty_list_of_groups":            {groups("a"), none, `{"cognito:groups":[]}`, false},
		"a_group_of_the_ID_token":            {groups("a"), `{"cognito:groups":["a"]}`, none, false},
		"a_group_of_a_bearer":                {groups("a"), "", `{"cognito:groups":["a"]}`, true},
		"a_group_of_no_bearer":               {groups("a"), "", none, false},
		"the_last_of_200_groups":             {groups("staff"), none, manyGroups(199, "staff"), true},
		"none_of_200_groups":                 {groups("staff"), none, manyGroups(200), false},
		"groups_in_an_object":                {groups("a"), none, `{"cognito:groups":{"a":true}}`, false},
		"groups_in_a_list_of_lists":          {groups("a"), none, `{"cognito:groups":[["a"]]}`, false},
		"groups_that_are_null":               {groups("a"), none, `{"cognito:groups":null}`, false},
		"a_scope":                            {scopes("a/b"), none, `{"scope":"a/b"}`, true},
		"a_scope_among_others":               {scopes("a/b"), none, `{"scope":"openid a/b email"}`, true},
		"all_scopes":                         {scopes("a", "b"), none, `{"scope":"b c a"}`, true},
		"one_scope_of_two":                   {scopes("a", "b"), none, `{"scope":"a c"}`, false},
		"a_scope_that_begins_alike":          {scopes("a/b"), none, `{"scope":"a/bc xa/b"}`, false},
		"a_scope_in_other_case":              {scopes("a"), none, `{"scope":"A"}`, false},
		"no_scope":                           {scopes("a"), none, none, false},
		"an_empty_scope":                     {scopes("a"), none, `{"scope":""}`, false},
		"scopes_in_a_list":                   {scopes("a"), none, `{"scope":["a"]}`, false},
		"a_scope_of_the_ID_token":            {scopes("a"), `{"scope":"a"}`, none, false},
		"a_scope_of_a_bearer":                {scopes("api/read"), "", `{"scope":"api/read api/write"}`, true},
		"a_claim":                            {claim("plan", "gold"), `{"plan":"gold"}`, none, true},
		"a_claim_of_several_values":          {claim("plan", "gold", "iron"), `{"plan":"iron"}`, none, true},
		"a_claim_of_another_value":           {claim("plan", "gold"), `{"plan":"golden"}`, none, false},
		"a_claim_in_other_case":              {claim("plan", "gold"), `{"plan":"Gold"}`, none, false},
		"a_claim_of_another_name":            {claim("plan", "gold"), `{"PLAN":"gold"}`, none, false},
		"no_claim":                           {claim("plan", "gold"), none, none, false},
		"a_claim_that_is_a_list":             {claim("plan", "gold"), `{"plan":["iron","gold"]}`, none, true},
		"a_claim_that_is_a_list_of_others":   {claim("plan", "gold"), `{"plan":["iron"]}`, none, false},
		"a_claim_that_is_an_object":          {claim("plan", "gold"), `{"plan":{"gold":"gold"}}`, none, false},
		"a_claim_with_an_object_in_it":       {claim("plan", "gold"), `{"plan":[{"gold":"gold"}]}`, none, false},
		"a_claim_that_is_null":               {claim("plan", "null"), `{"plan":null}`, none, false},
		"a_claim_that_is_text_of_a_list":     {claim("plan", "gold"), `{"plan":"[\"gold\"]"}`, none, false},
		"a_number":                           {claim("level", "3"), `{"level":3}`, none, true},
		"a_number_as_text":                   {claim("level", "3"), `{"level":"3"}`, none, true},
		"a_number_written_otherwise":         {claim("level", "3"), `{"level":3.0}`, none, false},
		"a_large_number":                     {claim("level", "9007199254740993"), `{"level":9007199254740993}`, none, true},
		"a_large_number_next_to_it":          {claim("level", "9007199254740993"), `{"level":9007199254740992}`, none, false},
		"true":                               {claim("email_verified", "true"), `{"email_verified":true}`, none, true},
		"false":                              {claim("email_verified", "true"), `{"email_verified":false}`, none, false},
		"false_where_that_is_meant":          {claim("email_verified", "false"), `{"email_verified":false}`, none, true},
		"true_as_text":                       {claim("email_verified", "true"), `{"email_verified":"true"}`, none, true},
		"booleans_in_a_list":                 {claim("x", "true"), `{"x":[false,true]}`, none, true},
		"a_claim_of_the_access_token":        {claim("client_id", "web"), `{"aud":"web"}`, `{"client_id":"web"}`, true},
		"a_claim_of_both_by_the_ID_token":    {claim("plan", "gold"), `{"plan":"iron"}`, `{"plan":"gold"}`, false},
		"null_of_the_ID_token_before_a_text": {claim("plan", "gold"), `{"plan":null}`, `{"plan":"gold"}`, false},
		"a_claim_of_a_bearer":                {claim("client_id", "m"), "", `{"client_id":"m"}`, true},
		"all_together":                       {&routing.Require{Groups: routing.NewSet("a"), Scopes: []string{"s"}, Claims: claim("c", "1").Claims}, `{"c":1}`, `{"cognito:groups":["a"],"scope":"s"}`, true},
		"all_but_the_group":                  {&routing.Require{Groups: routing.NewSet("a"), Scopes: []string{"s"}, Claims: claim("c", "1").Claims}, `{"c":1}`, `{"scope":"s"}`, false},
		"all_but_the_scope":                  {&routing.Require{Groups: routing.NewSet("a"), Scopes: []string{"s"}, Claims: claim("c", "1").Claims}, `{"c":1}`, `{"cognito:groups":["a"]}`, false},
		"all_but_the_claim":                  {&routing.Require{Groups: routing.NewSet("a"), Scopes: []string{"s"}, Claims: claim("c", "1").Claims}, none, `{"cognito:groups":["a"],"scope":"s"}`, false},
		"two_claims":                         {&routing.Require{Claims: append(claim("c", "1").Claims, claim("d", "2").Claims...)}, `{"c":1,"d":2}`, none, true},
		"one_claim_of_two":                   {&routing.Require{Claims: append(claim("c", "1").Claims, claim("d", "2").Claims...)}, `{"c":1,"d":3}`, none, false},
	} {
		err := judge(c.rules, callerOf(c.id, c.access, time.Now()))
		if (err == nil) != c.meets || err != nil && !isProblem(err, 403, "forbidden") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRequire_says_what_is_lacking(t *testing.T) {
	rules := routing.Require{Groups: routing.NewSet("admins", "support"), Scopes: []string{"a/b", "a/c"},
		Claims: []routing.Claim{{Name: "custom:plan", Values: routing.NewSet("gold")}}}
	for name, c := range map[string]struct {
		id, access string
		named      []string
		challenge  string
	}{
		"a_group":          {`{}`, `{}`, []string{"admins", "support"}, ""},
		"a_scope":          {`{}`, `{"cognito:groups":["support"],"scope":"a/b"}`, []string{"a/c"}, ""},
		"a_claim":          {`{"custom:plan":"iron"}`, `{"cognito:groups":["support"],"scope":"a/b a/c"}`, []string{"custom:plan"}, ""},
		"a_bearers_group":  {"", `{}`, []string{"admins", "support"}, ""},
		"a_bearers_scope":  {"", `{"cognito:groups":["support"]}`, []string{"a/b"}, `Bearer error="insufficient_scope", scope="a/b a/c"`},
		"a_bearers_second": {"", `{"cognito:groups":["support"],"scope":"a/b"}`, []string{"a/c"}, `Bearer error="insufficient_scope", scope="a/b a/c"`},
	} {
		for _, unsaid := range []bool{false, true} {
			rules.Unsaid = unsaid
			e := problem.Of(judge(&rules, callerOf(c.id, c.access, time.Now())))
			if e.Status != 403 || e.Code != "forbidden" {
				t.Fatalf("%s: %v", name, e)
			}
			for _, named := range c.named {
				if strings.Contains(e.Public, named) == unsaid {
					t.Errorf("%s, unsaid %v: %q", name, unsaid, e.Public)
				}
			}
			if strings.Contains(e.Public+fmt.Sprint(e.Header), "iron") || strings.Contains(e.Public, "gold") {
				t.Errorf("%s: the answer repeats a value: %q", name, e.Public)
			}
			challenge := c.challenge
			if unsaid {
				challenge, _, _ = strings.Cut(challenge, ", scope=")
			}
			if got := e.Header.Get("WWW-Authenticate"); got != challenge {
				t.Errorf("%s, unsaid %v: WWW-Authenticate %q", name, unsaid, got)
			}
		}
	}
}

func TestRequire_a_recent_sign_in(t *testing.T) {
	rules := &routing.Require{MaxAuthAge: 15 * time.Minute}
	now := time.Now()
	for name, c := range map[string]struct {
		signIn time.Time
		meets  bool
	}{
		"just now":                {now, true},
		"fourteen minutes ago":    {now.Add(-14 * time.Minute), true},
		"sixteen minutes ago":     {now.Add(-16 * time.Minute), false},
		"by a clock that is fast": {now.Add(time.Minute), true},
		"nobody knows when":       {time.Time{}, false},
	} {
		for _, id := range []string{"{}", ""} {
			err := judge(rules, callerOf(id, "{}", c.signIn))
			if (err == nil) != c.meets {
				t.Errorf("%s: %v", name, err)
			}
			if err == nil {
				continue
			}
			e := problem.Of(err)
			if e.Status != 403 || e.Code != "step_up_required" || e.LoginQuery != "max_age=900&prompt=login" {
				t.Errorf("%s: %+v", name, e)
			}
			if challenge := e.Header.Get("WWW-Authenticate"); (challenge == `Bearer error="insufficient_user_authentication", max_age="900"`) != (id == "") {
				t.Errorf("%s: WWW-Authenticate %q", name, challenge)
			}
		}
	}
	// To sign in again is no use to who lacks something else.
	both := &routing.Require{Groups: routing.NewSet("a"), MaxAuthAge: time.Minute}
	if err := judge(both, callerOf("{}", "{}", time.Time{})); !isProblem(err, 403, "forbidden") {
		t.Errorf("%v", err)
	}
}

func TestRequire_allocates_nothing(t *testing.T) {
	rules := &routing.Require{Groups: routing.NewSet("staff"), Scopes: []string{"a", "b"},
		Claims: []routing.Claim{{Name: "plan", Values: routing.NewSet("gold")}, {Name: "level", Values: routing.NewSet("3")}}, MaxAuthAge: time.Hour}
	c := callerOf("", `{"plan":["iron","gold"],"level":3,"scope":"x b a",`+manyGroups(99, "staff")[1:], time.Now())
	x := on(route(routing.AuthBearer))
	x.Caller, x.Decision.Route.Access.Require = c, rules
	h := middleware.Require(func(http.ResponseWriter, *http.Request, *middleware.Exchange) error { return nil })
	r := request("GET", "/api/x")
	if n := testing.AllocsPerRun(100, func() {
		if err := h(nil, r, x); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestRequire_judges_fresh_tokens, also where the upstream gets none.
func TestRequire_judges_fresh_tokens(t *testing.T) {
	guarded := func(auth routing.Auth) *routing.Route {
		r := route(auth)
		r.Token, r.Access.Require = routing.TokenNone, &routing.Require{Claims: []routing.Claim{{Name: "generation", Values: routing.NewSet("2")}}}
		return r
	}
	ask := func(h *house, r *routing.Route) (bool, error) {
		x := on(r)
		x.Handle = h.handle
		_, reached, err := walk(request("GET", "/api/x"), x, h.sessions.LoadSession, middleware.Authorize, h.sessions.FreshToken, middleware.Require)
		return reached, err
	}
	inTime(t, "what_a_refresh_brings_counts_at_once", func(t *testing.T, h *house) {
		h.pool.claims = func(issued int) string { return fmt.Sprintf(`{"generation":%d}`, issued) }
		if reached, err := ask(h, guarded(routing.AuthSession)); reached || !isProblem(err, 403, "forbidden") {
			t.Errorf("before: reached %v, %v", reached, err)
		}
		time.Sleep(tokenLife + time.Second)
		if reached, err := ask(h, guarded(routing.AuthSession)); !reached || err != nil {
			t.Errorf("after: reached %v, %v", reached, err)
		}
	})
	inTime(t, "nobody_passes_with_tokens_that_are_over", func(t *testing.T, h *house) {
		time.Sleep(tokenLife + time.Second)
		h.pool.fail(oauth.ErrUnavailable)
		if reached, err := ask(h, guarded(routing.AuthSession)); reached || !errors.Is(err, oauth.ErrUnavailable) {
			t.Errorf("reached %v, %v", reached, err)
		}
	})
	for _, auth := range []routing.Auth{routing.AuthSession, routing.AuthOptional, routing.AuthNone, routing.AuthEither, routing.AuthBearer} {
		inTime(t, fmt.Sprint("of_nobody_something_is_lacking_", auth), func(t *testing.T, h *house) {
			h.handle = unknown
			if reached, err := ask(h, guarded(auth)); reached || !errors.Is(err, session.ErrNotFound) {
				t.Errorf("reached %v, %v", reached, err)
			}
		})
	}
	inTime(t, "nor_is_it_enough_to_have_been_somebody", func(t *testing.T, h *house) {
		time.Sleep(tokenLife + time.Second)
		h.pool.fail(oauth.ErrGrantRevoked)
		if reached, err := ask(h, guarded(routing.AuthOptional)); reached || err == nil {
			t.Errorf("reached %v, %v", reached, err)
		}
	})
}
