package command

import (
	"context"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
)

// clearScreen moves home and erases the screen and what was scrolled off it (ECMA-48, xterm).
const clearScreen = "\x1b[H\x1b[2J\x1b[3J"

func consoleCommands() []*Command {
	return []*Command{
		reloadCommand(),
		{Name: "hosts", Help: "list the hosts this console knows", run: hosts},
		{Name: "doctor", Help: "check folders, configuration, programs and ports, and say how to mend them", run: doctor},
		{Name: "clear", Aliases: []string{"cls", "c"}, Help: "clear the screen", run: clear},
		{Name: "version", Help: "print the version of the daemon", run: version},
		{Name: "quit", Help: "end the daemon; apps with `daemon: true` go on, the others are stopped",
			More: "The next daemon finds those that go on under their IDs. With stopAllOnExit: true in settings\nall are stopped.", run: quit},
	}
}

// Compare says what is different in next.
func Compare(old, next *Config) Changes {
	ch := Changes{File: next.File}
	compare(&ch, "app ", old.Apps, next.Apps)
	compare(&ch, "group ", old.Groups, next.Groups)
	if old.Settings != next.Settings {
		ch.Changed = append(ch.Changed, "settings")
	}
	return ch
}

func compare[T any](ch *Changes, kind string, old, next map[string]T) {
	for _, name := range sortedKeys(next) {
		was, ok := old[name]
		switch {
		case !ok:
			ch.Added = append(ch.Added, kind+name)
		case !reflect.DeepEqual(was, next[name]):
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
	return c.answer(list(all), func(w io.Writer) { printTable(w, c.Columns, []string{"HOST", "ADDRESS", ">APPS", ""}, rows) })
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
