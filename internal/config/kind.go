package config

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// put stores s in a *string, or appends it to a *[]string.
func put(field any, s string) {
	switch p := field.(type) {
	case *string:
		*p = s
	case *[]string:
		*p = append(*p, s)
	default:
		panic(fmt.Sprintf("[unexpected] text kind on %T", field))
	}
}

// taken is the inverse of put.
func taken(field any) []string {
	switch p := field.(type) {
	case *string:
		return []string{*p}
	case *[]string:
		return *p
	}
	panic(fmt.Sprintf("[unexpected] text kind on %T", field))
}

// text is any text without control characters: *string or *[]string. Where set,
// check refuses with the kind's description.
type text struct {
	what  string
	check func(string) bool
}

func (t text) want() string {
	if t.what == "" {
		return "text"
	}
	return t.what
}

func (t text) parse(field any, s string) error {
	if !printable(s) || s != strings.TrimSpace(s) {
		return cure(t.want() + ", without control characters and without spaces around it")
	}
	if _, list := field.(*[]string); list && s == "" {
		return cure(t.want() + ", not empty")
	}
	if s != "" && t.check != nil && !t.check(s) {
		return cure(t.want())
	}
	put(field, s)
	return nil
}

func (t text) format(field any) []string  { return taken(field) }
func (t text) schema() *jsonschema.Schema { return &jsonschema.Schema{Type: "string"} }

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// boolean fills a *bool. YAML 1.1's yes and on are not accepted: they are text
// to half of all YAML readers.
type boolean struct{}

func (boolean) want() string { return "true or false" }

func (b boolean) parse(field any, s string) error {
	if s != "true" && s != "false" {
		return cure(b.want())
	}
	*field.(*bool) = s == "true"
	return nil
}

func (boolean) format(field any) []string { return []string{strconv.FormatBool(*field.(*bool))} }
func (boolean) schema() *jsonschema.Schema {
	return orVariable(&jsonschema.Schema{Type: "boolean"})
}

// enum fills a *string with one of a few words.
type enum struct{ words []string }

func (k enum) want() string {
	last := len(k.words) - 1
	return strings.Join(k.words[:last], ", ") + " or " + k.words[last]
}

func (k enum) parse(field any, s string) error {
	for _, w := range k.words {
		if s == w {
			put(field, s)
			return nil
		}
	}
	return cure(k.want())
}

func (k enum) format(field any) []string { return taken(field) }

func (k enum) schema() *jsonschema.Schema {
	words := make([]any, len(k.words))
	for i, w := range k.words {
		words[i] = w
	}
	return orVariable(&jsonschema.Schema{Enum: words})
}

// secretText fills a [secret.Text].
type secretText struct{ what string }

func (k secretText) want() string { return k.what }

func (k secretText) parse(field any, s string) error {
	if !printable(s) || s != strings.TrimSpace(s) {
		return cure(k.what + ", without control characters, line ends and spaces around it")
	}
	*field.(*secret.Text) = secret.NewText(s)
	return nil
}

func (k secretText) format(field any) []string {
	if field.(*secret.Text).Empty() {
		return []string{""}
	}
	return []string{masked}
}

func (k secretText) schema() *jsonschema.Schema { return &jsonschema.Schema{Type: "string"} }
