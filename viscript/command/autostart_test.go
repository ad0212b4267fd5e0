package command

import (
	"bytes"
	"slices"
	"testing"

	"github.com/skycoin/viscript/signal"
)

func TestAutostart(t *testing.T) {
	b, k := newKeeperBench(t)
	autostart := func() string {
		t.Helper()
		var out, errs bytes.Buffer
		if code := b.table.Autostart(t.Context(), b.env, Output{Out: &out, Err: &errs}); code != OK {
			t.Errorf("code %d: %s%s", code, &out, &errs)
		}
		return out.String()
	}
	if out := autostart(); out != "" {
		t.Errorf("nothing starts with the daemon: %q", out)
	}
	for _, name := range []string{"node", "manager"} {
		b.cfg.edit(name, func(a *App) { a.Autostart = true })
	}
	has(t, autostart(), "manager  ID 1     ready", "node     ID 2     ready")
	if want := []string{"start manager -p 1", "ready manager", "start node", "ready node"}; !slices.Equal(k.calls, want) {
		t.Errorf("%q", k.calls)
	}
	if r := k.requests[1]; r.Group != "" || !r.Configured {
		t.Errorf("%+v", r)
	}
	if out := autostart(); out != "" {
		t.Errorf("they run already: %q", out)
	}
	b.run("sd 1", OK) // by request: it stays down
	b.run("kill 2", OK)
	k.apps[0].Down = true
	has(t, autostart(), "node  ID 3")
	b.run("start manager", OK)
	b.run("kill 4", OK)
	has(t, autostart(), "manager  ID 5") // its last start was not stopped by request
	b.cfg.edit("gone", func(a *App) { a.Autostart = true })
	var out, errs bytes.Buffer
	if code := b.table.Autostart(t.Context(), b.env, Output{Out: &out, Err: &errs}); code != Failed {
		t.Errorf("code %d", code)
	}
	has(t, errs.String(), "error: up autostart: gone: app \"gone\": there is no program")
	if !mayAutostart("x", []signal.App{{ID: 1, App: "y", Down: true}}) {
		t.Error("another's stop counts")
	}
}
