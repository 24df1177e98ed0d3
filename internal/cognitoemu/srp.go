package cognitoemu

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"math/big"
)

// srpModulus and srpGenerator are the 3072-bit group of RFC 5054 Appendix A, whose
// prime is that of RFC 3526 §4; the real service takes 2 for the generator.
var (
	srpModulus, _ = new(big.Int).SetString(""+
		"FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"+
		"EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"+
		"EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F"+
		"83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B"+
		"E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510"+
		"15728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7"+
		"ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200C"+
		"BBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF", 16)
	srpGenerator  = big.NewInt(2)
	srpMultiplier = srpHash(srpBytes(srpModulus), srpBytes(srpGenerator))
)

// srpInfo is the info of the key derivation, as the clients of the real service
// have it.
const srpInfo = "Caldera Derived Key"

// srpServer is the server's half of one sign-in by the Secure Remote Password
// protocol (RFC 2945, RFC 5054 §2.5) in the form of the real service: SHA-256, no
// evidence messages, and a key of 16 bytes by HKDF (RFC 5869) that signs the answer.
type srpServer struct {
	identity string // pool name and user id
	salt     *big.Int
	client   *big.Int // A
	secret   *big.Int // b
	public   *big.Int // B
}

// newSRPServer answers the client's public value, in hexadecimal.
func newSRPServer(clientPublic, identity, password string) (*srpServer, error) {
	a, ok := new(big.Int).SetString(clientPublic, 16)
	if !ok || a.Sign() <= 0 || new(big.Int).Mod(a, srpModulus).Sign() == 0 { // RFC 5054 §2.5.4
		return nil, invalidParameter("SRP_A is not a public value of the 3072-bit group")
	}
	s := &srpServer{identity: identity, salt: new(big.Int).SetBytes(randomBytes(16)), client: a,
		secret: new(big.Int).SetBytes(randomBytes(32))} // 256 bits: RFC 5054 §2.5.3
	public := new(big.Int).Mul(srpMultiplier, s.verifier(password))
	public.Add(public, new(big.Int).Exp(srpGenerator, s.secret, srpModulus))
	s.public = public.Mod(public, srpModulus)
	return s, nil
}

// verifier is g^x, which a real server would store instead of the password.
func (s *srpServer) verifier(password string) *big.Int {
	inner := sha256.Sum256([]byte(s.identity + ":" + password))
	return new(big.Int).Exp(srpGenerator, srpHash(srpBytes(s.salt), inner[:]), srpModulus)
}

// sign is what a client that knows the password sends as its claim.
func (s *srpServer) sign(password string, secretBlock []byte, timestamp string) ([]byte, error) {
	scramble := srpHash(srpBytes(s.client), srpBytes(s.public))
	base := new(big.Int).Exp(s.verifier(password), scramble, srpModulus)
	base.Mul(base, s.client)
	shared := base.Exp(base, s.secret, srpModulus)
	key, err := hkdf.Key(sha256.New, srpBytes(shared), srpBytes(scramble), srpInfo, 16)
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(s.identity))
	mac.Write(secretBlock)
	mac.Write([]byte(timestamp))
	return mac.Sum(nil), nil
}

func srpHash(parts ...[]byte) *big.Int {
	h := sha256.New()
	for _, part := range parts {
		h.Write(part)
	}
	return new(big.Int).SetBytes(h.Sum(nil))
}

// srpBytes is the number in two's complement, most significant byte first, as the
// clients hash it: a leading zero keeps it positive.
func srpBytes(n *big.Int) []byte {
	b := n.Bytes()
	if len(b) == 0 || b[0] >= 0x80 {
		return append([]byte{0}, b...)
	}
	return b
}
