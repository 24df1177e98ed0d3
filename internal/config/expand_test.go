package config

import "testing"

func TestExpand(t *testing.T) {
	env := map[string]string{"A": "one", "EMPTY": "", "DOLLAR": "$$ ${A}"}
	getenv := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	for name, tt := range map[string]struct{ in, want string }{
		"plain_text_stays":                     {"abc", "abc"},
		"variable":                             {"x${A}y", "xoney"},
		"two_variables":                        {"${A}${A}", "oneone"},
		"empty_variable":                       {"x${EMPTY}y", "xy"},
		"default_of_an_unset_variable":         {"${NONE:-two}", "two"},
		"default_of_an_empty_variable":         {"${EMPTY:-two}", "two"},
		"default_that_is_not_needed":           {"${A:-two}", "one"},
		"empty_default":                        {"${NONE:-}", ""},
		"default_with_a_colon":                 {"${NONE:-redis://h:1}", "redis://h:1"},
		"default_with_a_dollar":                {"${NONE:-a$$b}", "a$b"},
		"two_dollars_are_one":                  {"$${A}", "${A}"},
		"dollar_before_anything_else":          {"$A $ 5$", "$A $ 5$"},
		"variables_are_not_looked_at_again":    {"${DOLLAR}", "$$ ${A}"},
		"two_dollars_in_front_of_a_variable":   {"$$${A}", "$one"},
		"closing_brace_stands_for_itself":      {"}${A}}", "}one}"},
		"text_outside_ascii_passes_unharmed":   {"ü${A}ü", "üoneü"},
		"dollar_at_the_end_of_a_variable_name": {"${A}$", "one$"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := expand(tt.in, getenv); got != tt.want || err != nil {
				t.Errorf("expand(%q) = %q, %v; want %q", tt.in, got, err, tt.want)
			}
		})
	}
	for name, in := range map[string]string{
		"unset": "${NONE}", "unclosed": "${A", "no_name": "${}", "no_name_but_a_default": "${:-x}",
		"a_name_with_a_space": "${A B}", "a_name_that_begins_with_a_digit": "${1A}", "another_operator": "${A-x}",
		"required": "${A:?x}", "nested": "${NONE:-${A}}",
	} {
		t.Run("refuses_"+name, func(t *testing.T) {
			if got, err := expand(in, getenv); err == nil {
				t.Errorf("expand(%q) = %q", in, got)
			}
		})
	}
}

func TestNearest(t *testing.T) {
	candidates := []string{"session", "routes", "limits", "h2c"}
	for in, want := range map[string]string{
		"sesion": "session", "sessoin": "session", "Session": "session", "route": "routes", "limit": "limits",
		"h2": "h2c", "zzz": "", "": "", "sessional_thing": "",
	} {
		if got := nearest(in, candidates); got != want {
			t.Errorf("nearest(%q) = %q, want %q", in, got, want)
		}
	}
}
