package oauth

import (
	"math/big"
	"strings"
)

// A normalised address has only 91 different characters: visible ASCII without
// quotation marks and angle brackets, which the URL Standard escapes everywhere.
// Read as the digits of one number they take 6.51 bits each instead of 8, so that
// every address of 420 characters fits a state.
const addressAlphabet = "!#$%&'()*+,-./0123456789:;=?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"

// Nine digits fit a machine word, so the long arithmetic is done on nine at once.
const (
	radix = uint64(len(addressAlphabet))
	nine  = radix * radix * radix * radix * radix * radix * radix * radix * radix
)

// packable is how many characters of an address always fit n bytes: log2(91) =
// 6.5077946… bits each, and one bit for the leading digit. It is -1 if n has no room
// for that.
func packable(n int) int {
	if n < 1 {
		return -1
	}
	return (8*n - 1) * 10_000_000 / 65_077_947
}

// pack makes a number of an address. It begins with a digit 1, so that none is
// lost at the front. It is not ok for text that is no normalised address.
func pack(address string) (packed []byte, ok bool) {
	n := big.NewInt(1)
	for i := 0; i < len(address); {
		word, scale := uint64(0), uint64(1)
		for ; i < len(address) && scale < nine; i++ {
			d := strings.IndexByte(addressAlphabet, address[i])
			if d < 0 {
				return nil, false
			}
			word, scale = word*radix+uint64(d), scale*radix
		}
		n.Mul(n, new(big.Int).SetUint64(scale)).Add(n, new(big.Int).SetUint64(word))
	}
	return n.Bytes(), true
}

// unpack is the inverse of pack.
func unpack(packed []byte) (address string, ok bool) {
	n, by, rest := new(big.Int).SetBytes(packed), new(big.Int).SetUint64(nine), new(big.Int)
	b := make([]byte, 8*len(packed)/6+1) // more than can be: a digit has over six bits
	at := len(b)
	for {
		n.QuoRem(n, by, rest)
		word, last := rest.Uint64(), n.Sign() == 0
		for scale := uint64(1); scale < nine && (!last || word >= radix); scale *= radix {
			at--
			b[at], word = addressAlphabet[word%radix], word/radix
		}
		if last {
			return string(b[at:]), word == 1
		}
	}
}
