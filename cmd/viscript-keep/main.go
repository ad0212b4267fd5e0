//go:build linux

// Command viscript-keep is `viscript keep` and nothing else: what the executable with every role
// in it does before its main begins costs each app that is started 7 ms. A daemon uses it when it
// lies beside the executable and carries its build id (cmd/viscript, keep.go).
package main

import (
	"os"

	"github.com/skycoin/viscript/signal/process"
)

func main() { os.Exit(process.Keep()) }
