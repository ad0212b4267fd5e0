package command

import (
	"context"

	"github.com/skycoin/viscript/signal"
)

// autostarting is the name of the group of all apps that start with the daemon: no group's of the file.
const autostarting = " autostart"

// Autostart starts the apps that start with the daemon, each when what it depends on has met
// its conditions, and prints what came of it. Those that run, started by an earlier daemon say,
// are left as they are, and so are those that were stopped by request last. It returns an exit code.
func (t *Table) Autostart(ctx context.Context, e *Env, o Output) int {
	c := &call{Env: e, Output: o, cmd: &Command{Name: "autostart"}}
	all, err := e.Host.List(ctx)
	if err != nil {
		return o.report(err)
	}
	cfg := e.Config()
	g := Group{Name: autostarting}
	for _, name := range sortedKeys(cfg.Apps) {
		if cfg.Apps[name].Autostart && mayAutostart(name, all) {
			g.Members = append(g.Members, Member{App: name, Name: name})
		}
	}
	if len(g.Members) == 0 {
		return OK
	}
	u := newClimb(c, cfg, g, nil)
	u.request = func(m Member) (signal.StartRequest, error) { return cfg.Request(cfg.Apps[m.App], nil) }
	u.run(ctx)
	u.group = "autostart"
	return o.report(u.tell())
}

// mayAutostart is false when the app runs, or when a person stopped its last start.
func mayAutostart(name string, all []signal.App) bool {
	var last signal.App // IDs count up
	for _, a := range all {
		if a.App != name {
			continue
		}
		if live(a) {
			return false
		}
		if a.ID > last.ID {
			last = a
		}
	}
	return !last.Down
}
