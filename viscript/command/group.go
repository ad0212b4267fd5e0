package command

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/term"
)

// ReadyWait is how long `up` gives each member to become ready.
const ReadyWait = 15 * time.Second

func groupCommands() []*Command {
	return []*Command{
		{
			Name: "up", Args: "GROUP", Help: "start the apps of a group, each when those it depends on are ready",
			More: "Members that run already are left as they are. When one fails, those that need it are\nnot started; the others are.",
			run:  up, complete: completeGroup,
		}, {
			Name: "down", Args: "GROUP", Help: "stop the apps that `up` started, in reverse order", run: down, complete: completeGroup,
		},
	}
}

func (c *call) group() (Group, error) {
	if err := c.count(1, 1); err != nil {
		return Group{}, err
	}
	cfg := c.Config()
	g, ok := cfg.Groups[c.args[0]]
	switch {
	case ok:
		return g, nil
	case len(cfg.Groups) == 0:
		why := "the daemon found no config.yaml"
		if cfg.File != "" {
			why = cfg.File + " has no groups"
		}
		return Group{}, usagef("%s: there is no group %q: %s", c.cmd.Name, c.args[0], why)
	}
	names := c.groupNames()
	return Group{}, usagef("%s: there is no group %q%s; groups: %s", c.cmd.Name, c.args[0],
		didYouMean(c.args[0], names), strings.Join(names, ", "))
}

// memberAnswer is what `up` and `down` say of one member.
type memberAnswer struct {
	Member string        `json:"member"`
	App    string        `json:"app"`
	ID     signal.ID     `json:"id,omitempty"`
	Result string        `json:"result"` // ready running failed skipped; stopped
	Error  string        `json:"error,omitempty"`
	Log    []string      `json:"last_lines,omitempty"`
	Rung   signal.Rung   `json:"rung,omitempty"`
	Exit   *int          `json:"exit_code,omitempty"`
	took   time.Duration // until it was ready
}

type groupAnswer struct {
	Group   string         `json:"group"`
	OK      bool           `json:"ok"`
	Members []memberAnswer `json:"members"`
}

// climb is one run of `up`. It belongs to one goroutine; others only wait for apps to be ready.
type climb struct {
	*call
	group   Group
	members []Member
	needs   [][]int
	live    []signal.App
	begun   []bool
	done    []bool
	answers []memberAnswer // valid where done
	width   int            // of the longest name
}

func up(ctx context.Context, c *call) error {
	g, err := c.group()
	if err != nil {
		return err
	}
	if !c.Members.enter(g.Name) {
		return fmt.Errorf("%s: another up or down of %s is under way", c.cmd.Name, g.Name)
	}
	defer c.Members.leave(g.Name)
	live, err := c.liveApps(ctx)
	if err != nil {
		return err
	}
	u := &climb{call: c, group: g, live: live}
	u.members, u.needs = c.Config().StartOrder(g)
	u.begun, u.done = make([]bool, len(u.members)), make([]bool, len(u.members))
	u.answers = make([]memberAnswer, len(u.members))
	for _, m := range u.members {
		u.width = max(u.width, term.Width(m.Name))
	}
	u.run(ctx)
	return u.tell()
}

// run starts every member as soon as those it needs are done, in the order of the group, and
// returns when all are done.
func (u *climb) run(ctx context.Context) {
	type result struct {
		i int
		memberAnswer
	}
	ready := make(chan result)
	for waiting := 0; ; waiting-- {
		for i, ok := u.next(); ok; i, ok = u.next() {
			u.begun[i] = true
			began := time.Now()
			a, wait := u.start(ctx, i)
			if !wait {
				u.finish(i, a)
				continue
			}
			waiting++
			go func() {
				u.await(ctx, &a)
				a.took = time.Since(began)
				ready <- result{i, a}
			}()
		}
		if waiting == 0 {
			return
		}
		r := <-ready
		u.finish(r.i, r.memberAnswer)
	}
}

// next is the first member that can be started now.
func (u *climb) next() (int, bool) {
	for i := range u.members {
		if !u.begun[i] && !slices.ContainsFunc(u.needs[i], func(n int) bool { return !u.done[n] }) {
			return i, true
		}
	}
	return 0, false
}

// start starts member i unless it runs already or one that it needs does not.
func (u *climb) start(ctx context.Context, i int) (a memberAnswer, wait bool) {
	m := u.members[i]
	a = memberAnswer{Member: m.Name, App: m.App}
	if missing := u.missing(i); missing != "" {
		a.Result, a.Error = "skipped", "needs "+missing
		return a, false
	}
	app, ok := u.Config().Apps[m.App]
	if !ok {
		a.Result, a.Error = "failed", fmt.Sprintf("there is no app %q", m.App)
		return a, false
	}
	r, err := u.Config().Request(app, m.Args)
	if err != nil {
		a.Result, a.Error = "failed", err.Error()
		return a, false
	}
	member := membership{u.group.Name, m.Name, Join(append([]string{r.Path}, r.Args...))}
	if have, ok := u.Members.find(u.live, member); ok {
		a.ID, a.Result = have.ID, "running"
		return a, have.State == signal.Starting
	}
	started, err := u.Host.Start(ctx, r)
	if err != nil {
		a.Result, a.Error = "failed", err.Error()
		return a, false
	}
	u.Members.add(started.ID, member)
	a.ID, a.Result = started.ID, "ready"
	return a, true
}

// missing names a member that i needs and that did not come up, or "".
func (u *climb) missing(i int) string {
	for _, n := range u.needs[i] {
		if a := u.answers[n]; a.Result != "ready" && a.Result != "running" {
			return a.Member
		}
	}
	return ""
}

func (u *climb) await(ctx context.Context, a *memberAnswer) {
	waitCtx, cancel := context.WithTimeout(ctx, ReadyWait)
	defer cancel()
	err := u.Host.WaitReady(waitCtx, a.ID)
	if err == nil {
		return
	}
	a.Result, a.Error = "failed", err.Error()
	if ctx.Err() != nil {
		a.Error = "interrupted"
	} else if waitCtx.Err() != nil {
		a.Error = fmt.Sprintf("not ready after %v", ReadyWait)
	}
	logCtx, cancelLog := context.WithTimeout(ctx, 2*time.Second)
	defer cancelLog()
	a.Log, _ = u.logLines(logCtx, a.ID, whyLogLines) // the error above is the news
}

// finish notes the answer of member i and tells it.
func (u *climb) finish(i int, a memberAnswer) {
	u.answers[i], u.done[i] = a, true
	if !u.JSON {
		u.print(a)
	}
}

func (u *climb) print(a memberAnswer) {
	name := a.Member + strings.Repeat(" ", u.width-term.Width(a.Member))
	text := a.Error
	switch a.Result {
	case "ready":
		text = fmt.Sprintf("after %.1f s", a.took.Seconds())
	case "running":
		text = "already"
	}
	id := "-"
	if a.ID != 0 {
		id = fmt.Sprint(a.ID)
	}
	fmt.Fprintf(u.Out, "%s  ID %-4s  %-7s  %s\n", name, id, a.Result, term.Clean(text))
	for _, l := range a.Log {
		fmt.Fprintln(u.Out, "  | "+term.Clean(l))
	}
}

// tell ends the command: the answer in JSON, and what failed as its error.
func (u *climb) tell() error {
	var failed []string
	for _, a := range u.answers {
		if a.Result == "failed" {
			failed = append(failed, a.Member+": "+a.Error)
		}
	}
	answer := groupAnswer{u.group.Name, len(failed) == 0, list(u.answers)}
	if u.JSON {
		if err := u.answer(answer, nil); err != nil {
			return err
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("up %s: %s", u.group.Name, strings.Join(failed, "; "))
	}
	return nil
}

func down(ctx context.Context, c *call) error {
	g, err := c.group()
	if err != nil {
		return err
	}
	if !c.Members.enter(g.Name) {
		return fmt.Errorf("%s: another up or down of %s is under way", c.cmd.Name, g.Name)
	}
	defer c.Members.leave(g.Name)
	live, err := c.liveApps(ctx)
	if err != nil {
		return err
	}
	members, _ := c.Config().StartOrder(g)
	answer := groupAnswer{Group: g.Name, OK: true}
	var failed []string
	for i := len(members) - 1; i >= 0; i-- {
		m := members[i]
		app, ok := c.Members.find(live, membership{group: g.Name, member: m.Name})
		if !ok {
			continue
		}
		a := memberAnswer{Member: m.Name, App: m.App, ID: app.ID, Result: "stopped"}
		r, err := c.Host.Stop(ctx, app.ID)
		if err != nil {
			a.Result, a.Error = "failed", err.Error()
			failed = append(failed, m.Name+": "+err.Error())
		} else {
			a.Rung, a.Exit = r.Rung, &r.ExitCode
			if !c.JSON {
				fmt.Fprintf(c.Out, "%s: %s\n", term.Clean(m.Name), describeStop(r))
			}
		}
		answer.Members = append(answer.Members, a)
	}
	answer.OK, answer.Members = len(failed) == 0, list(answer.Members)
	if c.JSON || len(answer.Members) == 0 {
		err = c.answer(answer, func(w io.Writer) { fmt.Fprintf(w, "no app of %s is running\n", g.Name) })
	}
	if len(failed) > 0 {
		return fmt.Errorf("down %s: %s", g.Name, strings.Join(failed, "; "))
	}
	return err
}
