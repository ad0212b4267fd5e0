package command

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/skycoin/viscript/signal"
)

// Action is what a reload does with an app.
type Action string

// The actions. PolicyOnly: new rules for the process that runs. Add and Remove: start and stop.
const (
	Same       Action = "same"
	PolicyOnly Action = "policy"
	Anew       Action = "restart"
	Add        Action = "add"
	Remove     Action = "remove"
)

// Step is one line of a plan.
type Step struct {
	Action  Action    `json:"action"`
	App     string    `json:"app"`
	ID      signal.ID `json:"id,omitempty"` // of what runs
	Group   string    `json:"group,omitempty"`
	Member  string    `json:"member,omitempty"`
	Changed []string  `json:"changed,omitempty"` // keys, never their values
	Why     string    `json:"why,omitempty"`
	Error   string    `json:"error,omitempty"` // why it stays as it is, or what went wrong in doing it

	request signal.StartRequest // of PolicyOnly, Anew and Add
}

// Running is an app of the table that has a process or will have one, with what it was started with.
type Running struct {
	signal.App
	Request signal.StartRequest
}

// Plan says what has to be done so that what runs is what next says. It changes nothing.
// Removals come first, in reverse order of dependence, then what goes on, then what
// is added, in order of dependence. What was started otherwise than from a
// configuration is left alone, and so is what ended or was stopped: only apps that
// next adds to a group that is up, or newly starts with the daemon, are added.
func Plan(old, next *Config, running []Running) []Step {
	var steps []Step
	for _, r := range running {
		if r.Request.Configured {
			steps = append(steps, next.compare(r))
		}
	}
	steps = append(steps, additions(old, next, running)...)
	rank := next.ranks()
	for name, n := range old.ranks() {
		if _, ok := rank[name]; !ok {
			rank[name] = n
		}
	}
	slices.SortStableFunc(steps, func(a, b Step) int {
		if d := phase(a.Action) - phase(b.Action); d != 0 {
			return d
		}
		if a.Action == Remove {
			return rank[b.App] - rank[a.App]
		}
		return rank[a.App] - rank[b.App]
	})
	return steps
}

func phase(a Action) int {
	switch a {
	case Remove:
		return 0
	case Add:
		return 2
	}
	return 1
}

// compare is the step for one app that runs.
func (c *Config) compare(r Running) Step {
	was := r.Request
	s := Step{Action: Same, App: was.App, ID: r.ID, Group: was.Group, Member: was.Member}
	app, ok := c.Apps[was.App]
	if !ok {
		s.Action, s.Why = Remove, "no longer configured"
		return s
	}
	args, why := c.arguments(was)
	if why != "" {
		s.Action, s.Why = Remove, why
		return s
	}
	next, err := c.Request(app, args)
	if err != nil {
		s.Error = err.Error()
		return s
	}
	next.Group, next.Member, next.Typed = was.Group, was.Member, was.Typed
	next.Pty = next.Pty || was.Pty // `start -a` may have given it
	program, policy := differences(was, next)
	s.Changed, s.request = append(program, policy...), next
	switch {
	case len(program) > 0:
		s.Action = Anew
	case len(policy) > 0:
		s.Action = PolicyOnly
	}
	return s
}

// arguments are those that an app would be started with now; nil: its default ones. Why is
// given when it would not be started.
func (c *Config) arguments(was signal.StartRequest) (args []string, why string) {
	if was.Group != "" && was.Member != "" {
		g, ok := c.Groups[was.Group]
		if !ok {
			return nil, fmt.Sprintf("there is no group %s any more", was.Group)
		}
		i := slices.IndexFunc(g.Members, func(m Member) bool { return m.Name == was.Member && m.App == was.App })
		if i < 0 {
			return nil, fmt.Sprintf("no longer a member of group %s", was.Group)
		}
		return g.Members[i].Args, ""
	}
	if was.Typed {
		return append([]string{}, was.Args...), ""
	}
	return nil, ""
}

// differences names the keys in which two requests differ: those for which the program has
// to be started anew, and those that count at once.
func differences(a, b signal.StartRequest) (program, policy []string) {
	note := func(list *[]string, key string, same bool) {
		if !same {
			*list = append(*list, key)
		}
	}
	note(&program, "path", a.Path == b.Path)
	note(&program, "args", slices.Equal(a.Args, b.Args))
	note(&program, "dir", a.Dir == b.Dir)
	note(&program, "env", maps.Equal(a.Env, b.Env))
	note(&program, "env_file", slices.Equal(a.EnvFiles, b.EnvFiles))
	note(&program, "user", a.User == b.User)
	note(&program, "pty", a.Pty == b.Pty)
	note(&program, "limits", a.Limits == b.Limits)
	note(&policy, "daemon", a.Daemon == b.Daemon)
	note(&policy, "autostart", a.Autostart == b.Autostart)
	note(&policy, "restart", restartOf(a.Restart) == restartOf(b.Restart))
	note(&policy, "backoff", a.Backoff.OrDefault() == b.Backoff.OrDefault())
	note(&policy, "breaker", a.Breaker == b.Breaker)
	note(&policy, "stop_timeout", a.StopAfter == b.StopAfter)
	note(&policy, "stop_signal", a.StopSignal == b.StopSignal)
	note(&policy, "depends_on", slices.Equal(a.DependsOn, b.DependsOn))
	note(&policy, "ready", reflect.DeepEqual(a.Ready, b.Ready))
	note(&policy, "health", reflect.DeepEqual(a.Health, b.Health))
	note(&policy, "log", a.Log.OrDefault() == b.Log.OrDefault())
	return program, policy
}

func restartOf(r signal.Restart) signal.Restart {
	if r == "" {
		return signal.RestartNo
	}
	return r
}

// additions are the new members of groups that are up, and what newly starts with the daemon.
func additions(old, next *Config, running []Running) (steps []Step) {
	up := map[string]bool{}
	have := map[membership]bool{}
	apps := map[string]bool{}
	for _, r := range running {
		up[r.Request.Group] = true
		have[membership{group: r.Request.Group, member: r.Request.Member}] = true
		apps[r.Request.App] = true
	}
	for _, name := range sortedKeys(next.Groups) {
		if !up[name] {
			continue
		}
		for _, m := range next.Groups[name].Members {
			was := slices.ContainsFunc(old.Groups[name].Members, func(o Member) bool { return o.Name == m.Name && o.App == m.App })
			if was || have[membership{group: name, member: m.Name}] && !next.replaces(running, name, m) {
				continue
			}
			r, err := next.memberRequest(name, m)
			steps = append(steps, addition(r, m.App, err, fmt.Sprintf("new in group %s, which is up", name)))
			apps[m.App] = true
		}
	}
	for _, name := range sortedKeys(next.Apps) {
		app := next.Apps[name]
		if !app.Autostart || old.Apps[name].Autostart || apps[name] {
			continue
		}
		r, err := next.Request(app, nil)
		steps = append(steps, addition(r, name, err, "autostart"))
	}
	return steps
}

// replaces says whether the member of this name that runs is another app, which goes.
func (c *Config) replaces(running []Running, group string, m Member) bool {
	return !slices.ContainsFunc(running, func(r Running) bool {
		return r.Request.Group == group && r.Request.Member == m.Name && r.Request.App == m.App
	})
}

func addition(r signal.StartRequest, app string, err error, why string) Step {
	s := Step{Action: Add, App: app, Group: r.Group, Member: r.Member, Why: why, request: r}
	if err != nil {
		s.Error = err.Error()
	}
	return s
}

// ranks number the apps so that each comes after those it depends on.
func (c *Config) ranks() map[string]int {
	rank := map[string]int{}
	var visit func(name string, depth int)
	visit = func(name string, depth int) {
		if _, ok := rank[name]; ok || depth > len(c.Apps) {
			return
		}
		for _, d := range c.Apps[name].DependsOn {
			visit(d.App, depth+1)
		}
		if _, ok := rank[name]; !ok {
			rank[name] = len(rank)
		}
	}
	for _, name := range sortedKeys(c.Apps) {
		visit(name, 0)
	}
	return rank
}
