package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// values are what the names in braces stand for.
type values map[string]string

var placeholder = regexp.MustCompile(`…|\{[a-z_]+\}`)

// fill puts the values into the text of a request.
func (v values) fill(text string) string {
	return placeholder.ReplaceAllStringFunc(text, func(p string) string {
		if value, ok := v[strings.Trim(p, "{}")]; ok {
			return value
		}
		return p
	})
}

// match reports whether got is what want says, and keeps the values of new names.
func (v values) match(want, got string) bool {
	var pattern strings.Builder
	var names []string
	rest := want
	for _, at := range placeholder.FindAllStringIndex(want, -1) {
		p := want[at[0]:at[1]]
		pattern.WriteString(regexp.QuoteMeta(rest[:len(rest)-len(want)+at[0]]))
		rest = want[at[1]:]
		name := strings.Trim(p, "{}")
		switch known, ok := v[name]; {
		case p == "…":
			pattern.WriteString(`.*?`)
		case ok:
			pattern.WriteString(regexp.QuoteMeta(known))
		default:
			pattern.WriteString(`([^\s/?&;,"]+?)`)
			names = append(names, name)
		}
	}
	m := regexp.MustCompile(`(?s)^` + pattern.String() + regexp.QuoteMeta(rest) + `$`).FindStringSubmatch(got)
	if m == nil {
		return false
	}
	for i, name := range names {
		v[name] = m[i+1]
	}
	return true
}

// telling are the headers that an example must name where the answer has them.
var telling = []string{
	"Set-Cookie", "Location", "Retry-After", "Allow", "Link", "Www-Authenticate", "Access-Control-Allow-Origin",
}

// headerFaults compares the header of an answer with the one in an example.
func (v values) headerFaults(want []field, got http.Header) (faults []string) {
	named := map[string]int{}
	for _, w := range want {
		named[http.CanonicalHeaderKey(w.name)]++
		if !slices.ContainsFunc(got.Values(w.name), func(g string) bool { return v.match(w.value, g) }) {
			faults = append(faults, fmt.Sprintf("%s is %q, not %q", w.name, got.Values(w.name), w.value))
		}
	}
	for _, name := range telling {
		if n := len(got.Values(name)); n != named[name] {
			faults = append(faults, fmt.Sprintf("%s comes %d times, not %d: %q", name, n, named[name], got.Values(name)))
		}
	}
	return faults
}

// bodyFaults compares a body: as JSON where it is JSON, else as text.
func (v values) bodyFaults(want, got, kind string) []string {
	switch {
	case want == "" && got == "": // to a HEAD
		return nil
	case strings.Contains(kind, "json"):
		return v.jsonFaults(want, got)
	case !v.match(want, strings.TrimSpace(got)):
		return []string{fmt.Sprintf("the body is\n%s\nnot\n%s", got, want)}
	}
	return nil
}

// anything stands for a … that is a whole value.
const anything = "\x00"

func (v values) jsonFaults(want, got string) []string {
	w, err := decodeJSON(quoteEllipses(want))
	if err != nil {
		return []string{fmt.Sprintf("what the page shows is no JSON: %v:\n%s", err, want)}
	}
	g, err := decodeJSON(got)
	if err != nil {
		return []string{fmt.Sprintf("the answer is no JSON: %v:\n%s", err, got)}
	}
	return v.valueFaults("", w, g)
}

// quoteEllipses makes JSON of an example's: a … among the fields of an object
// becomes a field of that name, any other outside of a text becomes anything.
func quoteEllipses(text string) string {
	var b strings.Builder
	inText, before := false, ' '
	runes := []rune(text)
	for i, r := range runes {
		switch {
		case r == '…' && !inText && strings.HasPrefix(strings.TrimSpace(string(runes[i+1:])), "}") && (before == '{' || before == ','):
			b.WriteString(`"…": 0`)
		case r == '…' && !inText:
			b.WriteString(`"\u0000"`)
		default:
			b.WriteRune(r)
		}
		if r == '"' && before != '\\' {
			inText = !inText
		}
		if r != ' ' && r != '\n' {
			before = r
		}
	}
	return b.String()
}

func decodeJSON(text string) (value any, err error) {
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	err = d.Decode(&value)
	return value, err
}

// valueFaults compares one value, which is at a path such as .tokens[0].
func (v values) valueFaults(path string, want, got any) (faults []string) {
	differs := []string{fmt.Sprintf("%s is %v, not %v", path, got, want)}
	switch want := want.(type) {
	case string:
		if text, ok := got.(string); want == anything || ok && v.match(want, text) {
			return nil
		}
	case json.Number:
		if number, ok := got.(json.Number); ok && sameNumber(want, number) {
			return nil
		}
	case map[string]any:
		if object, ok := got.(map[string]any); ok {
			return v.objectFaults(path, want, object)
		}
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			return differs
		}
		for i := range want {
			faults = append(faults, v.valueFaults(fmt.Sprintf("%s[%d]", path, i), want[i], list[i])...)
		}
		return faults
	default:
		if want == got {
			return nil
		}
	}
	return differs
}

func (v values) objectFaults(path string, want, got map[string]any) (faults []string) {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		value, ok := got[name]
		switch {
		case name == "…":
		case !ok:
			faults = append(faults, fmt.Sprintf("%s.%s is missing", path, name))
		default:
			faults = append(faults, v.valueFaults(path+"."+name, want[name], value)...)
		}
	}
	if _, more := want["…"]; more {
		return faults
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[name]; !ok {
			faults = append(faults, fmt.Sprintf("%s.%s, %v, is not on the page", path, name, got[name]))
		}
	}
	return faults
}

// sameNumber compares numbers; one of ten digits stands for any time near now.
func sameNumber(want, got json.Number) bool {
	if len(want) != len("1795401232") {
		return want == got
	}
	seconds, err := got.Int64()
	return err == nil && time.Until(time.Unix(seconds, 0)).Abs() < 48*time.Hour
}
