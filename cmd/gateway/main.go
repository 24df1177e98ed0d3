// Command gateway is Gatehouse: a backend-for-frontend auth gateway for Amazon
// Cognito.
package main

import (
	"os"

	"github.com/gatehouse-auth/gatehouse/internal/command"
)

func main() { os.Exit(command.Main()) }
