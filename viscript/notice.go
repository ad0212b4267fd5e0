package viscript

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/command"
	"github.com/skycoin/viscript/viscript/term"
)

// Run tells, by Options.Notices, what happens to apps that a person at the prompt should know,
// until ctx ends; what happened before is left out. It also watches the configuration file
// while `reload --watch on` holds. Failures to follow the events are logged
// and retried.
func (c *Console) Run(ctx context.Context) {
	var work sync.WaitGroup
	defer work.Wait()
	if c.watch != nil {
		work.Go(func() { c.watch.run(ctx) })
	}
	known := command.NewNames(c.env.Host)
	var told command.AppNotices
	since := uint64(0)
	latest := func(e signal.Event) error { since = max(since, e.Seq); return nil }
	if err := c.env.Host.Events(ctx, 0, false, latest); err != nil && ctx.Err() == nil {
		c.log.Warn("reading events", "err", err)
	}
	for ctx.Err() == nil {
		err := c.env.Host.Events(ctx, since, true, func(e signal.Event) error {
			since = max(since, e.Seq)
			name := known.Of(ctx, e)
			if line := notice(e, name); line != "" {
				c.notices.Line(line)
			}
			if text, ok := told.Of(e); ok {
				c.notices.Tell(term.Clean(fmt.Sprintf("app %d (%s): %s", e.ID, name, text)))
			}
			return nil
		})
		if ctx.Err() != nil {
			return
		}
		c.log.Warn("following events", "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// notice is the line for an event of an app of that name, "" for one nobody waits for.
func notice(e signal.Event, name string) string {
	var line string
	switch e.Kind {
	case "exited":
		line = fmt.Sprintf("app %d (%s) has ended: %s", e.ID, name, e.Text)
	case "failed":
		line = fmt.Sprintf("app %d (%s) failed: %s (see: why %d)", e.ID, name, e.Text, e.ID)
	case "refused":
		line = fmt.Sprintf("refused: %s", e.Text)
		if e.ID != 0 {
			line = fmt.Sprintf("app %d (%s): refused: %s", e.ID, name, e.Text)
		}
	}
	return term.Clean(line)
}
