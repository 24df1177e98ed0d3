package server_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/server"
)

const httpPage = "../../docs/http.md"

// TestHTTPPage runs docs/http.md: each of its examples is sent to a real gateway and
// the answer compared, in the order of the page; and each endpoint has a section with
// an example that calls it.
func TestHTTPPage(t *testing.T) {
	text, err := os.ReadFile(httpPage)
	if err != nil {
		t.Fatal(err)
	}
	chapters, err := readPage(string(text))
	if err != nil {
		t.Fatal(err)
	}
	t.Run("has_an_example_of_each_endpoint", func(t *testing.T) {
		for _, fault := range endpointFaults(endpoints(t), chapters) {
			t.Error(fault)
		}
	})
	for _, c := range chapters {
		if len(c.examples) > 0 {
			t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) { run(t, c.examples) })
		}
	}
}

// run sends the examples of a chapter. Those with the same words above them share a
// gateway and its browsers.
func run(t *testing.T, examples []example) {
	scenes := map[string]*scene{}
	for _, e := range examples {
		s := scenes[e.setting]
		if s == nil {
			s = newScene(t, e.setting)
			scenes[e.setting] = s
		}
		for _, fault := range s.run(t, e) {
			t.Errorf("%s:%d: %s", httpPage, e.line, fault)
		}
	}
}

// endpoints asks a gateway for what it serves.
func endpoints(t *testing.T) []string {
	t.Helper()
	r := newRig(t)
	s, err := server.New(r.config(nil), server.Options{Logs: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	served, err := s.Endpoints()
	if err != nil {
		t.Fatal(err)
	}
	return served
}

// endpointFaults compares the endpoints that are served with those that have a
// section, and looks for an example in each section.
func endpointFaults(served []string, chapters []chapter) (faults []string) {
	documented := map[string][]example{}
	for _, c := range chapters {
		for _, e := range c.endpoints {
			documented[e] = nil
		}
		for _, e := range c.examples {
			documented[e.section] = append(documented[e.section], e)
		}
	}
	delete(documented, "") // examples of no endpoint
	for _, endpoint := range served {
		examples, ok := documented[endpoint]
		switch {
		case !ok:
			faults = append(faults, endpoint+" has no section")
		case !slices.ContainsFunc(examples, func(e example) bool { return e.calls(endpoint) }):
			faults = append(faults, "the section of "+endpoint+" has no example that calls it")
		}
	}
	for endpoint := range documented {
		if !slices.Contains(served, endpoint) {
			faults = append(faults, "there is a section for "+endpoint+", which is not served")
		}
	}
	return faults
}

var pathParameter = regexp.MustCompile(`\\\{[^/]*\\\}`)

// calls reports whether the example is a request for the endpoint.
func (e example) calls(endpoint string) bool {
	method, path, _ := strings.Cut(endpoint, " ")
	called, _, _ := strings.Cut(strings.TrimPrefix(e.target, documentedAdmin), "?")
	pattern := pathParameter.ReplaceAllString(regexp.QuoteMeta(path), `[^/]+`)
	return e.method == method && regexp.MustCompile("^"+pattern+"$").MatchString(called)
}

// TestHTTPPageFaults: the test of the page finds what is wrong with one.
func TestHTTPPageFaults(t *testing.T) {
	const section = "## A\n### `GET /auth/user`\n```http\nGET /auth/user\n\nHTTP 401\n```\n"
	for name, c := range map[string]struct{ page, want string }{
		"nothing":                    {section, ""},
		"an endpoint is left out":    {"## A\n", "GET /auth/user has no section"},
		"a section has no example":   {"## A\n### `GET /auth/user`\n", "no example that calls it"},
		"an example calls another":   {strings.Replace(section, "\nGET /auth/user\n", "\nGET /auth/users\n", 1), "no example that calls it"},
		"an endpoint is not served":  {section + "### `GET /auth/gone`\n", "GET /auth/gone, which is not served"},
		"a block is no example":      {section + "```http\nGET /auth/user\n```\n", "line 8: no answer"},
		"a block is left open":       {section + "```http\nGET /auth/user\n", "line 8: the block does not end"},
		"a comment means nothing":    {strings.Replace(section, "\nGET /auth/user\n", "\n# soon\nGET /auth/user\n", 1), "# soon"},
		"a status is no number":      {strings.Replace(section, "401", "no", 1), "status"},
		"a block of another kind":    {section + "```HTTP\nGET /auth/user\n\nHTTP 401\n```\n", "```HTTP"},
		"an example of no chapter":   {section[5:], "before the first chapter"},
		"a header line without name": {strings.Replace(section, "\nGET /auth/user\n", "\nGET /auth/user\nCookie\n", 1), "header"},
	} {
		t.Run(name, func(t *testing.T) {
			chapters, err := readPage(c.page)
			faults := endpointFaults([]string{"GET /auth/user"}, chapters)
			if err != nil {
				faults = append(faults, err.Error())
			}
			if all := strings.Join(faults, "\n"); !strings.Contains(all, c.want) || (c.want == "") != (all == "") {
				t.Errorf("found %q, want %q", all, c.want)
			}
		})
	}
}

// TestHTTPPageComparison: an answer that is not the one on the page is found.
func TestHTTPPageComparison(t *testing.T) {
	now := fmt.Sprint(time.Now().Unix())
	for name, c := range map[string]struct {
		want, got string
		same      bool
	}{
		"equal":                          {`{"a":1,"b":[true,null,"x"]}`, `{"b":[true,null,"x"],"a":1}`, true},
		"a field more":                   {`{"a":1}`, `{"a":1,"b":2}`, false},
		"a field more, which may be":     {`{"a":1, …}`, `{"a":1,"b":2}`, true},
		"only fields that may be":        {`{…}`, `{"b":2}`, true},
		"a field less":                   {`{"a":1, "b":2, …}`, `{"a":1}`, false},
		"another type":                   {`{"a":1}`, `{"a":"1"}`, false},
		"another value":                  {`{"a":"x"}`, `{"a":"y"}`, false},
		"another number":                 {`{"a":1}`, `{"a":2}`, false},
		"an object for a text":           {`{"a":"…"}`, `{"a":{}}`, false},
		"any text":                       {`{"a":"…"}`, `{"a":"x"}`, true},
		"any value":                      {`{"a": …, "b": 1}`, `{"a":{},"b":1}`, true},
		"a text with an ellipsis":        {`{"a":"M… x"}`, `{"a":"Mozilla x"}`, true},
		"a text that ends otherwise":     {`{"a":"M… x"}`, `{"a":"Mozilla y"}`, false},
		"a time":                         {`{"a":1795401232}`, `{"a":` + now + `}`, true},
		"a time in milliseconds":         {`{"a":1795401232}`, `{"a":` + now + `000}`, false},
		"a list that is longer":          {`[…]`, `[1,2]`, false},
		"a value that comes again":       {`["{x}","{x}"]`, `["1","1"]`, true},
		"a value that comes otherwise":   {`["{x}","{x}"]`, `["1","2"]`, false},
		"a name that is known":           {`"{known}"`, `"value"`, true},
		"a name that is known otherwise": {`"{known}"`, `"values"`, false},
		"an example that is no JSON":     {`{"a"}`, `{"a":1}`, false},
		"an answer that is no JSON":      {`{"a":1}`, `<html>`, false},
	} {
		t.Run(name, func(t *testing.T) {
			v := values{"known": "value"}
			if faults := v.bodyFaults(c.want, c.got, "application/problem+json"); (len(faults) == 0) != c.same {
				t.Errorf("found %q", faults)
			}
		})
	}
	got := http.Header{"Location": {"/a"}, "Set-Cookie": {"a=1; Path=/", "b=2"}, "X-More": {"1"}}
	for name, c := range map[string]struct {
		want  []field
		fault string
	}{
		"all of them":          {[]field{{"Location", "/a"}, {"Set-Cookie", "a=…; Path=/"}, {"Set-Cookie", "b=…"}}, ""},
		"a cookie is left out": {[]field{{"Location", "/a"}, {"Set-Cookie", "a=…"}}, "Set-Cookie comes 2 times"},
		"another attribute":    {[]field{{"Location", "/a"}, {"Set-Cookie", "a=…; Secure"}, {"Set-Cookie", "b=…"}}, "not \"a=…; Secure\""},
		"one is not there":     {[]field{{"Location", "/a"}, {"Set-Cookie", "a=…"}, {"Set-Cookie", "b=…"}, {"X-Less", "…"}}, "X-Less is []"},
	} {
		t.Run(name, func(t *testing.T) {
			faults := strings.Join(values{}.headerFaults(c.want, got), "\n")
			if !strings.Contains(faults, c.fault) || (c.fault == "") != (faults == "") {
				t.Errorf("found %q, want %q", faults, c.fault)
			}
		})
	}
}
