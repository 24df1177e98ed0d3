package secret_test

import (
	"errors"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

func TestFromFile(t *testing.T) {
	for name, tt := range map[string]struct {
		data, want string
		err        error
	}{
		"plain":                          {data: "s3cr3t", want: "s3cr3t"},
		"one_line_end":                   {data: "s3cr3t\n", want: "s3cr3t"},
		"a_line_end_of_windows":          {data: "s3cr3t\r\n", want: "s3cr3t"},
		"two_line_ends":                  {data: "s3cr3t\n\n", want: "s3cr3t\n"},
		"empty":                          {},
		"a_mark_alone":                   {data: "\ufeff"},
		"a_byte_order_mark":              {data: "\ufeffs3cr3t\r\n", want: "s3cr3t"},
		"a_mark_that_is_part_of_it":      {data: "s3\ufeffcr3t", want: "s3\ufeffcr3t"},
		"utf_16_little_endian":           {data: "\xff\xfes\x003\x00", err: secret.ErrUTF16},
		"utf_16_big_endian":              {data: "\xfe\xff\x00s\x003", err: secret.ErrUTF16},
		"utf_32_little_endian":           {data: "\xff\xfe\x00\x00s\x00\x00\x00", err: secret.ErrUTF16},
		"utf_16_without_byte_order_mark": {data: "s\x003\x00", err: secret.ErrBytes},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := secret.FromFile([]byte(tt.data))
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("FromFile = %q, %v; want %q, %v", got, err, tt.want, tt.err)
			}
		})
	}
}
