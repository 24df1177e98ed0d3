package command

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// What is public is no secret that everybody can read; a key beside it is one.
func TestReadSecret_warns_of_secrets_alone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the mode of a file says nothing there")
	}
	const cert, key = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
	for text, warns := range map[string]bool{
		cert: false, cert + cert: false, "# chain\n" + cert: false,
		cert + key: true, key: true, "hunter2": true, "": true,
	} {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		got, err := readSecret(process{stderr: &said})(path)
		if string(got) != text || err != nil || (said.Len() > 0) != warns {
			t.Errorf("%q: read %q, %v; it says %q", text, got, err, said.String())
		}
	}
}
