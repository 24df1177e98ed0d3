package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
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

// integer fills an *int.
type integer struct{ min, max int }

func (k integer) want() string { return fmt.Sprintf("a whole number from %d to %d", k.min, k.max) }

func (k integer) parse(field any, s string) error {
	n, ok := digits(s)
	if !ok || n < int64(k.min) || n > int64(k.max) {
		return cure(k.want())
	}
	*field.(*int) = int(n)
	return nil
}

func (k integer) format(field any) []string { return []string{strconv.Itoa(*field.(*int))} }
func (k integer) schema() *jsonschema.Schema {
	return orVariable(&jsonschema.Schema{Type: "integer", Minimum: number(int64(k.min)), Maximum: number(int64(k.max))})
}

// digits reads a decimal number without sign.
func digits(s string) (int64, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// size fills an *int or *int64 with bytes.
type size struct{ min, max int64 }

var sizeUnits = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

func (k size) want() string {
	return fmt.Sprintf("bytes such as 32KiB, 1MiB or 4096, from %s to %s", formatSize(k.min), formatSize(k.max))
}

func (k size) parse(field any, s string) error {
	n, ok := parseSize(s)
	if !ok || n < k.min || n > k.max {
		return cure(k.want())
	}
	switch p := field.(type) {
	case *int:
		*p = int(n)
	case *int64:
		*p = n
	}
	return nil
}

func parseSize(s string) (int64, bool) {
	unit := int64(1)
	for _, u := range sizeUnits {
		if rest, found := strings.CutSuffix(s, u.name); found {
			s, unit = strings.TrimRight(rest, " "), u.bytes
			break
		}
	}
	n, ok := digits(s)
	return n * unit, ok && n <= (1<<62)/unit
}

func (k size) format(field any) []string {
	if p, ok := field.(*int); ok {
		return []string{formatSize(int64(*p))}
	}
	return []string{formatSize(*field.(*int64))}
}

func formatSize(n int64) string {
	for _, u := range sizeUnits {
		if u.bytes > 1 && n > 0 && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

func (k size) schema() *jsonschema.Schema {
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
		{Type: "integer", Minimum: number(k.min), Maximum: number(k.max)},
		{Type: "string", Pattern: `^[0-9]+ *(B|KiB|MiB|GiB)?$`},
		variable(),
	}}
}

// duration fills a *time.Duration.
type duration struct{ min, max time.Duration }

func (k duration) want() string {
	return fmt.Sprintf("a duration such as 90s, 30m or 12h, from %s to %s", formatDuration(k.min), formatDuration(k.max))
}

func (k duration) parse(field any, s string) error {
	d, err := time.ParseDuration(s)
	if err != nil || d < k.min || d > k.max {
		return cure(k.want())
	}
	*field.(*time.Duration) = d
	return nil
}

func (k duration) format(field any) []string {
	return []string{formatDuration(*field.(*time.Duration))}
}

// formatDuration is [time.Duration.String] without the zeros at its end.
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func (k duration) schema() *jsonschema.Schema {
	return orVariable(&jsonschema.Schema{Type: "string", Pattern: `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`})
}

// enum fills a *string with one of a few words.
type enum struct {
	words []string
	later []string // the contract's, not built yet
}

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
	for _, w := range k.later {
		if s == w {
			return curef("%s; %s is not built yet", k.want(), w)
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
