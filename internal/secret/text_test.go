package secret_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// canary is what must never be seen. spellings are the forms that fmt's verbs
// and encoders would give it.
const canary = "canary-7F3A"

var spellings = []string{
	canary, "canary", "7F3A",
	fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary), fmt.Sprintf("% x", canary),
	strings.Trim(fmt.Sprint([]byte(canary)), "[]"),
	"Y2FuYXJ5", // base64
}

func leak(out string) string {
	for _, s := range spellings {
		if strings.Contains(out, s) {
			return s
		}
	}
	return ""
}

// holder has a Text in every position that fmt reaches in its own way: exported,
// unexported, behind a pointer, in a slice, an array, a map and an interface.
type holder struct {
	Shown  secret.Text
	hidden secret.Text
	behind *secret.Text
	List   []secret.Text
	list   []secret.Text
	fixed  [1]secret.Text
	byName map[string]secret.Text
	bySelf map[secret.Text]int
	Any    any
	any    any
	deep   struct{ inner struct{ t secret.Text } }
}

func newHolder(t secret.Text) *holder {
	h := &holder{
		Shown: t, hidden: t, behind: &t, List: []secret.Text{t}, list: []secret.Text{t}, fixed: [1]secret.Text{t},
		byName: map[string]secret.Text{"k": t}, bySelf: map[secret.Text]int{t: 1}, Any: t, any: &t,
	}
	h.deep.inner.t = t
	return h
}

func TestText(t *testing.T) {
	s := secret.NewText(canary)

	t.Run("reveals_what_it_was_given", func(t *testing.T) {
		if got := s.Reveal(); got != canary {
			t.Errorf("Reveal() = %q", got)
		}
	})
	t.Run("prints_nothing_of_itself_under_any_verb", func(t *testing.T) {
		for name, v := range map[string]any{
			"value": s, "pointer": &s, "slice": []secret.Text{s}, "struct": *newHolder(s), "struct_pointer": newHolder(s),
		} {
			everyVerb(func(format string) {
				if found := leak(fmt.Sprintf(format, v)); found != "" {
					t.Errorf("%s under %q shows %q", name, format, found)
				}
			})
		}
	})
	t.Run("stands_for_itself_as_a_mask_under_every_verb_that_asks_it", func(t *testing.T) {
		everyVerb(func(format string) {
			if strings.ContainsAny(format[len(format)-1:], "Tpw") { // %w is for errors only
				return
			}
			if got := fmt.Sprintf(format, s); got != "[secret]" {
				t.Errorf("%q gives %q", format, got)
			}
		})
	})
	t.Run("an_error_that_wraps_its_print_holds_none_of_it", func(t *testing.T) {
		err := fmt.Errorf("redeem %v: %w", s, fmt.Errorf("inner %+v %q", newHolder(s), s))
		if found := leak(err.Error()); found != "" {
			t.Errorf("the error shows %q", found)
		}
	})
	t.Run("empty_prints_as_nothing_and_not_as_a_mask", func(t *testing.T) {
		if got := fmt.Sprintf("%v|%q|%#v", secret.Text{}, secret.NewText(""), secret.Text{}); got != "||" {
			t.Errorf("got %q", got)
		}
	})
}

func everyVerb(do func(format string)) {
	for _, flags := range []string{"", "+", "#", "-", "0", " ", "+#", "100", ".3", "#100.2"} {
		for _, verb := range "vTtbcdoOqxXUeEfFgGspwZ!" {
			do("%" + flags + string(verb))
		}
	}
}

func TestTextEncoders(t *testing.T) {
	type document struct {
		Shown secret.Text            `json:"shown" yaml:"shown" xml:"shown"`
		Map   map[string]secret.Text `json:"map" yaml:"map" xml:"-"`
		Keys  map[secret.Text]int    `json:"keys" yaml:"-" xml:"-"`
		own   secret.Text
	}
	s := secret.NewText(canary)
	doc := document{s, map[string]secret.Text{"k": s}, map[secret.Text]int{s: 1}, s}

	encoders := map[string]func(io.Writer) error{
		"json": func(w io.Writer) error { return json.NewEncoder(w).Encode(doc) },
		"yaml": func(w io.Writer) error { return yaml.NewEncoder(w).Encode(doc) },
		"xml":  func(w io.Writer) error { return xml.NewEncoder(w).Encode(doc) },
		"template": func(w io.Writer) error {
			return template.Must(template.New("").Parse("{{.}} {{.Shown}}")).Execute(w, doc)
		},
	}
	for name, encode := range encoders {
		t.Run(name+"_shows_the_mask", func(t *testing.T) {
			var b bytes.Buffer
			if err := encode(&b); err != nil {
				t.Fatal(err)
			}
			if found := leak(b.String()); found != "" {
				t.Errorf("%q in %s", found, b.String())
			}
			if !strings.Contains(b.String(), "[secret]") {
				t.Errorf("no mask in %s", b.String())
			}
		})
	}
	t.Run("a_json_document_is_never_read_into_a_secret", func(t *testing.T) {
		var back document
		err := json.Unmarshal([]byte(`{"shown":"`+canary+`"}`), &back)
		if kind := (*json.UnmarshalTypeError)(nil); !errors.As(err, &kind) || !back.Shown.Empty() {
			t.Errorf("got %v, error %v", back.Shown, err)
		}
	})
}

func TestTextLogged(t *testing.T) {
	s := secret.NewText(canary)
	for name, handler := range map[string]func(io.Writer) slog.Handler{
		"text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) },
		"json": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) },
	} {
		t.Run(name+"_logs_show_nothing_of_it", func(t *testing.T) {
			var b bytes.Buffer
			l := slog.New(handler(&b)).With("with", s)
			l.Info("m", "value", s, "pointer", &s, "list", []secret.Text{s}, "holder", newHolder(s),
				"copy", *newHolder(s), slog.Group("g", "in", s), "error", fmt.Errorf("x %v", s))
			if found := leak(b.String()); found != "" {
				t.Errorf("%q in %s", found, b.String())
			}
			if !strings.Contains(b.String(), "[secret]") {
				t.Errorf("no mask in %s", b.String())
			}
		})
	}
}

func TestTextEqual(t *testing.T) {
	a, same, other := secret.NewText("a"), secret.NewText("a"), secret.NewText("b")
	empty := secret.Text{}
	for name, c := range map[string]struct {
		x, y secret.Text
		want bool
	}{
		"the_same_characters_are_equal":     {a, same, true},
		"a_text_equals_itself":              {a, a, true},
		"other_characters_are_not":          {a, other, false},
		"a_prefix_is_not":                   {a, secret.NewText("aa"), false},
		"empty_equals_nothing":              {empty, a, false},
		"nothing_equals_empty":              {a, empty, false},
		"empty_does_not_even_equal_empty":   {empty, empty, false},
		"NewText_of_nothing_is_empty_again": {secret.NewText(""), secret.NewText(""), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.x.Equal(c.y); got != c.want {
				t.Errorf("Equal = %v", got)
			}
		})
	}
	if !empty.Empty() || !secret.NewText("").Empty() || a.Empty() {
		t.Error("Empty reports wrongly")
	}
}
