package config

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
)

// loadWithStores loads a sound file with changes in a program that has stores of its
// own.
func loadWithStores(changes values, stores ...string) (*Config, error) {
	return Load(Source{Path: testFile, Data: []byte(with(changes).yaml()), Stores: stores})
}

func TestLoad_knows_stores_of_the_callers_own(t *testing.T) {
	c, err := loadWithStores(values{"session.store": "bolt://u:p%2Fw@h/x?sync=no"}, "bolt", "etcd")
	if err != nil {
		t.Fatal(err)
	}
	s := c.Session
	if s.Store.Scheme != "bolt" || s.Store.String() != "bolt://h/x?sync=no" || s.StoreUsername != "u" || s.StorePassword.Reveal() != "p/w" || len(c.Warnings) > 0 {
		t.Errorf("%q for %q with %q, warnings %q", s.Store, s.StoreUsername, s.StorePassword.Reveal(), c.Warnings)
	}
	text := string(printed(t, c))
	if !strings.Contains(text, "store: bolt://h/x?sync=no") || strings.Contains(text, "p/w") || strings.Contains(text, "p%2Fw") {
		t.Errorf("printed as\n%s", text)
	}
}

func TestLoad_names_the_stores_that_there_are(t *testing.T) {
	for name, tt := range map[string]struct {
		set  values
		want string
	}{
		"where_the_scheme_is_none":       {values{"session.store": "blot:/x"}, "redis-cluster://HOST:PORT,HOST:PORT, or bolt:…, or etcd:…"},
		"where_there_is_no_text":         {values{"session.store": "{}"}, "redis-cluster://HOST:PORT,HOST:PORT, or bolt:…, or etcd:…"},
		"where_the_address_is_none":      {values{"session.store": "bolt://[/x"}, "want an address (RFC 3986), without a fragment, such as bolt://HOST:PORT/NAME"},
		"where_a_password_is_unencoded":  {values{"session.store": "bolt://u:p/w@h"}, "/ as %2F"},
		"where_replicas_are_waited_for":  {values{"session.store": "bolt:/x", "session.wait_replicas": "1"}, "0: a bolt store cannot wait for replicas"},
		"where_there_are_two_passwords":  {values{"session.store": "bolt://u:p@h", "session.store_password": "q"}, "only one of it and a password in session.store"},
		"where_Redis_gets_no_password":   {values{"session.store": "redis://u@h"}, "Redis is told of no user without one"},
		"and_not_where_a_user_is_enough": {values{"session.store": "bolt://u@h"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := loadWithStores(tt.set, "bolt", "etcd")
			if tt.want == "" && err == nil {
				return
			}
			var faults Faults
			if !errors.As(err, &faults) || len(faults) != 1 || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v; want one fault with %q", err, tt.want)
			}
			if err != nil && (strings.Contains(err.Error(), "p/w") || strings.Contains(err.Error(), "u:p@")) {
				t.Errorf("a password is shown: %v", err)
			}
		})
	}
}

func TestSchema_knows_stores_of_the_callers_own(t *testing.T) {
	for address, known := range map[string]bool{"bolt:/x": true, "etcd://h": true, "memory:": true, "blot:/x": false} {
		data, err := Schema([]string{"bolt", "etcd"})
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
		if err := resolved.Validate(map[string]any{"session": map[string]any{"store": address}}); (err == nil) != known {
			t.Errorf("%s: %v", address, err)
		}
	}
}
