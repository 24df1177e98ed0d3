//go:build !soak

package proxy_test

const bulk = 32 << 20 // bytes
