package config

import (
	"fmt"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
	"go.yaml.in/yaml/v3"
)

// Mapping is pairs whose names the operator chooses, in the order of the file.
type Mapping []Pair

// Pair is a name and what stands behind it: one value, or several where the key takes
// lists.
type Pair struct {
	Name   string
	Values []string
}

// pair is a [Pair] as it was given.
type pair struct {
	name string
	setting
}

// readPairs takes in the pairs of a mapping. Placeholders stand in values only.
func (l *loader) readPairs(s *scope, k *key, file string, n *yaml.Node, literal bool) {
	set := setting{file: file, line: n.Line, literal: literal}
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name := n.Content[i]
		f := Fault{File: file, Line: name.Line, Key: s.shownPair(k, name.Value)}
		switch first := lines[name.Value]; {
		case name.Kind != yaml.ScalarNode:
			f.Key, f.Value, f.Want = s.shown(k), describeNode(name)+" as a key", k.names.want()
		case first > 0:
			f.Value, f.Want = "given twice", fmt.Sprintf("it once; it stands in line %d already", first)
		default:
			lines[name.Value] = name.Line
			p := pair{name.Value, setting{file: file, line: name.Line, literal: literal}}
			p.items, f.Value = k.readValues(resolveAlias(n.Content[i+1]))
			f.Want = k.kind.want()
			set.pairs = append(set.pairs, p)
		}
		if f.Value != "" {
			l.add(s, k, f)
		}
	}
	s.given[k.path] = set
}

// readValues reads what stands behind a name; wrong says what stands there instead.
func (k *key) readValues(n *yaml.Node) (items []item, wrong string) {
	switch {
	case isNull(n):
		return nil, "nothing"
	case n.Kind == yaml.ScalarNode:
		return []item{{n.Value, n.Line}}, ""
	case n.Kind != yaml.SequenceNode || !k.list:
		return nil, describeNode(n)
	}
	for _, c := range n.Content {
		c = resolveAlias(c)
		if c.Kind != yaml.ScalarNode || isNull(c) {
			return nil, describeNode(c) + " in the list"
		}
		items = append(items, item{c.Value, c.Line})
	}
	return items, ""
}

// fillPairs parses the pairs of a mapping into its field.
func (l *loader) fillPairs(s *scope, k *key) {
	field := s.field(k).(*Mapping)
	for at, given := range s.given[k.path].pairs {
		var p Pair
		err := k.names.parse(&p.Name, given.name)
		if given.name == "" {
			err = cure(k.names.want()) // nothing stands for a default only
		}
		if err != nil {
			l.rejectPair(s, k, at, err)
			continue
		}
		for _, it := range given.items {
			text, err := it.text, error(nil)
			if !given.literal {
				text, err = expand(text, l.src.Getenv)
			}
			if err == nil {
				err = k.kind.parse(&p.Values, text)
			}
			if err != nil {
				l.rejectPair(s, k, at, err)
			}
		}
		*field = append(*field, p)
	}
}

// rejectPair notes that a pair of a mapping is no good.
func (l *loader) rejectPair(s *scope, k *key, at int, err error) {
	given := s.given[k.path].pairs[at]
	l.add(s, k, Fault{
		File: given.file, Line: given.line, Key: s.shownPair(k, given.name), Value: given.shown(k), Want: err.Error(),
	})
}

// shown is what stands behind a name as a fault repeats it.
func (p *pair) shown(k *key) string {
	texts := make([]string, len(p.items))
	for i, it := range p.items {
		texts[i] = k.show(it.text)
	}
	return strings.Join(texts, ", ")
}

// shownPair is a pair as faults name it.
func (s *scope) shownPair(k *key, name string) string { return s.shown(k) + "." + presentable(name) }

// presentable is a name that an operator made up, as a fault repeats it: quoted and
// masked, unless it looks like a name and no secret.
func presentable(name string) string {
	if name != "" && printable(name) && !strings.ContainsAny(name, " @") && len(name) < shownRunes {
		return name
	}
	return show(name)
}

// printPairs builds what stands at a mapping; nil for nothing.
func (k *key) printPairs(m Mapping) *yaml.Node {
	if len(m) == 0 {
		return nil
	}
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, p := range m {
		value := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, text := range p.Values {
			value.Content = append(value.Content, k.scalarNode(text))
		}
		if !k.list {
			value = value.Content[0]
		}
		n.Content = append(n.Content, scalar(p.Name), value)
	}
	return n
}

// pairsSchema describes the pairs of a mapping.
func (k *key) pairsSchema() *jsonschema.Schema {
	value := k.kind.schema()
	if k.list {
		value = &jsonschema.Schema{AnyOf: []*jsonschema.Schema{value, {Type: "array", Items: k.kind.schema()}}}
	}
	return &jsonschema.Schema{Type: "object", PropertyNames: k.names.schema(), AdditionalProperties: value}
}
