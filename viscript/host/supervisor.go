package host

import (
	"context"

	"github.com/skycoin/viscript/signal"
)

// Supervisor is what a Host can do besides when it keeps apps by policy. A Host that is
// none waits for readiness only, and its apps go on as they were started when the
// configuration changes.
type Supervisor interface {
	// Await blocks until the app has met the condition, or returns why it will not: it ended
	// with another exit code than 0, say. A condition that was met stays met for that run.
	Await(ctx context.Context, id signal.ID, on signal.Condition) error
	// Request returns what the app was started with, or what the last SetPolicy said.
	Request(ctx context.Context, id signal.ID) (signal.StartRequest, error)
	// SetPolicy replaces the request of an app. Its Policy and Daemon count at once (a ready
	// probe from the next start on), the rest from the next start or Restart on.
	SetPolicy(ctx context.Context, id signal.ID, r signal.StartRequest) error
}

// Beginner is a Host whose starts may overlap: Begin takes the next id at once, and finish does what Start does then.
// Ids are in the order of the calls of Begin. One whose finish is not called is used up all the same.
type Beginner interface {
	Begin(r signal.StartRequest) (finish func(context.Context) (signal.App, error), err error)
}
