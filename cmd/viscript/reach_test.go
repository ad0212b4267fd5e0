//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/identity"
)

// testReach asks node0 about node2 in all ways, and checks the fields that scripts rely on.
func testReach(t *testing.T, d *demo) {
	id := d.id(t, "node0")
	eventuallyTrue(t, "there is a session", d.works)
	d.eachHas(t, id, "links", "peer state carrier addr dialed age_seconds rtt_ms sent_bytes received_bytes key",
		"jitter_ms loss_percent capacity_bytes_per_second queued_bytes")
	d.eachHas(t, id, "routes", "route role src dst age_seconds src_key dst_key",
		"prev next idle_seconds forward_records forward_bytes back_records back_bytes marked_records dropped_records prev_key next_key")
	d.eachHas(t, id, "sessions", "peer state age_seconds rtt_ms window_bytes key",
		"initiator paths streams streams_opened sent_bytes received_bytes in_flight_bytes retained_bytes resent_records switches")

	eventuallyTrue(t, "ping answers", func() error {
		var ping map[string]json.RawMessage
		if err := d.answer(&ping, "tell", id, "ping", "node2", "3"); err != nil || string(ping["node"]) != `"node2"` || string(ping["sent"]) != "3" {
			return fmt.Errorf("%s, %v", ping, err)
		}
		return lacks(ping, "node sent min_ms avg_ms max_ms key", "found_ms lost path")
	})
	eventuallyTrue(t, "trace answers", func() error {
		var hops []map[string]json.RawMessage
		err := d.answer(&hops, "tell", id, "trace", "node2")
		for i, name := range []string{"node0", "node1", "node2"} {
			if err != nil || len(hops) != 3 || string(hops[i]["node"]) != `"`+name+`"` {
				return fmt.Errorf("%s, %v", hops, err)
			}
			want := "node key"
			if i > 0 {
				want += " hop rtt_ms sent"
			}
			if err := lacks(hops[i], want, ""); err != nil {
				return err
			}
		}
		return nil
	})
	var why struct {
		Node      string
		Reachable bool
		Cause     string
		RTT       float64 `json:"rtt_ms"`
		Checks    []map[string]string
	}
	eventuallyTrue(t, "why says that node2 is reached", func() error {
		err := d.answer(&why, "tell", id, "why", "node2")
		if err != nil || !why.Reachable || why.Cause != "reachable" || why.RTT <= 0 || len(why.Checks) < 3 {
			return fmt.Errorf("it answers %+v, %v", why, err)
		}
		return nil
	})
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

// eachHas asks an app until it has rows, all of them with these fields: those of filled neither zero nor empty, which they are for a moment.
func (d *demo) eachHas(t *testing.T, id, word, filled, there string) {
	t.Helper()
	eventuallyTrue(t, word+" have their fields", func() error {
		var rows []map[string]json.RawMessage
		if err := d.answer(&rows, "tell", id, word); err != nil || len(rows) == 0 {
			return fmt.Errorf("%d rows, %v", len(rows), err)
		}
		for _, r := range rows {
			if err := lacks(r, filled, there); err != nil {
				return err
			}
		}
		return nil
	})
}

// answer is json for a command that may fail at the moment.
func (d *demo) answer(into any, args ...string) error {
	out, errs, code := d.exec(append([]string{"--json"}, args...)...)
	if code != exitOK {
		return fmt.Errorf("exit status %d: %s", code, errs)
	}
	return json.Unmarshal([]byte(out), into)
}

// lacks says which field an object has not, or is zero or empty where it must be filled.
func lacks(got map[string]json.RawMessage, filled, there string) error {
	for _, name := range strings.Fields(filled) {
		if v := string(got[name]); v == "" || v == "null" || v == `""` || v == "0" {
			return fmt.Errorf("%q is %q in %s", name, v, got)
		}
	}
	for _, name := range strings.Fields(there) {
		if _, ok := got[name]; !ok {
			return fmt.Errorf("no %q in %s", name, got)
		}
	}
	return nil
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
	var asked time.Time
	eventuallyTrue(t, "the log has it", func() error {
		if time.Since(asked) > 12*time.Second { // once; again where another failure of less than ten seconds before kept it out of the log
			if got := d.ask(t, 1, nobody+".mesh", "80"); got != replyNoNet {
				t.Fatalf("reply %d, want %d", got, replyNoNet)
			}
			asked = time.Now()
		}
		out := d.ok(t, "logs", entry)
		for _, want := range []string{"finding a route to " + nobody, `code="no route (7)"`, "unknown key"} {
			if !strings.Contains(out, want) {
				return fmt.Errorf("no %q in\n%s", want, out)
			}
		}
		return nil
	})
}
