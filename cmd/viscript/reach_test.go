//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/skycoin/viscript/node/identity"
)

// testReach asks node0 about node2 in all ways, and checks the fields that scripts rely on.
func testReach(t *testing.T, d *demo) {
	id := d.id(t, "node0")
	var links, routes, sessions, hops []map[string]json.RawMessage
	if err := d.works(); err != nil { // so that there is a session
		t.Fatal(err)
	}
	d.json(t, &links, "tell", id, "links")
	for _, r := range links {
		wantFields(t, "links", r, "peer", "state", "carrier", "addr", "dialed", "age_seconds", "rtt_ms", "sent_bytes", "received_bytes", "key")
		hasFields(t, "links", r, "jitter_ms", "loss_percent", "capacity_bytes_per_second", "queued_bytes")
	}
	d.json(t, &routes, "tell", id, "routes")
	for _, r := range routes {
		wantFields(t, "routes", r, "route", "role", "src", "dst", "age_seconds", "src_key", "dst_key")
		hasFields(t, "routes", r, "prev", "next", "idle_seconds", "forward_records", "forward_bytes", "back_records", "back_bytes", "marked_records", "dropped_records", "prev_key", "next_key")
	}
	d.json(t, &sessions, "tell", id, "sessions")
	for _, r := range sessions {
		wantFields(t, "sessions", r, "peer", "state", "age_seconds", "rtt_ms", "window_bytes", "key")
		hasFields(t, "sessions", r, "initiator", "paths", "streams", "streams_opened", "sent_bytes", "received_bytes", "in_flight_bytes", "retained_bytes", "resent_records", "switches")
	}
	if len(links) == 0 || len(routes) == 0 || len(sessions) == 0 {
		t.Errorf("node0 has %d links, %d routes, %d sessions", len(links), len(routes), len(sessions))
	}

	var ping map[string]json.RawMessage
	d.json(t, &ping, "tell", id, "ping", "node2", "3")
	wantFields(t, "ping", ping, "node", "sent", "min_ms", "avg_ms", "max_ms", "key")
	hasFields(t, "ping", ping, "found_ms", "lost", "path")
	if string(ping["node"]) != `"node2"` || string(ping["sent"]) != "3" {
		t.Errorf("ping answers %s", ping)
	}
	d.json(t, &hops, "tell", id, "trace", "node2")
	for i, name := range []string{"node0", "node1", "node2"} {
		if len(hops) != 3 || string(hops[i]["node"]) != `"`+name+`"` {
			t.Fatalf("trace answers %s", hops)
		}
		wantFields(t, "trace", hops[i], "node", "key")
		if i > 0 {
			wantFields(t, "trace", hops[i], "hop", "rtt_ms", "sent")
		}
	}
	var why struct {
		Node      string
		Reachable bool
		Cause     string
		RTT       float64 `json:"rtt_ms"`
		Checks    []map[string]string
	}
	d.json(t, &why, "tell", id, "why", "node2")
	if !why.Reachable || why.Cause != "reachable" || why.RTT <= 0 || len(why.Checks) < 3 {
		t.Errorf("why answers %+v", why)
	}
	nobody := stranger(t)
	d.json(t, &why, "tell", id, "why", nobody)
	if why.Reachable || why.Cause != "unknown-key" {
		t.Errorf("why answers %+v of a stranger", why)
	}
	for _, c := range []struct{ args, want string }{
		{"ping", "ping takes"}, {"ping node2 0", `COUNT "0"`}, {"ping node2 1000", `COUNT "1000"`}, {"ping node2 x", `COUNT "x"`},
		{"ping nobody", `no node is called "nobody"`}, {"trace", "trace takes"}, {"why a b", "why takes"}, {"why -", `"-" is neither a key`},
		{"ping " + strings.Repeat("zz", 33), "KEY"}, {"trace " + nobody, "unknown key"},
	} {
		_, errs, code := d.exec(append([]string{"tell", id}, strings.Fields(c.args)...)...)
		if code == exitOK || !strings.Contains(errs, c.want) {
			t.Errorf("%s: exit status %d, %q, want %q", c.args, code, errs, c.want)
		}
	}
}

// stranger is the key of a node that nobody knows.
func stranger(t *testing.T) string {
	t.Helper()
	k, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return k.Public().String()
}

// testNoWay asks the proxy for a node that is nowhere: the program gets the right reply, people the reason.
func testNoWay(t *testing.T, d *demo) {
	entry := d.id(t, "entry")
	nobody := stranger(t)
	if got := d.ask(t, 1, nobody+".mesh", "80"); got != replyNoNet {
		t.Errorf("reply %d, want %d", got, replyNoNet)
	}
	eventuallyTrue(t, "the log has it", func() error {
		out := d.ok(t, "logs", entry)
		for _, want := range []string{"finding a route to " + nobody, `code="no route (7)"`, "unknown key"} {
			if !strings.Contains(out, want) {
				return fmt.Errorf("no %q in\n%s", want, out)
			}
		}
		return nil
	})
}

// hasFields checks that an object has the fields, whatever their values.
func hasFields(t *testing.T, what string, got map[string]json.RawMessage, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, ok := got[name]; !ok {
			t.Errorf("%s: no %q", what, name)
		}
	}
}
