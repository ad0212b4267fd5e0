//go:build !linux

package main

import (
	"context"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

// runDaemon needs what only Linux has: subreapers, pidfds, the credentials of sockets.
func runDaemon(context.Context, daemonOptions) error {
	return fmt.Errorf("the daemon does not run on %s yet; the configuration, keys and roles work", runtime.GOOS)
}

// addReexec adds nothing: there is no daemon to replace.
func addReexec(*cobra.Command) {}

// isKeeper is never true here: there are no keepers without a daemon.
func isKeeper([]string) bool { return false }

func keep() int { return exitFailed }
