// Command gateway is Gatehouse with one store more: sessions in a file, for a
// gateway on one machine that is to need nothing beside it.
package main

import (
	"net/url"

	"github.com/gatehouse-auth/gatehouse"
)

func main() {
	gatehouse.Run(gatehouse.Options{
		Stores: map[string]func(*url.URL) (gatehouse.Store, error){"bolt": open},
	})
}
