package config

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Print writes the resolved configuration as YAML, defaults and derived addresses
// included, secrets masked, keys that are not built yet left out. What it writes
// loads again once the secrets are set.
func (c *Config) Print(w io.Writer) error {
	top := newScope("", "", "", 0, c)
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	if err := e.Encode(printMapping(top, "")); err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	return e.Close()
}

// printMapping builds the mapping of the rows directly under prefix.
func printMapping(s *scope, prefix string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, k := range children(prefix) {
		if value := printKey(s, k); value != nil {
			n.Content = append(n.Content, scalar(lastName(k.path)), value)
		}
	}
	return n
}

// sparse reports whether a key is left out where it says nothing.
func sparse(k *key) bool {
	return strings.HasPrefix(k.path, routePrefix) || k.path == "require" || strings.HasPrefix(k.path, "require.")
}

// printKey builds what stands at a key; nil for nothing.
func printKey(s *scope, k *key) *yaml.Node {
	switch {
	case k.unbuilt || k.fileOf != "":
		return nil
	case k.shape == section && sparse(k) && untouched(s, k):
		return nil // what requires nothing has no such section
	case k.shape == section:
		n := printMapping(s, k.path+".")
		if len(n.Content) == 0 {
			return nil
		}
		return n
	case k.shape == rows:
		return printRoutes(s.target.(*Config).Routes)
	case k.shape == mapping:
		return k.printPairs(*s.field(k).(*Mapping))
	}
	texts := k.kind.format(s.field(k))
	if sparse(k) && strings.Join(texts, "") == "" {
		return nil
	}
	if _, plain := k.kind.(upstream); !k.list || plain && len(texts) == 1 {
		return k.scalarNode(texts[0])
	}
	list := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, t := range texts {
		list.Content = append(list.Content, k.scalarNode(t))
	}
	return list
}

// untouched reports whether all keys of a section are at their defaults.
func untouched(s *scope, section *key) bool {
	return !slices.ContainsFunc(children(section.path+"."), func(k *key) bool {
		if k.shape == mapping {
			return len(*s.field(k).(*Mapping)) > 0
		}
		return strings.Join(k.kind.format(s.field(k)), ",") != k.def
	})
}

func printRoutes(routes []Route) *yaml.Node {
	list := &yaml.Node{Kind: yaml.SequenceNode}
	if len(routes) == 0 {
		list.Style = yaml.FlowStyle
	}
	for i := range routes {
		s := newScope(routePrefix, "", "", 0, &routes[i])
		list.Content = append(list.Content, printMapping(s, routePrefix))
	}
	return list
}

// scalarNode writes a text so that it reads back as itself: booleans and numbers
// plain, all else as a string, its dollar signs doubled.
func (k *key) scalarNode(text string) *yaml.Node {
	switch k.kind.(type) {
	case boolean, integer, size, sizeOrAuto, countOrAuto:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: text}
	}
	return scalar(strings.ReplaceAll(text, "$", "$$"))
}

func scalar(text string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(text)
	return n
}
