// Command profiled is the gateway, and writes what its processor time goes to while it
// serves: a profile for the compiler (https://go.dev/doc/pgo). It is for .ci/pgo, which
// has the benchmark load it. The one invariant: apart from that it is cmd/gateway.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime/pprof"
	"syscall"

	"github.com/gatehouse-auth/gatehouse"
)

// directoryVariable names the environment variable with the directory of the profiles,
// which get a file for each process that serves.
const directoryVariable = "PROFILE_DIR"

func main() {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		if _, err := profile(os.Getenv(directoryVariable)); err != nil {
			fmt.Fprintf(os.Stderr, "profiled: %v: set %s to a directory that is there\n", err, directoryVariable)
			os.Exit(1)
		}
	}
	gatehouse.Run(gatehouse.Options{})
}

// profile profiles this process from now until it is told to stop. The stop itself,
// which takes longer than writing the file, is no part of it; written is closed when
// that is done.
func profile(directory string) (written <-chan struct{}, err error) {
	file, err := os.CreateTemp(directory, "serve-*.pprof")
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, err
	}
	done := make(chan struct{})
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		defer close(done)
		<-stop
		pprof.StopCPUProfile()
		if err := file.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "profiled:", err)
		}
	}()
	return done, nil
}
