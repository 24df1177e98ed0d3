//go:build soak

package proxy_test

const bulk = 2 << 30 // bytes
