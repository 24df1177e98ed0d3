package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPresets: the caller's values overrule file and variables, or fill what
// these leave open.
func TestPresets(t *testing.T) {
	loaded := func(t *testing.T, changes values, environ []string, presets ...Preset) *Config {
		t.Helper()
		src := source(with(changes).yaml(), environ, nil)
		src.Presets = presets
		c, err := Load(src)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	t.Run("overrule_the_file_and_variables", func(t *testing.T) {
		c := loaded(t, values{"mount": "/file"}, []string{"GATEHOUSE_MOUNT=/variable"}, Preset{Key: "mount", Text: "/preset", By: "caller"})
		if c.Mount != "/preset" || !cmp.Equal(c.Overruled, []string{"mount"}) {
			t.Errorf("%s, overruled %v", c.Mount, c.Overruled)
		}
	})
	t.Run("reset_a_section_and_what_its_placeholders_lack", func(t *testing.T) {
		c := loaded(t, values{"cognito.client_secret": "${NOT_SET}", "cognito.scopes": "[openid]"}, nil,
			Preset{Key: "cognito", By: "caller"}, Preset{Key: "cognito.region", Text: "eu-west-1", By: "caller"},
			Preset{Key: "cognito.user_pool_id", Text: "eu-west-1_Other", By: "caller"},
			Preset{Key: "cognito.client_id", Text: "other", By: "caller"},
			Preset{Key: "cognito.domain", Text: "http://127.0.0.1:9229", By: "caller"},
			Preset{Key: "cognito.issuer", Text: "http://localhost:9229/eu-west-1_Other", By: "caller"},
			Preset{Key: "cognito.api_endpoint", Text: "http://localhost:9229", By: "caller"})
		if !c.Cognito.ClientSecret.Empty() || len(c.Cognito.Scopes) != 4 || c.Cognito.ClientID != "other" {
			t.Errorf("%+v", c.Cognito)
		}
		if !cmp.Equal(c.Overruled, []string{"cognito"}) {
			t.Errorf("overruled %v", c.Overruled)
		}
	})
	t.Run("stand_for_the_file_of_a_secret_too", func(t *testing.T) {
		c := loaded(t, values{"session.keys": "-", "session.keys_file": "nowhere"}, nil, Preset{Key: "session.keys", Text: testKey, By: "caller"})
		if len(c.Session.Keys) != 1 {
			t.Errorf("%d keys", len(c.Session.Keys))
		}
	})
	t.Run("leave_keys_alone_that_only_begin_alike", func(t *testing.T) {
		c := loaded(t, values{"login.default_return_to": "/home"}, nil, Preset{Key: "log", By: "caller"})
		if c.Login.DefaultReturnTo != "/home" || len(c.Overruled) != 0 {
			t.Errorf("to %s, overruled %v", c.Login.DefaultReturnTo, c.Overruled)
		}
	})
	t.Run("give_way_as_defaults", func(t *testing.T) {
		store := Preset{Key: "session.store", Text: "memory:", By: "caller", Default: true}
		if c := loaded(t, nil, nil, store); c.Session.Store.Scheme != "redis" || len(c.Overruled) != 0 {
			t.Errorf("%s, overruled %v", c.Session.Store, c.Overruled)
		}
		if c := loaded(t, values{"session.store": "-"}, nil, store); c.Session.Store.Scheme != "memory" {
			t.Error(c.Session.Store)
		}
	})
	t.Run("say_in_a_fault_who_brought_them", func(t *testing.T) {
		src := source(sound().yaml(), nil, nil)
		src.Presets = []Preset{{Key: "session.store", Text: "nonsense", By: "--redis"}, {Key: "routes", Text: "[{path: /x/, upstream: nonsense}]", By: "--api"}}
		faults := faultsOf(t, src).Error()
		for _, want := range []string{"--redis: session.store", "--api", "upstream"} {
			if !strings.Contains(faults, want) {
				t.Errorf("no %q in\n%s", want, faults)
			}
		}
	})
}

// TestPresetRoutes: routes of the caller's own fill in where there are none;
// others bring a new target for a path, and leave alone who may go there.
func TestPresetRoutes(t *testing.T) {
	sample := Preset{Key: "routes", Text: `[{path: /, upstream: "http://sample:1", auth: none}]`, By: "caller", Default: true}
	mine := Preset{Key: "routes", Text: `[{path: /, upstream: "http://mine:1", auth: none}]`, By: "--spa"}
	none := values{"routes[].path": "-", "routes[].upstream": "-"}
	dir := t.TempDir()
	for name, tc := range map[string]struct {
		file    values
		presets []Preset
		want    []Route
	}{
		"fill_in":                       {none, []Preset{sample}, []Route{{Path: "/", Auth: "none", Host: "sample:1"}}},
		"fill_in_with_another_target":   {none, []Preset{sample, mine}, []Route{{Path: "/", Auth: "none", Host: "mine:1"}}},
		"give_way":                      {nil, []Preset{sample}, []Route{{Path: "/", Auth: "session", Host: "localhost:9000"}}},
		"bring_a_target":                {nil, []Preset{sample, mine}, []Route{{Path: "/", Auth: "session", Host: "mine:1"}}},
		"are_added":                     {values{"routes[].path": "/api"}, []Preset{mine}, []Route{{Path: "/api/", Auth: "session", Host: "localhost:9000"}, {Path: "/", Auth: "none", Host: "mine:1"}}},
		"take_the_place_of_a_directory": {values{"routes[].upstream": "-", "routes[].static": dir}, []Preset{mine}, []Route{{Path: "/", Auth: "session", Host: "mine:1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			src := source(with(tc.file).yaml(), nil, nil)
			src.Presets = tc.presets
			c, err := Load(src)
			if err != nil {
				t.Fatal(err)
			}
			var got []Route
			for _, r := range c.Routes {
				got = append(got, Route{Path: r.Path, Auth: r.Auth, Host: r.Upstreams[0].URL.Host, Static: r.Static})
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("routes (-want +got):\n%s", diff)
			}
		})
	}
}
