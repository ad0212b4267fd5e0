package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/host"
)

// keeperHost is a fakeHost that keeps requests, and answers Await from a table.
type keeperHost struct {
	*fakeHost
	requests map[signal.ID]signal.StartRequest
	await    map[string]error // "app condition": why it is never met
	refuse   map[signal.ID]error
}

var _ host.Supervisor = (*keeperHost)(nil)

func (k *keeperHost) Start(ctx context.Context, r signal.StartRequest) (signal.App, error) {
	a, err := k.fakeHost.Start(ctx, r)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.requests[a.ID] = r
	row, _ := k.find(a.ID)
	row.Group, row.Member = r.Group, r.Member
	return a, err
}

func (k *keeperHost) Await(_ context.Context, id signal.ID, on signal.Condition) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	a, err := k.find(id)
	if err != nil {
		return err
	}
	k.note("await %s %s", a.App, on)
	return k.await[a.App+" "+string(on)]
}

func (k *keeperHost) Request(_ context.Context, id signal.ID) (signal.StartRequest, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, err := k.find(id)
	return k.requests[id], err
}

func (k *keeperHost) SetPolicy(_ context.Context, id signal.ID, r signal.StartRequest) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.note("policy %d", id)
	if err := k.refuse[id]; err != nil {
		return err
	}
	k.requests[id] = r
	return nil
}

func (k *keeperHost) Restart(ctx context.Context, id signal.ID) (signal.App, error) {
	k.mu.Lock()
	k.note("restart %d", id)
	k.mu.Unlock()
	return k.fakeHost.Restart(ctx, id)
}

func newKeeperBench(t *testing.T) (*bench, *keeperHost) {
	b := newBench(t)
	k := &keeperHost{fakeHost: b.host, requests: map[signal.ID]signal.StartRequest{}, await: map[string]error{}, refuse: map[signal.ID]error{}}
	b.env.Host = k
	return b, k
}

// reloadTo makes next what the file says.
func (b *bench) reloadTo(next *Config) {
	b.env.Load = func() (*Config, error) { return next, nil }
	b.env.Reload = func() (Changes, error) {
		old := b.cfg
		b.cfg = next
		return Compare(old, next), nil
	}
}

// changed is a copy of the configuration after change.
func (b *bench) changed(change func(*Config)) *Config {
	next := &Config{File: b.cfg.File, Apps: maps.Clone(b.cfg.Apps), Groups: maps.Clone(b.cfg.Groups), Settings: b.cfg.Settings}
	change(next)
	return next
}

func (c *Config) edit(name string, change func(*App)) {
	a := c.Apps[name]
	change(&a)
	c.Apps[name] = a
}

func TestUpWaitsForConditions(t *testing.T) {
	b, k := newKeeperBench(t)
	app := func(needs ...signal.Dependency) App {
		return App{Path: "/bin/sh", Policy: signal.Policy{DependsOn: needs}}
	}
	on := func(name string, c signal.Condition) signal.Dependency { return signal.Dependency{App: name, On: c} }
	b.cfg = &Config{File: b.cfg.File, Apps: map[string]App{
		"db": app(), "migrate": app(on("db", signal.OnReady)), "cache": app(),
		"web":  app(on("db", signal.OnHealthy), on("migrate", signal.OnExited), on("cache", signal.OnStarted)),
		"late": app(on("outside", signal.OnReady)), "outside": app(on("web", signal.OnReady)),
	}, Groups: map[string]Group{}}
	var g Group
	for name, a := range b.cfg.Apps {
		a.Name = name
		b.cfg.Apps[name] = a
	}
	for _, name := range []string{"late", "web", "migrate", "db", "cache"} {
		g.Members = append(g.Members, Member{App: name, Name: name})
	}
	g.Name = "all"
	b.cfg.Groups["all"] = g
	out, _ := b.run("up all", OK)
	has(t, out, "migrate  ID ", "exited   after", "late     ID ")
	at := func(call string) int {
		i := slices.Index(k.calls, call)
		if i < 0 {
			t.Fatalf("%q is not in %q", call, k.calls)
		}
		return i
	}
	for _, order := range [][2]string{
		{"ready db", "start migrate"}, {"await db healthy", "start web"}, {"await migrate exited", "start web"}, {"start cache", "start web"}, {"ready web", "start late"},
	} {
		if at(order[0]) > at(order[1]) {
			t.Errorf("%s came after %s: %q", order[0], order[1], k.calls)
		}
	}
	if slices.Contains(k.calls, "ready migrate") || slices.Contains(k.calls, "await cache started") {
		t.Errorf("%q", k.calls)
	}
}

func TestUpConditionNotMet(t *testing.T) {
	b, k := newKeeperBench(t)
	k.await["manager healthy"] = errors.New("status 503")
	b.cfg.edit("node", func(a *App) { a.DependsOn = []signal.Dependency{{App: "manager", On: signal.OnHealthy}} })
	out, _ := b.run("up demo", OK) // nothing failed, but what needs it was left out
	has(t, out, "manager  ID 1     ready", "node0    ID -     skipped  needs manager (healthy): status 503")

	b, k = newKeeperBench(t)
	k.await["manager exited"] = errors.New("exited with code 4")
	b.cfg.edit("node", func(a *App) { a.DependsOn = []signal.Dependency{{App: "manager", On: signal.OnExited}} })
	out, _ = b.run("up demo", Failed)
	has(t, out, "manager  ID 1     failed   exited with code 4", "skipped  needs manager\n")

	b = newBench(t) // a host that keeps nothing
	b.cfg.edit("node", func(a *App) { a.DependsOn = []signal.Dependency{{App: "manager", On: signal.OnHealthy}} })
	out, _ = b.run("up demo", OK)
	has(t, out, "this host cannot tell when an app is healthy")
}

func TestUpFindsMembersOfAnEarlierDaemon(t *testing.T) {
	b, _ := newKeeperBench(t)
	b.run("up demo", OK)
	b.env.Members = &Members{}
	out, _ := b.run("up demo", OK)
	if strings.Count(out, "already") != 3 {
		t.Error(out)
	}
	out, _ = b.run("down demo", OK)
	if strings.Count(out, "ended when asked") != 3 {
		t.Error(out)
	}
}

func TestReloadPlan(t *testing.T) {
	b, k := newKeeperBench(t)
	b.run("up demo", OK)                                                              // 1 manager, 2 and 3 nodes
	b.run("start echo", OK)                                                           // 4
	b.run("start echo typed", OK)                                                     // 5
	b.run("start manager 9", OK)                                                      // 6
	b.run("start echo ended", OK)                                                     // 7
	b.run("sd 7", OK)                                                                 // ended: not in the plan
	k.fakeHost.Start(t.Context(), signal.StartRequest{App: "shell", Path: "/bin/sh"}) // 8: not from a configuration
	next := b.changed(func(c *Config) {
		c.edit("manager", func(a *App) { a.Restart = signal.RestartAlways; a.Log.Count = 9 })
		c.edit("echo", func(a *App) { a.DefaultArgs = []string{"hello"}; a.Desc = "only words" })
		c.Apps["cron"] = App{Name: "cron", Path: "/bin/sh", Policy: signal.Policy{Autostart: true}}
		c.Groups["demo"] = Group{Name: "demo", Members: []Member{
			{App: "node", Name: "node0", Args: []string{"0", "new"}}, {App: "manager", Name: "manager"}, {App: "cron", Name: "tick"},
		}}
	})
	b.reloadTo(next)
	k.calls = nil
	out, _ := b.run("reload --dry-run", OK)
	lines := []string{
		"remove   node (node1)  ID 3  no longer a member of group demo",
		"same     echo          ID 5",
		"restart  echo          ID 4  args",
		"policy   manager       ID 1  restart, log",
		"policy   manager       ID 6  restart, log",
		"restart  node (node0)  ID 2  args",
		"add      cron (tick)         new in group demo, which is up",
		"nothing was done: --dry-run",
	}
	has(t, out, lines...)
	if strings.Contains(out, "shell") || strings.Contains(out, "ID 7") || strings.Count(out, "cron (tick)") != 1 || strings.Contains(out, "hello") {
		t.Errorf("\n%s", out)
	}
	if len(k.calls) > 0 || b.cfg == next {
		t.Errorf("a dry run did %q", k.calls)
	}

	var answer struct {
		DryRun bool `json:"dry_run"`
		Plan   []struct {
			Action  string
			App     string
			ID      int
			Changed []string
		}
	}
	if err := json.Unmarshal([]byte(b.json("reload --dry-run")), &answer); err != nil || !answer.DryRun || len(answer.Plan) != 7 {
		t.Errorf("%+v %v", answer, err)
	}

	out, _ = b.run("reload", OK)
	has(t, out, lines[:len(lines)-1][:6]...)
	has(t, out, "add      cron (tick)   ID 9")
	want := []string{"stop 3", "policy 4", "restart 4", "policy 1", "policy 6", "policy 2", "restart 2", "start cron", "ready cron"}
	slices.Sort(want)
	got := slices.Sorted(slices.Values(k.calls))
	if !slices.Equal(got, want) || k.calls[0] != "stop 3" || k.calls[len(k.calls)-1] != "ready cron" {
		t.Errorf("did %q", k.calls)
	}
	if r := k.requests[9]; r.Group != "demo" || r.Member != "tick" {
		t.Errorf("%+v", r)
	}
	if r := k.requests[1]; r.Restart != signal.RestartAlways || r.Log.Count != 9 {
		t.Errorf("%+v", r)
	}

	k.calls = nil
	out, _ = b.run("reload", OK)
	if len(k.calls) > 0 || strings.Count(out, "same") != 7-1 {
		t.Errorf("the second time: %q\n%s", k.calls, out)
	}
}

func TestReloadOfCommentsChangesNothing(t *testing.T) {
	b, k := newKeeperBench(t)
	b.run("up demo", OK)
	k.calls = nil
	b.reloadTo(b.changed(func(c *Config) {
		c.edit("node", func(a *App) { a.Desc, a.Help, a.Restart = "other", "words", signal.RestartNo })
		c.Settings.VerboseInput = true
	}))
	out, _ := b.run("reload", OK)
	if len(k.calls) > 0 || strings.Count(out, "same ") != 3 {
		t.Errorf("%q\n%s", k.calls, out)
	}
}

func TestReloadRemoves(t *testing.T) {
	b, k := newKeeperBench(t)
	b.run("up demo", OK)
	b.run("start echo", OK)
	k.calls = nil
	b.reloadTo(b.changed(func(c *Config) {
		delete(c.Groups, "demo")
		delete(c.Apps, "echo")
	}))
	out, _ := b.run("reload", OK)
	has(t, out, "remove  echo ", "no longer configured", "there is no group demo any more")
	last := k.calls[len(k.calls)-1]
	if len(k.calls) != 4 || last != "stop 1" && last != "stop 4" || slices.Index(k.calls, "stop 1") < slices.Index(k.calls, "stop 2") {
		t.Errorf("the manager was stopped before its nodes: %q", k.calls)
	}
}

func TestReloadFailures(t *testing.T) {
	b, k := newKeeperBench(t)
	b.run("up demo", OK)
	b.run("start echo", OK)
	k.refuse[1] = errors.New("no such thing")
	k.calls = nil
	b.reloadTo(b.changed(func(c *Config) {
		c.edit("manager", func(a *App) { a.Dir = "elsewhere" })
		c.edit("node", func(a *App) { a.Path = "/no/such/program" })
		c.edit("echo", func(a *App) { a.User = "nobody" })
	}))
	out, errs := b.run("reload", Failed)
	has(t, out, "same     node (node0)  ID 2  failed: app \"node\": there is no program", "restart  manager       ID 1  dir; failed: no such thing", "restart  echo          ID 4  user")
	has(t, errs, "manager: no such thing")
	if !slices.Contains(k.calls, "restart 4") || slices.Contains(k.calls, "restart 1") || slices.Contains(k.calls, "stop 2") {
		t.Errorf("%q", k.calls)
	}

	b.env.Reload = func() (Changes, error) { return Changes{}, errors.New("x.yaml:3: broken") }
	b.env.Load = func() (*Config, error) { return nil, errors.New("x.yaml:3: broken") }
	k.calls = nil
	for _, line := range []string{"reload", "reload --dry-run"} {
		_, errs = b.run(line, Failed)
		has(t, errs, "nothing was changed: x.yaml:3: broken")
	}
	b.env.Members.enter(reloading)
	_, errs = b.run("reload", Failed)
	has(t, errs, "another one is under way")
	if len(k.calls) > 0 {
		t.Errorf("%q", k.calls)
	}
}

func TestReloadAutostart(t *testing.T) {
	b, k := newKeeperBench(t)
	b.cfg.edit("manager", func(a *App) { a.Autostart = true }) // not running: somebody stopped it
	k.calls = nil
	b.reloadTo(b.changed(func(c *Config) {
		c.edit("node", func(a *App) { a.Autostart = true }) // depends on what is down, which is not in the plan
		c.edit("gone", func(a *App) { a.Autostart = true })
	}))
	out, _ := b.run("reload", Failed)
	has(t, out, "add  gone        autostart; failed: app \"gone\": there is no program", "add  node  ID 1  autostart")
	if fmt.Sprint(k.calls) != "[start node ready node]" {
		t.Errorf("%q", k.calls)
	}
}

func TestDifferencesSeeEveryKey(t *testing.T) {
	base := signal.StartRequest{}
	p, s := differences(base, base)
	if len(p)+len(s) > 0 {
		t.Errorf("%v %v", p, s)
	}
	full := signal.StartRequest{
		Path: "x", Args: []string{"x"}, Dir: "x", Env: map[string]string{"x": "x"}, Daemon: true, EnvFiles: []string{"x"}, User: "x", Pty: true,
		Limits: signal.Limits{Files: 9}, Policy: signal.Policy{
			Autostart: true, Restart: signal.RestartAlways, Backoff: signal.Backoff{Min: 1}, Breaker: signal.Breaker{Starts: 1}, StopAfter: 1, StopSignal: "x",
			DependsOn: []signal.Dependency{{App: "x"}}, Ready: &signal.Probe{}, Health: &signal.Probe{}, Log: signal.LogCaps{Count: 1},
		},
	}
	p, s = differences(base, full)
	if len(p) != 8 || len(s) != 11 {
		t.Errorf("%v %v", p, s)
	}
}

func TestCompleteReload(t *testing.T) {
	b := newBench(t)
	for line, want := range map[string]string{"reload ": "7:--dry-run --watch", "reload --watch ": "15:on off", "reload --dry-run ": "17:"} {
		from, got := b.table.Complete(t.Context(), b.env, line)
		if s := fmt.Sprintf("%d:%s", from, strings.Join(got, " ")); s != want {
			t.Errorf("%q: %s, want %s", line, s, want)
		}
	}
}
