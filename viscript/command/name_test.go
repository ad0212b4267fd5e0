package command

import (
	"strings"
	"testing"

	"github.com/skycoin/viscript/signal"
)

func TestNames(t *testing.T) {
	b := newBench(t)
	b.run("up demo", OK)
	b.run("start echo", OK)
	nodes := map[string]string{}
	for _, a := range b.host.apps {
		nodes[nameOf(a)] = strings.TrimPrefix(a.Command, "/bin/sh ")
	}
	out, _ := b.run("la", OK)
	has(t, out, "ID  NAME     STATE  PID  UPTIME\n 1  manager  ready  101   1m30s\n", "  node0    ready  ", "  node1    ready  ", " 4  echo     ready ")
	out, _ = b.run("la -f", OK)
	has(t, out, "UPTIME  APP      COMMAND\n", "1m30s  node     /bin/sh 0\n")
	if nodes["node0"] != "0" {
		t.Errorf("node0 was started with %q", nodes["node0"])
	}
	out, _ = b.run("ping echo", OK)
	has(t, out, "app 4 answered")
	node1, err := FindApp(t.Context(), b.host, "node1")
	if err != nil {
		t.Fatal(err)
	}
	if id, err := FindApp(t.Context(), b.host, "07"); id != 7 || err != nil {
		t.Error(id, err)
	}
	out, _ = b.run("why node1", OK)
	has(t, out, "app        node1 (ID ", "member of  group demo; the app is node\n")
	has(t, b.json("top"), `"app":"node","group":"demo","member":"node0"`)
	out, _ = b.run("top", OK)
	has(t, out, "  node0    ready", "  node1    ready")
	b.host.events = []signal.Event{{Seq: 1, Time: clock, ID: node1, App: "node", Kind: "ready", Text: "ready"}, {Seq: 2, Time: clock, ID: 99, App: "old", Kind: "exited"}}
	out, _ = b.run("events", OK)
	has(t, out, " node1: ready\n", " 99 old\n")
	has(t, b.json("events"), `"app":"node","kind":"ready","text":"ready","member":"node1"}`)

	_, errs := b.run("sd node", Failed)
	has(t, errs, `error: shutdown: "node" is the name of 2 apps: `, "(node0)", "(node1)", "; give the ID of one")
	_, errs = b.run("ping nod1", Usage)
	has(t, errs, `"nod1" is no ID and no app's name; did you mean "node1"`)
	_, errs = b.run("ping gone", Failed)
	has(t, errs, "ping: no app gone runs; `start gone` starts it")
	b.run("sd node1", OK)
	if _, err := FindApp(t.Context(), b.host, "node"); err != nil { // one is left
		t.Error(err)
	}
	out, _ = b.run("why node1", OK) // the last start of it
	has(t, out, "exited")
	b.run("down demo", OK)
	_, errs = b.run("why node", Failed)
	has(t, errs, "is the name of 2 apps")
	b.run("start node", OK) // the only one that lists show as node
	if id, err := FindApp(t.Context(), b.host, "node"); err != nil || id <= node1 {
		t.Error(id, err)
	}
	b.run("sd node", OK)
	out, _ = b.run("why node", OK)
	has(t, out, "app        node (ID ")
	b.host.apps = nil
	_, errs = b.run("tell node0 links", Failed)
	has(t, errs, "tell: node0 of group demo does not run; `up demo` starts it")
	_, errs = b.run("exit", Usage)
	has(t, errs, `error: unknown command "exit"; did you mean "quit"? (`)
	_, errs = b.run("help exit", Usage)
	has(t, errs, `did you mean "quit"?`)
}

// TestElsewhere: what is suggested is there, and what is there is not suggested for.
func TestElsewhere(t *testing.T) {
	table := New()
	for word, meant := range elsewhere {
		if c := table.Lookup(meant); c == nil || c.Name != meant || table.Lookup(word) != nil {
			t.Errorf("%s for %s", meant, word)
		}
	}
}

func TestUpTellsStatuses(t *testing.T) {
	b := newBench(t)
	b.run("up demo", OK)
	for i := range b.host.apps {
		a := &b.host.apps[i]
		if a.Signal = true; nameOf(*a) == "node1" {
			a.Status = "try: this\x1b[2J"
		} else {
			a.Status = "serving"
		}
	}
	b.run("start echo", OK)
	b.host.apps[3].Status = "no member"
	out, _ := b.run("up demo", OK)
	has(t, out, "manager (ID 1): serving\n", "): try: this\ufffd[2J\n")
	if strings.Contains(out, "no member") {
		t.Error(out)
	}
}

func TestGroups(t *testing.T) {
	b := newBench(t)
	b.run("up demo", OK)
	b.run("kill manager", OK)
	out, _ := b.run("groups", OK)
	has(t, out, "GROUP  RUNNING  MEMBERS\ndemo    2 of 3  node0, manager, node1\n")
	has(t, b.json("groups"), `[{"group":"demo","running":2,"members":[{"member":"node0","app":"node","id":`, `{"member":"manager","app":"manager"}`)
	b.cfg = &Config{File: "x"}
	out, _ = b.run("groups", OK)
	has(t, out, "no groups: x names none")
}
