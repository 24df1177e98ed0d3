module github.com/gatehouse-auth/gatehouse/examples/api-go

go 1.26.0

toolchain go1.27.4

require github.com/coreos/go-oidc/v3 v3.21.0

require (
	github.com/go-jose/go-jose/v4 v4.1.9 // indirect
	golang.org/x/oauth2 v0.37.0 // indirect
)
