package config

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

const referenceFile = "../../docs/configuration.md"

// The reference stands between these lines of the document.
const (
	referenceBegin = "<!-- The reference is generated from internal/config: go test ./internal/config -update -->\n"
	referenceEnd   = "<!-- End of the reference. -->\n"
)

func TestReference_follows_the_table(t *testing.T) {
	doc, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := bytes.Cut(doc, []byte(referenceBegin))
	_, after, ends := bytes.Cut(rest, []byte(referenceEnd))
	if !begins || !ends {
		t.Fatalf("%s has no place for the reference", referenceFile)
	}
	golden(t, referenceFile, bytes.Join([][]byte{before, []byte(referenceBegin), reference(), []byte(referenceEnd), after}, nil))
}

// reference writes a table for the top and for each section.
func reference() []byte {
	var out bytes.Buffer
	_, _ = fmt.Fprint(&out, "\n### The top\n")
	referenceTable(&out, "")
	for i := range table {
		switch k := &table[i]; k.shape {
		case section:
			_, _ = fmt.Fprintf(&out, "\n### `%s`\n\n%s\n", k.path, k.doc)
			referenceTable(&out, k.path+".")
		case rows:
			_, _ = fmt.Fprintf(&out, "\n### `%s`\n\n%s\n", k.path, k.doc)
			referenceTable(&out, routePrefix)
		}
	}
	_, _ = fmt.Fprintln(&out)
	return out.Bytes()
}

func referenceTable(out *bytes.Buffer, prefix string) {
	_, _ = fmt.Fprint(out, "\n| key | takes | default | means |\n| --- | --- | --- | --- |\n")
	for _, k := range children(prefix) {
		switch k.shape {
		case section, rows:
			continue
		}
		takes, def, doc := k.kind.want(), "", k.doc
		switch {
		case k.shape == mapping && k.list:
			takes = "mapping: of " + k.names.want() + " to " + takes + ", or a list of such"
		case k.shape == mapping:
			takes = "mapping: of " + k.names.want() + " to " + takes
		case k.list:
			takes = "list: " + takes
		}
		if k.def != "" {
			def = "`" + strings.ReplaceAll(k.def, ",", ", ") + "`"
		}
		if k.unbuilt {
			doc += " *Not built yet.*"
		}
		_, _ = fmt.Fprintf(out, "| `%s` | %s | %s | %s |\n", lastName(k.path), takes, def, doc)
	}
}

// TestDocument_shows_a_configuration_that_loads, but for the sample key in it.
func TestDocument_shows_a_configuration_that_loads(t *testing.T) {
	doc, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(doc), "```yaml\n")
	example, _, _ := strings.Cut(rest, "```")
	environ, files := []string{"REDIS_PASSWORD=pw"}, map[string]string{"/run/secrets/client_secret": "s3cr3t\n"}
	faults := faultsOf(t, source(example, environ, files))
	if len(faults) != 1 || !strings.Contains(faults.Error(), "sample") {
		t.Errorf("faults:\n%v\nwant one, of the sample key", faults)
	}
	c, err := Load(source(strings.Replace(example, sampleKeys[0], testKey, 1), environ, files))
	if err != nil || len(c.Warnings) != 0 {
		t.Errorf("with another key: %v", err)
	}
}

// looksLikeKey matches words of at least a key's length; a longer one is none.
var looksLikeKey = regexp.MustCompile(`[A-Za-z0-9+/_-]{43,}=?`)

// TestSampleKeys_are_all_known: a key in anything that people copy from is
// everybody's key, so Load must refuse it.
func TestSampleKeys_are_all_known(t *testing.T) {
	found := 0
	for _, root := range []string{"../../docs", "../../README.md", "../../SECURITY.md", "../../docker-compose.yml"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return nil //nolint:nilerr // what is not there holds no key
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, s := range looksLikeKey.FindAllString(string(data), -1) {
				if b, ok := decodeKey(s); ok && len(b) == secret.KeySize {
					found++
					if !isSample(b) && !weak(b) {
						t.Errorf("%s shows the key %s, which sampleKeys lacks", path, s)
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if found == 0 {
		t.Error("found no key at all; docs/configuration.md shows one")
	}
	for _, s := range sampleKeys {
		if b, err := base64.StdEncoding.DecodeString(s); err != nil || len(b) != secret.KeySize || weak(b) {
			t.Errorf("%s is no key that needs listing", s)
		}
	}
}
