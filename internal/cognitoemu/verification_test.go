package cognitoemu

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestVerification_the_start_page_lists_the_codes_of_users(t *testing.T) {
	f := newFixture(t)
	levers := f.emulator.Levers()
	sent := f.submit(signUpPath(), "username", "zoe@example.com", "password", "Sesame-12", "confirm_password", "Sesame-12").location()
	f.submit("/forgotPassword?"+request().Encode(), "username", "alice@example.com")
	f.browser = newBrowser(t)
	f.submit("/forgotPassword?"+request().Encode(), "username", "nobody@example.com")

	page := f.get("/").body
	for _, address := range []string{"zoe@example.com", "Alice@example.com"} {
		code := levers.Code(address)
		if len(code) != 6 || !strings.Contains(page, "<code>"+code+"</code>") {
			t.Errorf("the code %q of %s is not on the page\n%s", code, address, page)
		}
	}
	if code := levers.Code("nobody@example.com"); code != "" || strings.Contains(page, "nobody@example.com") {
		t.Errorf("there is a code %q for an address that nobody has", code)
	}

	f.browser = newBrowser(t)
	confirm := f.submit(loginPath(), "username", "zoe@example.com", "password", "Sesame-12").location() // sends another
	if confirm != sent {
		t.Fatalf("to %q", confirm)
	}
	f.submit(confirm, "code", levers.Code("zoe@example.com")).callback(t)
	if code := levers.Code("zoe@example.com"); code != "" {
		t.Errorf("the code %s was used and is still there", code)
	}
	levers.Advance(time.Hour)
	if code := levers.Code("alice@example.com"); code != "" {
		t.Errorf("the code %s is an hour old and is still there", code)
	}
}

func TestVerification_check(t *testing.T) {
	key := codeKey{"sub", signUpCode}
	add := func() (*verifications, verification) {
		table := newVerifications()
		return table, table.add(verification{owner: "sub", sub: "sub", to: "zoe@example.com", purpose: signUpCode}, start)
	}
	wrong := func(v verification) string {
		if v.code == "000000" {
			return "000001"
		}
		return "000000"
	}
	t.Run("takes the code with blanks around it, until it is used", func(t *testing.T) {
		table, v := add()
		for range 2 {
			if _, err := table.check(key, " "+v.code+"\n", start); err != nil {
				t.Fatal(err)
			}
		}
		table.end(key)
		if _, err := table.check(key, v.code, start); !errors.Is(err, errCodeExpired) {
			t.Error(err)
		}
	})
	t.Run("refuses one that is too old", func(t *testing.T) {
		table, v := add()
		if _, err := table.check(key, v.code, start.Add(24*time.Hour)); !errors.Is(err, errCodeExpired) {
			t.Error(err)
		}
	})
	t.Run("is for one purpose", func(t *testing.T) {
		table, v := add()
		if _, err := table.check(codeKey{"sub", newPasswordCode}, v.code, start); !errors.Is(err, errCodeExpired) {
			t.Error(err)
		}
	})
	t.Run("five wrong ones end it, another one begins anew", func(t *testing.T) {
		table, v := add()
		for range 5 {
			if _, err := table.check(key, wrong(v), start); !errors.Is(err, errCodeMismatch) {
				t.Fatal(err)
			}
		}
		if _, err := table.check(key, v.code, start); !errors.Is(err, errTooManyAttempts) {
			t.Error(err)
		}
		if _, err := table.check(key, table.add(v, start).code, start); err != nil {
			t.Error(err)
		}
	})
}
