package config

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// upstream adds an address to a *[]Upstream, with its weight behind it as nginx has it:
// "http://localhost:9000 weight=2".
type upstream struct{}

// mostWeight is more than anybody needs, and so little that sums of weights fit anywhere.
const mostWeight = 1000

func (upstream) want() string {
	return "an address such as http://localhost:9000, without query, or one with its weight: http://localhost:9000 weight=2"
}

func (k upstream) parse(field any, s string) error {
	address, options, _ := strings.Cut(s, " ")
	u, err := k.address(address)
	if err != nil {
		return err
	}
	weight := int64(1)
	if options = strings.TrimSpace(options); options != "" {
		text, named := strings.CutPrefix(options, "weight=")
		n, isNumber := digits(text)
		if !named || !isNumber || n < 1 || n > mostWeight {
			return curef("weight=N behind the address, with N from 1 to %d; an address that is to get nothing is left out", mostWeight)
		}
		weight = n
	}
	list := field.(*[]Upstream)
	*list = append(*list, Upstream{u, int(weight)})
	return nil
}

func (k upstream) address(s string) (*url.URL, error) {
	rest, clear := strings.CutPrefix(s, "h2c://")
	if clear {
		s = "http://" + rest
	}
	u, ok := parseWeb(s)
	if meant := withScheme(s); !ok && meant != nil {
		return nil, curef("the scheme in front: http://%s, or https://", s)
	}
	if !ok {
		return nil, cure(k.want())
	}
	if strings.Contains(u.EscapedPath(), "//") {
		return nil, cure("an address whose path has no empty segment")
	}
	if clear {
		u.Scheme = "h2c"
	}
	return u, nil
}

func (upstream) format(field any) []string {
	var out []string
	for _, up := range *field.(*[]Upstream) {
		text := up.URL.String()
		if up.Weight != 1 {
			text = fmt.Sprintf("%s weight=%d", text, up.Weight)
		}
		out = append(out, text)
	}
	return out
}

// isServerName takes what a certificate can be for: a host's name, or its address.
func isServerName(s string) bool { return validHost(s) }

// isCheckPath takes what can stand in a request line behind an address.
func isCheckPath(s string) bool {
	u, err := url.Parse(s)
	return err == nil && strings.HasPrefix(s, "/") && u.Host == "" && u.Fragment == "" &&
		!strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '#' || r == '\\' })
}

func (upstream) schema() *jsonschema.Schema {
	return orVariable(&jsonschema.Schema{Type: "string", Pattern: `^((https?|h2c)://.*)?$`})
}
