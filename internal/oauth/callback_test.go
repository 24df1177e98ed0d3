package oauth

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseCallback(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	for name, query := range map[string]string{
		"nothing":                      "",
		"no state":                     "code=c",
		"no code":                      "state=s",
		"empty code":                   "code=&state=s",
		"empty state":                  "code=c&state=",
		"code twice":                   "code=c&code=d&state=s",
		"the same code twice":          "code=c&code=c&state=s",
		"state twice":                  "code=c&state=s&state=s",
		"iss twice":                    "code=c&state=s&iss=a&iss=a",
		"empty iss":                    "code=c&state=s&iss=",
		"code and error":               "code=c&error=access_denied&state=s",
		"error without state":          "error=access_denied",
		"empty error":                  "error=&state=s",
		"error twice":                  "error=a&error=b&state=s",
		"description twice":            "error=a&error_description=x&error_description=y&state=s",
		"description without error":    "code=c&state=s&error_description=x",
		"long code":                    "code=" + long(4097) + "&state=s",
		"long state":                   "code=c&state=" + long(513),
		"long error":                   "error=" + long(257) + "&state=s",
		"error of 64 KB":               "error=" + long(64<<10) + "&state=s",
		"long iss":                     "code=c&state=s&iss=" + long(513),
		"line break in the code":       "code=c%0d%0ad&state=s",
		"NUL in the state":             "code=c&state=%00",
		"invalid UTF-8 in the code":    "code=%ff&state=s",
		"markup beyond ASCII in error": "error=%E2%80%AE%3Cscript%3E&state=s",
		"line break in the error":      "error=a%0ab&state=s",
		"access token":                 "code=c&state=s&access_token=x",
		"ID token":                     "code=c&state=s&id_token=x",
		"token":                        "code=c&state=s&token=x",
		"ID token beside an error":     "error=e&state=s&id_token=x",
		"unknown parameter":            "code=c&state=s&return_to=//evil.example",
		"parameter in another case":    "Code=c&state=s",
		"array-like parameter":         "code[]=c&state=s",
		"parameter without name":       "code=c&state=s&=x",
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			q, err := url.ParseQuery(query)
			if err != nil {
				t.Fatal(err)
			}
			cb, err := ParseCallback(q)
			if !errors.Is(err, ErrCallback) {
				t.Errorf("err = %v", err)
			}
			if cb != (Callback{}) {
				t.Errorf("gave %+v", cb)
			}
		})
	}

	t.Run("takes one code and one state", func(t *testing.T) {
		cb, err := ParseCallback(url.Values{"code": {"c-1"}, "state": {"s-1"}, "iss": {"https://i"}, "session_state": {"x"}})
		if err != nil || cb.Code.Reveal() != "c-1" || cb.State != "s-1" || cb.Issuer != "https://i" || cb.Refusal != nil {
			t.Errorf("%+v, %v", cb, err)
		}
	})
	t.Run("takes values at their limits", func(t *testing.T) {
		q := url.Values{"code": {long(4096)}, "state": {long(512)}, "iss": {long(512)}}
		if _, err := ParseCallback(q); err != nil {
			t.Error(err)
		}
	})
	for name, tc := range map[string]struct{ sent, want string }{
		"as it is":                     {"PreSignUp failed with error E-4711: not on the list.", "PreSignUp failed with error E-4711: not on the list."},
		"markup, which is text":        {"<b>no</b> & \"so\"", "<b>no</b> & \"so\""},
		"cut at 300 characters":        {strings.Repeat("é", 400), strings.Repeat("é", 300)},
		"whole at 300 characters":      {strings.Repeat("漢", 300), strings.Repeat("漢", 300)},
		"mended":                       {"a\xffb", "a\uFFFDb"},
		"on one line":                  {" a\r\nb\tc\u2028d ", "a  b c d"},
		"without control characters":   {"a\x00b\x1b[31mc\u0085\x7f", "ab[31mc"},
		"in one direction":             {"a\u202ecba\u2066\u200f", "acba"},
		"with joiners, which are text": {"می\u200cخواهم", "می\u200cخواهم"},
	} {
		t.Run("takes a refusal with its description "+name, func(t *testing.T) {
			cb, err := ParseCallback(url.Values{
				"error": {"access_denied"}, "state": {"s"}, "error_uri": {"https://x"}, "error_description": {tc.sent},
			})
			if err != nil || cb.Refusal == nil || cb.Refusal.Code != "access_denied" || !cb.Code.Empty() {
				t.Fatalf("%+v, %v", cb, err)
			}
			if got := cb.Refusal.Description; got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

func FuzzParseCallback(f *testing.F) {
	for _, s := range []string{
		"code=c&state=s", "error=e&state=s&error_description=d", "code=c&code=c&state=s", "code=%00&state=%ff", "state=s", "a;b=c",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		cb, err := ParseCallback(q)
		if err != nil {
			if !errors.Is(err, ErrCallback) || cb != (Callback{}) {
				t.Errorf("%+v, %v", cb, err)
			}
			return
		}
		if cb.State == "" || cb.Code.Empty() == (cb.Refusal == nil) {
			t.Errorf("neither code nor refusal, or both: %+v", cb)
		}
		for _, s := range []string{cb.State, cb.Code.Reveal(), cb.Issuer} {
			if len(s) > 4096 || strings.ContainsFunc(s, notVSCHAR) {
				t.Errorf("took %q", s)
			}
		}
		if r := cb.Refusal; r != nil && (utf8.RuneCountInString(r.Description) > maxDescription || !utf8.ValidString(r.Description) || strings.ContainsAny(r.Error(), "\r\n")) {
			t.Errorf("took %+v", r)
		}
	})
}
