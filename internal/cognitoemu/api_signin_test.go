package cognitoemu

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

// respond answers a challenge of the public client.
func (f *fixture) respond(name types.ChallengeNameType, session *string, answers map[string]string) (*cip.RespondToAuthChallengeOutput, error) {
	return f.sdk().RespondToAuthChallenge(f.Context(), &cip.RespondToAuthChallengeInput{
		ClientId: aws.String(DefaultClientID), ChallengeName: name, Session: session, ChallengeResponses: answers})
}

// srpClient is a client of the Secure Remote Password protocol, written from its
// papers with none of the server's code: hexadecimal text where the server has bytes,
// HMAC where it has HKDF.
type srpClient struct{ a, public *big.Int }

const srpTestPrime = "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3BE39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA051015728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200CBBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF"

func srpInt(text string) *big.Int {
	n, ok := new(big.Int).SetString(text, 16)
	if !ok {
		panic("not hexadecimal: " + text)
	}
	return n
}

// srpPad is a positive number in hexadecimal, in whole bytes and without a set sign bit.
func srpPad(n *big.Int) string {
	text := n.Text(16)
	if len(text)%2 == 1 {
		return "0" + text
	}
	if strings.ContainsAny(text[:1], "89abcdef") {
		return "00" + text
	}
	return text
}

func srpDigest(hexText string) string {
	raw, err := hex.DecodeString(hexText)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

func newSRPClient() srpClient {
	a, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 256))
	return srpClient{a, new(big.Int).Exp(big.NewInt(2), a, srpInt(srpTestPrime))}
}

// claim is the answer to PASSWORD_VERIFIER.
func (c srpClient) claim(pool, password, timestamp string, params map[string]string) map[string]string {
	n, serverPublic := srpInt(srpTestPrime), srpInt(params["SRP_B"])
	identity := pool + params["USER_ID_FOR_SRP"]
	inner := sha256.Sum256([]byte(identity + ":" + password))
	x := srpInt(srpDigest(srpPad(srpInt(params["SALT"])) + hex.EncodeToString(inner[:])))
	u := srpInt(srpDigest(srpPad(c.public) + srpPad(serverPublic)))
	k := srpInt(srpDigest("00" + strings.ToLower(srpTestPrime) + "02"))
	base := new(big.Int).Sub(serverPublic, new(big.Int).Mul(k, new(big.Int).Exp(big.NewInt(2), x, n)))
	shared := new(big.Int).Exp(base.Mod(base, n), new(big.Int).Add(c.a, new(big.Int).Mul(u, x)), n)

	mac := func(key []byte, parts ...[]byte) []byte {
		h := hmac.New(sha256.New, key)
		for _, part := range parts {
			h.Write(part)
		}
		return h.Sum(nil)
	}
	salt, _ := hex.DecodeString(srpPad(u))
	secret, _ := hex.DecodeString(srpPad(shared))
	key := mac(mac(salt, secret), []byte("Caldera Derived Key\x01"))[:16]
	block, _ := base64.StdEncoding.DecodeString(params["SECRET_BLOCK"])
	signature := mac(key, []byte(identity), block, []byte(timestamp))
	return map[string]string{"USERNAME": params["USERNAME"], "TIMESTAMP": timestamp,
		"PASSWORD_CLAIM_SECRET_BLOCK": params["SECRET_BLOCK"], "PASSWORD_CLAIM_SIGNATURE": base64.StdEncoding.EncodeToString(signature)}
}

const srpTestTime = "Sun Mar 1 12:00:00 UTC 2026"

// beginSRP takes the first step for a user.
func (f *fixture) beginSRP(email string) (srpClient, map[string]string) {
	f.Helper()
	client := newSRPClient()
	got, err := f.sdk().InitiateAuth(f.Context(), initiate(types.AuthFlowTypeUserSrpAuth, DefaultClientID,
		map[string]string{"USERNAME": email, "SRP_A": client.public.Text(16)}))
	if err != nil || got.ChallengeName != types.ChallengeNameTypePasswordVerifier {
		f.Fatalf("%+v, %v", got, err)
	}
	return client, got.ChallengeParameters
}

func (f *fixture) srpSignIn(email, password string) (*cip.RespondToAuthChallengeOutput, error) {
	f.Helper()
	client, params := f.beginSRP(email)
	return f.respond(types.ChallengeNameTypePasswordVerifier, nil, client.claim("GatehouseDev", password, srpTestTime, params))
}

func TestAPI_InitiateAuth_by_secure_remote_password(t *testing.T) {
	const wrong = "Incorrect username or password."
	f := newFixture(t)
	t.Run("signs in, whatever the numbers look like", func(t *testing.T) {
		for range 8 { // a leading zero or sign bit comes up in one of a few
			got, err := f.srpSignIn("Alice@example.com", DefaultPassword)
			if err != nil {
				t.Fatal(err)
			}
			if claims := claimsOf(t, *got.AuthenticationResult.IdToken); claims["email"] != "alice@example.com" || got.AuthenticationResult.RefreshToken == nil {
				t.Fatalf("claims %v", claims)
			}
		}
	})
	t.Run("refuses a wrong password, a name that nobody has and federated users alike", func(t *testing.T) {
		for _, name := range []string{"alice@example.com", "nobody@example.com", "Google_108204268033311374519"} {
			_, err := f.srpSignIn(name, "wrong")
			typed[*types.NotAuthorizedException](t, err, wrong)
		}
		_, err := f.srpSignIn("erin@example.com", DefaultPassword)
		typed[*types.NotAuthorizedException](t, err, "User is disabled.")
	})
	t.Run("takes each answer once, in time, from the client that began", func(t *testing.T) {
		client, params := f.beginSRP("alice@example.com")
		answer := client.claim("GatehouseDev", DefaultPassword, srpTestTime, params)
		_, err := f.sdk().RespondToAuthChallenge(t.Context(), &cip.RespondToAuthChallengeInput{ClientId: aws.String(DefaultConfidentialClientID),
			ChallengeName: types.ChallengeNameTypePasswordVerifier, ChallengeResponses: withSecretHash(f, answer)})
		typed[*types.NotAuthorizedException](t, err, wrong)
		for i := range 2 {
			_, err := f.respond(types.ChallengeNameTypePasswordVerifier, nil, answer)
			if i == 0 && err != nil {
				t.Error(err)
			} else if i == 1 {
				typed[*types.NotAuthorizedException](t, err, wrong)
			}
		}
		client, params = f.beginSRP("alice@example.com")
		f.emulator.Levers().Advance(challengeTTL)
		_, err = f.respond(types.ChallengeNameTypePasswordVerifier, nil, client.claim("GatehouseDev", DefaultPassword, srpTestTime, params))
		typed[*types.NotAuthorizedException](t, err, wrong)
	})
	t.Run("refuses what is no public value", func(t *testing.T) {
		for _, public := range []string{"", "0", "xyz", srpTestPrime, "-5"} {
			_, err := f.sdk().InitiateAuth(t.Context(), initiate(types.AuthFlowTypeUserSrpAuth, DefaultClientID,
				map[string]string{"USERNAME": "alice@example.com", "SRP_A": public}))
			typed[*types.InvalidParameterException](t, err, "SRP_A is not a public value of the 3072-bit group")
		}
	})
	t.Run("refuses another form of the time", func(t *testing.T) {
		client, params := f.beginSRP("alice@example.com")
		_, err := f.respond(types.ChallengeNameTypePasswordVerifier, nil, client.claim("GatehouseDev", DefaultPassword, "2026-03-01T12:00:00Z", params))
		typed[*types.InvalidParameterException](t, err, "TIMESTAMP format should be EEE MMM d HH:mm:ss z yyyy in english.")
	})
	t.Run("counts wrong passwords", func(t *testing.T) {
		for range 5 {
			_, _ = f.srpSignIn("bob@example.com", "wrong")
		}
		_, err := f.srpSignIn("bob@example.com", DefaultPassword)
		typed[*types.NotAuthorizedException](t, err, "Password attempts exceeded")
	})
}

func withSecretHash(f *fixture, answers map[string]string) map[string]string {
	client, _ := f.emulator.client(DefaultConfidentialClientID)
	with := map[string]string{"SECRET_HASH": client.secretHash(answers["USERNAME"])}
	for name, value := range answers {
		with[name] = value
	}
	return with
}

// The vectors of RFC 6238 Appendix B, of which six digits are used here.
func TestTOTP_codes_are_those_of_the_standard(t *testing.T) {
	secret := []byte("12345678901234567890")
	for seconds, want := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		if got := totpCode(secret, seconds/30); got != want {
			t.Errorf("at %d: %s, want %s", seconds, got, want)
		}
	}
	now := time.Unix(1111111109, 0)
	for drift, want := range map[time.Duration]bool{-60 * time.Second: false, -30 * time.Second: true, 0: true, 30 * time.Second: true, 60 * time.Second: false} {
		if _, ok := totpMatch(secret, "081804", now.Add(drift)); ok != want {
			t.Errorf("%v off: accepted %v", drift, ok)
		}
	}
}

// app is an authenticator app.
func (f *fixture) app(secretCode string) (code string) {
	f.Helper()
	return totpCode(totpSecret(secretCode), f.emulator.Levers().Now().Unix()/30)
}

// wrongCodeOf is a code that the app does not show.
func wrongCodeOf(code string) string {
	if code[0] == '0' {
		return "1" + code[1:]
	}
	return "0" + code[1:]
}

func TestAPI_authenticator_app(t *testing.T) {
	f := newFixture(t)
	levers, token := f.emulator.Levers(), f.accessTokenOf("alice@example.com")
	prefer := func(input cip.SetUserMFAPreferenceInput) error {
		input.AccessToken = token
		_, err := f.sdk().SetUserMFAPreference(t.Context(), &input)
		return err
	}
	on := cip.SetUserMFAPreferenceInput{SoftwareTokenMfaSettings: &types.SoftwareTokenMfaSettingsType{Enabled: true, PreferredMfa: true},
		SMSMfaSettings: &types.SMSMfaSettingsType{}}
	verify := func(code string) error {
		_, err := f.sdk().VerifySoftwareToken(t.Context(), &cip.VerifySoftwareTokenInput{AccessToken: token, UserCode: &code, FriendlyDeviceName: aws.String("Alice's phone")})
		return err
	}

	typed[*types.InvalidParameterException](t, prefer(on), "User does not have delivery config set to turn on SOFTWARE_TOKEN_MFA")
	typed[*types.InvalidParameterException](t, prefer(cip.SetUserMFAPreferenceInput{SMSMfaSettings: &types.SMSMfaSettingsType{Enabled: true}}), "User does not have delivery config set to turn on SMS_MFA")
	typed[*types.InvalidParameterException](t, prefer(cip.SetUserMFAPreferenceInput{EmailMfaSettings: &types.EmailMfaSettingsType{Enabled: true}}), "User does not have delivery config set to turn on EMAIL_OTP")
	typed[*types.SoftwareTokenMFANotFoundException](t, verify("123456"), "Software Token MFA does not exist for the user.")

	associated, err := f.sdk().AssociateSoftwareToken(t.Context(), &cip.AssociateSoftwareTokenInput{AccessToken: token})
	if err != nil || len(*associated.SecretCode) != 52 {
		t.Fatalf("%+v, %v", associated, err)
	}
	typed[*types.EnableSoftwareTokenMFAException](t, verify(wrongCodeOf(f.app(*associated.SecretCode))), "Code mismatch and fail enable Software Token MFA")
	if err := verify(f.app(*associated.SecretCode)); err != nil {
		t.Fatal(err)
	}
	if _, err := f.passwordSignIn("alice@example.com", DefaultPassword); err != nil {
		t.Fatalf("an app that is set up is asked for only where it was switched on: %v", err)
	}
	if err := prefer(on); err != nil {
		t.Fatal(err)
	}
	user, err := f.sdk().GetUser(t.Context(), &cip.GetUserInput{AccessToken: token})
	if err != nil || *user.PreferredMfaSetting != "SOFTWARE_TOKEN_MFA" || len(user.UserMFASettingList) != 1 || user.UserMFASettingList[0] != "SOFTWARE_TOKEN_MFA" {
		t.Errorf("%+v, %v", user, err)
	}

	answer := func(session *string, code string) (*cip.RespondToAuthChallengeOutput, error) {
		return f.respond(types.ChallengeNameTypeSoftwareTokenMfa, session, map[string]string{"USERNAME": "alice@example.com", "SOFTWARE_TOKEN_MFA_CODE": code})
	}
	t.Run("is asked for after the password, by either way", func(t *testing.T) {
		byPassword, err := f.passwordSignIn("alice@example.com", DefaultPassword)
		if err != nil || byPassword.ChallengeName != types.ChallengeNameTypeSoftwareTokenMfa || byPassword.AuthenticationResult != nil ||
			byPassword.ChallengeParameters["FRIENDLY_DEVICE_NAME"] != "Alice's phone" {
			t.Fatalf("%+v, %v", byPassword, err)
		}
		_, err = answer(byPassword.Session, wrongCodeOf(f.app(*associated.SecretCode)))
		typed[*types.CodeMismatchException](t, err, "Invalid code received for user")
		code := f.app(*associated.SecretCode)
		got, err := answer(byPassword.Session, code)
		if err != nil || got.AuthenticationResult == nil {
			t.Fatalf("%+v, %v", got, err)
		}
		_, err = answer(byPassword.Session, code)
		typed[*types.NotAuthorizedException](t, err, "Invalid session for the user, session can only be used once.")

		bySRP, err := f.srpSignIn("alice@example.com", DefaultPassword)
		if err != nil || bySRP.ChallengeName != types.ChallengeNameTypeSoftwareTokenMfa {
			t.Fatalf("%+v, %v", bySRP, err)
		}
		_, err = answer(bySRP.Session, code)
		typed[*types.ExpiredCodeException](t, err, "Your software token has already been used once.")
		levers.Advance(30 * time.Second)
		if got, err := answer(bySRP.Session, f.app(*associated.SecretCode)); err != nil || got.AuthenticationResult == nil {
			t.Fatalf("%+v, %v", got, err)
		}
	})
	t.Run("a session is its user's, and for three minutes", func(t *testing.T) {
		begun, err := f.passwordSignIn("alice@example.com", DefaultPassword)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.respond(types.ChallengeNameTypeSoftwareTokenMfa, begun.Session, map[string]string{"USERNAME": "bob@example.com", "SOFTWARE_TOKEN_MFA_CODE": f.app(*associated.SecretCode)})
		typed[*types.NotAuthorizedException](t, err, "Invalid session for the user.")
		_, err = answer(aws.String(strings.Repeat("x", 20)), "123456")
		typed[*types.NotAuthorizedException](t, err, "Invalid session for the user.")
		levers.Advance(challengeTTL)
		_, err = answer(begun.Session, f.app(*associated.SecretCode))
		typed[*types.NotAuthorizedException](t, err, "Invalid session for the user, session is expired.")
	})
	t.Run("is asked for by the hosted pages", func(t *testing.T) {
		asked := f.submit(loginPath("state", "kept"), "username", "alice@example.com", "password", DefaultPassword).location()
		if !strings.HasPrefix(asked, "/mfa?") {
			t.Fatalf("to %q", asked)
		}
		if got := f.get(authorizePath()); !strings.HasPrefix(got.location(), "/login?") {
			t.Errorf("signed in by the password alone: to %q", got.location())
		}
		levers.Advance(30 * time.Second)
		code := f.app(*associated.SecretCode)
		if got := f.submit(asked, "code", wrongCodeOf(code)); got.location() != "" || !strings.Contains(got.body, wrongCode.text) {
			t.Errorf("wrong code: to %q", got.location())
		}
		if got := f.submit(asked, "code", code).callback(t); got.Get("state") != "kept" || got.Get("code") == "" {
			t.Errorf("callback %v", got)
		}
		f.browser = newBrowser(t)
		if got := f.get(asked); !strings.HasPrefix(got.location(), "/login?") {
			t.Errorf("another browser: to %q", got.location())
		}
	})
	t.Run("is not asked for once it was switched off", func(t *testing.T) {
		if err := prefer(cip.SetUserMFAPreferenceInput{SoftwareTokenMfaSettings: &types.SoftwareTokenMfaSettingsType{}}); err != nil {
			t.Fatal(err)
		}
		if got, err := f.passwordSignIn("alice@example.com", DefaultPassword); err != nil || got.AuthenticationResult == nil {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestSeed_a_user_can_begin_with_an_authenticator_app(t *testing.T) {
	const secret = "JBSWY3DPEHPK3PXP"
	f := newFixture(t, func(o *Options) { o.Seed.Users[0].TOTPSecret = secret })
	begun, err := f.passwordSignIn("alice@example.com", DefaultPassword)
	if err != nil || begun.ChallengeName != types.ChallengeNameTypeSoftwareTokenMfa {
		t.Fatalf("%+v, %v", begun, err)
	}
	if _, err := f.respond(begun.ChallengeName, begun.Session, map[string]string{"USERNAME": "alice@example.com", "SOFTWARE_TOKEN_MFA_CODE": f.app(secret)}); err != nil {
		t.Error(err)
	}
	seed := DefaultSeed([]string{callbackURL}, nil)
	seed.Users[0].TOTPSecret = "not base32"
	if faults := seed.check(); len(faults) != 1 || !strings.Contains(faults[0].Error(), "users[0].totp_secret: must be base32") {
		t.Errorf("faults %v", faults)
	}
}

func TestAPI_a_temporary_password_is_for_choosing_one(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Seed.Users[0].TemporaryPassword, o.Seed.Users[1].TemporaryPassword = true, true })
	begun, err := f.passwordSignIn("alice@example.com", DefaultPassword)
	if err != nil || begun.ChallengeName != types.ChallengeNameTypeNewPasswordRequired {
		t.Fatalf("%+v, %v", begun, err)
	}
	var attributes map[string]string
	if err := json.Unmarshal([]byte(begun.ChallengeParameters["userAttributes"]), &attributes); err != nil || attributes["email"] != "alice@example.com" {
		t.Errorf("userAttributes %v, %v", attributes, err)
	}
	answer := func(password string, attributes ...string) (*cip.RespondToAuthChallengeOutput, error) {
		answers := map[string]string{"USERNAME": "alice@example.com", "NEW_PASSWORD": password}
		for i := 0; i < len(attributes); i += 2 {
			answers["userAttributes."+attributes[i]] = attributes[i+1]
		}
		return f.respond(begun.ChallengeName, begun.Session, answers)
	}
	_, err = answer("Sesame12")
	typed[*types.InvalidPasswordException](t, err, "Password did not conform with policy: Password must have symbol characters")
	_, err = answer("Sesame-12", "custom:colour", "blue")
	typed[*types.InvalidParameterException](t, err, "Attributes did not conform to the schema: Type for attribute {custom:colour} could not be determined")
	got, err := answer("Sesame-12", "nickname", "Ali")
	if err != nil || claimsOf(t, *got.AuthenticationResult.IdToken)["nickname"] != "Ali" {
		t.Fatalf("%+v, %v", got, err)
	}
	if got, err := f.passwordSignIn("alice@example.com", "Sesame-12"); err != nil || got.AuthenticationResult == nil {
		t.Errorf("%+v, %v", got, err)
	}

	t.Run("on the hosted pages too", func(t *testing.T) {
		asked := f.submit(loginPath(), "username", "bob@example.com", "password", DefaultPassword).location()
		if !strings.HasPrefix(asked, "/confirmforgotPassword?") {
			t.Fatalf("to %q", asked)
		}
		f.submit(asked, "code", f.emulator.Levers().Code("bob@example.com"), "password", "Sesame-12", "confirm_password", "Sesame-12").callback(t)
	})
}
