package assertion

import (
	"bytes"
	"crypto/elliptic"
	"math/big"
	"testing"
)

// TestPrivateKey: any bits are a key, those at the edges of what the curve takes too.
func TestPrivateKey(t *testing.T) {
	n := elliptic.P256().Params().N
	minus := func(d int64) []byte { return new(big.Int).Sub(n, big.NewInt(d)).FillBytes(make([]byte, scalarBytes)) }
	for name, tc := range map[string]struct {
		bits []byte
		want *big.Int // nil: some key
	}{
		"nothing":                {make([]byte, scalarBytes), big.NewInt(1)},
		"one":                    {new(big.Int).SetInt64(1).FillBytes(make([]byte, scalarBytes)), big.NewInt(2)},
		"the largest that is":    {minus(2), new(big.Int).Sub(n, big.NewInt(1))},
		"one more goes around":   {minus(1), big.NewInt(1)},
		"the order of the curve": {minus(0), big.NewInt(2)},
		"all that there are":     {bytes.Repeat([]byte{0xff}, scalarBytes), nil},
	} {
		key := privateKey(tc.bits)
		raw, err := key.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if d := new(big.Int).SetBytes(raw); tc.want != nil && d.Cmp(tc.want) != 0 || d.Sign() == 0 || d.Cmp(n) >= 0 {
			t.Errorf("%s: %x", name, d)
		}
	}
}
