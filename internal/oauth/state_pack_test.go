package oauth

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestPack(t *testing.T) {
	t.Run("gives back every address", func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		for n := range 600 {
			b := make([]byte, n)
			for i := range b {
				b[i] = addressAlphabet[r.IntN(len(addressAlphabet))]
			}
			packed, ok := pack(string(b))
			if got, back := unpack(packed); !ok || !back || got != string(b) {
				t.Fatalf("%q came back as %q", b, got)
			}
		}
	})
	t.Run("takes no more than was said", func(t *testing.T) {
		for n := 1; n < 2000; n++ {
			most := packable(n)
			packed, _ := pack(strings.Repeat("~", most)) // the highest digit
			over, _ := pack(strings.Repeat("~", most+1))
			if len(packed) > n || len(over) <= n {
				t.Fatalf("%d characters take %d bytes and one more %d; there are %d", most, len(packed), len(over), n)
			}
		}
	})
	t.Run("refuses what stands in no address", func(t *testing.T) {
		for _, s := range []string{" ", "\"", "<", ">", "\x00", "\x7f", "é", "/a\nb"} {
			if _, ok := pack(s); ok {
				t.Errorf("%q is taken", s)
			}
		}
	})
	t.Run("opens no other number", func(t *testing.T) {
		for _, b := range [][]byte{nil, {0}, {2}, {90}, {0, 0}, {255}} {
			if s, ok := unpack(b); ok {
				t.Errorf("%v opens as %q", b, s)
			}
		}
	})
}

func FuzzUnpack(f *testing.F) {
	f.Add([]byte{1})
	f.Add(make([]byte, 400))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, ok := unpack(b)
		if !ok {
			return
		}
		if again, ok := pack(s); !ok || strings.TrimLeft(string(b), "\x00") != string(again) {
			t.Errorf("%x opens as %q, which packs as %x", b, s, again)
		}
	})
}

func BenchmarkPack(b *testing.B) {
	address := strings.Repeat("/api/orders?x=", 30)[:420]
	for b.Loop() {
		packed, _ := pack(address)
		unpack(packed)
	}
}
