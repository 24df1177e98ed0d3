package identity_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/identity"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
)

// caller is an identity with these claims in its ID token and its access token.
func caller(id, access string) *oauth.Identity {
	i := &oauth.Identity{ID: oauth.ParseMembers(json.RawMessage(id)), Access: oauth.ParseMembers(json.RawMessage(access))}
	if i.Subject = i.ID.Text("sub"); i.Subject == "" {
		i.Subject = i.Access.Text("sub")
	}
	return i
}

// sent are the headers of a rule for a caller.
func sent(h *identity.Headers, i *oauth.Identity) http.Header {
	out := http.Header{}
	for _, header := range h.Of(i) {
		out[header.Name] = header.Values
	}
	return out
}

func TestStandardHeaders(t *testing.T) {
	standard := identity.New(true, nil)
	for name, tc := range map[string]struct {
		id, access string
		want       http.Header
	}{
		"a_user_of_the_pool": {
			`{"sub":"s-1","cognito:username":"ada","email":"ada@example.com","email_verified":true,"cognito:groups":["staff","admins"]}`, `{"sub":"s-1","username":"ada"}`,
			http.Header{"X-Auth-Subject": {"s-1"}, "X-Auth-Username": {"ada"}, "X-Auth-Email": {"ada@example.com"}, "X-Auth-Groups": {"staff,admins"}},
		},
		"verified_as_a_text":     {`{"sub":"s","email":"a@b.c","email_verified":"true"}`, `{}`, http.Header{"X-Auth-Subject": {"s"}, "X-Auth-Username": {"a@b.c"}, "X-Auth-Email": {"a@b.c"}}},
		"not_verified":           {`{"sub":"s","cognito:username":"u","email":"a@b.c","email_verified":false}`, `{}`, http.Header{"X-Auth-Subject": {"s"}, "X-Auth-Username": {"u"}}},
		"not_verified_as_a_text": {`{"sub":"s","cognito:username":"u","email":"a@b.c","email_verified":"false"}`, `{}`, http.Header{"X-Auth-Subject": {"s"}, "X-Auth-Username": {"u"}}},
		"verified_by_a_number":   {`{"sub":"s","cognito:username":"u","email":"a@b.c","email_verified":1}`, `{}`, http.Header{"X-Auth-Subject": {"s"}, "X-Auth-Username": {"u"}}},
		"nothing_about_that":     {`{"sub":"s","cognito:username":"u","email":"a@b.c"}`, `{}`, http.Header{"X-Auth-Subject": {"s"}, "X-Auth-Username": {"u"}}},
		"verified_by_the_other_token": {
			`{"sub":"s","cognito:username":"u","email":"a@b.c"}`, `{"email":"x@y.z","email_verified":true}`,
			http.Header{"X-Auth-Subject": {"s"}, "X-Auth-Username": {"u"}},
		},
		"an_access_token_alone": {
			`{}`, `{"sub":"s-2","username":"bob","cognito:groups":["staff"]}`,
			http.Header{"X-Auth-Subject": {"s-2"}, "X-Auth-Username": {"bob"}, "X-Auth-Groups": {"staff"}},
		},
		"beyond_ASCII": {
			`{"sub":"s","cognito:username":"Zoë Ünal","email":"zoë@example.com","email_verified":true,"cognito:groups":["R&D, Berlin","50%","日本"]}`, `{}`,
			http.Header{
				"X-Auth-Subject": {"s"}, "X-Auth-Username": {"Zo%C3%AB%20%C3%9Cnal"}, "X-Auth-Email": {"zo%C3%AB@example.com"},
				"X-Auth-Groups": {"R&D%2C%20Berlin,50%25,%E6%97%A5%E6%9C%AC"},
			},
		},
		"lines":           {`{"sub":"s\r\nX-Auth-Groups: admins","cognito:username":"u\u0000\u007f\t"}`, `{}`, http.Header{"X-Auth-Subject": {"s%0D%0AX-Auth-Groups:%20admins"}, "X-Auth-Username": {"u%00%7F%09"}}},
		"no_groups":       {`{"sub":"s","cognito:username":"u","cognito:groups":[]}`, `{}`, http.Header{"X-Auth-Subject": {"s"}, "X-Auth-Username": {"u"}}},
		"one_as_a_text":   {`{"sub":"s","cognito:username":"u","cognito:groups":"a,b"}`, `{}`, http.Header{"X-Auth-Subject": {"s"}, "X-Auth-Username": {"u"}, "X-Auth-Groups": {"a%2Cb"}}},
		"other_groups":    {`{"sub":"s","cognito:username":"u","cognito:groups":["a",{"b":1},3]}`, `{}`, http.Header{"X-Auth-Subject": {"s"}, "X-Auth-Username": {"u"}, "X-Auth-Groups": {"a"}}},
		"nothing_at_all":  {`{}`, `{}`, http.Header{}},
		"no_claim_at_all": {`[]`, `x`, http.Header{}},
	} {
		if diff := cmp.Diff(tc.want, sent(standard, caller(tc.id, tc.access))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestClaims(t *testing.T) {
	for name, tc := range map[string]struct {
		id, access string
		want       string // of the claim c; empty: nothing is sent
	}{
		"a_text":                  {`{"c":"a b%,ü"}`, `{}`, "a%20b%25,%C3%BC"},
		"a_number":                {`{"c":12345678901234567890}`, `{}`, "12345678901234567890"},
		"a_fraction":              {`{"c":1.50}`, `{}`, "1.50"},
		"true":                    {`{"c":true}`, `{}`, "true"},
		"false":                   {`{"c":false}`, `{}`, "false"},
		"a_list":                  {`{"c":["a,b",1,true,"%"]}`, `{}`, "a%2Cb,1,true,%25"},
		"of_the_access_token":     {`{"d":"x"}`, `{"c":"y"}`, "y"},
		"of_the_ID_token_first":   {`{"c":"x"}`, `{"c":"y"}`, "x"},
		"an_object":               {`{"c":{"a":1}}`, `{}`, ""},
		"null":                    {`{"c":null}`, `{"c":"y"}`, ""},
		"a_list_with_an_object":   {`{"c":["a",{"b":1}]}`, `{}`, ""},
		"a_list_with_null":        {`{"c":["a",null]}`, `{}`, ""},
		"a_list_of_lists":         {`{"c":[["a"]]}`, `{}`, ""},
		"an_empty_list":           {`{"c":[]}`, `{}`, ""},
		"an_empty_text":           {`{"c":""}`, `{}`, ""},
		"no_such_claim":           {`{"C":"x"}`, `{}`, ""},
		"half_of_a_surrogate":     {`{"c":"\ud800"}`, `{}`, "%EF%BF%BD"},
		"a_name_like_a_json_path": {`{"a":{"c":"x"}}`, `{}`, ""},
	} {
		want := http.Header{}
		if tc.want != "" {
			want["X-Forwarded-User"] = []string{tc.want}
		}
		got := sent(identity.New(false, []identity.Claim{{Header: "x-forwarded-USER", Name: "c"}}), caller(tc.id, tc.access))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestNames_are_all_that_may_be_sent(t *testing.T) {
	for _, tc := range []struct {
		rule *identity.Headers
		want []string
	}{
		{nil, nil},
		{identity.New(true, nil), []string{"X-Auth-Subject", "X-Auth-Username", "X-Auth-Email", "X-Auth-Groups"}},
		{identity.New(false, []identity.Claim{{Header: "x-b", Name: "b"}, {Header: "X-A", Name: "a"}}), []string{"X-B", "X-A"}},
	} {
		if diff := cmp.Diff(tc.want, tc.rule.Names()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	if h := identity.New(false, nil); h != nil || h.Of(caller(`{"sub":"s"}`, "")) != nil {
		t.Errorf("a rule of nothing is %v", h)
	}
}

// TestOf_makes_them_once a set of tokens and rule, and mixes none up.
func TestOf_makes_them_once(t *testing.T) {
	ada := caller(`{"sub":"ada","a":"1","b":"2"}`, "")
	var rules []*identity.Headers
	for _, claims := range [][]identity.Claim{
		nil, {{Header: "X-A", Name: "a"}}, {{Header: "X-A", Name: "b"}}, {{Header: "X-B", Name: "a"}}, {{Header: "X-A", Name: "a"}, {Header: "X-B", Name: "b"}},
	} {
		rules = append(rules, identity.New(true, claims))
	}
	rules = append(rules, identity.New(false, []identity.Claim{{Header: "X-Auth-Subject", Name: "a"}}))
	want := make([]http.Header, len(rules))
	for i, r := range rules {
		want[i] = sent(r, caller(`{"sub":"ada","a":"1","b":"2"}`, ""))
	}
	if n := testing.AllocsPerRun(20, func() {
		for _, r := range rules {
			r.Of(ada)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	for i, r := range rules {
		if diff := cmp.Diff(want[i], sent(r, ada)); diff != "" {
			t.Errorf("rule %d (-alone +among others):\n%s", i, diff)
		}
	}
	again := identity.New(true, nil)
	if first, second := rules[0].Of(ada), again.Of(ada); &first[0] != &second[0] {
		t.Error("the same rule, after a reload, makes them anew")
	}
}

// FuzzClaims: a value is visible ASCII, and what reads it as documented gets the claim
// back.
func FuzzClaims(f *testing.F) {
	for _, s := range []string{"", "ada", "a,b", "100%", "%2C", "a b", "ü", "\r\nX-Auth-Groups: admins", "\x00\x7f\xff", "日本", ",", ",,"} {
		f.Add(s, s+"x")
	}
	rule := identity.New(true, []identity.Claim{{Header: "X-Text", Name: "t"}, {Header: "X-List", Name: "l"}})
	f.Fuzz(func(t *testing.T, a, b string) {
		a, b = strings.ToValidUTF8(a, "?"), strings.ToValidUTF8(b, "?")
		i := &oauth.Identity{Subject: a, ID: oauth.Members{"cognito:groups": []any{a, b}, "t": a, "l": []any{a, b}}}
		got := sent(rule, i)
		for name, values := range got {
			if len(values) != 1 || strings.ContainsFunc(values[0], func(r rune) bool { return r <= ' ' || r > '~' }) {
				t.Errorf("%s: %q", name, values)
			}
		}
		for _, name := range []string{"X-Auth-Subject", "X-Text"} {
			if back := decoded(t, got.Get(name)); back != a {
				t.Errorf("%s: %q for %q", name, back, a)
			}
		}
		for _, name := range []string{"X-Auth-Groups", "X-List"} {
			parts := strings.Split(got.Get(name), ",")
			if len(parts) != 2 || decoded(t, parts[0]) != a || decoded(t, parts[1]) != b {
				t.Errorf("%s: %q for %q and %q", name, parts, a, b)
			}
		}
	})
}

// decoded reads a value as the documentation says.
func decoded(t *testing.T, value string) string {
	t.Helper()
	s, err := url.PathUnescape(value)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
