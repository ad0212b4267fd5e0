package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/host"
	"github.com/skycoin/viscript/viscript/term"
)

func groupCommands() []*Command {
	return []*Command{
		groupsCommand(),
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
	return Group{}, usagef("%s: there is no group %q%s", c.cmd.Name, c.args[0],
		DidYouMean(c.args[0], names, "groups: "+strings.Join(names, ", ")))
}

// memberAnswer is what `up` and `down` say of one member.
type memberAnswer struct {
	Member string        `json:"member"`
	App    string        `json:"app"`
	ID     signal.ID     `json:"id,omitempty"`
	Result string        `json:"result"` // ready running exited failed skipped; stopped
	Error  string        `json:"error,omitempty"`
	Log    []string      `json:"last_lines,omitempty"`
	Rung   signal.Rung   `json:"rung,omitempty"`
	Exit   *int          `json:"exit_code,omitempty"`
	took   time.Duration // until it was ready
	ready  bool          // it ran already and is past starting
}

type groupAnswer struct {
	Group   string         `json:"group"`
	OK      bool           `json:"ok"`
	Members []memberAnswer `json:"members"`
}

// climb is one run of `up`. It belongs to one goroutine; others only wait for conditions.
type climb struct {
	*call
	group   string // for errors and the answer
	members []Member
	needs   [][]Need
	live    []signal.App
	begun   []bool
	done    []bool
	met     map[Need]error // conditions that were waited for; nil: met
	answers []memberAnswer // valid where done
	width   int            // of the longest name
	request func(Member) (signal.StartRequest, error)
}

// enterGroup is the group that is named, and what runs. No other up or down of it begins until leave is called.
func (c *call) enterGroup(ctx context.Context) (g Group, live []signal.App, leave func(), err error) {
	if g, err = c.group(); err != nil {
		return g, nil, nil, err
	}
	if !c.Members.enter(g.Name) {
		return g, nil, nil, fmt.Errorf("%s: another up or down of %s is under way", c.cmd.Name, g.Name)
	}
	leave = func() { c.Members.leave(g.Name) }
	if live, err = c.liveApps(ctx); err != nil {
		leave()
	}
	return g, live, leave, err
}

func up(ctx context.Context, c *call) error {
	g, live, leave, err := c.enterGroup(ctx)
	if err != nil {
		return err
	}
	defer leave()
	cfg := c.Config()
	u := newClimb(c, cfg, g, live)
	u.request = func(m Member) (signal.StartRequest, error) { return cfg.memberRequest(g.Name, m) }
	u.run(ctx)
	u.printStatuses(ctx)
	return u.tell()
}

func newClimb(c *call, cfg *Config, g Group, live []signal.App) *climb {
	u := &climb{call: c, group: g.Name, live: live, met: map[Need]error{}}
	u.members, u.needs = cfg.StartOrder(g)
	u.begun, u.done = make([]bool, len(u.members)), make([]bool, len(u.members))
	u.answers = make([]memberAnswer, len(u.members))
	for _, m := range u.members {
		u.width = max(u.width, term.Width(m.Name))
	}
	return u
}

// startsAtOnce bounds how many members are being started at a time.
const startsAtOnce = 8

// outcome is what a goroutine found: a member was started or not, or a condition was met or not.
type outcome struct {
	begun  *beginning
	need   Need
	err    error
	answer *memberAnswer // of a member that is done by it, otherwise nil
}

// beginning is a member that was started, or that is not up.
type beginning struct {
	at   int
	when time.Time
	memberAnswer
	up bool
}

// run starts every member as soon as the conditions it needs are met, in the order of the
// group and some at once, and returns when all are done and nobody waits.
func (u *climb) run(ctx context.Context) {
	found := make(chan outcome)
	for waiting, starting := 0, 0; ; waiting-- {
		for i, ok := u.next(); ok && starting < startsAtOnce; i, ok = u.next() {
			u.begun[i] = true
			starting, waiting = starting+1, waiting+1
			u.begin(ctx, i, found)
		}
		if waiting == 0 {
			return
		}
		o := <-found
		if o.begun != nil {
			starting--
			waiting += u.follow(ctx, *o.begun, found)
			continue
		}
		u.met[o.need] = o.err
		if o.answer != nil {
			u.finish(o.need.At, *o.answer)
		}
	}
}

// begin starts member i unless it runs already or one that it needs does not. One outcome comes of it.
func (u *climb) begin(ctx context.Context, i int, found chan<- outcome) {
	b := &beginning{at: i, when: time.Now()}
	start := u.prepare(ctx, b)
	go func() {
		if start != nil {
			start(ctx)
		}
		found <- outcome{begun: b}
	}()
}

// follow waits for the conditions of a member that was started, and returns how many outcomes are to come of it.
func (u *climb) follow(ctx context.Context, b beginning, found chan<- outcome) (waiting int) {
	i, a, began := b.at, b.memberAnswer, b.when
	if !b.up {
		u.finish(i, a)
		for _, n := range u.wanted(i) {
			u.met[n] = errNotUp
		}
		return 0
	}
	own := Need{At: i, On: signal.OnReady}
	wanted := u.wanted(i)
	if job := (Need{At: i, On: signal.OnExited}); slices.Contains(wanted, job) {
		own = job // it is done when it has ended
	}
	for _, n := range wanted {
		if n.On == signal.OnStarted {
			u.met[n] = nil
		} else if n != own {
			waiting++
			go func() { found <- outcome{need: n, err: u.await(ctx, a.ID, n)} }()
		}
	}
	if a.ready && own.On == signal.OnReady {
		u.met[own] = nil
		u.finish(i, a)
		return waiting
	}
	go func() {
		err := u.complete(ctx, &a, own)
		a.took = time.Since(began)
		found <- outcome{need: own, err: err, answer: &a}
	}()
	return waiting + 1
}

// errNotUp stands for the conditions of a member that was not started.
var errNotUp = errors.New("it is not up")

// wanted lists the conditions in member i that others wait for.
func (u *climb) wanted(i int) (all []Need) {
	for _, needs := range u.needs {
		for _, n := range needs {
			if n.At == i && !slices.Contains(all, n) {
				all = append(all, n)
			}
		}
	}
	return all
}

// next is the first member that can be started now, or that never can.
func (u *climb) next() (int, bool) {
	for i := range u.members {
		if !u.begun[i] && !slices.ContainsFunc(u.needs[i], func(n Need) bool { _, known := u.met[n]; return !known }) {
			return i, true
		}
	}
	return 0, false
}

// prepare finds out what is to be done for a member; nil: nothing more. What it returns may run on another
// goroutine: the ids are in the order of the members all the same.
func (u *climb) prepare(ctx context.Context, b *beginning) func(context.Context) {
	m := u.members[b.at]
	b.Member, b.App = m.Name, m.App
	if missing := u.missing(b.at); missing != "" {
		b.Result, b.Error = "skipped", "needs "+missing
		return nil
	}
	r, err := u.request(m)
	if err != nil {
		b.Result, b.Error = "failed", err.Error()
		return nil
	}
	member := membership{u.group, m.Name, Join(append([]string{r.Path}, r.Args...))}
	if have, ok := u.Members.find(u.live, member); ok {
		b.ID, b.Result, b.ready, b.up = have.ID, "running", have.State != signal.Starting && have.State != signal.Waiting, true
		return nil
	}
	finish := func(ctx context.Context) (signal.App, error) { return u.Host.Start(ctx, r) }
	ordered, several := u.Host.(host.Beginner)
	if several {
		if finish, err = ordered.Begin(r); err != nil {
			b.Result, b.Error = "failed", err.Error()
			return nil
		}
	}
	start := func(ctx context.Context) {
		started, err := finish(ctx)
		if err != nil {
			b.Result, b.Error = "failed", err.Error()
			return
		}
		u.Members.add(started.ID, member)
		b.ID, b.Result, b.up = started.ID, "ready", true
	}
	if several {
		return start
	}
	start(ctx)
	return nil
}

// missing names a member whose condition i needs and that did not meet it, or "".
func (u *climb) missing(i int) string {
	for _, n := range u.needs[i] {
		err := u.met[n]
		if err == nil {
			continue
		}
		name := u.members[n.At].Name
		if n.On == signal.OnReady || n.On == signal.OnStarted || errors.Is(err, errNotUp) {
			return name
		}
		return fmt.Sprintf("%s (%s): %v", name, n.On, err)
	}
	return ""
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
	case "ready", "exited":
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
	answer := groupAnswer{u.group, len(failed) == 0, list(u.answers)}
	if u.JSON {
		if err := u.answer(answer, nil); err != nil {
			return err
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("up %s: %s", u.group, strings.Join(failed, "; "))
	}
	return nil
}

func down(ctx context.Context, c *call) error {
	g, live, leave, err := c.enterGroup(ctx)
	if err != nil {
		return err
	}
	defer leave()
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
