package config

import "strconv"

// scope is one mapping's worth of settings: the file and the variables, or one
// route.
type scope struct {
	prefix string // of the rows' paths: "" or "routes[]."
	name   string // as faults have it: "" or "routes[2]."
	file   string
	line   int // where the mapping begins; 0 for the file itself

	given  map[string]setting // by the row's path
	faulty map[string]bool    // rows about which something was said already

	target any // *Config or *Route
}

// setting is what was given for a key.
type setting struct {
	file  string // the file's path or the variable's name
	line  int
	items []item
	pairs []pair // of a mapping
	// single: one text, which a list separates at commas.
	single bool
	// literal: from a variable or a secret's file, where ${} means nothing.
	literal bool
	// escapes: a variable put a percent-escape into an address's user or password.
	escapes bool
	// preset: brought by the program, and not by file or variables.
	preset bool
}

type item struct {
	text string
	line int
}

func newScope(prefix, name, file string, line int, target any) *scope {
	return &scope{
		prefix: prefix, name: name, file: file, line: line, target: target,
		given: map[string]setting{}, faulty: map[string]bool{},
	}
}

// field is where the key's value goes.
func (s *scope) field(k *key) any {
	if r, ok := s.target.(*Route); ok {
		return k.route(r)
	}
	return k.field(s.target.(*Config))
}

// shown is the key as faults name it.
func (s *scope) shown(k *key) string { return s.name + k.path[len(s.prefix):] }

// filled reports whether the key was given anything but nothing.
func (s *scope) filled(path string) bool {
	for _, it := range s.given[path].items {
		if it.text != "" {
			return true
		}
	}
	return false
}

// sound reports whether all these keys hold what the operator meant, so that a
// rule about them says something new.
func (s *scope) sound(paths ...string) bool {
	for _, p := range paths {
		if s.faulty[s.prefix+p] {
			return false
		}
	}
	return true
}

// reject notes that a key, named as within s, does not go with the rest; at is
// the element of a list, or -1.
func (l *loader) reject(s *scope, path string, at int, err error) {
	l.rejectKey(s, index[s.prefix+path], at, err)
}

func (l *loader) rejectKey(s *scope, k *key, at int, err error) {
	f := Fault{File: s.file, Line: s.line, Key: s.shown(k), Value: "not set", Want: err.Error()}
	if set, given := s.given[k.path]; given {
		f.File, f.Line = set.file, set.line
		f.Value = set.show(k, max(at, 0))
		if at >= 0 {
			f.Key += "[" + strconv.Itoa(at) + "]"
			f.Line = set.items[at].line
		}
	} else if k.def != "" {
		f.Value = show(k.def) + " by default"
	}
	l.add(s, k, f)
}

// show is an element as a fault repeats it.
func (set setting) show(k *key, at int) string {
	switch {
	case len(set.pairs) > 0:
		return "a mapping"
	case at >= len(set.items):
		return "an empty list"
	case set.items[at].text == "":
		return `""`
	}
	return k.show(set.items[at].text)
}

// add notes a fault and that its key has one.
func (l *loader) add(s *scope, k *key, f Fault) {
	s.faulty[k.path] = true
	l.faults = append(l.faults, f)
}
