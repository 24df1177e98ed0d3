package config

import (
	"io/fs"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Source is where a configuration comes from. Only Path and Data are optional:
// without them everything comes from the environment.
type Source struct {
	Path string // as faults name the file
	Data []byte // the file, YAML

	Getenv  func(string) (string, bool) // as [os.LookupEnv]; nil: nothing is set
	Environ func() []string             // as [os.Environ], to find misspelled variables; nil: none

	// Stores are the schemes of stores that the caller has besides those of Gatehouse.
	Stores []string

	// Presets are the caller's own values, in order.
	Presets []Preset

	// ReadFile reads the files that *_file keys and the store's address name; nil is
	// [os.ReadFile].
	ReadFile func(string) ([]byte, error)

	// Stat looks for the directories and files of static routes; nil is [os.Stat].
	Stat func(string) (fs.FileInfo, error)
}

// withDefaults spares the loader from asking for nil.
func (s Source) withDefaults() Source {
	if s.Getenv == nil {
		s.Getenv = func(string) (string, bool) { return "", false }
	}
	if s.Environ == nil {
		s.Environ = func() []string { return nil }
	}
	if s.ReadFile == nil {
		s.ReadFile = os.ReadFile
	}
	if s.Stat == nil {
		s.Stat = os.Stat
	}
	return s
}

// Load resolves a configuration: the file, over it the GATEHOUSE_* variables, under
// both the defaults. Where anything is wrong the error is [Faults], all of them.
// It touches nothing outside but the files of *_file keys and of the store's
// address, and looks whether what static routes name is there.
func Load(src Source) (*Config, error) {
	l := &loader{src: src.withDefaults(), cfg: &Config{}}
	l.top = newScope("", "", src.Path, 0, l.cfg)
	readable := l.readFile()
	l.readEnviron()
	l.readPresets()
	if readable {
		l.resolve()
	}
	if len(l.faults) > 0 {
		l.faults.sort(src.Path)
		return nil, l.faults
	}
	return l.cfg, nil
}

// loader is one run of [Load].
type loader struct {
	src    Source
	cfg    *Config
	top    *scope
	routes []*scope // as many as cfg.Routes, unless one is no mapping
	faults Faults
}

// readFile takes the file in, and reports whether it is a mapping of keys at all:
// of a file that is not, nothing more needs to be said.
func (l *loader) readFile() bool {
	n := l.parseYAML(l.src.Path, l.src.Data)
	if n == nil || isNull(n) {
		return len(l.faults) == 0
	}
	if n.Kind != yaml.MappingNode {
		l.faults = append(l.faults, Fault{File: l.src.Path, Line: n.Line, Value: describeNode(n), Want: "a mapping of keys, such as public_url: https://app.example.com"})
		return false
	}
	l.readMapping(l.top, "", l.src.Path, n, false)
	return true
}

// resolve turns settings into values, in passes: what a later one needs of all
// keys is there when it starts.
func (l *loader) resolve() {
	scopes := append([]*scope{l.top}, l.routes...)
	for _, s := range scopes {
		for _, k := range leaves(s.prefix) {
			l.expand(s, k)
		}
	}
	for _, k := range leaves("") {
		l.readSecret(k)
	}
	for _, s := range scopes {
		for _, k := range leaves(s.prefix) {
			l.fill(s, k)
		}
		for _, k := range mappings(s.prefix) {
			l.fillPairs(s, k)
		}
	}
	l.derive()
	l.check()
}

// expand replaces placeholders in what the file gave, and takes lists that were
// given as one text apart.
func (l *loader) expand(s *scope, k *key) {
	set, given := s.given[k.path]
	if !given {
		return
	}
	items := slices.Clone(set.items)
	for i := range items {
		if set.literal {
			break
		}
		set.escapes = set.escapes || putsEscape(items[i].text, l.src.Getenv)
		var err error
		if items[i].text, err = expand(items[i].text, l.src.Getenv); err != nil {
			at := i
			if set.single {
				at = -1
			}
			l.rejectKey(s, k, at, err)
		}
	}
	if set.single && k.list {
		line := items[0].line
		parts := splitList(items[0].text)
		items = nil
		for _, part := range parts {
			items = append(items, item{part, line})
		}
	}
	set.items = items
	s.given[k.path] = set
}

// fill parses a key's texts, given or default, into its field.
func (l *loader) fill(s *scope, k *key) {
	if s.faulty[k.path] || k.fileOf != "" {
		return
	}
	texts := k.defaults()
	set, given := s.given[k.path]
	if given {
		texts = nil
		for _, it := range set.items {
			texts = append(texts, it.text)
		}
	}
	field, kind := s.field(k), l.kindOf(k)
	for i, t := range texts {
		err := kind.parse(field, t)
		if t == "" && k.def != "" {
			err = cure(kind.want()) // there is no name that is empty where there is a default
		}
		if err != nil {
			at := -1
			if k.list {
				at = i
			}
			l.rejectKey(s, k, at, err)
		}
	}
	if k.unbuilt && given && !s.faulty[k.path] && !isDefault(s, k, field) {
		l.rejectKey(s, k, -1, notBuilt(k))
	}
}

func notBuilt(k *key) error {
	if k.def == "" {
		return cure("it empty or left out; it is not built yet")
	}
	return curef("%s, its default; the rest is not built yet", k.def)
}

// isDefault compares by what is meant: 0 and 0s are one duration.
func isDefault(s *scope, k *key, field any) bool {
	fresh := s.field(k)
	for _, t := range k.defaults() {
		if k.kind.parse(fresh, t) != nil {
			return false
		}
	}
	return strings.Join(k.kind.format(fresh), ",") == strings.Join(k.kind.format(field), ",")
}
