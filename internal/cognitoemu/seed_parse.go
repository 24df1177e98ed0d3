package cognitoemu

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// ParseSeed reads a seed file. The error names every fault it found, each with
// its line; keys it does not know are faults.
func ParseSeed(data []byte) (Seed, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		return Seed{}, fmt.Errorf("read seed: %w", err)
	}
	if len(document.Content) == 0 {
		return Seed{}, errors.New("read seed: the file is empty")
	}
	root := document.Content[0]
	faults := unknownKeys(root, reflect.TypeFor[Seed]())

	var seed Seed
	if err := root.Decode(&seed); err != nil {
		var mismatch *yaml.TypeError
		if !errors.As(err, &mismatch) {
			return Seed{}, fmt.Errorf("read seed: %w", err)
		}
		for _, message := range mismatch.Errors {
			faults = append(faults, lineFault{message: message})
		}
	}
	for _, fault := range seed.check() {
		faults = append(faults, lineFault{lineOf(root, fault.path), fault.Error()})
	}
	if len(faults) == 0 {
		return seed, nil
	}
	slices.SortStableFunc(faults, func(a, b lineFault) int { return cmp.Compare(a.line, b.line) })
	joined := make([]error, len(faults))
	for i, fault := range faults {
		joined[i] = fault
	}
	return Seed{}, fmt.Errorf("read seed: %w", errors.Join(joined...))
}

// lineFault is a fault of a file. Line 0 means that the message names it already.
type lineFault struct {
	line    int
	message string
}

func (f lineFault) Error() string {
	if f.line == 0 {
		return f.message
	}
	return fmt.Sprintf("line %d: %s", f.line, f.message)
}

// lineOf follows path as far as the file goes; a key that is missing is reported
// at the place where it ought to stand.
func lineOf(node *yaml.Node, path []any) int {
	for _, step := range path {
		next := child(node, step)
		if next == nil {
			break
		}
		node = next
	}
	return node.Line
}

func child(node *yaml.Node, step any) *yaml.Node {
	switch step := step.(type) {
	case int:
		if node.Kind == yaml.SequenceNode && step < len(node.Content) {
			return node.Content[step]
		}
	case string:
		for i := 0; node.Kind == yaml.MappingNode && i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == step {
				return node.Content[i+1]
			}
		}
	}
	return nil
}

// unknownKeys walks the file beside the type it is to become. The decoder's own
// strict mode would name Go types, and stop at other faults first.
func unknownKeys(node *yaml.Node, typ reflect.Type) []lineFault {
	var faults []lineFault
	switch {
	case node.Kind == yaml.SequenceNode && typ.Kind() == reflect.Slice:
		for _, item := range node.Content {
			faults = append(faults, unknownKeys(item, typ.Elem())...)
		}
	case node.Kind == yaml.MappingNode && typ.Kind() == reflect.Struct:
		known := keysOf(typ)
		for i := 0; i+1 < len(node.Content); i += 2 {
			key := node.Content[i]
			field, ok := known[key.Value]
			if !ok {
				faults = append(faults, lineFault{key.Line, fmt.Sprintf("unknown key %q; known here: %s", key.Value, listKeys(known))})
				continue
			}
			faults = append(faults, unknownKeys(node.Content[i+1], field)...)
		}
	}
	return faults
}

func keysOf(typ reflect.Type) map[string]reflect.Type {
	keys := make(map[string]reflect.Type, typ.NumField())
	for i := range typ.NumField() {
		keys[typ.Field(i).Tag.Get("yaml")] = typ.Field(i).Type
	}
	return keys
}

func listKeys(keys map[string]reflect.Type) string {
	names := make([]string, 0, len(keys))
	for name := range keys {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
