package command

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/term"
)

func (t *Table) helpCommands() []*Command {
	return []*Command{{
		Name: "help", Aliases: []string{"h", "?"}, Args: "[COMMAND|APP]",
		Help: "list the commands, or explain one, or the parameters of an app",
		run:  t.help,
		complete: func(ctx context.Context, e *Env, prev []string) []string {
			if len(prev) > 0 {
				return nil
			}
			return slices.Concat(t.names(), e.appNames(), t.typed(e.listed(ctx)))
		},
	}}
}

type commandHelp struct {
	Name    string   `json:"name"`
	Aliases []string `json:"aliases"`
	Args    string   `json:"args"`
	Help    string   `json:"help"`
	More    string   `json:"more,omitempty"`
	App     string   `json:"app,omitempty"` // that offers it
}

type appHelp struct {
	App         string   `json:"app"`
	Desc        string   `json:"desc"`
	Path        string   `json:"path"`
	Daemon      bool     `json:"daemon"`
	DefaultArgs []string `json:"default_args"`
	DependsOn   []string `json:"depends_on"` // with the condition behind the name unless that is ready
	Help        string   `json:"help,omitempty"`

	Dir    string         `json:"dir,omitempty"`
	User   string         `json:"user,omitempty"`
	Pty    bool           `json:"pty,omitempty"`
	Limits signal.Limits  `json:"limits,omitzero"`
	Policy *signal.Policy `json:"policy"`
}

func (c *Command) describe() commandHelp {
	return commandHelp{Name: c.Name, Aliases: list(c.Aliases), Args: c.Args, Help: c.Help, More: c.More}
}

func (a App) describe() appHelp {
	return appHelp{
		App: a.Name, Desc: a.Desc, Path: a.Path, Daemon: a.Daemon, DefaultArgs: list(a.DefaultArgs), DependsOn: list(a.needs()), Help: a.Help,
		Dir: a.Dir, User: a.User, Pty: a.Pty, Limits: a.Limits, Policy: &a.Policy,
	}
}

// needs is depends_on in words.
func (a App) needs() (words []string) {
	for _, d := range a.DependsOn {
		words = append(words, d.String())
	}
	return words
}

func (t *Table) help(ctx context.Context, c *call) error {
	if err := c.count(0, 1); err != nil {
		return err
	}
	apps := c.listed(ctx)
	if len(c.args) == 0 {
		return t.helpAll(c, apps)
	}
	name := c.args[0]
	if app, ok := c.Config().Apps[name]; ok {
		return c.answer(app.describe(), func(w io.Writer) { helpApp(w, app) })
	}
	if cmd := t.Lookup(name); cmd != nil {
		return c.answer(cmd.describe(), func(w io.Writer) { helpCommand(w, cmd) })
	}
	if w, err := t.findWord(apps, name); err == nil {
		d := w.describe(apps)
		return c.answer(d.describe(), func(out io.Writer) { helpCommand(out, d) })
	} else if err != errNoWord {
		return fmt.Errorf("help: %w", err)
	}
	if meant := elsewhere[strings.ToLower(name)]; meant != "" {
		return usagef("help: there is no command and no app %q%s", name, ask([]string{meant}, "`help` lists the commands, `apps` the apps"))
	}
	known := slices.Concat(t.names(), c.appNames(), t.typed(apps))
	return usagef("help: there is no command and no app %q%s", name, DidYouMean(name, known, "`help` lists the commands, `apps` the apps"))
}

func (t *Table) helpAll(c *call, apps []signal.App) error {
	var all []commandHelp
	var rows [][]string
	for _, cmd := range t.commands {
		all = append(all, cmd.describe())
		rows = append(rows, []string{cmd.Synopsis(), strings.Join(cmd.Aliases, ", "), cmd.Help})
	}
	words := t.offers(apps)
	for _, o := range words {
		d := o.describe(apps).describe()
		d.App = nameOf(o.app)
		all = append(all, d)
	}
	return c.answer(all, func(w io.Writer) {
		printTable(w, c.Columns, []string{"COMMAND", "ALIAS", ""}, rows)
		c.wordHelp(w, words, apps)
		fmt.Fprintln(w, flow(AboutIDs, c.width(), 0))
	})
}

func helpCommand(w io.Writer, cmd *Command) {
	fmt.Fprintf(w, "%s\n    %s\n", cmd.Synopsis(), cmd.Help)
	if len(cmd.Aliases) > 0 {
		fmt.Fprintf(w, "    also: %s\n", strings.Join(cmd.Aliases, ", "))
	}
	for _, l := range lines(cmd.More) {
		fmt.Fprintf(w, "    %s\n", l)
	}
	if slices.Contains(strings.FieldsFunc(cmd.Args, func(r rune) bool { return r == ' ' || r == '[' || r == ']' }), "ID") {
		fmt.Fprintf(w, "    %s\n", AboutIDs)
	}
}

func helpApp(w io.Writer, app App) {
	fmt.Fprintln(w, term.Clean(app.Name+": "+app.Desc))
	for _, l := range lines(app.Help) {
		fmt.Fprintf(w, "    %s\n", term.Clean(strings.ReplaceAll(l, "\t", "    ")))
	}
	fmt.Fprintf(w, "path: %s\n", term.Clean(app.Path))
	if len(app.DefaultArgs) > 0 {
		fmt.Fprintf(w, "default arguments: %s\n", term.Clean(Join(app.DefaultArgs)))
	}
	for _, line := range app.kept() {
		fmt.Fprintln(w, term.Clean(line))
	}
}

// kept says how the app is started and kept, as far as it is not as usual.
func (a App) kept() (lines []string) {
	add := func(set bool, format string, v ...any) {
		if set {
			lines = append(lines, fmt.Sprintf(format, v...))
		}
	}
	add(len(a.DependsOn) > 0, "depends on: %s", strings.Join(a.needs(), ", "))
	add(a.Autostart, "starts with the daemon")
	again := a.Restart != "" && a.Restart != signal.RestartNo
	add(again, "restart: %s", a.Restart)
	add(again && a.Breaker.Starts > 0, "given up after: %s in %v", Count(a.Breaker.Starts, "start"), a.Breaker.Window)
	add(a.Ready != nil, "ready when: %s", a.Ready)
	add(a.Health != nil, "healthy while: %s", a.Health)
	add(a.User != "", "runs as: %s", a.User)
	add(a.Limits != signal.Limits{}, "limits: %s", a.Limits)
	return lines
}

// lines splits text without its last line end; none for "".
func lines(text string) []string {
	text = strings.TrimRight(text, "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

func (e *Env) appNames() []string   { return slices.Sorted(maps.Keys(e.Config().Apps)) }
func (e *Env) groupNames() []string { return slices.Sorted(maps.Keys(e.Config().Groups)) }
