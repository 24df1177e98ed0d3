package config

import (
	"encoding/json"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// variablePattern matches a text with a placeholder, whatever the key's kind.
const variablePattern = `\$\{`

func variable() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: variablePattern}
}

// orVariable lets a placeholder stand for s.
func orVariable(s *jsonschema.Schema) *jsonschema.Schema {
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{s, variable()}}
}

// orNull accepts that nothing stands behind the key, where that is no fault.
func (k *key) orNull(s *jsonschema.Schema) *jsonschema.Schema {
	if k.needed() != "" {
		return s
	}
	if s.AnyOf != nil {
		s.AnyOf = append(s.AnyOf, &jsonschema.Schema{Type: "null"})
		return s
	}
	s.Type, s.Types = "", []string{s.Type, "null"}
	return s
}

func number(n int64) *float64 {
	f := float64(n)
	return &f
}

// Schema returns the JSON Schema (2020-12) of the file, for editors. It is made
// from the table that [Load] uses; what one key asks of another, only Load checks.
// stores are as [Source] has them.
func Schema(stores []string) ([]byte, error) {
	root := object("", children(""))
	store := *index["session.store"]
	store.kind = storeURL{own: stores}
	root.Properties["session"].Properties["store"] = store.schema()
	root.Schema = "https://json-schema.org/draft/2020-12/schema"
	root.Title = "Gatehouse configuration"
	return json.MarshalIndent(root, "", "  ")
}

// object describes a mapping with these rows as keys.
func object(doc string, keys []*key) *jsonschema.Schema {
	s := &jsonschema.Schema{
		Type: "object", Description: doc,
		Properties:           map[string]*jsonschema.Schema{},
		AdditionalProperties: &jsonschema.Schema{Not: &jsonschema.Schema{}},
	}
	for _, k := range keys {
		name := lastName(k.path)
		s.Properties[name] = k.schema()
		s.PropertyOrder = append(s.PropertyOrder, name)
	}
	return s
}

// schema describes what may stand at the key.
func (k *key) schema() *jsonschema.Schema {
	doc := plain(k.doc)
	switch k.shape {
	case section:
		return k.orNull(object(doc, children(k.path+".")))
	case rows:
		row := object("", children(routePrefix))
		row.Required = []string{"path"}
		return k.orNull(&jsonschema.Schema{Type: "array", Description: doc, Items: row})
	case mapping:
		s := &jsonschema.Schema{Type: "object", MaxProperties: new(int)}
		if k.unbuilt {
			doc += notBuiltYet
		} else {
			s = k.pairsSchema()
		}
		s.Description = doc
		return k.orNull(s)
	}
	s := k.leafSchema()
	s.Description = doc
	if k.unbuilt {
		s.Description += notBuiltYet
	}
	return s
}

const notBuiltYet = " Not built yet."

// leafSchema describes a scalar, or a list in both its forms. A key with nothing
// behind it is not set, so null is accepted.
func (k *key) leafSchema() *jsonschema.Schema {
	s := k.kind.schema()
	switch {
	case k.unbuilt && k.list:
		s = &jsonschema.Schema{Type: "array", MaxItems: new(int)}
	case k.unbuilt:
		s = &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Enum: []any{k.defaultValue()}}}}
	case k.list:
		s = &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Type: "array", Items: s}, {Type: "string"}}}
	}
	s = k.orNull(s)
	if k.def != "" {
		s.Default, _ = json.Marshal(k.defaultValue()) // strings, numbers and booleans only
	}
	return s
}

// defaultValue is the default as JSON has it.
func (k *key) defaultValue() any {
	if k.list {
		return k.defaults()
	}
	switch k.kind.(type) {
	case boolean:
		return k.def == "true"
	case integer:
		n, _ := digits(k.def)
		return n
	}
	return k.def
}

// plain is a doc without its Markdown.
func plain(doc string) string {
	return strings.NewReplacer("`", "", "**", "").Replace(doc)
}
