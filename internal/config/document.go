package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// parseYAML reads the one document of data; nil for an empty one.
func (l *loader) parseYAML(file string, data []byte) *yaml.Node {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	switch err := d.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		l.faults = append(l.faults, syntaxFault(file, data, err))
		return nil
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		l.faults = append(l.faults, Fault{File: file, Line: more.Line, Want: "one YAML document"})
	}
	return doc.Content[0]
}

// quoted finds what the YAML parser repeats of its input: the name of an anchor,
// which is the value itself where that is an unquoted secret that begins with *.
var quoted = regexp.MustCompile(`'[\w-]{2,}'`)

// syntaxFault carries over the parser's line and phrase. It offers them as text only.
func syntaxFault(file string, data []byte, err error) Fault {
	f := Fault{File: file, Value: "no YAML"}
	phrase := strings.TrimPrefix(err.Error(), "yaml: ")
	if n, scanErr := fmt.Sscanf(phrase, "line %d:", &f.Line); n == 1 && scanErr == nil {
		_, phrase, _ = strings.Cut(phrase, ": ")
	}
	if strings.Contains(phrase, "tab character") || strings.Contains(phrase, "cannot start any token") {
		if tab, found := tabFault(file, data, f.Line); found {
			return tab
		}
	}
	f.Want = "YAML with all values quoted that begin with * & ! % @ ` or hold : # { } (" + quoted.ReplaceAllString(phrase, "'…'") + ")"
	return f
}

// tabFault finds the line that a parser complained of because of a tab: the first
// one indented with a tab at or behind the line that it named.
func tabFault(file string, data []byte, from int) (f Fault, found bool) {
	for i, line := range strings.Split(string(data), "\n") {
		indent := line[:len(line)-len(strings.TrimLeft(line, " \t-"))] // a list's dashes included
		tab := strings.IndexByte(indent, '\t')
		if i+1 < from || tab < 0 {
			continue
		}
		f := Fault{File: file, Line: i + 1, Value: fmt.Sprintf("line %d begins with a tab: indent with spaces", i+1)}
		if tab > 0 {
			f.Value = fmt.Sprintf("line %d has a tab in its indentation: indent with spaces", i+1)
		}
		return f, true
	}
	return Fault{}, false
}

// resolveAlias follows *name to what &name marks.
func resolveAlias(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// describeNode is what a fault shows where a node has the wrong shape.
func describeNode(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	return "a scalar"
}

// readMapping sorts a mapping's pairs into s, by the rows under prefix.
func (l *loader) readMapping(s *scope, prefix, file string, n *yaml.Node, literal bool) {
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], resolveAlias(n.Content[i+1])
		k := l.knownKey(s, prefix, file, name)
		if k == nil {
			continue
		}
		if isNull(value) {
			l.readNothing(s, k, file, name.Line)
			continue
		}
		if first := lines[k.path]; first > 0 {
			l.add(s, k, Fault{File: file, Line: name.Line, Key: s.shown(k), Value: "given twice",
				Want: fmt.Sprintf("it once; it stands in line %d already", first)})
			continue
		}
		lines[k.path] = name.Line
		l.readKey(s, k, file, n.Content[i+1], literal)
	}
}

// readNothing takes in a key with nothing behind it, which stands for its default: but
// where that opens what was to be guarded, such as a list whose lines are commented out.
func (l *loader) readNothing(s *scope, k *key, file string, line int) {
	if needed := k.needed(); needed != "" {
		l.add(s, k, Fault{File: file, Line: line, Key: s.shown(k), Value: "nothing", Want: needed})
	}
}

// needed is what must stand behind a key, or in its place; empty where it may be nothing.
func (k *key) needed() string {
	path, ofRoute := strings.CutPrefix(k.path, routePrefix)
	switch {
	case path == "require" || strings.HasPrefix(path, "require."):
		return "something, or the key left out: nothing is required as it is"
	case ofRoute && essential[path] != "":
		return essential[path] + " in it, or the key left out"
	}
	return ""
}

// knownKey finds the row that a name under prefix means.
func (l *loader) knownKey(s *scope, prefix, file string, name *yaml.Node) *key {
	f := Fault{File: file, Line: name.Line, Key: s.name + prefix[len(s.prefix):] + name.Value, Value: "unknown key"}
	if name.Kind != yaml.ScalarNode {
		f.Value = describeNode(name) + " as a key"
		f.Want = "a name"
		l.faults = append(l.faults, f)
		return nil
	}
	if k := index[prefix+name.Value]; k != nil && !strings.ContainsAny(name.Value, ".[") {
		return k
	}
	f.Key = s.name + prefix[len(s.prefix):] + presentable(name.Value)
	s.faulty[strings.TrimSuffix(prefix, ".")] = true // the section does not hold what was meant
	f.Want = "a key that exists"
	if near := suggestKey(prefix, name.Value); near != "" {
		f.Want = near + ", perhaps"
	}
	l.faults = append(l.faults, f)
	return nil
}

// readKey takes in what stands at a key, if it has the row's shape.
func (l *loader) readKey(s *scope, k *key, file string, n *yaml.Node, literal bool) {
	line := n.Line
	n = resolveAlias(n)
	wrong := func(want string) {
		l.add(s, k, Fault{File: file, Line: line, Key: s.shown(k), Value: describeNode(n), Want: want})
	}
	switch {
	case k.shape == section && n.Kind == yaml.MappingNode:
		s.given[k.path] = setting{file: file, line: line}
		l.readMapping(s, k.path+".", file, n, literal)
	case k.shape == section:
		wrong("a mapping of keys")
	case k.shape == rows:
		l.readRoutes(file, n, literal)
	case k.shape == mapping && n.Kind != yaml.MappingNode:
		wrong("a mapping")
	case k.shape == mapping && k.unbuilt:
		if len(n.Content) > 0 {
			wrong("it empty or left out; it is not built yet")
		}
	case k.shape == mapping:
		l.readPairs(s, k, file, n, literal)
	case n.Kind == yaml.ScalarNode:
		s.given[k.path] = setting{file: file, line: line, items: []item{{n.Value, line}}, single: true, literal: literal}
	case n.Kind == yaml.SequenceNode && k.list:
		l.readList(s, k, file, n, literal)
	case k.list:
		wrong("a list; of each, " + k.kind.want())
	default:
		wrong(l.kindOf(k).want())
	}
}

func (l *loader) readList(s *scope, k *key, file string, n *yaml.Node, literal bool) {
	set := setting{file: file, line: n.Line, literal: literal}
	for _, c := range n.Content {
		line := c.Line
		c = resolveAlias(c)
		if c.Kind != yaml.ScalarNode || isNull(c) {
			l.add(s, k, Fault{File: file, Line: line, Key: s.shown(k), Value: describeNode(c) + " in the list",
				Want: k.kind.want()})
			continue
		}
		set.items = append(set.items, item{c.Value, line})
	}
	s.given[k.path] = set
}

// readRoutes makes a scope of each element. It replaces what was read before: the
// variable overrides the file.
func (l *loader) readRoutes(file string, n *yaml.Node, literal bool) {
	l.routes = nil
	wrong := func(n *yaml.Node, name, want string) {
		l.faults = append(l.faults, Fault{File: file, Line: n.Line, Key: name, Value: describeNode(n), Want: want})
	}
	if n.Kind != yaml.SequenceNode {
		wrong(n, "routes", "a list of routes, each with path and upstream or static")
		return
	}
	l.cfg.Routes = make([]Route, len(n.Content))
	for i, c := range n.Content {
		name := fmt.Sprintf("routes[%d]", i)
		row := resolveAlias(c)
		if row.Kind != yaml.MappingNode {
			wrong(c, name, "a mapping with path and upstream or static")
			continue
		}
		s := newScope(routePrefix, name+".", file, c.Line, &l.cfg.Routes[i])
		l.readMapping(s, routePrefix, file, row, literal)
		l.routes = append(l.routes, s)
	}
}
