package config

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// head and tail enclose a secret, so that any part of it that is repeated can be
// told from everything else.
const head, tail = "qzx7", "7xzq"

// FuzzLoad feeds any file, with any text in the place of each secret. Load must
// not panic, and neither its faults nor what it prints may repeat the secret.
func FuzzLoad(f *testing.F) {
	sample, err := os.ReadFile("testdata/contract.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(sample), "hunter2", uint8(0))
	f.Add(with(nil).yaml(), "${NAME", uint8(1))
	f.Add(eventful().yaml(), "a,b\nc", uint8(2))
	f.Add(twelveFaults, "@h/?#%zz", uint8(3))
	f.Add("a: &a [*a]\nroutes: [*x, {path: 3}]\n<<: *a\n", "*b: {", uint8(4))
	f.Add("routes: &r [{path: *r}]", "'", uint8(5))
	f.Add("? [a]\n: b\nsession: {keys: !!binary x}", "\x00\xff", uint8(6))
	f.Add("", "p#/?%41@", uint8(7))
	f.Add("", "p#/?%41@", uint8(8))
	f.Fuzz(func(t *testing.T, file, s string, where uint8) {
		if strings.Contains(file, head) || strings.Contains(file, tail) {
			return
		}
		src := place(file, head+s+tail, where)
		c, err := Load(src)
		said := fmt.Sprintf("%v", err)
		if err == nil {
			var out bytes.Buffer
			if err := c.Print(&out); err != nil {
				t.Fatal(err)
			}
			said = out.String() + strings.Join(c.Warnings, "\n") + fmt.Sprintf("%+v", *c)
		}
		if strings.Contains(said, head) || strings.Contains(said, tail) {
			t.Errorf("a secret is repeated:\n%s\nof\n%s", said, src.Data)
		}
	})
}

// place puts the secret into the file, a variable or a secret's file. What is put
// into a file is put there as an operator would who knows YAML and URLs.
func place(file, s string, where uint8) Source {
	environ := []string{}
	files := map[string]string{"/f": s}
	switch where % 10 {
	case 0:
		environ = append(environ, "GATEHOUSE_ADMIN_TOKEN="+s, "GATEHOUSE_COGNITO_CLIENT_SECRET="+s)
	case 1:
		environ = append(environ, "GATEHOUSE_SESSION_KEYS="+s, "GATEHOUSE_VERIFY_SECRET="+s)
	case 2:
		environ = append(environ, "GATEHOUSE_ADMIN_TOKEN_FILE=/f", "GATEHOUSE_COGNITO_CLIENT_SECRET_FILE=/f", "GATEHOUSE_SESSION_KEYS_FILE=/f")
	case 3:
		environ = append(environ, "GATEHOUSE_SESSION_STORE=redis://u:"+url.QueryEscape(s)+"@cache/0", "GATEHOUSE_SESSION_KEYS="+testKey)
	case 4:
		file = with(values{"admin_token": inYAML(s), "cognito.client_secret": inYAML(s)}).yaml()
	case 5:
		file = with(values{"session.keys": inYAML([]string{s, s}), "verify.secret": inYAML(s)}).yaml()
	case 6:
		file = with(values{"session.store": inYAML("rediss://:" + s + "@cache"), "admin_token": inYAML([]string{s})}).yaml()
	case 7:
		environ = append(environ, "GATEHOUSE_SESSION_STORE_PASSWORD="+s, "GATEHOUSE_SESSION_STORE=redis://u@cache")
	case 9:
		environ = append(environ, "HTTPS_PROXY=http://u:"+s+"@proxy:3128", "http_proxy=u:"+url.QueryEscape(s)+"@proxy")
	case 8:
		file = with(values{"session.store": "rediss://u:${PW}@cache"}).yaml()
		environ = append(environ, "PW="+s)
	}
	return source(file, environ, files)
}

// inYAML writes a value as one line of YAML.
func inYAML(v any) string {
	n := &yaml.Node{}
	if err := n.Encode(v); err != nil {
		return "x"
	}
	style(n)
	out, err := yaml.Marshal(n)
	if err != nil {
		return "x"
	}
	return strings.TrimSpace(string(out))
}

func style(n *yaml.Node) {
	n.Style = yaml.FlowStyle
	if n.Kind == yaml.ScalarNode {
		n.Style = yaml.DoubleQuotedStyle
	}
	for _, c := range n.Content {
		style(c)
	}
}
