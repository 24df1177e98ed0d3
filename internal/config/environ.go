package config

import (
	"regexp"
	"slices"
	"strings"
)

// readEnviron lets variables replace what the file gave. A variable that is set
// to nothing counts as not set: that is how compose files and charts pass on
// what nobody gave them.
func (l *loader) readEnviron() {
	for i := range table {
		k := &table[i]
		l.readFallback(k)
		name := k.env()
		if name == "" {
			continue
		}
		text, _ := l.src.Getenv(name)
		switch {
		case text == "":
		case k.shape == rows:
			l.readRoutesVariable(name, text)
		default:
			l.top.given[k.path] = setting{file: name, items: []item{{text: text}}, single: true, literal: true}
			delete(l.top.faulty, k.path)
		}
	}
	l.unknownVariables()
}

// readFallback takes a variable that is not ours for a key that the file does not set.
func (l *loader) readFallback(k *key) {
	if _, given := l.top.given[k.path]; given {
		return
	}
	for _, name := range k.fallbacks {
		if text, _ := l.src.Getenv(name); text != "" {
			l.top.given[k.path] = setting{file: name, items: []item{{text: text}}, single: true, literal: true}
			return
		}
	}
}

func (l *loader) readRoutesVariable(name, text string) {
	if n := l.parseYAML(name, []byte(text)); n != nil {
		l.readRoutes(name, n, true)
	}
}

// unknownVariables reports names that begin like ours and mean nothing: a
// setting that silently does nothing is the worst kind.
func (l *loader) unknownVariables() {
	for _, pair := range slices.Sorted(slices.Values(l.src.Environ())) {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, envPrefix) || isServiceLink(name, value) || l.isKnown(name) {
			continue
		}
		f := Fault{File: name, Value: "unknown variable", Want: "the name of a key"}
		if near := suggestEnv(name); near != "" {
			f.Want = near + ", perhaps"
		}
		l.faults = append(l.faults, f)
	}
}

func (l *loader) isKnown(name string) bool {
	return slices.ContainsFunc(table, func(k key) bool { return k.env() == name })
}

// serviceLink matches the variables that Kubernetes sets in every container of a
// namespace that has a Service named gatehouse, or gatehouse-something; an
// operator cannot help having them.
var serviceLink = regexp.MustCompile(`^GATEHOUSE_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)

func isServiceLink(name, value string) bool {
	if serviceLink.MatchString(name) {
		return true
	}
	// GATEHOUSE_PORT=8080 is a mistake; GATEHOUSE_PORT=tcp://10.0.0.1:80 is a link.
	return strings.HasSuffix(name, "_PORT") && strings.Contains(value, "://")
}
