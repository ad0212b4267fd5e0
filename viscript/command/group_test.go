package command

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/skycoin/viscript/signal"
)

// needing is an app that others must be ready for.
func needing(names ...string) (a App) {
	for _, n := range names {
		a.DependsOn = append(a.DependsOn, signal.Dependency{App: n, On: signal.OnReady})
	}
	return a
}

func TestStartOrder(t *testing.T) {
	cfg := &Config{Apps: map[string]App{
		"a": {}, "b": needing("x"), "x": needing("a"), "c": needing("b", "b"),
	}}
	member := func(names ...string) (g Group) {
		for _, n := range names {
			g.Members = append(g.Members, Member{App: n[:1], Name: n})
		}
		return g
	}
	for _, c := range []struct{ in, want []string }{
		{nil, nil},
		{[]string{"a2", "a1"}, []string{"a2", "a1"}},
		{[]string{"c", "b", "a"}, []string{"a", "b", "c"}},
		{[]string{"b", "a1", "a2"}, []string{"a1", "a2", "b"}},
		{[]string{"b"}, []string{"b"}},
	} {
		members, needs := cfg.StartOrder(member(c.in...))
		var got []string
		for i, m := range members {
			got = append(got, m.Name)
			for _, n := range needs[i] {
				if n.At >= i || n.On != signal.OnReady {
					t.Errorf("%v: %s needs a later one", c.in, m.Name)
				}
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%v: order %v, want %v", c.in, got, c.want)
		}
	}
}

func TestUpDown(t *testing.T) {
	b := newBench(t)
	out, _ := b.run("up demo", OK)
	has(t, out, "manager  ID 1     ready    after ", "node0    ID ", "node1    ID ")
	first := b.host.calls
	if first[0] != "start manager -p 1" || first[1] != "ready manager" {
		t.Errorf("calls %q", first)
	}
	sorted := slices.Sorted(slices.Values(first))
	if want := []string{"ready manager", "ready node", "ready node", "start manager -p 1", "start node", "start node 0"}; !slices.Equal(sorted, want) {
		t.Errorf("calls %q", sorted)
	}

	// Members that run are left; one with the same arguments that was started by hand is not one.
	b.run("start node", OK)
	b.run("sd 2", OK)
	out, _ = b.run("up demo", OK)
	if strings.Count(out, "already") != 2 || strings.Count(out, "after") != 1 {
		t.Errorf("second up:\n%s", out)
	}
	has(t, b.json("up demo"), `"group":"demo","ok":true`, `{"member":"manager","app":"manager","id":1,"result":"running"}`)

	b.host.calls = nil
	out, _ = b.run("down demo", OK)
	if n := len(b.host.calls); n != 3 || b.host.calls[2] != "stop 1" {
		t.Errorf("calls %q", b.host.calls)
	}
	has(t, out, "manager: app 1 (pid 101) ended when asked to")
	out, _ = b.run("down demo", OK)
	has(t, out, "no app of demo is running")
	if got := b.json("down demo"); got != `{"group":"demo","ok":true,"members":[]}` {
		t.Error(got)
	}
	if a, _ := b.host.find(4); a == nil || !live(*a) {
		t.Error("the app that was started by hand was stopped")
	}
}

func TestUpFailure(t *testing.T) {
	b := newBench(t)
	b.cfg.Groups["demo"] = Group{Name: "demo", Members: append(b.cfg.Groups["demo"].Members, Member{App: "echo", Name: "echo"})}
	b.host.broken = map[string]string{"manager": "it exited with code 1"}
	b.host.log = "port in use\n"
	out, errs := b.run("up demo", Failed)
	has(t, out, "failed   it exited with code 1\n  | port in use\n", "skipped  needs manager", "echo     ID ")
	has(t, errs, "error: up demo: manager: it exited with code 1\n")
	if slices.ContainsFunc(b.host.starts, func(r signal.StartRequest) bool { return r.App == "node" }) {
		t.Error("a node was started without its manager")
	}
}

func TestUpMissingProgram(t *testing.T) {
	b := newBench(t)
	b.cfg.Groups["demo"] = Group{Name: "demo", Members: []Member{{App: "gone", Name: "gone"}, {App: "vanished", Name: "vanished"}, {App: "echo", Name: "echo"}}}
	out, errs := b.run("up demo", Failed)
	has(t, errs, "there is no program", `there is no app "vanished"`)
	has(t, out, "echo      ID 1     ready")
}

func TestUpOnceAtATime(t *testing.T) {
	b := newBench(t)
	b.env.Members.enter("demo")
	_, errs := b.run("up demo", Failed)
	has(t, errs, "another up or down of demo is under way")
	b.env.Members.leave("demo")
	b.run("up demo", OK)
}

func TestUpChangedArgs(t *testing.T) {
	b := newBench(t)
	b.run("up demo", OK)
	b.cfg.Groups["demo"].Members[0].Args = []string{"changed"}
	out, _ := b.run("up demo", OK)
	if strings.Count(out, "already") != 2 {
		t.Error(out)
	}
}

func TestComplete(t *testing.T) {
	b := newBench(t)
	b.cfg.Apps["odd name"] = App{}
	b.run("start node", OK)
	b.run("start echo", OK)
	b.run("sd 2", OK)
	for line, want := range map[string]string{
		"st":            "0:start",
		"s":             "0:shutdown start",
		"":              "0:" + strings.Join(b.table.candidates(t.Context(), b.env, nil), " "),
		"start n":       "6:node",
		"s ":            "2:echo gone manager node 'odd name'",
		"s odd":         "2:'odd name'",
		"s 'odd":        "2:'odd name'",
		"start node ":   "11:",
		"ping ":         "5:1 node",
		"ping no":       "5:node",
		"sd 2":          "3:",
		"why ":          "4:1 2 echo node",
		"logs -f ":      "8:1 2 echo node",
		"logs -n 5 ":    "10:1 2 echo node",
		"logs -n ":      "8:",
		"logs -n 5 1 ":  "12:",
		"up ":           "3:demo",
		"help no":       "5:node",
		"help sta":      "5:start",
		"tell ":         "5:1 node",
		"tell 1 l":      "7:links log-level",
		"tell node l":   "10:links log-level",
		"tell 1 links ": "13:",
		"tell x ":       "7:",
		"tell 9 ":       "7:",
		"nonsense ":     "9:",
		`start node\`:   "11:",
		"la ":           "3:",
	} {
		from, got := b.table.Complete(t.Context(), b.env, line)
		if s := fmt.Sprintf("%d:%s", from, strings.Join(got, " ")); s != want {
			t.Errorf("%q: %s, want %s", line, s, want)
		}
	}
}
