//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/skycoin/viscript/signal/process"
)

// keepName is what the daemon calls this executable with to be the keeper of one app. It is
// looked at before anything else, because a keeper starts with every app and has to be light:
// no flags are parsed and no command line is assembled for it. It is in no help.
const keepName = "keep"

// isKeeper tells whether argv is a keeper's.
func isKeeper(argv []string) bool { return len(argv) > 1 && argv[1] == keepName }

func keep() int { return process.Keep() }

// slimName is the program of cmd/viscript-keep.
const slimName = "viscript-keep"

// keeperCommand is the command of keepers: the slim one beside this executable when it was built
// with it, as long as this process lives the very file that was checked; otherwise nil, which is
// this executable itself.
func keeperCommand() []string {
	own, err := os.Executable()
	if err != nil {
		return nil
	}
	fd, err := openBeside(filepath.Join(filepath.Dir(own), slimName), "/proc/self/exe")
	if err != nil {
		return nil
	}
	return []string{fmt.Sprintf("/proc/self/fd/%d", fd), keepName}
}
