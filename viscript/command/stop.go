package command

import (
	"context"
	"fmt"
	"io"

	"github.com/skycoin/viscript/signal"
)

func stopCommands() []*Command {
	return []*Command{
		{
			Name: "shutdown", Aliases: []string{"sd"}, Args: "ID",
			Help: "stop an app: asked over signal, then SIGTERM, then SIGKILL",
			More: "The answer names the rung of this ladder that ended it: shutdown, term or kill.",
			run:  shutdown, complete: completeID,
		}, {
			Name: "kill", Args: "ID",
			Help: "end an app and all its processes at once (SIGKILL)", run: kill, complete: completeID,
		},
	}
}

func shutdown(ctx context.Context, c *call) error {
	id, err := c.onlyID(ctx)
	if err != nil {
		return err
	}
	r, err := c.Host.Stop(ctx, id)
	return c.stopped(ctx, id, r, err)
}

func kill(ctx context.Context, c *call) error {
	id, err := c.onlyID(ctx)
	if err != nil {
		return err
	}
	r, err := c.Host.Kill(ctx, id)
	return c.stopped(ctx, id, r, err)
}

func (c *call) stopped(ctx context.Context, id signal.ID, r signal.StopReport, err error) error {
	if err != nil {
		return c.explain(ctx, id, err)
	}
	if err := c.answer(r, func(w io.Writer) { fmt.Fprintln(w, describeStop(r)) }); err != nil {
		return err
	}
	if len(r.Survivors) > 0 {
		return fmt.Errorf("processes that did not end even by SIGKILL (they wait for the kernel): %v", r.Survivors)
	}
	return nil
}

// describeStop says in words how an app ended.
func describeStop(r signal.StopReport) string {
	how := map[signal.Rung]string{
		signal.RungGone:     "had ended before",
		signal.RungShutdown: "ended when asked to",
		signal.RungTerm:     "ended by SIGTERM",
		signal.RungKill:     "ended by SIGKILL",
	}[r.Rung]
	if how == "" {
		how = fmt.Sprintf("ended (%q)", string(r.Rung))
	}
	return fmt.Sprintf("app %d (pid %d) %s, exit code %d (%s)", r.ID, r.Pid, how, r.ExitCode, r.Rung)
}
