package command

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/term"
)

func appCommands() []*Command {
	return []*Command{
		{
			Name: "apps", Help: "list the apps of config.yaml", run: apps,
		}, {
			Name: "start", Aliases: []string{"s"}, Args: "[-a] APP [ARGS...]",
			Help: "start an app; without ARGS with its default ones",
			More: "Everything behind APP goes to the app as it is, in its case and quoting. With -a the app\ngets a terminal of its own, and this one is attached to it (Ctrl-Z detaches).",
			run:  start, complete: completeStart,
		}, {
			Name: "list_apps", Aliases: []string{"la"}, Args: "[-f] [-a]",
			Help: "list the running apps; -f with their apps, limits and full commands, -a the ended ones too",
			run:  listApps,
		}, {
			Name: "restart", Aliases: []string{"rs"}, Args: "ID",
			Help: "stop an app and start it again under the same ID", run: restart, complete: completeID,
		},
	}
}

func apps(_ context.Context, c *call) error {
	if err := c.count(0, 0); err != nil {
		return err
	}
	var all []appHelp
	var rows [][]string
	for _, name := range c.appNames() {
		app := c.Config().Apps[name]
		all = append(all, app.describe())
		rows = append(rows, []string{name, app.Desc})
	}
	return c.answer(list(all), func(w io.Writer) {
		if len(rows) == 0 {
			fmt.Fprintln(w, "no apps: "+noConfig(c.Config()))
			return
		}
		printTable(w, c.Columns, []string{"APP", "DESCRIPTION"}, rows)
	})
}

// noConfig says why nothing is configured.
func noConfig(cfg *Config) string {
	if cfg.File == "" {
		return "the daemon found no config.yaml (`viscript config example` prints one)"
	}
	return cfg.File + " names none"
}

// errTerminal is the answer to `start -a` where there is none.
var errTerminal = usagef("start: -a needs a terminal, which `exec` does not have; use `start APP`, then `viscript attach ID`")

func start(ctx context.Context, c *call) error {
	attached := len(c.args) > 0 && c.args[0] == "-a"
	if attached {
		if c.Terminal == nil || c.JSON {
			return errTerminal
		}
		c.args = c.args[1:]
	}
	if err := c.count(1, -1); err != nil {
		return err
	}
	app, err := c.app(c.args[0])
	if err != nil {
		return err
	}
	var args []string
	if len(c.args) > 1 {
		args = c.args[1:]
	}
	started, err := c.startApp(ctx, app, args, attached)
	if err != nil {
		return err
	}
	answer := struct {
		ID      signal.ID `json:"id"`
		Pid     int       `json:"pid"`
		Command string    `json:"command"`
	}{started.ID, started.Pid, started.Command}
	err = c.answer(answer, func(w io.Writer) {
		fmt.Fprintf(w, "Added external app (ID: %d, Command: %s)\n", started.ID, term.Clean(started.Command))
	})
	if err != nil || !attached {
		return err
	}
	return c.attachTo(ctx, started.ID)
}

func (c *call) app(name string) (App, error) {
	cfg := c.Config()
	app, ok := cfg.Apps[name]
	if !ok {
		if len(cfg.Apps) == 0 {
			return App{}, usagef("%s: there is no app %q: %s", c.cmd.Name, name, noConfig(cfg))
		}
		return App{}, usagef("%s: there is no app %q%s", c.cmd.Name, name, DidYouMean(name, c.appNames(), "`apps` lists them"))
	}
	return app, nil
}

func (c *call) startApp(ctx context.Context, app App, args []string, pty bool) (signal.App, error) {
	r, err := c.Config().Request(app, args)
	if err != nil {
		return signal.App{}, err
	}
	r.Typed = args != nil
	r.Pty = r.Pty || pty
	return c.Host.Start(ctx, r)
}

func listApps(ctx context.Context, c *call) error {
	var full, ended bool
	if err := c.options(option{name: "-f", flag: &full}, option{name: "-a", flag: &ended}); err != nil {
		return err
	}
	if err := c.count(0, 0); err != nil {
		return err
	}
	all, err := c.Host.List(ctx)
	if err != nil {
		return err
	}
	var shown []signal.App
	for _, a := range all {
		if ended || live(a) {
			shown = append(shown, a)
		}
	}
	return c.answer(list(shown), func(w io.Writer) {
		if len(shown) == 0 {
			fmt.Fprintln(w, "no apps are running")
			return
		}
		c.printApps(w, shown, full)
	})
}

// printApps lists apps by what tells them apart; full adds what stands behind a name, and the
// limits where there are any.
func (c *call) printApps(w io.Writer, apps []signal.App, full bool) {
	heads := []string{">ID", "APP", "STATE", ">PID", ">UPTIME"}
	named := slices.ContainsFunc(apps, func(a signal.App) bool { return nameOf(a) != a.App })
	if named {
		heads[1] = "NAME"
	}
	if full && named {
		heads = append(heads, "APP")
	}
	limited := full && slices.ContainsFunc(apps, func(a signal.App) bool { return a.Limits != "" })
	if limited {
		heads = append(heads, "LIMITS")
	}
	if full {
		heads = append(heads, "COMMAND")
	}
	var rows [][]string
	for _, a := range apps {
		row := []string{strconv.FormatUint(uint64(a.ID), 10), nameOf(a), state(a), pid(a), span(uptime(a, c.now()))}
		if full && named {
			row = append(row, a.App)
		}
		if limited {
			row = append(row, cmp.Or(a.Limits, "-"))
		}
		if full {
			row = append(row, a.Command)
		}
		rows = append(rows, row)
	}
	printTable(w, c.Columns, heads, rows)
}

// state is the state with the exit code of an ended app.
func state(a signal.App) string {
	if a.ExitCode != nil && !live(a) {
		return fmt.Sprintf("%s (%d)", a.State, *a.ExitCode)
	}
	return string(a.State)
}

func pid(a signal.App) string {
	if a.Pid == 0 || !live(a) {
		return "-"
	}
	return strconv.Itoa(a.Pid)
}

func uptime(a signal.App, now time.Time) time.Duration {
	if a.Ended != nil {
		now = *a.Ended
	}
	return now.Sub(a.Started)
}

func restart(ctx context.Context, c *call) error {
	id, err := c.onlyID(ctx)
	if err != nil {
		return err
	}
	app, err := c.Host.Restart(ctx, id)
	if err != nil {
		return c.explain(ctx, id, err)
	}
	return c.answer(app, func(w io.Writer) {
		fmt.Fprintf(w, "app %d (%s) runs again (pid %d, Command: %s)\n", app.ID, term.Clean(nameOf(app)), app.Pid, term.Clean(app.Command))
	})
}

// explain makes an error about an unknown ID say which IDs there are.
func (c *call) explain(ctx context.Context, id signal.ID, err error) error {
	if signal.CodeOf(err) != signal.CodeNoApp {
		return err
	}
	all, listErr := c.Host.List(ctx)
	if listErr != nil {
		return err
	}
	return noApp(id, all)
}
