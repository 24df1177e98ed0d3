package config

import (
	"cmp"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/gatehouse-auth/gatehouse/internal/storeurl"
)

// key is one row of the table: all that is known about one key of the file.
type key struct {
	path string // "session.idle_timeout"; keys of a route begin with "routes[]."
	doc  string // for operators: meaning, unit, consequence

	shape shape
	kind  kind   // of the leaf, of each element of the list, or of a mapping's values
	names kind   // of a mapping's names
	list  bool   // the leaf, or each value of the mapping, may hold several
	def   string // as GATEHOUSE_* would have it, lists comma-separated

	// fallbacks are variables that hold the value where nothing else does: those
	// that every program reads. The first that is not empty counts.
	fallbacks []string

	secret bool   // never shown
	fileOf string // the leaf names a file that holds that key's secret

	// unbuilt keys are the contract's, accepted at their default only.
	unbuilt bool

	// field points to where the value goes, of the type that kind fills; keys of
	// a route have route instead.
	field func(*Config) any
	route func(*Route) any
}

// shape says what stands at a key.
type shape int

const (
	leaf    shape = iota // a scalar or a list of scalars
	section              // a mapping with keys of its own
	rows                 // a list of such mappings
	mapping              // a [Mapping]: of any names to values
)

// kind is how the text of a leaf is read, written and described.
type kind interface {
	// parse reads text into field; where field is a slice, it grows by one. The
	// error is a [cure].
	parse(field any, text string) error
	// format is the inverse: texts that parse to what field holds, secrets masked.
	format(field any) []string
	// want describes what is accepted.
	want() string
	// schema describes what is accepted to an editor.
	schema() *jsonschema.Schema
}

// later is the field of a key that is not built yet, or kept nowhere.
func later[T any](*Config) any { return new(T) }

const (
	envPrefix   = "GATEHOUSE_"
	routePrefix = "routes[]."
)

// env is the variable that overrides the key, or empty.
func (k *key) env() string {
	if strings.HasPrefix(k.path, routePrefix) || k.shape == section || k.shape == mapping {
		return ""
	}
	return envPrefix + strings.ToUpper(strings.ReplaceAll(k.path, ".", "_"))
}

// show is a text given to this key as a fault repeats it.
func (k *key) show(text string) string {
	if k.secret {
		return masked
	}
	if _, address := k.kind.(storeURL); address {
		text = storeurl.MaskQuery(maskUserinfo(text), masked)
	}
	return show(text)
}

// defaults are the texts of the key's default.
func (k *key) defaults() []string {
	if k.list {
		return splitList(k.def)
	}
	return []string{k.def}
}

// splitList separates at commas; an empty text is the empty list.
func splitList(text string) []string {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	parts := strings.Split(text, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

// index finds a row by its path.
var index = func() map[string]*key {
	m := make(map[string]*key, len(table))
	for i := range table {
		m[table[i].path] = &table[i]
	}
	return m
}()

// children are the rows directly under prefix, in order. A prefix is empty or
// ends in a dot.
func children(prefix string) []*key {
	var out []*key
	for i := range table {
		rest, found := strings.CutPrefix(table[i].path, prefix)
		if found && !strings.Contains(rest, ".") {
			out = append(out, &table[i])
		}
	}
	return out
}

// leaves are the rows under prefix that hold a value, in order.
func leaves(prefix string) []*key { return shaped(leaf, prefix) }

// mappings are the rows under prefix that hold a mapping, in order.
func mappings(prefix string) []*key { return shaped(mapping, prefix) }

func shaped(shape shape, prefix string) []*key {
	var out []*key
	for i := range table {
		k := &table[i]
		inRoute := strings.HasPrefix(k.path, routePrefix)
		if k.shape == shape && inRoute == (prefix == routePrefix) {
			out = append(out, k)
		}
	}
	return out
}

// lastName is the last part of a path.
func lastName(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

// suggestKey finds the key that was probably meant by name under prefix: a
// sibling that is spelled alike, else those of that very name elsewhere.
func suggestKey(prefix, name string) string {
	siblings := children(prefix)
	names := make([]string, len(siblings))
	for i, k := range siblings {
		names[i] = lastName(k.path)
	}
	if n := cmp.Or(nearest(name, names), begun(name, names)); n != "" {
		return prefix + n
	}
	var same []string
	for i := range table {
		if k := &table[i]; lastName(k.path) == name && !k.unbuilt {
			same = append(same, k.path)
		}
	}
	return strings.Join(same, " or ")
}

// suggestEnv finds the variable that was probably meant: one that lacks nothing
// but the section's name, else one that is spelled alike.
func suggestEnv(name string) string {
	var names, longer []string
	for i := range table {
		e := table[i].env()
		if e == "" {
			continue
		}
		names = append(names, e)
		if strings.HasSuffix(e, "_"+strings.TrimPrefix(name, envPrefix)) && !table[i].unbuilt {
			longer = append(longer, e)
		}
	}
	if len(longer) > 0 {
		return strings.Join(longer, " or ")
	}
	return nearest(name, names)
}
