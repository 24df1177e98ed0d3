//go:build !unix

package clientconn

func descriptors() uint64 { return 0 }
