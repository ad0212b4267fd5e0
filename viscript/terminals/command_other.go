//go:build !linux

package terminals

import (
	"context"

	"github.com/skycoin/viscript/signal"
)

// start cannot be done here.
func (t *terminal) start([]string, signal.TermNew) (func(context.Context), error) {
	return nil, signal.Errorf(signal.CodeUnavailable, "no programs in terminals on this system")
}

func userShell() string { return "/bin/sh" }
