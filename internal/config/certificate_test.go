package config

import (
	"strings"
	"testing"
)

// TestLoad_looks_into_the_files_of_TLS, here and to the store: a start would end at
// what is wrong with them, without saying where it was set.
func TestLoad_looks_into_the_files_of_TLS(t *testing.T) {
	files := map[string]string{"none.pem": "no PEM", "utf16": "\xff\xfes\x00", "empty.pem": ""}
	for name, tt := range map[string]struct {
		changes   values
		key, want string
	}{
		"a certificate that is missing": {values{"tls.cert_file": "gone.pem", "tls.key_file": "k.pem"}, "tls.cert_file", "a file that can be read"},
		"a key that is missing":         {values{"tls.cert_file": "c.pem", "tls.key_file": "gone.pem"}, "tls.key_file", "a file that can be read"},
		"a certificate that is none":    {values{"tls.cert_file": "none.pem", "tls.key_file": "k.pem"}, "tls.cert_file", "in PEM"},
		"an empty certificate":          {values{"tls.cert_file": "empty.pem", "tls.key_file": "k.pem"}, "tls.cert_file", "in PEM"},
		"a key for the certificate":     {values{"tls.cert_file": "k.pem", "tls.key_file": "c.pem"}, "tls.cert_file", "in PEM"},
		"the store's roots missing":     {values{"session.store": "rediss://h?tls_ca_file=gone.pem"}, "session.store", "tls_ca_file: a file that can be read"},
		"the store's roots are none":    {values{"session.store": "rediss://h?tls_ca_file=none.pem"}, "session.store", "tls_ca_file: a file with certificates"},
		"the store's certificate missing": {
			values{"session.store": "rediss://h?tls_cert_file=gone.pem&tls_key_file=k.pem"}, "session.store", "tls_cert_file: a file that can be read",
		},
		"the store's key missing": {
			values{"session.store": "rediss://h?tls_cert_file=c.pem&tls_key_file=gone.pem"}, "session.store", "tls_key_file: a file that can be read",
		},
		"the store's key is none": {
			values{"session.store": "redis-cluster://h?tls=true&tls_cert_file=c.pem&tls_key_file=none.pem"}, "session.store", "tls_cert_file and tls_key_file: a certificate and its key",
		},
		"the sentinels' password missing": {
			values{"session.store": "redis-sentinel://h/main?sentinel_password_file=gone"}, "session.store", "sentinel_password_file: a file that can be read",
		},
		"the sentinels' password in UTF-16": {
			values{"session.store": "redis-sentinel://h/main?sentinel_password_file=utf16"}, "session.store", "sentinel_password_file: a file in UTF-8",
		},
	} {
		t.Run(name, func(t *testing.T) {
			faults := faultsOf(t, source(with(tt.changes).yaml(), nil, files))
			if len(faults) != 1 || faults[0].Key != tt.key || !strings.Contains(faults[0].Want, tt.want) || faults[0].Line == 0 {
				t.Errorf("faults:\n%v\nwant one at %s with %q", faults, tt.key, tt.want)
			}
		})
	}
}
