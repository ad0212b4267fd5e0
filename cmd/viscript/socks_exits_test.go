package main

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/identity"
)

func exitsFor(t *testing.T, n int) (*exits, []app.App) {
	t.Helper()
	x := newExits(nil, nil, nil)
	var apps []app.App
	for i := range n {
		key, err := identity.Generate()
		if err != nil {
			t.Fatal(err)
		}
		apps = append(apps, app.App{Name: fmt.Sprint("exit", i), Type: socksType, Node: key.Public(), Port: socksPort})
	}
	x.takeLocked(apps)
	return x, apps
}

func chosen(x *exits, now time.Time) string {
	x.mu.Lock()
	defer x.mu.Unlock()
	if s := x.chooseLocked(now); s != nil {
		return s.Name
	}
	return ""
}

// The exit in use stays until it fails; failed ones are taken up again when the others failed later, or when their time is over.
func TestExitsAreSticky(t *testing.T) {
	x, _ := exitsFor(t, 3)
	now := time.Now()
	bad := errors.New("no route")
	if got := chosen(x, now); got != "exit0" {
		t.Fatalf("%s first", got)
	}
	if !x.fail(x.use, bad) || chosen(x, now) != "exit1" {
		t.Errorf("after exit0 failed: %s", chosen(x, now))
	}
	x.known[0].failed = now.Add(-exitAgain - time.Second) // its time is over
	if got := chosen(x, now); got != "exit1" {
		t.Errorf("%s is preferred to the one in use", got)
	}
	if !x.fail(x.known[1], bad) || chosen(x, now) != "exit0" {
		t.Errorf("after exit1 failed: %s", chosen(x, now))
	}
	x.fail(x.known[0], bad)
	if got := chosen(x, now); got != "exit2" {
		t.Errorf("after both failed: %s", got)
	}
	if x.fail(x.known[2], bad) {
		t.Error("there is another, but all failed")
	}
	x.known[1].failed = time.Now().Add(-exitAgain + time.Second)
	if got := chosen(x, time.Now()); got != "exit1" {
		t.Errorf("with all of them failed: %s, not the one whose failure is the longest ago", got)
	}
	if x.known[0].failures != 2 {
		t.Errorf("%d failures counted", x.known[0].failures)
	}
	x.heard(x.known[0])
	if got := chosen(x, time.Now()); got != "exit0" {
		t.Errorf("after exit0 answered: %s", got)
	}
}

func TestExitsOfTheTracker(t *testing.T) {
	x, apps := exitsFor(t, 2)
	now := time.Now()
	chosen(x, now)
	x.takeLocked(apps[1:]) // its record has expired, but it works
	if got := chosen(x, now); got != "exit0" {
		t.Errorf("%s, though the one in use works", got)
	}
	moved := apps[0]
	moved.Port = 2000
	x.takeLocked([]app.App{apps[1], moved})
	if x.use.Port != 2000 || x.use.Name != "exit0" || len(x.known) != 2 {
		t.Errorf("in use is %+v", x.use.App)
	}
	x.fail(x.use, errors.New("gone"))
	x.takeLocked(apps[1:])
	if got := chosen(x, now); got != "exit1" || len(x.known) != 1 {
		t.Errorf("%s of %d", got, len(x.known))
	}
	x.takeLocked(nil)
	if got := chosen(x, now); got != "exit1" {
		t.Errorf("%q when the tracker knows nothing", got)
	}
	if rows := x.rows(); len(rows) != 1 || rows[0].State != "in use" || rows[0].Key != apps[1].Node {
		t.Errorf("%+v", rows)
	}
	empty := newExits(nil, []string{"a", "any"}, nil)
	if err := empty.noneLocked(); !errors.Is(err, &app.Refused{Code: app.CodeNoName}) || err.Error() == "" {
		t.Error(err)
	}
}

func TestSocksFlags(t *testing.T) {
	for text, ok := range map[string]bool{"40000-40099": true, "40000-40000": true, "80-90": false, "40099-40000": false, "40000": false, "x": false, "40000-70000": false} {
		x := &exit{}
		if err := x.parseBind(&exitFlags{bindPorts: text}); (err == nil) != ok {
			t.Errorf("--bind-ports %s: %v", text, err)
		}
	}
	for _, f := range []entryFlags{{rate: "fast"}, {conns: -1}, {auth: "/nonexistent"}} {
		if _, err := f.config(); err == nil {
			t.Errorf("%+v is taken", f)
		}
	}
	cfg, err := (&entryFlags{rate: "2MiB", conns: 5}).config()
	if err != nil || cfg.Limits.Each.Rate != 2<<20 || cfg.Limits.Each.Conns != 5 || cfg.EarlyReply {
		t.Errorf("%+v, %v", cfg.Limits, err)
	}
	key, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	x := &exit{}
	k := key.Public().String()
	if err := x.parseFlags(&exitFlags{keys: []string{k}, denied: []string{k}, rate: "1MB"}); err != nil || len(x.cfg.Keys) != 1 || !slices.Contains(x.cfg.DenyKeys, key.Public()) {
		t.Errorf("%+v, %v", x.cfg, err)
	}
	if err := (&exit{}).parseFlags(&exitFlags{denied: []string{"02"}}); err == nil {
		t.Error("half a key is taken")
	}
}
