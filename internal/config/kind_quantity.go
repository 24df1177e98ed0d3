package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
)

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
	setBytes(field, n)
	return nil
}

func setBytes(field any, n int64) {
	switch p := field.(type) {
	case *int:
		*p = int(n)
	case *int64:
		*p = n
	}
}

func bytesOf(field any) int64 {
	if p, ok := field.(*int); ok {
		return int64(*p)
	}
	return *field.(*int64)
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

func (k size) format(field any) []string { return []string{formatSize(bytesOf(field))} }

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

// Auto stands for a size that is left to the program.
const Auto = -1

// sizeOrAuto fills an *int or *int64 with bytes, or [Auto].
type sizeOrAuto struct{ size }

func (k sizeOrAuto) want() string { return "auto, or " + k.size.want() }

func (k sizeOrAuto) parse(field any, s string) error {
	if s == "auto" {
		setBytes(field, Auto)
		return nil
	}
	if k.size.parse(field, s) != nil {
		return cure(k.want())
	}
	return nil
}

func (k sizeOrAuto) format(field any) []string {
	if bytesOf(field) == Auto {
		return []string{"auto"}
	}
	return k.size.format(field)
}

func (k sizeOrAuto) schema() *jsonschema.Schema {
	s := k.size.schema()
	s.AnyOf = append([]*jsonschema.Schema{{Enum: []any{"auto"}}}, s.AnyOf...)
	return s
}

// countOrAuto fills an *int with a number, or [Auto].
type countOrAuto struct{ integer }

func (k countOrAuto) want() string { return "auto, or " + k.integer.want() }

func (k countOrAuto) parse(field any, s string) error {
	if s == "auto" {
		*field.(*int) = Auto
		return nil
	}
	if k.integer.parse(field, s) != nil {
		return cure(k.want())
	}
	return nil
}

func (k countOrAuto) format(field any) []string {
	if *field.(*int) == Auto {
		return []string{"auto"}
	}
	return k.integer.format(field)
}

func (k countOrAuto) schema() *jsonschema.Schema {
	return &jsonschema.Schema{AnyOf: append([]*jsonschema.Schema{{Enum: []any{"auto"}}}, k.integer.schema().AnyOf...)}
}

// duration fills a *time.Duration.
type duration struct{ min, max time.Duration }

func (k duration) want() string {
	return fmt.Sprintf("a duration such as 90s, 30m or 12h, from %s to %s", FormatDuration(k.min), FormatDuration(k.max))
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
	return []string{FormatDuration(*field.(*time.Duration))}
}

// FormatDuration is [time.Duration.String] without the zeros at its end.
func FormatDuration(d time.Duration) string {
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
