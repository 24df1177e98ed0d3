package cognitoemu

import (
	"cmp"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The ways in which a pool tracks devices.
const (
	DevicesAlways = "always" // each is remembered
	DevicesOptIn  = "opt_in" // remembered where the user says so
)

// device is a browser or app that a user signed in with, where the pool tracks them.
type device struct {
	key        string
	name       string
	remembered bool
	created    time.Time
	modified   time.Time
	usedAt     time.Time
	address    string
}

var errNoDevice = &apiError{"ResourceNotFoundException", "Device does not exist."}

func (e *Emulator) newDeviceKey() string { return e.seed.Region() + "_" + newUUID() }

// trackDevice notes the browser of a sign-in at the hosted pages. Each interactive
// sign-in is a device of its own.
func (e *Emulator) trackDevice(r *http.Request, sub string) (key string) {
	if e.seed.Devices == "" {
		return ""
	}
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	d := e.newDevice(e.newDeviceKey(), r.UserAgent())
	d.address = host
	if _, err := e.users.change(sub, func(a *account) error {
		a.devices = append(a.devices, d)
		return nil
	}); err != nil {
		return "" // deleted just now
	}
	return d.key
}

func (e *Emulator) newDevice(key, name string) device {
	now := e.clock.now()
	return device{key: key, name: name, remembered: e.seed.Devices == DevicesAlways, created: now, modified: now, usedAt: now}
}

// deviceOfSignIn is the device of a sign-in by the API: the one that DEVICE_KEY names, or
// else a new one, with the metadata by which the client can confirm it.
func (e *Emulator) deviceOfSignIn(user account, named string) (key string, metadata map[string]string) {
	switch {
	case e.seed.Devices == "":
		return "", nil
	case slices.ContainsFunc(user.devices, func(d device) bool { return d.key == named }):
		return named, nil
	}
	key = e.newDeviceKey()
	return key, map[string]string{"DeviceKey": key, "DeviceGroupKey": "-" + randomText(6)}
}

type confirmDeviceInput struct{ DeviceKey, DeviceName string }

// confirmDevice adds the device of the access token to those of the user. The verifier
// that comes with it is not kept: no sign-in asks for its proof.
func (e *Emulator) confirmDevice(user caller, input confirmDeviceInput) (any, error) {
	if input.DeviceKey == "" || input.DeviceKey != user.deviceKey {
		return nil, invalidParameter("Invalid device key given.")
	}
	_, err := e.users.change(user.sub, func(a *account) error {
		if a.deviceIndex(input.DeviceKey) >= 0 {
			return &apiError{"DeviceKeyExistsException", "Device is already confirmed."}
		}
		a.devices = append(a.devices, e.newDevice(input.DeviceKey, input.DeviceName))
		return nil
	})
	return map[string]bool{"UserConfirmationNecessary": e.seed.Devices == DevicesOptIn}, err
}

func (a account) deviceIndex(key string) int {
	return slices.IndexFunc(a.devices, func(d device) bool { return d.key == key })
}

const maxListedDevices = 60 // of one answer

type listDevicesInput struct {
	Limit           int
	PaginationToken string
}

// listDevices lists them oldest first. The token of the next page is the key of the
// page's last device.
func (e *Emulator) listDevices(user caller, input listDevicesInput) (any, error) {
	if input.Limit < 0 || input.Limit > maxListedDevices {
		return nil, invalidParameter("Limit must lie between 0 and %d", maxListedDevices)
	}
	limit := cmp.Or(input.Limit, maxListedDevices)
	page, next, err := pageOf(user.devices, func(d device) string { return d.key }, limit, input.PaginationToken)
	if err != nil {
		return nil, err
	}
	list := make([]any, len(page))
	for i, d := range page {
		list[i] = d.describe()
	}
	out := map[string]any{"Devices": list}
	if next != "" {
		out["PaginationToken"] = next
	}
	return out, nil
}

func (d device) describe() any {
	status := "not_remembered"
	if d.remembered {
		status = "remembered"
	}
	attributes := map[string]string{"device_status": "valid", "device_name": d.name, "dev:device_remembered_status": status}
	if d.address != "" {
		attributes["last_ip_used"] = d.address
	}
	return map[string]any{"DeviceKey": d.key, "DeviceAttributes": listAttributes(attributes), "DeviceCreateDate": epoch(d.created),
		"DeviceLastModifiedDate": epoch(d.modified), "DeviceLastAuthenticatedDate": epoch(d.usedAt)}
}

type deviceInput struct{ DeviceKey, DeviceRememberedStatus string }

func (e *Emulator) getDevice(user caller, input deviceInput) (any, error) {
	i := user.deviceIndex(input.DeviceKey)
	if i < 0 {
		return nil, errNoDevice
	}
	return map[string]any{"Device": user.devices[i].describe()}, nil
}

func (e *Emulator) updateDeviceStatus(user caller, input deviceInput) (any, error) {
	remembered := input.DeviceRememberedStatus == "remembered"
	if !remembered && input.DeviceRememberedStatus != "not_remembered" {
		return nil, invalidParameter("DeviceRememberedStatus must be remembered or not_remembered")
	}
	_, err := e.users.change(user.sub, func(a *account) error {
		i := a.deviceIndex(input.DeviceKey)
		if i < 0 {
			return errNoDevice
		}
		a.devices[i].remembered, a.devices[i].modified = remembered, e.clock.now()
		return nil
	})
	return nothing{}, err
}

// forgetDevice leaves tokens good that the device holds (assumed). Without a key it is
// that of the access token.
func (e *Emulator) forgetDevice(user caller, input deviceInput) (any, error) {
	key := input.DeviceKey
	if strings.TrimSpace(key) == "" {
		key = user.deviceKey
	}
	_, err := e.users.change(user.sub, func(a *account) error {
		i := a.deviceIndex(key)
		if i < 0 {
			return errNoDevice
		}
		a.devices = slices.Delete(a.devices, i, i+1)
		return nil
	})
	return nothing{}, err
}
