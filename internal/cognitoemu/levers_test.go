package cognitoemu

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/google/go-cmp/cmp"
)

func TestLevers_faults(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Rotate, o.RotationGrace = true, 10*time.Second })
	levers := f.emulator.Levers()
	set := f.freshTokens()

	t.Run("strike as often as told, in order", func(t *testing.T) {
		levers.Fail(EndpointToken, Fault{Kind: RateExceeded, Times: 2})
		levers.Fail(EndpointToken, Fault{Kind: Unavailable, Times: 1})
		for _, want := range []int{429, 429, 503, 200} {
			if got := f.refresh(set.RefreshToken); got.status != want {
				t.Errorf("status %d, want %d", got.status, want)
			}
		}
	})
	t.Run("strike until healed", func(t *testing.T) {
		levers.Fail(EndpointToken, Fault{Kind: InternalError})
		for range 3 {
			if got := f.refresh(set.RefreshToken); got.status != 500 || !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") {
				t.Errorf("status %d %s", got.status, got.header.Get("Content-Type"))
			}
		}
		levers.Heal(EndpointToken)
		f.tokens(f.refresh(set.RefreshToken))
	})
	t.Run("a throttled OAuth endpoint answers in plain text", func(t *testing.T) {
		levers.Fail(EndpointUserInfo, Fault{Kind: RateExceeded, Times: 1})
		if got := f.userInfo(set.AccessToken); got.status != 429 || got.body != "Rate Exceeded" {
			t.Errorf("%d %q", got.status, got.body)
		}
	})
	t.Run("a throttled operation is the SDK's typed error", func(t *testing.T) {
		levers.Fail("GetUser", Fault{Kind: RateExceeded, Times: 1})
		_, err := f.sdk().GetUser(t.Context(), &cip.GetUserInput{AccessToken: &set.AccessToken})
		typed[*types.TooManyRequestsException](t, err, "Rate exceeded")
	})
	t.Run("a truncated body is half of the JSON", func(t *testing.T) {
		levers.Fail(EndpointToken, Fault{Kind: TruncatedBody, Times: 1})
		got := f.refresh(set.RefreshToken)
		if got.status != 200 || json.Valid([]byte(got.body)) || !strings.HasPrefix(got.body, "{") {
			t.Errorf("%d %.20q", got.status, got.body)
		}
	})
	t.Run("a delay ends when the client leaves", func(t *testing.T) {
		levers.Fail(EndpointJWKS, Fault{Kind: Slow, Delay: time.Hour, Times: 1})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, f.idp+"/"+DefaultPoolID+"/.well-known/jwks.json", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.browser.Do(r); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestLevers_a_dropped_connection(t *testing.T) {
	for name, test := range map[string]struct {
		kind   FaultKind
		worked bool
	}{
		"before the work leaves the refresh token unused":      {ConnectionReset, false},
		"after the work has rotated it, unknown to the client": {LostAnswer, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, func(o *Options) { o.Rotate = true }) // no grace: a second use shows
			set := f.freshTokens()
			f.emulator.Levers().Fail(EndpointToken, Fault{Kind: test.kind, Times: 1})
			r, err := http.NewRequest(http.MethodPost, f.pages+"/oauth2/token",
				strings.NewReader("grant_type=refresh_token&client_id="+DefaultClientID+"&refresh_token="+set.RefreshToken))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			response, err := f.browser.Do(r)
			if err == nil {
				_, _ = io.Copy(io.Discard, response.Body)
				_ = response.Body.Close()
				t.Fatalf("an answer: status %d", response.StatusCode)
			}
			again := f.refresh(set.RefreshToken)
			if worked := again.status != http.StatusOK; worked != test.worked {
				t.Errorf("work was done: %v, want %v", worked, test.worked)
			}
			if got := f.emulator.Levers().TokenCalls("refresh_token"); got != 2 {
				t.Errorf("%d refresh calls counted, want 2", got)
			}
		})
	}
}

func TestLevers_calls_are_counted(t *testing.T) {
	f := newFixture(t)
	set := f.freshTokens()
	f.refresh(set.RefreshToken)
	f.refresh("garbage")
	_, _ = f.sdk().GetUser(t.Context(), &cip.GetUserInput{AccessToken: &set.AccessToken})
	f.keySet()
	levers := f.emulator.Levers()
	got := map[string]int{
		"authorization_code": levers.TokenCalls("authorization_code"), "refresh_token": levers.TokenCalls("refresh_token"),
		"token": levers.Calls(EndpointToken), "GetUser": levers.Calls("GetUser"), "jwks": levers.Calls(EndpointJWKS),
	}
	want := map[string]int{"authorization_code": 1, "refresh_token": 2, "token": 3, "GetUser": 1, "jwks": 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLevers_faults_of_the_JSON_API_strike_one_operation(t *testing.T) {
	f := newFixture(t)
	token := f.accessTokenOf("alice@example.com")
	levers := f.emulator.Levers()
	levers.Fail("UpdateUserAttributes", Fault{Kind: LostAnswer, Times: 1})
	levers.Fail("ChangePassword", Fault{Kind: RateExceeded})
	if _, err := f.update(token, "nickname", "Ali"); err == nil {
		t.Error("an answer came")
	}
	if got := f.attributesOf(token)["nickname"]; got != "Ali" {
		t.Errorf("the work was not done: nickname %q", got)
	}
	_, err := f.sdk().ChangePassword(t.Context(), &cip.ChangePasswordInput{AccessToken: token, PreviousPassword: aws.String(DefaultPassword), ProposedPassword: aws.String("Sesame-12")})
	typed[*types.TooManyRequestsException](t, err, "Rate exceeded")
	if _, err := f.passwordSignIn("alice@example.com", DefaultPassword); err != nil {
		t.Errorf("the password was changed all the same: %v", err)
	}
}

func TestLevers_move_users_between_groups(t *testing.T) {
	f := newFixture(t)
	before := f.freshTokens()
	if err := f.emulator.Levers().SetGroups("alice@example.com", "retired"); err != nil {
		t.Fatal(err)
	}
	if got := claimsOf(t, f.tokens(f.refresh(before.RefreshToken)).AccessToken)["cognito:groups"]; len(got.([]any)) != 1 || got.([]any)[0] != "retired" {
		t.Errorf("after the refresh: %v", got)
	}
	if err := f.emulator.Levers().SetGroups("nobody@example.com"); err == nil {
		t.Error("there is nobody of that name")
	}
}
