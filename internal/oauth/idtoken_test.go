package oauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"
)

// forged is what a forger starts from: all that a good ID token is made of.
type forged struct {
	p      *provider
	nonce  string
	access string
	header object
	claims object
}

func (f forged) sign() string { return sign(f.header.json(), f.claims.json(), signingKey()) }

func (f forged) withHeader(name string, value any) string {
	return sign(f.header.with(name, value).json(), f.claims.json(), signingKey())
}

func (f forged) withClaim(name string, value any) string {
	return sign(f.header.json(), f.claims.with(name, value).json(), signingKey())
}

// rawHeader signs a header given as text, with the claims as they are.
func (f forged) rawHeader(h string) string { return sign(h, f.claims.json(), signingKey()) }

// rawClaim signs claims with a member given as text in front.
func (f forged) rawClaim(name, value string) string {
	body := strings.TrimPrefix(f.claims.without(name).json(), "{")
	return sign(f.header.json(), "{"+`"`+name+`":`+value+","+body, signingKey())
}

// mac signs with HS256 under key.
func (f forged) mac(key []byte) string {
	input := b64(f.header.with("alg", "HS256").json()) + "." + b64(f.claims.json())
	m := hmac.New(sha256.New, key)
	m.Write([]byte(input))
	return input + "." + b64(string(m.Sum(nil)))
}

// signed signs under another algorithm's name and by its rules.
func (f forged) signed(alg string, by func(input string) []byte) string {
	input := b64(f.header.with("alg", alg).json()) + "." + b64(f.claims.json())
	return input + "." + b64(string(by(input)))
}

// parts lets a test rearrange a good token.
func (f forged) parts(build func(h, c, s string) string) string {
	p := strings.Split(f.sign(), ".")
	return build(p[0], p[1], p[2])
}

type forgery = func(forged) string

func (f forged) publicKey() *rsa.PublicKey { return &signingKey().PublicKey }

// algForgeries confuse the algorithm.
func algForgeries() map[string]forgery {
	m := map[string]forgery{
		"RS384": func(f forged) string {
			return f.signed("RS384", func(in string) []byte {
				sum := sha512.Sum384([]byte(in))
				return must(rsa.SignPKCS1v15(nil, signingKey(), crypto.SHA384, sum[:]))
			})
		},
		"RS512": func(f forged) string {
			return f.signed("RS512", func(in string) []byte {
				sum := sha512.Sum512([]byte(in))
				return must(rsa.SignPKCS1v15(nil, signingKey(), crypto.SHA512, sum[:]))
			})
		},
		"PS256": func(f forged) string {
			return f.signed("PS256", func(in string) []byte {
				sum := sha256.Sum256([]byte(in))
				return must(rsa.SignPSS(rand.Reader, signingKey(), crypto.SHA256, sum[:], nil))
			})
		},
		"PS256 said to be RS256": func(f forged) string {
			return f.signed("RS256", func(in string) []byte {
				sum := sha256.Sum256([]byte(in))
				return must(rsa.SignPSS(rand.Reader, signingKey(), crypto.SHA256, sum[:], nil))
			})
		},
		"ES256": func(f forged) string {
			return f.signed("ES256", func(in string) []byte {
				k := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
				sum := sha256.Sum256([]byte(in))
				r, s, err := ecdsa.Sign(rand.Reader, k, sum[:])
				if err != nil {
					panic(err)
				}
				return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
			})
		},
		"ES256 of zeros": func(f forged) string { return f.signed("ES256", func(string) []byte { return make([]byte, 64) }) },
		"EdDSA": func(f forged) string {
			return f.signed("EdDSA", func(in string) []byte {
				_, k, err := ed25519.GenerateKey(rand.Reader)
				if err != nil {
					panic(err)
				}
				return ed25519.Sign(k, []byte(in))
			})
		},
		"HS256 by the public key as PEM PKIX": func(f forged) string {
			return f.mac(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(f.publicKey()))}))
		},
		"HS256 by the public key as PEM PKCS1": func(f forged) string {
			return f.mac(pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(f.publicKey())}))
		},
		"HS256 by the public key as DER": func(f forged) string { return f.mac(must(x509.MarshalPKIXPublicKey(f.publicKey()))) },
		"HS256 by the JWK":               func(f forged) string { return f.mac([]byte(jwk(testKid, signingKey()).json())) },
		"HS256 by the modulus":           func(f forged) string { return f.mac(f.publicKey().N.Bytes()) },
		"HS256 by the client secret":     func(f forged) string { return f.mac([]byte(testSecret)) },
		"HS256 by nothing":               func(f forged) string { return f.mac(nil) },
		"no alg":                         func(f forged) string { return f.rawHeader(`{"kid":"kid-1"}`) },
		"alg twice":                      func(f forged) string { return f.rawHeader(`{"alg":"none","alg":"RS256","kid":"kid-1"}`) },
		"alg in capitals":                func(f forged) string { return f.rawHeader(`{"ALG":"RS256","kid":"kid-1"}`) },
	}
	for _, alg := range []any{
		"none", "None", "nOnE", "NONE", "", nil, []string{"RS256"}, 256, true, object{"alg": "RS256"},
		"RS256\x00", "RS256 ", " RS256", "rs256", "RS-256", "HS256", "RSA1_5",
	} {
		m[fmt.Sprintf("alg %#v, signed all the same", alg)] = func(f forged) string { return f.withHeader("alg", alg) }
		m[fmt.Sprintf("alg %#v, no signature", alg)] = func(f forged) string {
			return b64(f.header.with("alg", alg).json()) + "." + b64(f.claims.json()) + "."
		}
	}
	return m
}

// headerForgeries steer verification by the header.
func headerForgeries() map[string]forgery {
	attacker := func(f forged, name string, value any) string {
		return sign(f.header.with(name, value).json(), f.claims.json(), strangerKey())
	}
	m := map[string]forgery{
		"no kid":             func(f forged) string { return f.rawHeader(`{"alg":"RS256"}`) },
		"kid twice":          func(f forged) string { return f.rawHeader(`{"alg":"RS256","kid":"x","kid":"kid-1"}`) },
		"kid of 500 KB":      func(f forged) string { return f.withHeader("kid", strings.Repeat("k", 500<<10)) },
		"kid of 300 bytes":   func(f forged) string { return f.withHeader("kid", strings.Repeat("k", 300)) },
		"empty crit":         func(f forged) string { return f.withHeader("crit", []string{}) },
		"crit exp":           func(f forged) string { return f.withHeader("crit", []string{"exp"}) },
		"crit b64":           func(f forged) string { return f.rawHeader(`{"alg":"RS256","kid":"kid-1","crit":["b64"],"b64":false}`) },
		"b64 false":          func(f forged) string { return f.withHeader("b64", false) },
		"zip":                func(f forged) string { return f.withHeader("zip", "DEF") },
		"nested":             func(f forged) string { return f.withHeader("cty", "JWT") },
		"header is an array": func(f forged) string { return f.rawHeader(`["RS256"]`) },
		"header is null":     func(f forged) string { return f.rawHeader(`null`) },
		"header not JSON":    func(f forged) string { return f.rawHeader(`alg=RS256`) },
		"header with a tail": func(f forged) string { return f.rawHeader(`{"alg":"RS256","kid":"kid-1"}{}`) },
		"header not UTF-8":   func(f forged) string { return f.rawHeader("{\"alg\":\"RS256\",\"kid\":\"kid-1\",\"x\":\"\xff\"}") },
		"a key embedded":     func(f forged) string { return attacker(f, "jwk", jwk(testKid, strangerKey())) },
		"a key by address": func(f forged) string {
			return attacker(f, "jku", strings.TrimSuffix(f.p.issuer, "/pool")+"/attacker.json")
		},
		"a chain by address": func(f forged) string {
			return attacker(f, "x5u", strings.TrimSuffix(f.p.issuer, "/pool")+"/attacker.pem")
		},
		"a chain embedded": func(f forged) string {
			return attacker(f, "x5c", []string{base64.StdEncoding.EncodeToString([]byte("x"))})
		},
		"another pool's key under the same kid": func(f forged) string { return sign(f.header.json(), f.claims.json(), strangerKey()) },
	}
	for _, kid := range []any{"unknown", "../../x", "kid-1' OR '1'='1", "", " kid-1", "KID-1", 1, nil, []string{testKid}, object{}} {
		m[fmt.Sprintf("kid %#v", kid)] = func(f forged) string { return f.withHeader("kid", kid) }
	}
	for _, typ := range []any{"JWE", "at+jwt", "logout+jwt", "application/at+jwt", "", nil, 1} {
		m[fmt.Sprintf("typ %#v", typ)] = func(f forged) string { return f.withHeader("typ", typ) }
	}
	return m
}

// formForgeries bend the serialization.
func formForgeries() map[string]forgery {
	return map[string]forgery{
		"empty":         func(forged) string { return "" },
		"two segments":  func(f forged) string { return f.parts(func(h, c, _ string) string { return h + "." + c }) },
		"four segments": func(f forged) string { return f.sign() + "." },
		"five segments": func(f forged) string { return f.sign() + "..x" },
		"flat JSON": func(f forged) string {
			return f.parts(func(h, c, s string) string { return object{"protected": h, "payload": c, "signature": s}.json() })
		},
		"general JSON": func(f forged) string {
			return f.parts(func(h, c, s string) string {
				return object{"payload": c, "signatures": []object{{"protected": h, "signature": s}}}.json()
			})
		},
		"detached payload":  func(f forged) string { return f.parts(func(h, _, s string) string { return h + ".." + s }) },
		"no signature":      func(f forged) string { return f.parts(func(h, c, _ string) string { return h + "." + c + "." }) },
		"padding":           func(f forged) string { return f.sign() + "==" },
		"space in front":    func(f forged) string { return " " + f.sign() },
		"line break behind": func(f forged) string { return f.sign() + "\n" },
		"line break inside": func(f forged) string {
			return f.parts(func(h, c, s string) string { return h + "." + c + "." + s[:9] + "\r\n" + s[9:] })
		},
		"stray trailing bits": func(f forged) string {
			return f.parts(func(h, c, s string) string { return h + "." + c + "." + nextSpelling(s) })
		},
		"standard base64":    func(f forged) string { return strings.NewReplacer("-", "+", "_", "/").Replace(f.sign()) + "+/" },
		"signature cut":      func(f forged) string { s := f.sign(); return s[:len(s)-4] },
		"signature extended": func(f forged) string { return f.sign() + "AAAA" },
		"another token's signature": func(f forged) string {
			other := strings.Split(f.withClaim("jti", "other"), ".")[2]
			return f.parts(func(h, c, _ string) string { return h + "." + c + "." + other })
		},
		"claims exchanged": func(f forged) string {
			return f.parts(func(h, _, s string) string { return h + "." + b64(f.claims.with("sub", "evil").json()) + "." + s })
		},
		"header exchanged": func(f forged) string {
			return f.parts(func(_, c, s string) string { return b64(f.header.with("x", 1).json()) + "." + c + "." + s })
		},
		"of 500 KB": func(f forged) string { return f.withClaim("x", strings.Repeat("x", 300<<10)) },
		"of 70 KB":  func(f forged) string { return f.withClaim("x", strings.Repeat("x", 52<<10)) },
	}
}

// nextSpelling changes bits of the last character that stand for nothing.
func nextSpelling(s string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	i := strings.IndexByte(alphabet, s[len(s)-1])
	return s[:len(s)-1] + string(alphabet[i^1])
}

// claimForgeries are signed rightly and say what must not be believed.
func claimForgeries() map[string]forgery {
	m := map[string]forgery{
		"iss with a slash":    func(f forged) string { return f.withClaim("iss", f.p.issuer+"/") },
		"iss in capitals":     func(f forged) string { return f.withClaim("iss", strings.ToUpper(f.p.issuer)) },
		"iss of another pool": func(f forged) string { return f.withClaim("iss", f.p.issuer+"2") },
		"ISS beside the wrong iss": func(f forged) string {
			return sign(f.header.json(), f.claims.with("iss", "https://evil").with("ISS", f.p.issuer).json(), signingKey())
		},
		"SUB for sub": func(f forged) string {
			return sign(f.header.json(), f.claims.without("sub").with("SUB", "x").json(), signingKey())
		},
		"a second audience": func(f forged) string { return f.withClaim("aud", []string{testClientID, "other"}) },
		"a second audience, azp ours": func(f forged) string {
			return sign(f.header.json(), f.claims.with("aud", []string{testClientID, "other"}).with("azp", testClientID).json(), signingKey())
		},
		"sub of 300 bytes":         func(f forged) string { return f.withClaim("sub", strings.Repeat("s", 300)) },
		"sub twice":                func(f forged) string { return f.rawClaim("x", `1,"sub":"evil"`) },
		"a member twice, deep":     func(f forged) string { return f.rawClaim("x", `{"y":[{"z":1,"z":2}]}`) },
		"nested 100 deep":          func(f forged) string { return f.rawClaim("x", strings.Repeat("[", 100)+strings.Repeat("]", 100)) },
		"claims are an array":      func(f forged) string { return sign(f.header.json(), `[]`, signingKey()) },
		"claims are null":          func(f forged) string { return sign(f.header.json(), `null`, signingKey()) },
		"claims are text":          func(f forged) string { return sign(f.header.json(), `x`, signingKey()) },
		"claims with a tail":       func(f forged) string { return sign(f.header.json(), f.claims.json()+"x", signingKey()) },
		"another browser's nonce":  func(f forged) string { return f.withClaim("nonce", "~"+f.nonce[1:]) },
		"the nonce and more":       func(f forged) string { return f.withClaim("nonce", f.nonce+" ") },
		"at_hash of another token": func(f forged) string { return f.withClaim("at_hash", atHash("other")) },
		"at_hash of all of the digest": func(f forged) string {
			sum := sha256.Sum256([]byte(f.access))
			return f.withClaim("at_hash", b64(string(sum[:])))
		},
		"an access token": func(f forged) string { return f.access },
		"an access token with our nonce and aud": func(f forged) string {
			return sign(f.header.json(), f.p.accessClaims().with("nonce", f.nonce).with("aud", testClientID).json(), signingKey())
		},
	}
	for _, name := range []string{"iss", "aud", "sub", "exp", "iat", "nonce"} {
		m["no "+name] = func(f forged) string { return sign(f.header.json(), f.claims.without(name).json(), signingKey()) }
	}
	for name, values := range map[string][]any{
		"iss":       {"", nil, 1, []string{"x"}, "https://evil.example.com"},
		"aud":       {"", nil, 1, []string{}, []any{testClientID, nil}, []any{testClientID, 1}, "client-2", "CLIENT-1", object{"client-1": true}, [][]string{{testClientID}}},
		"azp":       {"client-2", "", nil, 1},
		"sub":       {"", nil, 1, []string{testSubject}},
		"nonce":     {"", nil, 1, []string{"x"}},
		"token_use": {"access", "", nil, "ID", 1},
		"at_hash":   {"", nil, 1, "x"},
		"exp":       {"2999999999", nil, -1, 0, true, []int{1}, "never"},
		"iat":       {"1", nil, -1, 0, false},
		"nbf":       {"1", nil, -1, true},
		"auth_time": {"1", nil, -1, true},
	} {
		for _, v := range values {
			m[fmt.Sprintf("%s is %#v", name, v)] = func(f forged) string { return f.withClaim(name, v) }
		}
	}
	for _, name := range []string{"exp", "iat", "nbf", "auth_time"} {
		for _, v := range []string{"1e300", "1e999", "-1e300", "9007199254740993000", "253402300800", "NaN", "0x10"} {
			m[name+" is "+v] = func(f forged) string { return f.rawClaim(name, v) }
		}
	}
	for name, after := range map[string]struct {
		claim string
		by    time.Duration
	}{
		"expired two minutes ago":   {"exp", -2 * time.Minute},
		"issued in two minutes":     {"iat", 2 * time.Minute},
		"issued twelve minutes ago": {"iat", -12 * time.Minute},
		"not valid for two minutes": {"nbf", 2 * time.Minute},
	} {
		m[name] = func(f forged) string { return f.withClaim(after.claim, time.Now().Add(after.by).Unix()) }
	}
	return m
}

// honest are variations that must be taken, or the refusals above prove little.
func honest() map[string]forgery {
	now := func(by time.Duration) int64 { return time.Now().Add(by).Unix() }
	return map[string]forgery{
		"as Cognito makes them":    func(f forged) string { return f.sign() },
		"typ JWT":                  func(f forged) string { return f.withHeader("typ", "JWT") },
		"typ jwt":                  func(f forged) string { return f.withHeader("typ", "jwt") },
		"an unknown header member": func(f forged) string { return f.withHeader("x5t", "x") },
		"no token_use": func(f forged) string {
			return sign(f.header.json(), f.claims.without("token_use").json(), signingKey())
		},
		"no auth_time": func(f forged) string {
			return sign(f.header.json(), f.claims.without("auth_time").json(), signingKey())
		},
		"aud as a list of one":        func(f forged) string { return f.withClaim("aud", []string{testClientID}) },
		"azp ours":                    func(f forged) string { return f.withClaim("azp", testClientID) },
		"at_hash of its access token": func(f forged) string { return f.withClaim("at_hash", atHash(f.access)) },
		"expired half a minute ago":   func(f forged) string { return f.withClaim("exp", now(-30*time.Second)) },
		"issued in half a minute":     func(f forged) string { return f.withClaim("iat", now(30*time.Second)) },
		"issued nine minutes ago":     func(f forged) string { return f.withClaim("iat", now(-9*time.Minute)) },
		"valid in half a minute":      func(f forged) string { return f.withClaim("nbf", now(30*time.Second)) },
		"times with fractions":        func(f forged) string { return f.rawClaim("exp", fmt.Sprintf("%d.75", now(time.Hour))) },
		"federated identities and groups": func(f forged) string {
			return f.rawClaim("identities", `[{"userId":"1","providerName":"Google","issuer":null,"primary":"true","dateCreated":"1"}],"cognito:groups":["a","b"]`)
		},
		"of 30 KB": func(f forged) string { return f.withClaim("x", strings.Repeat("x", 22<<10)) },
	}
}

func atHash(access string) string {
	sum := sha256.Sum256([]byte(access))
	return b64(string(sum[:16]))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestIDToken(t *testing.T) {
	for group, forgeries := range map[string]map[string]forgery{
		"algorithm": algForgeries(), "header": headerForgeries(), "form": formForgeries(), "claims": claimForgeries(),
	} {
		for name, forge := range forgeries {
			t.Run("refuses/"+group+"/"+name, func(t *testing.T) {
				want := ErrInvalidToken
				p, err := loginWith(t, func(f forged) string {
					token := forge(f)
					if payload, ok := jwtPayload(token); ok && anotherIssuer(payload, f.p.issuer) {
						want = ErrMisconfigured // which is what most probably is wrong
					}
					return token
				})
				assertOnly(t, "exchange", err, want)
				if _, fetches := p.asked(); fetches > 2 {
					t.Errorf("%d fetches of the key set", fetches)
				}
				p.noOtherRequest(t)
			})
		}
	}
	for name, make := range honest() {
		t.Run("accepts/"+name, func(t *testing.T) {
			if _, err := loginWith(t, make); err != nil {
				t.Error(err)
			}
		})
	}
}

// anotherIssuer reports whether claims name an issuer, and not this one.
func anotherIssuer(claims json.RawMessage, issuer string) bool {
	var c map[string]any
	_ = json.Unmarshal(claims, &c)
	iss, ok := c["iss"].(string)
	return ok && iss != issuer
}

// loginWith runs one login in which the provider gives the ID token that forge makes.
func loginWith(t *testing.T, forge forgery) (*provider, error) {
	t.Helper()
	p := newProvider(t)
	c := p.inBubble()
	l := beginLogin(t, c)
	f := forged{p: p, nonce: l.query.Get("nonce"), access: p.accessToken(), header: goodHeader()}
	f.claims = p.idClaims(f.nonce)
	p.answers(200, p.tokenAnswer(forge(f)).with("access_token", f.access))
	got, err := l.exchange(t, c)
	if err != nil && (got.Subject != "" || !got.Access.Empty()) {
		t.Errorf("an error and tokens: %+v", got)
	}
	return p, err
}

// The form is checked before any library sees the token, not instead.
func TestCheckForm(t *testing.T) {
	p := newProvider(t)
	f := forged{p: p, nonce: "n", access: "a", header: goodHeader(), claims: p.idClaims("n")}
	refused := algForgeries()
	delete(refused, "PS256 said to be RS256") // only the signature tells
	for _, name := range []string{"no kid", "kid twice", "kid of 300 bytes", "crit exp", "b64 false", "zip", "nested", "a key embedded",
		"a key by address", "a chain by address", "a chain embedded", "header not UTF-8", "header with a tail"} {
		refused[name] = headerForgeries()[name]
	}
	for _, name := range []string{"two segments", "four segments", "padding", "line break inside", "stray trailing bits", "detached payload"} {
		refused[name] = formForgeries()[name]
	}
	for name, forge := range refused {
		if kid, err := checkForm(forge(f)); err == nil {
			t.Errorf("%s: took it, kid %q", name, kid)
		}
	}
	if kid, err := checkForm(f.sign()); err != nil || kid != testKid {
		t.Errorf("a good one: %q, %v", kid, err)
	}
}

func TestIDTokenErrorsNameTheClaim(t *testing.T) {
	for claim, want := range map[string]string{"iss": "iss: the token is by another issuer, not by https://idp.example.com/pool", "aud": "aud or azp", "token_use": "token_use"} {
		_, err := loginWith(t, func(f forged) string { return f.withClaim(claim, "leaked-value") })
		if err == nil || !strings.HasSuffix(err.Error(), ": "+want) || strings.Contains(err.Error(), "leaked") {
			t.Errorf("%s: %v", claim, err)
		}
	}
	_, err := loginWith(t, func(f forged) string { return sign(f.header.json(), f.claims.json(), strangerKey()) })
	if err == nil || !strings.HasSuffix(err.Error(), ": signature") {
		t.Errorf("stranger's key: %v", err)
	}
}

// FuzzCheckForm holds the two readers of a token against each other: what
// passes has one kid and one spelling.
func FuzzCheckForm(f *testing.F) {
	f.Add(b64(`{"alg":"RS256","kid":"a"}`) + "." + b64(`{}`) + ".AAAA")
	f.Add("..")
	f.Add(b64(`{"alg":"RS256","kid":"a","kid":"b"}`) + "." + b64(`{"a":[{}]}`) + ".AAAA")
	f.Fuzz(func(t *testing.T, token string) {
		kid, err := checkForm(token)
		if err != nil {
			return
		}
		if kid == "" || len(kid) > maxKeyID || len(token) > maxToken {
			t.Errorf("took kid %q", kid)
		}
		for _, part := range strings.Split(token, ".") {
			b, err := base64.RawURLEncoding.DecodeString(part)
			if err != nil || base64.RawURLEncoding.EncodeToString(b) != part {
				t.Errorf("took a second spelling: %q", part)
			}
		}
	})
}
