package config

import "reflect"

// Changed names the keys, those of routes left out, whose values differ between
// two configurations, in the order of the file. It never shows values, so that it
// shows no secrets.
func Changed(before, after *Config) []string {
	var out []string
	for _, k := range leaves("") {
		if !reflect.DeepEqual(k.field(before), k.field(after)) {
			out = append(out, k.path)
		}
	}
	return out
}
