//go:build soak

package proxy_test

const stormRequests = 200_000
