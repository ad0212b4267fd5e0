//go:build linux

package main

import "github.com/skycoin/viscript/signal/process"

// keepName is what the daemon calls this executable with to be the keeper of one app. It is
// looked at before anything else, because a keeper starts with every app and has to be light:
// no flags are parsed and no command line is assembled for it. It is in no help.
const keepName = "keep"

// isKeeper tells whether argv is a keeper's.
func isKeeper(argv []string) bool { return len(argv) > 1 && argv[1] == keepName }

func keep() int { return process.Keep() }
