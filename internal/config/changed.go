package config

import (
	"reflect"
	"strings"
)

// Changed names the keys whose values differ between two configurations, in the order of
// the file; but those of routes, and what all routes require, which [Load] has put into
// them. It never shows values, so that it shows no secrets.
func Changed(before, after *Config) []string {
	var out []string
	for _, k := range leaves("") {
		if strings.HasPrefix(k.path, "require.") {
			continue
		}
		if !reflect.DeepEqual(k.field(before), k.field(after)) {
			out = append(out, k.path)
		}
	}
	return out
}
