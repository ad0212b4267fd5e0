package main

import (
	"context"
	"os"
	"runtime/debug"
	"time"
)

const (
	// leanGC is how much garbage a lean role gathers before it collects, in percent of what is in use; the variable GOGC
	// counts more. Buffers are used again, so that there is little of it: a GiB carried makes a node collect about four times,
	// 1 to 3 ms of processor time each.
	leanGC = 25
	// startupTime is after what time a role has touched what is needed only to start.
	startupTime = 2 * time.Second
)

// lean runs a role that many hosts run for others, and that is to take little of their memory.
func lean(run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if os.Getenv("GOGC") == "" {
			debug.SetGCPercent(leanGC)
		}
		return run(ctx)
	}
}

// started has a process that goes on running give back, after a while, what only its start needed: garbage, and by forget what it holds of
// its executable; that later, because stacks that shrink with the garbage soon grow again. The result ends that, if it is not over.
func started(forget func()) (stop func()) {
	garbage := time.AfterFunc(startupTime, debug.FreeOSMemory)
	rest := time.AfterFunc(2*startupTime, forget)
	return func() {
		garbage.Stop()
		rest.Stop()
	}
}
