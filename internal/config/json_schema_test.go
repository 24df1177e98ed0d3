package config

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
	"go.yaml.in/yaml/v3"
)

func schema(t *testing.T) *jsonschema.Resolved {
	t.Helper()
	data, err := Schema(nil)
	if err != nil {
		t.Fatal(err)
	}
	var s jsonschema.Schema
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	resolved, err := s.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	return resolved
}

// instance reads YAML as an editor does, as what JSON can say.
func instance(t *testing.T, file string) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(file), &v); err != nil {
		t.Fatalf("%v in\n%s", err, file)
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSchema_is_stable(t *testing.T) {
	data, err := Schema(nil)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/schema.json", append(data, '\n'))
}

// TestSchema_accepts_what_Load_accepts on the specification's sample and on every
// file that this package's tests load.
func TestSchema_accepts_what_Load_accepts(t *testing.T) {
	s := schema(t)
	sample, err := os.ReadFile("testdata/contract.yaml")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"contract": strings.Replace(string(sample), "groups: [staff]", "groups: []", 1),
		"sound":    with(nil).yaml(),
		"eventful": eventful().yaml(),
		"printed":  string(printed(t, load(t, eventful().yaml(), "DOLLAR=$$"))),
		"variables": with(values{
			"h2c": "${H2C:-false}", "limits.cookies": "${N:-64}", "session.idle_timeout": "${IDLE:-30m}",
			"cognito.scopes": "${SCOPES:-openid}", "log.level": "${LEVEL:-info}", "limits.body_bytes": "${BODY:-0}",
		}).yaml(),
	}
	for name, file := range files {
		t.Run(name, func(t *testing.T) {
			if err := s.Validate(instance(t, file)); err != nil {
				t.Errorf("%v\nof\n%s", err, file)
			}
		})
	}
}

func TestSchema_refuses(t *testing.T) {
	s := schema(t)
	for name, set := range map[string]values{
		"wrong_type":            {"h2c": "3"},
		"unit_missing":          {"session.idle_timeout": "30"},
		"unknown_word":          {"log.level": "loud"},
		"number_out_of_range":   {"limits.cookies": "100000"},
		"key_not_built_yet":     {"tracing.otlp_endpoint": "http://localhost:4318"},
		"list_not_built_yet":    {"cognito.identity_pool_id": "[a]"},
		"name_in_a_mapping":     {"routes[].headers": "{X_User: sub}"},
		"value_in_a_mapping":    {"routes[].headers": "{X-User: [sub]}"},
		"auth_of_no_kind":       {"routes[].auth": "cookie"},
		"route_without_path":    {"routes[].path": "-"},
		"nothing_behind_rules":  {"routes[].require": "~"},
		"nothing_behind_groups": {"require.groups": "~"},
		"nothing_behind_claims": {"routes[].require.claims": "~"},
		"nothing_behind_a_rate": {"routes[].rate_limit": "~"},
		"unknown_key_in_a_row":  {"routes[].path": "-", "routes[].upstream": "-", "routes": "[{path: /, upstreem: x}]"},
	} {
		t.Run(name, func(t *testing.T) {
			if file := with(set).yaml(); s.Validate(instance(t, file)) == nil {
				t.Errorf("accepted:\n%s", file)
			}
		})
	}
	if s.Validate(instance(t, "publc_url: https://a.example.com")) == nil {
		t.Error("accepted an unknown key")
	}
}

// TestTable_is_consistent checks what the compiler cannot: that fields fit kinds,
// defaults parse, and no two keys share a variable.
func TestTable_is_consistent(t *testing.T) {
	seen := map[string]bool{}
	variables := map[string]string{}
	for i := range table {
		k := &table[i]
		if seen[k.path] {
			t.Errorf("%s stands twice", k.path)
		}
		seen[k.path] = true
		if k.doc == "" || !strings.HasSuffix(k.doc, ".") {
			t.Errorf("%s: doc %q is no sentence", k.path, k.doc)
		}
		if e := k.env(); e != "" && variables[e] != "" {
			t.Errorf("%s and %s share %s", variables[e], k.path, e)
		} else if e != "" {
			variables[e] = k.path
		}
		if k.fileOf != "" && (index[k.fileOf] == nil || !index[k.fileOf].secret) {
			t.Errorf("%s holds %s, which is no secret", k.path, k.fileOf)
		}
		if k.shape == leaf {
			checkLeaf(t, k)
		}
	}
	if paths := slices.Collect(maps.Keys(index)); len(paths) != len(table) {
		t.Errorf("%d rows, %d paths", len(table), len(paths))
	}
}

func checkLeaf(t *testing.T, k *key) {
	t.Helper()
	s := newScope("", "", "", 0, &Config{})
	if strings.HasPrefix(k.path, routePrefix) {
		s = newScope(routePrefix, "", "", 0, &Route{})
	}
	field := s.field(k)
	for _, text := range k.defaults() {
		if err := k.kind.parse(field, text); err != nil {
			t.Errorf("%s: default %q: want %v", k.path, text, err)
		}
	}
	again := s.field(k)
	for _, text := range k.kind.format(field) {
		if err := k.kind.parse(again, text); err != nil && text != "" {
			t.Errorf("%s: default %q is written %q, which does not parse: want %v", k.path, k.def, text, err)
		}
	}
	if k.kind.want() == "" || k.kind.schema() == nil {
		t.Errorf("%s: its kind says nothing", k.path)
	}
}
