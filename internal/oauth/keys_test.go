package oauth

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// keyWorld is a key set in a bubble, with a provider that may change its mind.
type keyWorld struct {
	*provider
	set *keySet
}

func inKeyWorld(t *testing.T, name string, test func(*testing.T, keyWorld)) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := newProvider(t)
			named := func(o *Options) { o.Settings.Issuer = "cognito.user_pool_id" }
			test(t, keyWorld{p, p.inBubble(named).keys})
		})
	})
}

func (w keyWorld) publish(keys ...object) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.jwks = func(rw http.ResponseWriter, _ *http.Request) { writeJSON(rw, 200, keySetOf(keys...)) }
}

func (w keyWorld) fail() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.jwks = raw(500, "text/html", "leaked")
}

// want looks a kid up and wants this outcome, after so many fetches in all.
func (w keyWorld) want(t *testing.T, kid string, kind error, fetches int) {
	t.Helper()
	k, err := w.set.key(t.Context(), kid)
	if !errors.Is(err, kind) || (k == nil) != (err != nil) {
		t.Errorf("%s: %v, want %v", kid, err, kind)
	}
	if _, n := w.asked(); n != fetches {
		t.Errorf("%s: %d fetches, want %d", kid, n, fetches)
	}
}

func TestKeySet(t *testing.T) {
	inKeyWorld(t, "is fetched once and then kept", func(t *testing.T, w keyWorld) {
		w.want(t, testKid, nil, 1)
		time.Sleep(59 * time.Minute)
		w.want(t, testKid, nil, 1)
	})

	inKeyWorld(t, "is fetched for a new kid at once, also right after the first fetch", func(t *testing.T, w keyWorld) {
		w.want(t, testKid, nil, 1)
		w.publish(jwk(testKid, signingKey()), jwk("kid-2", strangerKey()))
		w.want(t, "kid-2", nil, 2)
		w.want(t, testKid, nil, 2)
	})

	inKeyWorld(t, "lets 10,000 unknown kids cause one fetch in 30 seconds", func(t *testing.T, w keyWorld) {
		w.want(t, testKid, nil, 1)
		for i := range 10_000 {
			w.want(t, fmt.Sprintf("unknown-%d", i), ErrInvalidToken, 2)
			if t.Failed() {
				return
			}
		}
		time.Sleep(unknownKeyPause - time.Second)
		w.want(t, "unknown", ErrInvalidToken, 2)
		w.want(t, testKid, nil, 2)
		time.Sleep(time.Second)
		w.want(t, "unknown", ErrInvalidToken, 3)
		w.want(t, "unknown", ErrInvalidToken, 3)
	})

	inKeyWorld(t, "shares one fetch among all who wait", func(t *testing.T, w keyWorld) {
		w.jwks = slow(w.jwks)
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if _, err := w.set.key(t.Context(), testKid); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		w.want(t, testKid, nil, 1)
	})

	inKeyWorld(t, "lets a caller go without stopping the fetch", func(t *testing.T, w keyWorld) {
		w.jwks = slow(w.jwks)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		if _, err := w.set.key(ctx, testKid); !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if time.Since(begin) != time.Second {
			t.Errorf("left after %v", time.Since(begin))
		}
		time.Sleep(time.Minute)
		w.want(t, testKid, nil, 1)
	})

	inKeyWorld(t, "is given up after five seconds", func(t *testing.T, w keyWorld) {
		w.jwks = hang
		begin := time.Now()
		w.want(t, testKid, ErrUnavailable, 1)
		if time.Since(begin) != keysFetchTimeout {
			t.Errorf("after %v", time.Since(begin))
		}
	})

	inKeyWorld(t, "is tried again once a second while it fails, whoever asks", func(t *testing.T, w keyWorld) {
		w.fail()
		for second := range 60 {
			for i := range 100 {
				w.want(t, fmt.Sprintf("kid-%d", i), ErrUnavailable, second+1)
			}
			time.Sleep(time.Second)
		}
	})

	inKeyWorld(t, "is back within two seconds of an outage, however long that was", func(t *testing.T, w keyWorld) {
		w.fail()
		for range 600 {
			_, _ = w.set.key(t.Context(), testKid)
			time.Sleep(100 * time.Millisecond)
		}
		w.publish(jwk(testKid, signingKey()))
		begin := time.Now()
		for ; ; time.Sleep(100 * time.Millisecond) {
			if _, err := w.set.key(t.Context(), testKid); err == nil {
				break
			}
		}
		if took := time.Since(begin); took > time.Second {
			t.Errorf("after %v", took)
		}
	})

	inKeyWorld(t, "is back within two seconds where the fetches before hang to their end", func(t *testing.T, w keyWorld) {
		w.jwks = hang
		w.want(t, testKid, ErrUnavailable, 1)
		late := make(chan error)
		go func() {
			_, err := w.set.key(t.Context(), testKid)
			late <- err
		}()
		synctest.Wait()
		w.publish(jwk(testKid, signingKey()))
		time.Sleep(time.Second)
		w.want(t, testKid, nil, 3)
		if err := <-late; err != nil { // its own fetch failed, and the keys are there
			t.Error(err)
		}
		w.want(t, testKid, nil, 3)
		w.want(t, "kid-2", ErrInvalidToken, 4)
		w.want(t, "kid-3", ErrInvalidToken, 4) // a failure that came late ends no budget
	})

	inKeyWorld(t, "cannot say in an outage whether a new kid is forged", func(t *testing.T, w keyWorld) {
		w.want(t, testKid, nil, 1)
		w.fail()
		w.want(t, "kid-2", ErrUnavailable, 2)
		w.want(t, "kid-2", ErrUnavailable, 2)
		w.want(t, testKid, nil, 2)
		w.publish(jwk("kid-2", strangerKey()))
		time.Sleep(time.Second)
		w.want(t, "kid-2", nil, 3)
	})

	inKeyWorld(t, "outlives an outage of a day, and no longer", func(t *testing.T, w keyWorld) {
		w.want(t, testKid, nil, 1)
		w.fail()
		for range 24 {
			time.Sleep(time.Hour)
			if _, err := w.set.key(t.Context(), testKid); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		time.Sleep(time.Second)
		if _, err := w.set.key(t.Context(), testKid); !errors.Is(err, ErrUnavailable) {
			t.Errorf("after a day: %v", err)
		}
	})

	inKeyWorld(t, "is renewed in the background, so that a withdrawn key goes", func(t *testing.T, w keyWorld) {
		w.want(t, testKid, nil, 1)
		w.publish(jwk("kid-2", strangerKey()))
		time.Sleep(keysSoftAge + time.Second)
		if _, err := w.set.key(t.Context(), testKid); err != nil { // served from hand
			t.Error(err)
		}
		synctest.Wait()
		w.want(t, "kid-2", nil, 2)
		w.want(t, testKid, ErrInvalidToken, 3)
	})

	inKeyWorld(t, "refuses a kid that two keys claim, until it is mended", func(t *testing.T, w keyWorld) {
		w.publish(jwk(testKid, signingKey()), jwk(testKid, strangerKey()), jwk("kid-2", strangerKey()))
		w.want(t, "kid-2", nil, 1)
		w.want(t, testKid, ErrInvalidToken, 2)
		w.publish(jwk(testKid, signingKey()))
		time.Sleep(unknownKeyPause)
		w.want(t, testKid, nil, 3)
	})

	inKeyWorld(t, "comes with status 200 only", func(t *testing.T, w keyWorld) {
		w.jwks = raw(203, "application/json", keySetOf(jwk(testKid, signingKey())).json())
		w.want(t, testKid, ErrUnavailable, 1)
	})

	for status, want := range map[int]error{
		400: ErrMisconfigured, 404: ErrMisconfigured, 405: ErrMisconfigured, 410: ErrMisconfigured,
		401: ErrUnavailable, 403: ErrUnavailable, 408: ErrUnavailable, 429: ErrUnavailable, 500: ErrUnavailable, 503: ErrUnavailable,
	} {
		inKeyWorld(t, fmt.Sprintf("says with %d whose fault it is, and which address was asked", status), func(t *testing.T, w keyWorld) {
			w.jwks = raw(status, "application/json", `{"message":"leaked"}`)
			_, err := w.set.key(t.Context(), testKid)
			assertOnly(t, "key", err, want)
			text := err.Error()
			if !strings.Contains(text, w.set.url) || strings.Contains(text, "leaked") {
				t.Error(err)
			}
			if told := strings.Contains(text, "look at cognito.user_pool_id"); told != (want == ErrMisconfigured) {
				t.Error(err)
			}
		})
	}

	inKeyWorld(t, "is known from its first fetch on, whatever comes", func(t *testing.T, w keyWorld) {
		w.fail()
		w.want(t, testKid, ErrUnavailable, 1)
		if w.set.known() {
			t.Error("known without ever having come")
		}
		w.publish(jwk(testKid, signingKey()))
		time.Sleep(time.Second)
		w.want(t, testKid, nil, 2)
		w.fail()
		time.Sleep(2 * keysHardAge)
		w.want(t, testKid, ErrUnavailable, 3)
		if !w.set.known() {
			t.Error("forgotten in an outage")
		}
	})

	inKeyWorld(t, "follows no redirect", func(t *testing.T, w keyWorld) {
		w.jwks = func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, "http://169.254.169.254/", http.StatusFound)
		}
		w.want(t, testKid, ErrUnavailable, 1)
		w.noOtherRequest(t)
	})
}

// slow answers like h, three seconds later.
func slow(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(3 * time.Second)
		h(w, r)
	}
}

func TestKeySetCorpus(t *testing.T) {
	good := jwk(testKid, signingKey())
	many := make([]object, 10_000)
	for i := range many {
		many[i] = good.with("kid", fmt.Sprint("k", i))
	}
	// A set that is refused must not replace the keys in hand.
	for name, body := range map[string]string{
		"nothing":          "",
		"null":             "null",
		"HTML":             "<html>leaked</html>",
		"an array":         "[" + good.json() + "]",
		"no keys":          keySetOf().json(),
		"keys null":        `{"keys":null}`,
		"keys an object":   `{"keys":{}}`,
		"cut off":          keySetOf(good).json()[:100],
		"101 keys":         keySetOf(many[:101]...).json(),
		"10,000 keys":      keySetOf(many...).json(),
		"10 MB":            keySetOf(good.with("x", strings.Repeat("x", 10<<20))).json(),
		"a tail":           keySetOf(good).json() + "{}",
		"keys of no use":   keySetOf(good.with("use", "enc"), good.with("kty", "EC")).json(),
		"keys of no shape": `{"keys":[1,null,"x",[],{}]}`,
	} {
		inKeyWorld(t, "keeps the keys in hand when it is "+name, func(t *testing.T, w keyWorld) {
			w.want(t, testKid, nil, 1)
			w.jwks = raw(200, "application/json", body)
			time.Sleep(keysSoftAge + time.Second)
			_, _ = w.set.key(t.Context(), testKid)
			synctest.Wait()
			w.want(t, testKid, nil, 2)
			_, err := w.set.key(t.Context(), "unknown")
			if !errors.Is(err, ErrUnavailable) || strings.Contains(err.Error(), "leaked") {
				t.Errorf("unknown kid: %v", err)
			}
		})
	}

	number := func(n *big.Int) string { return b64(string(n.Bytes())) }
	small := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: new(big.Int).Rsh(signingKey().N, 1024), E: 65537}}
	for name, key := range map[string]object{
		"symmetric":                      {"kty": "oct", "kid": testKid, "alg": "RS256", "k": "AAAA"},
		"elliptic":                       {"kty": "EC", "kid": testKid, "crv": "P-256", "x": "AAAA", "y": "AAAA"},
		"kty in lower case":              good.with("kty", "rsa"),
		"without kty":                    good.without("kty"),
		"without kid":                    good.without("kid"),
		"with an empty kid":              good.with("kid", ""),
		"with a number for a kid":        good.with("kid", 1),
		"for encryption":                 good.with("use", "enc"),
		"use null":                       good.with("use", nil),
		"for PS512":                      good.with("alg", "PS512"),
		"for RS512":                      good.with("alg", "RS512"),
		"alg a list":                     good.with("alg", []string{"RS256"}),
		"whose operations lack verify":   good.with("key_ops", []string{"encrypt", "sign"}),
		"without operations":             good.with("key_ops", []string{}),
		"operations no list":             good.with("key_ops", "verify"),
		"of 1024 bits":                   jwk(testKid, small),
		"of 16384 bits":                  good.with("n", number(new(big.Int).SetBit(big.NewInt(1), 16383, 1))),
		"with an even modulus":           good.with("n", number(new(big.Int).Lsh(signingKey().N, 1))),
		"with exponent 1":                good.with("e", "AQ"),
		"with exponent 0":                good.with("e", "AA"),
		"with an even exponent":          good.with("e", "BA"),
		"with an empty exponent":         good.with("e", ""),
		"with a huge exponent":           good.with("e", number(new(big.Int).SetBit(big.NewInt(1), 64, 1))),
		"without modulus":                good.without("n"),
		"with a padded modulus":          good.with("n", good["n"].(string)+"=="),
		"with a modulus that is no text": good.with("n", 5),
		"with its private exponent":      good.with("d", "AAAA"),
		"with a prime":                   good.with("p", nil),
	} {
		t.Run("leaves out a key "+name, func(t *testing.T) {
			other := jwk("other", strangerKey())
			keys, err := parseKeySet([]byte(keySetOf(key, other).json()))
			if err != nil {
				t.Fatal(err)
			}
			if keys["other"] == nil || len(keys) != 1 {
				t.Errorf("kept %d keys", len(keys))
			}
		})
	}

	for name, key := range map[string]object{
		"as Cognito publishes it":  good,
		"without use":              good.without("use"),
		"without alg":              good.without("alg"),
		"for verifying":            good.with("key_ops", []string{"verify"}),
		"with exponent 3":          good.with("e", "Aw"),
		"with a leading zero byte": good.with("n", b64("\x00"+string(signingKey().N.Bytes()))),
		"with a certificate":       good.with("x5c", []string{"AAAA"}),
	} {
		t.Run("takes a key "+name, func(t *testing.T) {
			keys, err := parseKeySet([]byte(keySetOf(key).json()))
			if err != nil || keys[testKid] == nil || keys[testKid].N.Cmp(signingKey().N) != 0 {
				t.Errorf("%v, %v", keys, err)
			}
		})
	}

	t.Run("leaves out a key that says one thing twice", func(t *testing.T) {
		doubled := `{"kid":"kid-2",` + strings.TrimPrefix(good.json(), "{")
		keys, err := parseKeySet([]byte(`{"keys":[` + doubled + `,` + jwk("other", strangerKey()).json() + `]}`))
		if err != nil || len(keys) != 1 {
			t.Errorf("%v, %v", keys, err)
		}
	})
	t.Run("takes the same key listed twice", func(t *testing.T) {
		keys, err := parseKeySet([]byte(keySetOf(good, good).json()))
		if err != nil || keys[testKid] == nil {
			t.Errorf("%v, %v", keys, err)
		}
	})
	t.Run("refuses the kid of two keys, whatever comes third", func(t *testing.T) {
		keys, err := parseKeySet([]byte(keySetOf(good, jwk(testKid, strangerKey()), good).json()))
		if err != nil || keys[testKid] != nil {
			t.Errorf("%v, %v", keys, err)
		}
	})
}

func FuzzParseKeySet(f *testing.F) {
	f.Add([]byte(keySetOf(jwk(testKid, signingKey())).json()))
	f.Add([]byte(`{"keys":[{"kty":"RSA","kid":"a","n":"","e":"AQAB"}]}`))
	f.Add([]byte(`{"keys":[]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		keys, err := parseKeySet(body)
		if err != nil {
			return
		}
		for kid, k := range keys {
			if kid == "" || k != nil && (k.N.BitLen() < minModulus || k.E < 3 || k.E%2 == 0) {
				t.Errorf("took %q %v", kid, k)
			}
		}
	})
}
