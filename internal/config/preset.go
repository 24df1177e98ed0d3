package config

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Preset is a value that the caller brings for a key, literally, as the key's
// variable would have it.
type Preset struct {
	// Key is the path of a key that there is. It stands for all that begins with it: the keys of a
	// section, the _file of a secret.
	Key  string
	Text string // empty: the defaults of those keys
	By   string // who brings it, as faults name it: "--redis"
	// Default gives way to what file and variables say; others overrule it.
	Default bool
}

// readPresets lets each preset overrule what was given, or fill what was not, in
// order. For routes, those that overrule give a new target to the route of their
// path, or add one.
func (l *loader) readPresets() {
	for _, p := range l.src.Presets {
		k := index[p.Key]
		switch {
		case k.shape == rows:
			l.presetRoutes(p)
		case p.Default && l.top.filled(p.Key):
		default:
			l.overrule(p)
		}
	}
}

func (l *loader) overrule(p Preset) {
	for path := range l.top.given {
		rest, found := strings.CutPrefix(path, p.Key)
		if !found || rest != "" && rest[0] != '.' && rest[0] != '_' {
			continue
		}
		delete(l.top.given, path)
		delete(l.top.faulty, path)
		if !slices.Contains(l.cfg.Overruled, p.Key) {
			l.cfg.Overruled = append(l.cfg.Overruled, p.Key)
		}
	}
	if p.Text != "" {
		l.top.given[p.Key] = setting{file: p.By, items: []item{{text: p.Text}}, single: true, literal: true, preset: true}
	}
}

func (l *loader) presetRoutes(p Preset) {
	rows := l.parseYAML(p.By, []byte(p.Text))
	switch {
	case rows == nil:
	case l.cfg.Routes == nil:
		l.readRoutes(p.By, rows, true)
	case !p.Default:
		for _, row := range rows.Content {
			l.presetRoute(p, row)
		}
	}
}

// presetRoute takes only the target where there is a route for the path already:
// who may use it stays as it was.
func (l *loader) presetRoute(p Preset, row *yaml.Node) {
	added := newScope(routePrefix, p.By+".", p.By, 0, new(Route))
	l.readMapping(added, routePrefix, p.By, row, true)
	for _, s := range l.routes {
		if s.filled(routePrefix+"host") || rowPath(s) != rowPath(added) {
			continue
		}
		for _, name := range []string{"upstream", "static", "spa_fallback"} {
			path := routePrefix + name
			delete(s.given, path)
			delete(s.faulty, path)
			if set, ok := added.given[path]; ok {
				s.given[path] = set
			}
		}
		return
	}
	l.routes = append(l.routes, added)
	l.cfg.Routes = make([]Route, len(l.routes))
	for i, s := range l.routes {
		s.target = &l.cfg.Routes[i]
	}
}

// rowPath is a route's path as it will be compared, empty where none was given.
func rowPath(s *scope) string {
	for _, it := range s.given[routePrefix+"path"].items {
		return strings.TrimSuffix(it.text, "/") + "/"
	}
	return ""
}
