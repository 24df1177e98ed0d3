package config

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// pairs is a key of a route with a mapping of the test's own.
func pairs(list bool, field *Mapping) *key {
	return &key{
		path: "routes[].pairs", shape: mapping, names: ownHeader{"X-Name"}, kind: claimName, list: list,
		route: func(*Route) any { return field },
	}
}

// readMappingText reads text as what stands at k.
func readMappingText(t *testing.T, k *key, text string, literal bool, environ ...string) Faults {
	t.Helper()
	l := &loader{src: source("", environ, nil)}
	n := l.parseYAML(testFile, []byte(text))
	if n == nil {
		t.Fatalf("%v in %s", l.faults, text)
	}
	s := newScope(routePrefix, "routes[0].", testFile, 1, &Route{})
	l.readKey(s, k, testFile, n, literal)
	l.fillPairs(s, k)
	return l.faults
}

func TestMapping(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		list bool
		want Mapping
	}{
		"nothing":             {"{}", false, nil},
		"in_order":            {"{X-B: b, X-A: a}", false, Mapping{{"X-B", []string{"b"}}, {"X-A", []string{"a"}}}},
		"numbers_and_truth":   {"{X-B: 12, X-A: true}", false, Mapping{{"X-B", []string{"12"}}, {"X-A", []string{"true"}}}},
		"one_for_several":     {"{X-A: a}", true, Mapping{{"X-A", []string{"a"}}}},
		"commas_are_no_list":  {`{X-A: "a,b"}`, true, Mapping{{"X-A", []string{"a,b"}}}},
		"several":             {"{X-A: [a, 3, false]}", true, Mapping{{"X-A", []string{"a", "3", "false"}}}},
		"aliases":             {"{X-A: &a [x], X-B: *a}", true, Mapping{{"X-A", []string{"x"}}, {"X-B", []string{"x"}}}},
		"placeholders":        {"{X-A: '${NAME}', X-B: 'a$$b'}", false, Mapping{{"X-A", []string{"custom:x"}}, {"X-B", []string{"a$b"}}}},
		"placeholder_of_many": {"{X-A: [a, '${NAME}']}", true, Mapping{{"X-A", []string{"a", "custom:x"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			var got Mapping
			k := pairs(tc.list, &got)
			if faults := readMappingText(t, k, tc.text, false, "NAME=custom:x"); len(faults) > 0 {
				t.Fatal(faults)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			var again Mapping
			if n := k.printPairs(got); n != nil {
				text, err := yaml.Marshal(n)
				if err != nil {
					t.Fatal(err)
				}
				if faults := readMappingText(t, pairs(tc.list, &again), string(text), false); len(faults) > 0 {
					t.Fatal(faults)
				}
			}
			if diff := cmp.Diff(got, again); diff != "" {
				t.Errorf("printed and read again (-first +again)\n%s", diff)
			}
		})
	}
	t.Run("in_a_variable_a_dollar_is_a_dollar", func(t *testing.T) {
		var got Mapping
		if faults := readMappingText(t, pairs(false, &got), "{X-A: '${NAME}'}", true); len(faults) > 0 || got[0].Values[0] != "${NAME}" {
			t.Errorf("%v, %v", got, faults)
		}
	})
}

func TestMapping_of_a_variable(t *testing.T) {
	c := load(t, with(values{"routes[].path": "-", "routes[].upstream": "-"}).yaml(),
		"GATEHOUSE_ROUTES=[{path: /, upstream: 'http://localhost:1', headers: {X-User: sub, X-Tenant: 'custom:${x}'}}]")
	want := Mapping{{"X-User", []string{"sub"}}, {"X-Tenant", []string{"custom:${x}"}}}
	if diff := cmp.Diff(want, c.Routes[0].Headers); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestMapping_refuses(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		list bool
		want string
	}{
		"a_text":             {"x", false, `gatehouse.yaml:1: routes[0].pairs: a scalar: want a mapping`},
		"a_list":             {"[a]", false, `gatehouse.yaml:1: routes[0].pairs: a list: want a mapping`},
		"nothing_behind":     {"X-B: b\nX-A:", false, `gatehouse.yaml:2: routes[0].pairs.X-A: nothing: want the name of a claim`},
		"empty_text":         {`X-A: ""`, false, `gatehouse.yaml:1: routes[0].pairs.X-A: "": want the name of a claim`},
		"list_for_one":       {"X-A: [a]", false, `gatehouse.yaml:1: routes[0].pairs.X-A: a list: want the name of a claim`},
		"mapping_behind":     {"X-A: {a: b}", true, `gatehouse.yaml:1: routes[0].pairs.X-A: a mapping: want the name of a claim`},
		"nested_list":        {"X-A: [a, [b]]", true, `gatehouse.yaml:1: routes[0].pairs.X-A: a list in the list: want the name of a claim`},
		"empty_in_list":      {`X-A: [a, ""]`, true, `gatehouse.yaml:1: routes[0].pairs.X-A: "a", "": want the name of a claim`},
		"given_twice":        {"X-A: a\nX-A: b", false, `gatehouse.yaml:2: routes[0].pairs.X-A: given twice: want it once; it stands in line 1 already`},
		"name_is_no_name":    {"X_A: a", false, `gatehouse.yaml:1: routes[0].pairs.X_A: "a": want a header's name of letters, digits and hyphens such as X-Name`},
		"name_is_empty":      {`"": a`, false, `gatehouse.yaml:1: routes[0].pairs."": "a": want a header's name of letters, digits and hyphens such as X-Name`},
		"name_is_a_list":     {"[a]: a", false, `gatehouse.yaml:1: routes[0].pairs: a list as a key: want a header's name`},
		"name_is_a_secret":   {"'redis://a:hunter2@b': a", false, `gatehouse.yaml:1: routes[0].pairs."redis://[secret]@b": "a": want a header's name`},
		"name_is_taken":      {"cookie: sub", false, `gatehouse.yaml:1: routes[0].pairs.cookie: "sub": want another name such as X-Name`},
		"unset_variable":     {"X-A: '${NOPE}'", false, `gatehouse.yaml:1: routes[0].pairs.X-A: "${NOPE}": want the variable NOPE to be set`},
		"control_characters": {`X-A: "a\nb"`, false, `gatehouse.yaml:1: routes[0].pairs.X-A: "a\nb": want the name of a claim`},
	} {
		t.Run(name, func(t *testing.T) {
			faults := readMappingText(t, pairs(tc.list, new(Mapping)), tc.text, false)
			if len(faults) != 1 || !strings.HasPrefix(faults[0].String(), tc.want) {
				t.Errorf("faults:\n%v\nwant one:\n%s", faults, tc.want)
			}
		})
	}
}

func TestMapping_has_a_schema(t *testing.T) {
	for _, list := range []bool{false, true} {
		got, err := json.Marshal(pairs(list, new(Mapping)).schema())
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{`"type":["object","null"]`, `"propertyNames":{`, `"additionalProperties":{`} {
			if !strings.Contains(string(got), want) {
				t.Errorf("%s lacks %s", got, want)
			}
		}
		if strings.Contains(string(got), `"array"`) != list {
			t.Errorf("%s, with lists: %v", got, list)
		}
	}
}
