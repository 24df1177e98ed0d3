package cognitoemu

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/google/go-cmp/cmp"
)

// passwordSignIn is USER_PASSWORD_AUTH of the public client.
func (f *fixture) passwordSignIn(email, password string) (*cip.InitiateAuthOutput, error) {
	return f.sdk().InitiateAuth(f.Context(), initiate(types.AuthFlowTypeUserPasswordAuth, DefaultClientID,
		map[string]string{"USERNAME": email, "PASSWORD": password}))
}

// accessTokenOf signs a ready-made user in.
func (f *fixture) accessTokenOf(email string) *string {
	f.Helper()
	got, err := f.passwordSignIn(email, DefaultPassword)
	if err != nil {
		f.Fatal(err)
	}
	return got.AuthenticationResult.AccessToken
}

// attributesOf are what GetUser lists.
func (f *fixture) attributesOf(accessToken *string) map[string]string {
	f.Helper()
	got, err := f.sdk().GetUser(f.Context(), &cip.GetUserInput{AccessToken: accessToken})
	if err != nil {
		f.Fatal(err)
	}
	attributes := map[string]string{}
	for _, a := range got.UserAttributes {
		attributes[*a.Name] = *a.Value
	}
	return attributes
}

func (f *fixture) update(accessToken *string, pairs ...string) (*cip.UpdateUserAttributesOutput, error) {
	return f.sdk().UpdateUserAttributes(f.Context(), &cip.UpdateUserAttributesInput{AccessToken: accessToken, UserAttributes: attributeTypes(pairs...)})
}

func attributeTypes(pairs ...string) (list []types.AttributeType) {
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, types.AttributeType{Name: &pairs[i], Value: &pairs[i+1]})
	}
	return list
}

func TestAPI_UpdateUserAttributes(t *testing.T) {
	f := newFixture(t)
	token := f.accessTokenOf("alice@example.com")

	t.Run("sets, removes and shows in the next tokens", func(t *testing.T) {
		before := f.attributesOf(token)
		out, err := f.update(token, "nickname", "Ali", "locale", "", "phone_number", "+15555550100", "custom:tenant", "other")
		if err != nil || len(out.CodeDeliveryDetailsList) != 0 {
			t.Fatalf("%+v, %v", out, err)
		}
		before["nickname"], before["phone_number"], before["phone_number_verified"], before["custom:tenant"] = "Ali", "+15555550100", "false", "other"
		delete(before, "locale")
		if diff := cmp.Diff(before, f.attributesOf(token)); diff != "" {
			t.Error(diff)
		}
		if claims := claimsOf(t, f.freshTokens("scope", "openid").IDToken); claims["nickname"] != "Ali" || claims["phone_number_verified"] != false {
			t.Errorf("claims %v", claims)
		}
	})
	t.Run("DeleteUserAttributes removes", func(t *testing.T) {
		remove := func(names ...string) error {
			_, err := f.sdk().DeleteUserAttributes(t.Context(), &cip.DeleteUserAttributesInput{AccessToken: token, UserAttributeNames: names})
			return err
		}
		if err := remove("nickname", "phone_number"); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"nickname", "phone_number", "phone_number_verified"} {
			if value, ok := f.attributesOf(token)[name]; ok {
				t.Errorf("%s is still %q", name, value)
			}
		}
		typed[*types.InvalidParameterException](t, remove("email"), "Attributes did not conform to the schema: email: The attribute is required")
		typed[*types.InvalidParameterException](t, remove("sub"), "Cannot modify the non-mutable attribute sub")
	})
	t.Run("refusals change nothing", func(t *testing.T) {
		before := f.attributesOf(token)
		invalid := func(message, name, value string) {
			t.Helper()
			_, err := f.update(token, "website", "https://example.com", name, value)
			typed[*types.InvalidParameterException](t, err, message)
		}
		invalid("Cannot modify the non-mutable attribute sub", "sub", "x")
		invalid("Attributes did not conform to the schema: Type for attribute {custom:colour} could not be determined", "custom:colour", "blue")
		invalid("Invalid email address format.", "email", "alice")
		invalid("Attributes did not conform to the schema: email: The attribute is required", "email", "")
		invalid("Invalid phone number format.", "phone_number", "555")
		invalid("Attributes did not conform to the schema: name: String must be no longer than 2048 characters", "name", strings.Repeat("é", 2049))
		_, err := f.update(token, "email_verified", "true")
		typed[*types.NotAuthorizedException](t, err, "A client attempted to write unauthorized attribute")
		if diff := cmp.Diff(before, f.attributesOf(token)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("keeps to what the client may read and write", func(t *testing.T) {
		f := newFixture(t, func(o *Options) {
			o.Seed.Clients[0].ReadAttributes = []string{"email", "nickname"}
			o.Seed.Clients[0].WriteAttributes = []string{"nickname"}
			o.Seed.CustomAttributes = []string{"colour"}
		})
		token := f.accessTokenOf("bob@example.com")
		_, err := f.update(token, "custom:colour", "blue")
		typed[*types.NotAuthorizedException](t, err, "A client attempted to write unauthorized attribute")
		if _, err := f.update(token, "nickname", "Bobby"); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"sub": stableUUID(DefaultPoolID, "bob@example.com"), "email": "bob@example.com", "nickname": "Bobby"}
		if diff := cmp.Diff(want, f.attributesOf(token)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAPI_a_new_address_counts_once_its_code_came_back(t *testing.T) {
	f := newFixture(t)
	levers, token := f.emulator.Levers(), f.accessTokenOf("alice@example.com")
	verify := func(name, code string) error {
		_, err := f.sdk().VerifyUserAttribute(t.Context(), &cip.VerifyUserAttributeInput{AccessToken: token, AttributeName: &name, Code: &code})
		return err
	}
	resend := func(name string) (*types.CodeDeliveryDetailsType, error) {
		out, err := f.sdk().GetUserAttributeVerificationCode(t.Context(), &cip.GetUserAttributeVerificationCodeInput{AccessToken: token, AttributeName: &name})
		if err != nil {
			return nil, err
		}
		return out.CodeDeliveryDetails, nil
	}

	out, err := f.update(token, "email", "alex@new.example", "nickname", "Alex")
	if err != nil || len(out.CodeDeliveryDetailsList) != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	delivery := out.CodeDeliveryDetailsList[0]
	if *delivery.AttributeName != "email" || delivery.DeliveryMedium != types.DeliveryMediumTypeEmail || *delivery.Destination != "a***@n***" {
		t.Errorf("delivery %s %s %s", *delivery.AttributeName, delivery.DeliveryMedium, *delivery.Destination)
	}
	if got := f.attributesOf(token); got["email"] != "alice@example.com" || got["email_verified"] != "true" || got["nickname"] != "Alex" {
		t.Errorf("before the code came back: %v", got)
	}
	if _, err := f.passwordSignIn("alex@new.example", DefaultPassword); err == nil {
		t.Error("the new address signs in already")
	}

	first := levers.Code("alex@new.example")
	if _, err := resend("email"); err != nil {
		t.Fatal(err)
	}
	typed[*types.CodeMismatchException](t, verify("email", first), "Invalid verification code provided, please try again.")
	if err := verify("email", levers.Code("alex@new.example")); err != nil {
		t.Fatal(err)
	}
	typed[*types.ExpiredCodeException](t, verify("email", first), "Invalid code provided, please request a code again.")
	if got := f.attributesOf(token); got["email"] != "alex@new.example" || got["email_verified"] != "true" {
		t.Errorf("after the code came back: %v", got)
	}
	if _, err := f.passwordSignIn("alice@example.com", DefaultPassword); err == nil {
		t.Error("the old address still signs in")
	}
	if _, err := f.passwordSignIn("alex@new.example", DefaultPassword); err != nil {
		t.Error(err)
	}

	t.Run("an address that is another's is refused, also if it became that since", func(t *testing.T) {
		const message = "An account with the given email already exists."
		_, err := f.update(token, "email", "Bob@example.com")
		typed[*types.AliasExistsException](t, err, message)
		if _, err := f.update(token, "email", "zoe@example.com"); err != nil {
			t.Fatal(err)
		}
		code := levers.Code("zoe@example.com")
		if _, err := f.signUpByAPI("zoe@example.com", "Sesame-12"); err != nil {
			t.Fatal(err)
		}
		typed[*types.AliasExistsException](t, verify("email", code), message)
	})
	t.Run("a phone number is verified where it is", func(t *testing.T) {
		_, err := resend("phone_number")
		typed[*types.InvalidParameterException](t, err, "User does not have the attribute phone_number")
		if _, err := f.update(token, "phone_number", "+15555550100"); err != nil {
			t.Fatal(err)
		}
		delivery, err := resend("phone_number")
		if err != nil || *delivery.Destination != "+*******0100" || delivery.DeliveryMedium != types.DeliveryMediumTypeSms {
			t.Fatalf("%+v, %v", delivery, err)
		}
		if err := verify("phone_number", levers.Code("+15555550100")); err != nil {
			t.Fatal(err)
		}
		if got := f.attributesOf(token)["phone_number_verified"]; got != "true" {
			t.Errorf("phone_number_verified %q", got)
		}
		_, err = resend("nickname")
		typed[*types.InvalidParameterException](t, err, "Invalid attribute to verify: nickname")
	})
}

func TestAPI_ChangePassword(t *testing.T) {
	f := newFixture(t)
	token := f.accessTokenOf("alice@example.com")
	change := func(previous, proposed string) error {
		_, err := f.sdk().ChangePassword(t.Context(), &cip.ChangePasswordInput{AccessToken: token, PreviousPassword: &previous, ProposedPassword: &proposed})
		return err
	}
	for password, fault := range map[string]string{
		"Sh0rt!": "Password not long enough", "PASSW0RD!": "Password must have lowercase characters", "passw0rd!": "Password must have uppercase characters",
		"Password!": "Password must have numeric characters", "Passw0rds": "Password must have symbol characters",
	} {
		typed[*types.InvalidPasswordException](t, change(DefaultPassword, password), "Password did not conform with policy: "+fault)
	}
	if err := change(DefaultPassword, "Sesame-12"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.passwordSignIn("alice@example.com", "Sesame-12"); err != nil {
		t.Error(err)
	}
	f.attributesOf(token) // still good
	for range 5 {
		typed[*types.NotAuthorizedException](t, change(DefaultPassword, "Sesame-13"), "Incorrect username or password.")
	}
	typed[*types.LimitExceededException](t, change("Sesame-12", "Sesame-13"), "Attempt limit exceeded, please try after some time.")
}

func TestAPI_DeleteUser(t *testing.T) {
	f := newFixture(t)
	signedIn, err := f.passwordSignIn("alice@example.com", DefaultPassword)
	if err != nil {
		t.Fatal(err)
	}
	f.signIn() // the browser too
	token := signedIn.AuthenticationResult.AccessToken
	if _, err := f.sdk().DeleteUser(t.Context(), &cip.DeleteUserInput{AccessToken: token}); err != nil {
		t.Fatal(err)
	}
	_, err = f.sdk().GetUser(t.Context(), &cip.GetUserInput{AccessToken: token})
	typed[*types.UserNotFoundException](t, err, "User does not exist.")
	refused(t, f.refresh(*signedIn.AuthenticationResult.RefreshToken), 400, "invalid_grant")
	if got := f.get(authorizePath()); !strings.HasPrefix(got.location(), "/login?") {
		t.Errorf("the browser is still signed in: to %q", got.location())
	}
	_, err = f.passwordSignIn("alice@example.com", DefaultPassword)
	typed[*types.NotAuthorizedException](t, err, "Incorrect username or password.")
	if _, err := f.signUpByAPI("alice@example.com", DefaultPassword); err != nil {
		t.Errorf("the address cannot be signed up with again: %v", err)
	}
}

func (f *fixture) signUpByAPI(email, password string, attributes ...string) (*cip.SignUpOutput, error) {
	return f.sdk().SignUp(f.Context(), &cip.SignUpInput{ClientId: aws.String(DefaultClientID), Username: &email, Password: &password,
		UserAttributes: attributeTypes(attributes...)})
}

func TestAPI_SignUp(t *testing.T) {
	const zoe = "zoe@example.com"
	f := newFixture(t)
	levers, client := f.emulator.Levers(), aws.String(DefaultClientID)
	confirm := func(email, code string) error {
		_, err := f.sdk().ConfirmSignUp(t.Context(), &cip.ConfirmSignUpInput{ClientId: client, Username: &email, ConfirmationCode: &code})
		return err
	}
	resend := func(email string) (*cip.ResendConfirmationCodeOutput, error) {
		return f.sdk().ResendConfirmationCode(t.Context(), &cip.ResendConfirmationCodeInput{ClientId: client, Username: &email})
	}

	out, err := f.signUpByAPI(zoe, "Sesame-12", "email", zoe, "name", "Zoe Zane", "custom:tenant", "acme")
	if err != nil || out.UserConfirmed || len(*out.UserSub) != 36 || *out.CodeDeliveryDetails.Destination != "z***@e***" {
		t.Fatalf("%+v, %v", out, err)
	}
	_, err = f.passwordSignIn(zoe, "Sesame-12")
	typed[*types.UserNotConfirmedException](t, err, "User is not confirmed.")
	first := levers.Code(zoe)
	if _, err := resend(zoe); err != nil {
		t.Fatal(err)
	}
	typed[*types.CodeMismatchException](t, confirm(zoe, first), "Invalid verification code provided, please try again.")
	if err := confirm(zoe, levers.Code(zoe)); err != nil {
		t.Fatal(err)
	}
	signedIn, err := f.passwordSignIn(zoe, "Sesame-12")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"sub": *out.UserSub, "email": zoe, "email_verified": "true", "name": "Zoe Zane", "custom:tenant": "acme"}
	if diff := cmp.Diff(want, f.attributesOf(signedIn.AuthenticationResult.AccessToken)); diff != "" {
		t.Error(diff)
	}

	t.Run("refusals", func(t *testing.T) {
		_, err := f.signUpByAPI("Zoe@example.com", "Sesame-12")
		typed[*types.UsernameExistsException](t, err, "User already exists")
		_, err = f.signUpByAPI("zoe", "Sesame-12")
		typed[*types.InvalidParameterException](t, err, "Username should be an email.")
		_, err = f.signUpByAPI("yan@example.com", "sesame")
		typed[*types.InvalidPasswordException](t, err, "Password did not conform with policy: Password not long enough")
		_, err = f.signUpByAPI("yan@example.com", "Sesame-12", "email_verified", "true")
		typed[*types.NotAuthorizedException](t, err, "A client attempted to write unauthorized attribute")
		typed[*types.NotAuthorizedException](t, confirm(zoe, "000000"), "User cannot be confirmed. Current status is CONFIRMED")
		_, err = resend(zoe)
		typed[*types.InvalidParameterException](t, err, "User is already confirmed.")
	})
	t.Run("tell nobody who has an account", func(t *testing.T) {
		out, err := resend("nobody@example.com")
		if err != nil || *out.CodeDeliveryDetails.Destination != "n***@e***" {
			t.Errorf("%+v, %v", out, err)
		}
		typed[*types.ExpiredCodeException](t, confirm("nobody@example.com", "000000"), "Invalid code provided, please request a code again.")
	})
	t.Run("a code counts for a day, and five times mistyped not at all", func(t *testing.T) {
		if _, err := f.signUpByAPI("yan@example.com", "Sesame-12"); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			_ = confirm("yan@example.com", "x")
		}
		typed[*types.LimitExceededException](t, confirm("yan@example.com", levers.Code("yan@example.com")), "Attempt limit exceeded, please try after some time.")
		levers.Advance(24 * time.Hour)
		typed[*types.ExpiredCodeException](t, confirm("yan@example.com", "x"), "Invalid code provided, please request a code again.")
	})
}

// One mechanism: what the pages began the API can end, and the other way round.
func TestAPI_codes_are_those_of_the_hosted_pages(t *testing.T) {
	f := newFixture(t)
	levers, client := f.emulator.Levers(), aws.String(DefaultClientID)
	f.submit(signUpPath(), "username", "zoe@example.com", "password", "Sesame-12", "confirm_password", "Sesame-12")
	if _, err := f.sdk().ConfirmSignUp(t.Context(), &cip.ConfirmSignUpInput{ClientId: client,
		Username: aws.String("zoe@example.com"), ConfirmationCode: aws.String(levers.Code("zoe@example.com"))}); err != nil {
		t.Error(err)
	}
	if _, err := f.signUpByAPI("yan@example.com", "Sesame-12"); err != nil {
		t.Fatal(err)
	}
	f.browser = newBrowser(t)
	page := f.submit(loginPath(), "username", "yan@example.com", "password", "Sesame-12").location()
	f.submit(page, "code", levers.Code("yan@example.com")).callback(t)
}

func TestAPI_ForgotPassword(t *testing.T) {
	const alice = "alice@example.com"
	f := newFixture(t)
	levers, client := f.emulator.Levers(), aws.String(DefaultClientID)
	forgot := func(email string) (*cip.ForgotPasswordOutput, error) {
		return f.sdk().ForgotPassword(t.Context(), &cip.ForgotPasswordInput{ClientId: client, Username: &email})
	}
	confirm := func(email, code, password string) error {
		_, err := f.sdk().ConfirmForgotPassword(t.Context(), &cip.ConfirmForgotPasswordInput{ClientId: client, Username: &email, ConfirmationCode: &code, Password: &password})
		return err
	}
	out, err := forgot(alice)
	if err != nil || *out.CodeDeliveryDetails.Destination != "a***@e***" {
		t.Fatalf("%+v, %v", out, err)
	}
	typed[*types.CodeMismatchException](t, confirm(alice, "x", "Sesame-12"), "Invalid verification code provided, please try again.")
	typed[*types.InvalidPasswordException](t, confirm(alice, levers.Code(alice), "Sesame12"), "Password did not conform with policy: Password must have symbol characters")
	if err := confirm(alice, levers.Code(alice), "Sesame-12"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.passwordSignIn(alice, "Sesame-12"); err != nil {
		t.Error(err)
	}
	if _, err := forgot("bob@example.com"); err != nil {
		t.Fatal(err)
	}
	late := levers.Code("bob@example.com")
	levers.Advance(time.Hour)
	typed[*types.ExpiredCodeException](t, confirm("bob@example.com", late, "Sesame-12"), "Invalid code provided, please request a code again.")

	out, err = forgot("nobody@example.com")
	if err != nil || *out.CodeDeliveryDetails.Destination != "n***@e***" {
		t.Errorf("a name that nobody has: %+v, %v", out, err)
	}
	typed[*types.CodeMismatchException](t, confirm("nobody@example.com", "000000", "Sesame-12"), "Invalid verification code provided, please try again.")
	_, err = forgot("dave@example.com")
	typed[*types.InvalidParameterException](t, err, "Cannot reset password for the user as there is no registered/verified email or phone_number")
	_, err = forgot("erin@example.com")
	typed[*types.NotAuthorizedException](t, err, "User is disabled.")
}

func TestAPI_a_confidential_client_proves_its_secret_where_it_names_a_user(t *testing.T) {
	f := newFixture(t)
	client, _ := f.emulator.client(DefaultConfidentialClientID)
	id, name, code, password := aws.String(client.ID), aws.String("alice@example.com"), aws.String("000000"), aws.String("Sesame-12")
	for operation, call := range map[string]func(hash *string) error{
		"SignUp": func(hash *string) error {
			_, err := f.sdk().SignUp(t.Context(), &cip.SignUpInput{ClientId: id, Username: name, Password: password, SecretHash: hash})
			return err
		},
		"ConfirmSignUp": func(hash *string) error {
			_, err := f.sdk().ConfirmSignUp(t.Context(), &cip.ConfirmSignUpInput{ClientId: id, Username: name, ConfirmationCode: code, SecretHash: hash})
			return err
		},
		"ResendConfirmationCode": func(hash *string) error {
			_, err := f.sdk().ResendConfirmationCode(t.Context(), &cip.ResendConfirmationCodeInput{ClientId: id, Username: name, SecretHash: hash})
			return err
		},
		"ForgotPassword": func(hash *string) error {
			_, err := f.sdk().ForgotPassword(t.Context(), &cip.ForgotPasswordInput{ClientId: id, Username: name, SecretHash: hash})
			return err
		},
		"ConfirmForgotPassword": func(hash *string) error {
			_, err := f.sdk().ConfirmForgotPassword(t.Context(), &cip.ConfirmForgotPasswordInput{ClientId: id, Username: name, ConfirmationCode: code, Password: password, SecretHash: hash})
			return err
		},
	} {
		t.Run(operation, func(t *testing.T) {
			typed[*types.NotAuthorizedException](t, call(nil), "Client "+client.ID+" is configured with secret but SECRET_HASH was not received")
			typed[*types.NotAuthorizedException](t, call(aws.String("d3Jvbmc=")), "Unable to verify secret hash for client "+client.ID)
			var refusal *types.NotAuthorizedException
			if err := call(aws.String(client.secretHash(*name))); errors.As(err, &refusal) && strings.Contains(refusal.ErrorMessage(), "secret") {
				t.Error(err)
			}
		})
	}
}
