// Package host names the signal servers a console can talk to: the one in its own process
// and those it reaches over an operator connection. Both are used through Host.
package host

import (
	"context"
	"encoding/json"
	"io"

	"github.com/skycoin/viscript/signal"
)

// Host is a signal server as its operator sees it. *server.Server is one in this process,
// *signal.Operator one behind a socket. Safe for concurrent use; every call ends with ctx.
type Host interface {
	// Start starts a child and returns its row of the table, with its new ID.
	Start(ctx context.Context, r signal.StartRequest) (signal.App, error)
	// List returns all apps, the ended ones too, in the order of their IDs.
	List(ctx context.Context) ([]signal.App, error)
	Ping(ctx context.Context, id signal.ID) (signal.PingReport, error)
	Usage(ctx context.Context, id signal.ID) (signal.Usage, error)
	// Stop walks the stop ladder and returns when the app has ended.
	Stop(ctx context.Context, id signal.ID) (signal.StopReport, error)
	// Kill ends the app's whole process tree at once.
	Kill(ctx context.Context, id signal.ID) (signal.StopReport, error)
	// Restart stops the app and starts it again under the same ID.
	Restart(ctx context.Context, id signal.ID) (signal.App, error)
	// Commands lists what Tell understands; Run is nil in all of them.
	Commands(ctx context.Context, id signal.ID) ([]signal.Command, error)
	Tell(ctx context.Context, id signal.ID, args []string) (json.RawMessage, error)
	// WaitReady blocks until the app is ready, or returns why it will not be.
	WaitReady(ctx context.Context, id signal.ID) error
	Logs(ctx context.Context, id signal.ID, r signal.LogsRequest, w io.Writer) error
	// Events calls fn for each event after since, in order; with follow until ctx ends.
	Events(ctx context.Context, since uint64, follow bool, fn func(signal.Event) error) error
}

// Named is a host with the name a person gives it and the address it was reached at.
type Named struct {
	Name, Address string
	Host          Host
}
