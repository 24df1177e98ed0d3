//go:build !production

package main

// development holds the commands that a production build leaves out.
type development struct {
	Dev     devCmd     `cmd:"" help:"Run everything on this computer: gateway, Cognito emulator, sample API, demo page."`
	Cognito cognitoCmd `cmd:"" help:"Run the Cognito emulator alone."`
}
