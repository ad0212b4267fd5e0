package host

import (
	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/signal/server"
)

// The two things that stand behind Host.
var (
	_ Host = (*signal.Operator)(nil)
	_ Host = (*server.Server)(nil)
)
