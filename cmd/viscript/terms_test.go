//go:build linux

package main

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/skycoin/viscript/signal"
)

// testTerms: an app that asks terms of its routes, and how that is told: by itself, by its node and by the far one. The exit is two
// links away, with node1 between.
func testTerms(t *testing.T, d *demo) {
	node := d.id(t, "node0")
	port := freePorts(t, 1)[0]
	entry := d.extra(t, "socks-client", "picky", d.addr(appPort0), port, "--min-hops", "2", "--max-hops", "3")
	defer func() { d.ok(t, "sd", entry) }()
	fetch := func() error {
		return errors.Join(d.works(), d.curl(nil, "-x", "socks5h://127.0.0.1:"+port, "-o", "/dev/null", "--max-time", "15", d.page("/bytes/1000")))
	}
	eventuallyTrue(t, "both ways carry something", fetch)
	const terms = "--min-hops 2 --max-hops 3"
	type row struct{ Terms, Role, Check, Says string }
	var status row
	d.json(t, &status, "tell", entry, "status")
	if status.Terms != terms {
		t.Errorf("the entry's status says %q", status.Terms)
	}
	told := func(id, want string, words ...string) {
		t.Helper()
		eventuallyTrue(t, fmt.Sprintf("tell %s %s has rows with %q and without any", id, words, want), func() error {
			var rows []row
			if err := d.answer(&rows, append([]string{"tell", id}, words...)...); err != nil {
				return err
			}
			if !slices.ContainsFunc(rows, func(r row) bool { return r.Terms == want }) || !slices.ContainsFunc(rows, func(r row) bool { return r.Terms == "" }) {
				return fmt.Errorf("%+v", rows)
			}
			return nil
		})
	}
	told(node, terms, "sessions")
	told(node, terms, "routes")
	told(d.id(t, "node2"), "those of the far end", "sessions")
	var why struct{ Checks []row }
	eventuallyTrue(t, "why knows of both sessions", func() error {
		err := d.answer(&why, "tell", node, "why", "node2")
		if err != nil || !slices.ContainsFunc(why.Checks, func(r row) bool { return r.Check == "session over "+terms }) {
			return fmt.Errorf("it answers %+v, %v", why.Checks, err)
		}
		return nil
	})

	port = freePorts(t, 1)[0]
	var started struct{ ID signal.ID }
	d.json(t, &started, "start", "socks-client", "direct", d.addr(appPort0), port, "--hops", "1")
	defer func() { d.ok(t, "sd", fmt.Sprint(started.ID)) }()
	eventuallyTrue(t, "why says what one link lacks", func() error {
		err := d.answer(&why, "tell", node, "why", "node2")
		if err != nil || !slices.ContainsFunc(why.Checks, func(r row) bool {
			return r.Check == "last failure over --hops 1" && r.Says != ""
		}) {
			return fmt.Errorf("it answers %+v, %v", why.Checks, err)
		}
		return nil
	})
}
