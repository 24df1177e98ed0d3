// Command gateway is Gatehouse: a backend-for-frontend auth gateway for Amazon
// Cognito.
package main

import "github.com/gatehouse-auth/gatehouse"

func main() { gatehouse.Run(gatehouse.Options{}) }
