package cognitoemu

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/google/go-cmp/cmp"
)

// devicesOf are the keys and remembered states that ListDevices tells.
func (f *fixture) devicesOf(token *string) (list []string) {
	f.Helper()
	got, err := f.sdk().ListDevices(f.Context(), &cip.ListDevicesInput{AccessToken: token, Limit: aws.Int32(60)})
	if err != nil {
		f.Fatal(err)
	}
	for _, d := range got.Devices {
		for _, a := range d.DeviceAttributes {
			if *a.Name == "dev:device_remembered_status" {
				list = append(list, *d.DeviceKey+" "+*a.Value)
			}
		}
	}
	return list
}

func TestAPI_devices_of_the_hosted_pages(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Seed.Devices = DevicesOptIn })
	first := f.freshTokens()
	key, _ := claimsOf(t, first.AccessToken)["device_key"].(string)
	if !strings.HasPrefix(key, "eu-west-1_") {
		t.Fatalf("device_key %q", key)
	}
	if got := claimsOf(t, f.freshTokens().AccessToken)["device_key"]; got != key { // silent: the browser is signed in
		t.Errorf("the same login has the device %v, want %s", got, key)
	}
	if got := claimsOf(t, f.tokens(f.refresh(first.RefreshToken)).AccessToken)["device_key"]; got != key {
		t.Errorf("a refresh has the device %v, want %s", got, key)
	}
	token := &first.AccessToken
	if diff := cmp.Diff([]string{key + " not_remembered"}, f.devicesOf(token)); diff != "" {
		t.Error(diff)
	}

	remember := func(key string, status types.DeviceRememberedStatusType) error {
		_, err := f.sdk().UpdateDeviceStatus(t.Context(), &cip.UpdateDeviceStatusInput{AccessToken: token, DeviceKey: &key, DeviceRememberedStatus: status})
		return err
	}
	if err := remember(key, types.DeviceRememberedStatusTypeRemembered); err != nil {
		t.Fatal(err)
	}
	got, err := f.sdk().GetDevice(t.Context(), &cip.GetDeviceInput{AccessToken: token, DeviceKey: &key})
	if err != nil || !got.Device.DeviceCreateDate.Equal(start) {
		t.Fatalf("%+v, %v", got, err)
	}
	attributes := map[string]string{}
	for _, a := range got.Device.DeviceAttributes {
		attributes[*a.Name] = *a.Value
	}
	want := map[string]string{"device_name": "Go-http-client/1.1", "device_status": "valid", "dev:device_remembered_status": "remembered", "last_ip_used": "127.0.0.1"}
	if diff := cmp.Diff(want, attributes); diff != "" {
		t.Error(diff)
	}

	forget := func(key string) error {
		_, err := f.sdk().ForgetDevice(t.Context(), &cip.ForgetDeviceInput{AccessToken: token, DeviceKey: &key})
		return err
	}
	if err := forget(key); err != nil {
		t.Fatal(err)
	}
	if got := f.devicesOf(token); got != nil {
		t.Errorf("forgotten, and still %v", got)
	}
	const gone = "Device does not exist."
	typed[*types.ResourceNotFoundException](t, forget(key), gone)
	typed[*types.ResourceNotFoundException](t, remember(key, types.DeviceRememberedStatusTypeNotRemembered), gone)
	_, err = f.sdk().GetDevice(t.Context(), &cip.GetDeviceInput{AccessToken: token, DeviceKey: &key})
	typed[*types.ResourceNotFoundException](t, err, gone)
	typed[*types.InvalidParameterException](t, remember(key, "perhaps"), "DeviceRememberedStatus must be remembered or not_remembered")
}

func TestAPI_ConfirmDevice(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Seed.Devices = DevicesAlways })
	begun, err := f.passwordSignIn("alice@example.com", DefaultPassword)
	if err != nil || begun.AuthenticationResult.NewDeviceMetadata == nil {
		t.Fatalf("%+v, %v", begun, err)
	}
	token, key := begun.AuthenticationResult.AccessToken, *begun.AuthenticationResult.NewDeviceMetadata.DeviceKey
	confirm := func(key string) (*cip.ConfirmDeviceOutput, error) {
		return f.sdk().ConfirmDevice(t.Context(), &cip.ConfirmDeviceInput{AccessToken: token, DeviceKey: &key, DeviceName: aws.String("Alice's laptop"),
			DeviceSecretVerifierConfig: &types.DeviceSecretVerifierConfigType{PasswordVerifier: aws.String("AA=="), Salt: aws.String("AA==")}})
	}
	if got := f.devicesOf(token); got != nil {
		t.Errorf("before it is confirmed: %v", got)
	}
	_, err = confirm("eu-west-1_00000000-0000-4000-8000-000000000000")
	typed[*types.InvalidParameterException](t, err, "Invalid device key given.")
	if got, err := confirm(key); err != nil || got.UserConfirmationNecessary {
		t.Fatalf("%+v, %v", got, err)
	}
	_, err = confirm(key)
	typed[*types.DeviceKeyExistsException](t, err, "Device is already confirmed.")
	if diff := cmp.Diff([]string{key + " remembered"}, f.devicesOf(token)); diff != "" {
		t.Error(diff)
	}
	again, err := f.sdk().InitiateAuth(t.Context(), initiate(types.AuthFlowTypeUserPasswordAuth, DefaultClientID,
		map[string]string{"USERNAME": "alice@example.com", "PASSWORD": DefaultPassword, "DEVICE_KEY": key}))
	if err != nil || again.AuthenticationResult.NewDeviceMetadata != nil || claimsOf(t, *again.AuthenticationResult.AccessToken)["device_key"] != key {
		t.Errorf("%+v, %v", again, err)
	}
}

func TestAPI_ListDevices_goes_by_pages(t *testing.T) {
	keys := []string{"eu-west-1_00000000-0000-4000-8000-000000000001", "eu-west-1_00000000-0000-4000-8000-000000000002", "eu-west-1_00000000-0000-4000-8000-000000000003"}
	f := newFixture(t, func(o *Options) {
		for _, key := range keys {
			o.Seed.Users[0].Devices = append(o.Seed.Users[0].Devices, UserDevice{Key: key, Name: "Old laptop", Remembered: true})
		}
	})
	token := f.accessTokenOf("alice@example.com")
	var got []string
	input := &cip.ListDevicesInput{AccessToken: token, Limit: aws.Int32(2)}
	for range keys {
		page, err := f.sdk().ListDevices(t.Context(), input)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range page.Devices {
			got = append(got, *d.DeviceKey)
		}
		if input.PaginationToken = page.PaginationToken; input.PaginationToken == nil {
			break
		}
	}
	if !slices.Equal(got, keys) {
		t.Errorf("got %v", got)
	}
	_, err := f.sdk().ListDevices(t.Context(), &cip.ListDevicesInput{AccessToken: token, Limit: aws.Int32(61)})
	typed[*types.InvalidParameterException](t, err, "Limit must lie between 0 and 60")
	_, err = f.sdk().ListDevices(t.Context(), &cip.ListDevicesInput{AccessToken: token, PaginationToken: aws.String("nowhere")})
	typed[*types.InvalidParameterException](t, err, "Invalid pagination token")
}

func TestTokens_name_no_device_where_none_is_tracked(t *testing.T) {
	f := newFixture(t)
	if key, ok := claimsOf(t, f.freshTokens().AccessToken)["device_key"]; ok {
		t.Errorf("device_key %v", key)
	}
	got, err := f.passwordSignIn("alice@example.com", DefaultPassword)
	if err != nil || got.AuthenticationResult.NewDeviceMetadata != nil || f.devicesOf(got.AuthenticationResult.AccessToken) != nil {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestSeed_refuses_devices_that_are_none(t *testing.T) {
	seed := DefaultSeed([]string{callbackURL}, nil)
	seed.Devices = "sometimes"
	seed.Users[0].Devices = []UserDevice{{Key: "laptop"}}
	faults := seed.check()
	if len(faults) != 2 || !strings.HasPrefix(faults[0].Error(), `devices: "sometimes" must be always or opt_in`) ||
		!strings.HasPrefix(faults[1].Error(), `users[0].devices[0].key: "laptop" must look like`) {
		t.Errorf("faults %v", faults)
	}
}
