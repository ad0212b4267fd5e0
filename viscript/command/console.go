package command

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/skycoin/viscript/viscript/term"
)

// clearScreen moves home and erases the screen and what was scrolled off it (ECMA-48, xterm).
const clearScreen = "\x1b[H\x1b[2J\x1b[3J"

func consoleCommands() []*Command {
	return []*Command{
		{
			Name: "reload", Args: "[--watch on|off]", Help: "read config.yaml again; a broken file changes nothing",
			More: "--watch on: reload whenever the file changes, until --watch off or the end of the daemon.",
			run:  reload,
		},
		{Name: "hosts", Help: "list the hosts this console knows", run: hosts},
		{Name: "doctor", Help: "check folders, configuration, programs and ports, and say how to mend them", run: doctor},
		{Name: "clear", Aliases: []string{"cls", "c"}, Help: "clear the screen", run: clear},
		{Name: "version", Help: "print the version of the daemon", run: version},
		{Name: "quit", Help: "stop all apps and end the daemon", run: quit},
	}
}

func reload(ctx context.Context, c *call) error {
	if isWatch(c.args) {
		return c.watchReload(ctx)
	}
	if err := c.count(0, 0); err != nil {
		return err
	}
	if c.Reload == nil {
		return fmt.Errorf("reload: the daemon has no configuration file")
	}
	ch, err := c.Reload()
	if err != nil {
		return fmt.Errorf("nothing was changed: %w", err)
	}
	ch.Added, ch.Removed, ch.Changed = list(ch.Added), list(ch.Removed), list(ch.Changed)
	return c.answer(ch, func(w io.Writer) {
		if len(ch.Added)+len(ch.Removed)+len(ch.Changed) == 0 {
			fmt.Fprintf(w, "%s: nothing has changed\n", term.Clean(ch.File))
		}
		for _, part := range []struct {
			what  string
			names []string
		}{{"added", ch.Added}, {"removed", ch.Removed}, {"changed", ch.Changed}} {
			if len(part.names) > 0 {
				fmt.Fprintf(w, "%s: %s\n", part.what, strings.Join(part.names, ", "))
			}
		}
		if len(ch.Removed)+len(ch.Changed) > 0 {
			fmt.Fprintln(w, "apps that run go on as they were started; `restart` does not change their arguments")
		}
	})
}

// Compare says what is different in next.
func Compare(old, next *Config) Changes {
	ch := Changes{File: next.File}
	compare(&ch, "app ", old.Apps, next.Apps, func(a App) string { return fmt.Sprintf("%#v", a) })
	compare(&ch, "group ", old.Groups, next.Groups, func(g Group) string { return fmt.Sprintf("%#v", g) })
	if old.Settings != next.Settings {
		ch.Changed = append(ch.Changed, "settings")
	}
	return ch
}

func compare[T any](ch *Changes, kind string, old, next map[string]T, text func(T) string) {
	for _, name := range sortedKeys(next) {
		was, ok := old[name]
		switch {
		case !ok:
			ch.Added = append(ch.Added, kind+name)
		case text(was) != text(next[name]):
			ch.Changed = append(ch.Changed, kind+name)
		}
	}
	for _, name := range sortedKeys(old) {
		if _, ok := next[name]; !ok {
			ch.Removed = append(ch.Removed, kind+name)
		}
	}
}

type hostAnswer struct {
	Host    string `json:"host"`
	Address string `json:"address"`
	Apps    int    `json:"apps"` // running
	Error   string `json:"error,omitempty"`
}

func hosts(ctx context.Context, c *call) error {
	if err := c.count(0, 0); err != nil {
		return err
	}
	var all []hostAnswer
	var rows [][]string
	for _, h := range c.Hosts {
		a := hostAnswer{Host: h.Name, Address: h.Address}
		e := Env{Host: h.Host}
		apps, err := e.liveApps(ctx)
		if a.Apps = len(apps); err != nil {
			a.Error = err.Error()
		}
		all = append(all, a)
		rows = append(rows, []string{a.Host, a.Address, strconv.Itoa(a.Apps), a.Error})
	}
	return c.answer(list(all), func(w io.Writer) { printTable(w, []string{"HOST", "ADDRESS", ">APPS", ""}, rows) })
}

func clear(_ context.Context, c *call) error {
	if err := c.count(0, 0); err != nil {
		return err
	}
	return c.answer(struct{}{}, func(w io.Writer) { io.WriteString(w, clearScreen) })
}

func version(_ context.Context, c *call) error {
	if err := c.count(0, 0); err != nil {
		return err
	}
	answer := struct {
		Version string `json:"version"`
	}{c.Version}
	return c.answer(answer, func(w io.Writer) { fmt.Fprintln(w, "viscript "+c.Version) })
}

func quit(ctx context.Context, c *call) error {
	if err := c.count(0, 0); err != nil {
		return err
	}
	if c.Quit == nil {
		return fmt.Errorf("quit: this console cannot end its daemon")
	}
	apps, err := c.liveApps(ctx)
	if err != nil {
		return err
	}
	answer := struct {
		Stopping int `json:"stopping"` // apps
	}{len(apps)}
	if err := c.answer(answer, func(w io.Writer) {}); err != nil {
		return err
	}
	c.Quit()
	return nil
}

func sortedKeys[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }
