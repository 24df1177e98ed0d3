package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io/fs"
	"maps"
	"math/big"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

const testFile = "gatehouse.yaml"

// testKey is the same in every run, so that a fuzzer's inputs are, too.
const testKey = "EPzGuBJx+Hg+aeDvQh9+WNIeSyuPPLcZ4xfjizx3c2c="

// values are keys and what stands behind them in the file, in YAML's syntax.
type values map[string]string

// sound is a configuration without fault.
func sound() values {
	return values{
		"public_url":             "https://app.example.com",
		"cognito.region":         "eu-west-1",
		"cognito.user_pool_id":   "eu-west-1_AbCdEf123",
		"cognito.client_id":      "1h57kf5cpq17m0eml12EXAMPLE",
		"cognito.domain":         "https://login.example.com",
		"session.store":          "redis://localhost:6379/0",
		"session.keys":           `["` + testKey + `"]`,
		"routes[].path":          "/",
		"routes[].upstream":      "http://localhost:9000",
		"login.logout_return_to": "/",
	}
}

// with is the sound configuration with changes; "-" takes a key out.
func with(changes values) values {
	v := sound()
	maps.Copy(v, changes)
	maps.DeleteFunc(v, func(_, s string) bool { return s == "-" })
	return v
}

// yaml writes the values as a file, in the table's order.
func (v values) yaml() string {
	var out strings.Builder
	v.write(&out, "", "")
	return out.String()
}

func (v values) write(out *strings.Builder, prefix, indent string) {
	for _, k := range children(prefix) {
		name := lastName(k.path)
		switch text, given := v[k.path]; {
		case given:
			out.WriteString(indent + name + ": " + text + "\n")
		case k.shape == section && v.under(k.path+"."):
			out.WriteString(indent + name + ":\n")
			v.write(out, k.path+".", indent+"  ")
		case k.shape == rows && v.under(routePrefix):
			out.WriteString(indent + name + ":\n  -\n")
			v.write(out, routePrefix, "    ")
		}
	}
}

func (v values) under(prefix string) bool {
	return slices.ContainsFunc(slices.Collect(maps.Keys(v)), func(path string) bool { return strings.HasPrefix(path, prefix) })
}

// source is the file with an environment of pairs and files by name.
func source(file string, environ []string, files map[string]string) Source {
	return Source{
		Path: testFile, Data: []byte(file),
		Getenv: func(name string) (string, bool) {
			for _, pair := range environ {
				if n, value, _ := strings.Cut(pair, "="); n == name {
					return value, true
				}
			}
			return "", false
		},
		Environ: func() []string { return environ },
		ReadFile: func(name string) ([]byte, error) {
			data, ok := files[name]
			if !ok {
				data, ok = testCertificate[filepath.Base(name)]
			}
			if !ok {
				return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
			}
			return []byte(data), nil
		},
		Stat: stocked,
	}
}

// testCertificate is a certificate and its key, by the names of their files.
var testCertificate = func() map[string]string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	certPEM := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
	keyPEM := string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
	return map[string]string{"c.pem": certPEM, "ca.pem": certPEM, "k.pem": keyPEM, "pw": "secret\n"}
}()

// stocked finds a page under every name that is one's, and a directory under any other.
func stocked(name string) (fs.FileInfo, error) {
	site := fstest.MapFS{"dist/index.html": {}}
	if strings.HasSuffix(name, ".html") {
		return site.Stat("dist/index.html")
	}
	return site.Stat("dist")
}

// load loads what must load.
func load(t *testing.T, file string, environ ...string) *Config {
	t.Helper()
	c, err := Load(source(file, environ, nil))
	if err != nil {
		t.Fatalf("Load:\n%v\nof\n%s", err, file)
	}
	return c
}

// faultsOf loads what must not.
func faultsOf(t *testing.T, src Source) Faults {
	t.Helper()
	c, err := Load(src)
	var faults Faults
	if !errors.As(err, &faults) || c != nil {
		t.Fatalf("Load = %v, %v; want faults only\nof\n%s", c, err, src.Data)
	}
	return faults
}

func base64Of(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
