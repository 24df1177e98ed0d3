package bearer_test

import (
	"errors"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/bearer"
)

func TestToken(t *testing.T) {
	for name, c := range map[string]struct {
		sent          []string
		token, header string
		want          error
	}{
		"one":                {[]string{"Bearer abc.DEF-1_2~3+4/5=="}, "abc.DEF-1_2~3+4/5==", "Bearer abc.DEF-1_2~3+4/5==", nil},
		"in_lower_case":      {[]string{"bearer abc"}, "abc", "Bearer abc", nil},
		"in_capitals":        {[]string{"BEARER abc"}, "abc", "Bearer abc", nil},
		"behind_two_spaces":  {[]string{"Bearer  abc"}, "abc", "Bearer abc", nil},
		"none":               {nil, "", "", bearer.ErrNone},
		"another_scheme":     {[]string{"Basic YTpi"}, "", "", bearer.ErrNone},
		"DPoP":               {[]string{"DPoP abc"}, "", "", bearer.ErrNone},
		"a_scheme_alone":     {[]string{"Negotiate"}, "", "", bearer.ErrNone},
		"a_token_alone":      {[]string{"eyJh.eyJz.c2ln"}, "", "", bearer.ErrNone},
		"a_longer_scheme":    {[]string{"Bearers abc"}, "", "", bearer.ErrNone},
		"two":                {[]string{"Bearer abc", "Bearer abc"}, "", "", bearer.ErrMalformed},
		"two_of_which_one":   {[]string{"Basic YTpi", "Bearer abc"}, "", "", bearer.ErrMalformed},
		"two_in_one":         {[]string{"Bearer abc, Bearer def"}, "", "", bearer.ErrMalformed},
		"two_tokens":         {[]string{"Bearer abc def"}, "", "", bearer.ErrMalformed},
		"nothing":            {[]string{""}, "", "", bearer.ErrMalformed},
		"no_scheme":          {[]string{" abc"}, "", "", bearer.ErrMalformed},
		"no_token":           {[]string{"Bearer"}, "", "", bearer.ErrMalformed},
		"no_token_but_space": {[]string{"Bearer "}, "", "", bearer.ErrMalformed},
		"padding_alone":      {[]string{"Bearer =="}, "", "", bearer.ErrMalformed},
		"padding_inside":     {[]string{"Bearer a=b"}, "", "", bearer.ErrMalformed},
		"a_tab":              {[]string{"Bearer\tabc"}, "", "", bearer.ErrNone},
		"a_tab_and_a_space":  {[]string{"Bearer \tabc"}, "", "", bearer.ErrMalformed},
		"quotes":             {[]string{`Bearer "abc"`}, "", "", bearer.ErrMalformed},
		"a_parameter":        {[]string{"Bearer token=abc"}, "", "", bearer.ErrMalformed},
		"foreign_letters":    {[]string{"Bearer ab\u00e7"}, "", "", bearer.ErrMalformed},
	} {
		token, header, err := bearer.Token(c.sent)
		if token != c.token || header != c.header || !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %q, %q, %v", name, token, header, err)
		}
	}
}
