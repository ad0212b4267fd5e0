package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/host"
	"github.com/skycoin/viscript/viscript/term"
)

// reloadCommand is the entry of the table.
func reloadCommand() *Command {
	return &Command{
		Name: "reload", Args: "[--dry-run | --watch on|off]", Help: "read config.yaml again and do what it asks; a broken file changes nothing",
		More: "It prints what it does with each app that runs: same; policy (new rules, no restart); restart; add; remove.\n" +
			"--dry-run: only prints it.\n--watch on: reload whenever the file changes, until --watch off or the end of the daemon; watchConfig: true in settings is for good.",
		run: reload,
		complete: func(_ context.Context, _ *Env, prev []string) []string {
			switch {
			case len(prev) == 0:
				return []string{"--dry-run", "--watch"}
			case len(prev) == 1 && prev[0] == "--watch":
				return []string{"on", "off"}
			}
			return nil
		},
	}
}

// reloadAnswer is Changes, of the file, with what it means for what runs.
type reloadAnswer struct {
	Changes
	DryRun bool   `json:"dry_run,omitempty"`
	Plan   []Step `json:"plan"`
}

// reloading is the name that Members.enter knows a reload by: no group's.
const reloading = " reload"

func reload(ctx context.Context, c *call) error {
	if isWatch(c.args) {
		return c.watchReload(ctx)
	}
	var dry bool
	if err := c.options(option{name: "--dry-run", flag: &dry}); err != nil {
		return err
	}
	if err := c.count(0, 0); err != nil {
		return err
	}
	if c.Reload == nil {
		return fmt.Errorf("reload: the daemon has no configuration file: start it anew where there is a config.yaml, or with --config FILE")
	}
	if !c.Members.enter(reloading) {
		return errors.New("reload: another one is under way")
	}
	defer c.Members.leave(reloading)
	answer, next, err := c.plan(ctx, dry)
	if err != nil {
		return fmt.Errorf("nothing was changed: %w", err)
	}
	if !dry {
		c.apply(ctx, next, answer.Plan)
	}
	if err := c.answer(answer, func(w io.Writer) { c.printReload(w, answer, c.supervisor() != nil) }); err != nil {
		return err
	}
	var failed []string
	for _, s := range answer.Plan {
		if s.Error != "" {
			failed = append(failed, s.App+": "+s.Error)
		}
	}
	if len(failed) > 0 && !dry {
		return errors.New("reload: " + strings.Join(failed, "; "))
	}
	return nil
}

// plan reads the file, compares, and, unless dry, puts the new configuration in place.
func (c *call) plan(ctx context.Context, dry bool) (reloadAnswer, *Config, error) {
	running, err := c.running(ctx)
	if err != nil {
		return reloadAnswer{}, nil, err
	}
	old, next := c.Config(), (*Config)(nil)
	var ch Changes
	switch {
	case !dry:
		if ch, err = c.Reload(); err == nil {
			next = c.Config()
		}
	case c.Load == nil:
		err = errors.New("this console cannot look at the file without using it")
	default:
		if next, err = c.Load(); err == nil {
			ch = Compare(old, next)
		}
	}
	if err != nil {
		return reloadAnswer{}, nil, err
	}
	ch.Added, ch.Removed, ch.Changed = list(ch.Added), list(ch.Removed), list(ch.Changed)
	a := reloadAnswer{Changes: ch, DryRun: dry, Plan: []Step{}}
	if c.supervisor() != nil {
		a.Plan = list(Plan(old, next, running))
	}
	return a, next, nil
}

// supervisor is the host where it is one, otherwise nil.
func (e *Env) supervisor() host.Supervisor {
	s, _ := e.Host.(host.Supervisor)
	return s
}

// running lists what has a process, or will have one, with how it was started.
func (c *call) running(ctx context.Context) ([]Running, error) {
	s := c.supervisor()
	if s == nil {
		return nil, nil
	}
	live, err := c.liveApps(ctx)
	if err != nil {
		return nil, err
	}
	var all []Running
	for _, a := range live {
		r, err := s.Request(ctx, a.ID)
		if signal.CodeOf(err) == signal.CodeNoApp {
			continue // it ended meanwhile
		}
		if err != nil {
			return nil, err
		}
		all = append(all, Running{a, r})
	}
	return all, nil
}

// apply does what the plan says, and notes in it what went wrong. What fails keeps back nothing else.
func (c *call) apply(ctx context.Context, next *Config, plan []Step) {
	for i := range plan {
		s := &plan[i]
		if s.Error != "" {
			continue
		}
		var err error
		switch s.Action {
		case Remove:
			_, err = c.Host.Stop(ctx, s.ID)
		case PolicyOnly, Anew:
			if err = c.supervisor().SetPolicy(ctx, s.ID, s.request); err == nil && s.Action == Anew {
				_, err = c.Host.Restart(ctx, s.ID)
			}
		}
		if err != nil {
			s.Error = err.Error()
		}
	}
	c.applyAdditions(ctx, next, plan)
}

// applyAdditions starts what is added in order of dependence, each when its conditions are met.
func (c *call) applyAdditions(ctx context.Context, next *Config, plan []Step) {
	group := Group{Name: reloading}
	steps := map[string]*Step{} // by the name of the member
	for i := range plan {
		s := &plan[i]
		if s.Action != Add || s.Error != "" {
			continue
		}
		name := fmt.Sprint(i)
		steps[name] = s
		group.Members = append(group.Members, Member{App: s.App, Name: name})
	}
	if len(group.Members) == 0 {
		return
	}
	quiet := *c
	quiet.JSON = true // the plan tells it, not the climb
	u := newClimb(&quiet, next, group, nil)
	u.request = func(m Member) (signal.StartRequest, error) { return steps[m.Name].request, nil }
	u.run(ctx)
	for _, a := range u.answers {
		s := steps[a.Member]
		s.ID, s.Error = a.ID, a.Error
		if s.Group != "" && a.ID != 0 {
			r := s.request
			c.Members.add(a.ID, membership{s.Group, s.Member, Join(append([]string{r.Path}, r.Args...))})
		}
	}
}

func (c *call) printReload(w io.Writer, a reloadAnswer, plans bool) {
	if len(a.Added)+len(a.Removed)+len(a.Changed) == 0 {
		fmt.Fprintf(w, "%s: nothing has changed\n", term.Clean(a.File))
	}
	for _, part := range []struct {
		what  string
		names []string
	}{{"added", a.Added}, {"removed", a.Removed}, {"changed", a.Changed}} {
		if len(part.names) > 0 {
			fmt.Fprintf(w, "%s: %s\n", part.what, strings.Join(part.names, ", "))
		}
	}
	if len(a.Removed)+len(a.Changed) > 0 && !plans {
		fmt.Fprintln(w, "apps that run go on as they were started; `restart` does not change their arguments")
	}
	var rows [][]string
	for _, s := range a.Plan {
		rows = append(rows, s.row())
	}
	printTable(w, c.Columns, []string{"", "", "", ""}, rows)
	if a.DryRun {
		fmt.Fprintln(w, "nothing was done: --dry-run")
	}
}

func (s Step) row() []string {
	what, id := s.App, ""
	if s.Member != "" && s.Member != s.App {
		what += " (" + s.Member + ")"
	}
	if s.ID != 0 {
		id = fmt.Sprintf("ID %d", s.ID)
	}
	facts := slices.DeleteFunc([]string{strings.Join(s.Changed, ", "), s.Why}, func(t string) bool { return t == "" })
	if s.Error != "" {
		facts = append(facts, "failed: "+s.Error)
	}
	return []string{string(s.Action), what, id, strings.Join(facts, "; ")}
}
