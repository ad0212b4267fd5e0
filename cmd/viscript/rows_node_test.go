package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/skycoin/viscript/node"
	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/forward"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/link"
	"github.com/skycoin/viscript/node/session"
	"github.com/skycoin/viscript/node/wire"
)

func TestLinkTable(t *testing.T) {
	now := time.Now()
	a, b := identity.PubKey{2, 1}, identity.PubKey{2, 2}
	rows := linkTable(
		[]link.Info{{Peer: a, Carrier: "tcp", Addr: "10.0.0.1:1", Dialed: true, Since: now.Add(-time.Minute), RTT: 1500 * time.Microsecond,
			Jitter: 20 * time.Microsecond, Loss: 2500, Capacity: 1e6, SentBytes: 1, RecvBytes: 2, Queued: 3}},
		[]link.PeerInfo{
			{Key: a, Up: true},
			{Key: b, Addr: "10.0.0.2:1", LastError: "connection refused", Tries: 3, NextTry: now.Add(1500 * time.Millisecond)},
			{Addrs: []string{"10.0.0.3:1"}},
		}, called{a: "node0"}, now)
	got, err := json.Marshal(rows)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`[{"peer":"node0","state":"up","carrier":"tcp","addr":"10.0.0.1:1","dialed":true,"age_seconds":60,"rtt_ms":1.5,"jitter_ms":0.02,`+
		`"loss_percent":0.25,"capacity_bytes_per_second":1000000,"sent_bytes":1,"received_bytes":2,"queued_bytes":3,"key":"%s"},`+
		`{"peer":"02000000","state":"down","carrier":"","addr":"10.0.0.2:1","why":"connection refused","tries":3,"next_try":"in 1.5s","key":"%s"},`+
		`{"peer":"","state":"down","carrier":"","addr":"10.0.0.3:1","why":"not tried yet","next_try":"now","key":""}]`, a, b)
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestRouteTable(t *testing.T) {
	now := time.Now()
	src, dst := identity.PubKey{2, 1}, identity.PubKey{2, 2}
	rows := routeTable([]forward.Info{{
		Key: forward.Key{0xab}, Src: src, Dst: dst, Began: now.Add(-time.Minute), Used: now.Add(-2 * time.Second),
		Forward: forward.Count{Records: 1, Bytes: 2, Marked: 3, Dropped: 4}, Back: forward.Count{Records: 5, Bytes: 6, Marked: 7, Dropped: 8},
	}}, map[string]session.Terms{"ab000000": "--hops 2"}, called{src: "node0"}, now)
	want := routeRow{
		Route: "ab000000", Role: "source", Src: "node0", Dst: "02000000", AgeSeconds: 60, IdleSeconds: 2, ForwardRecords: 1, ForwardBytes: 2,
		BackRecords: 5, BackBytes: 6, Marked: 10, Dropped: 12, Terms: "--hops 2", SrcKey: src.String(), DstKey: dst.String(),
	}
	if len(rows) != 1 || rows[0] != want {
		t.Errorf("got  %+v\nwant %+v", rows, want)
	}
}

func TestSessionTable(t *testing.T) {
	now := time.Now()
	near, mid, far := identity.PubKey{2, 1}, identity.PubKey{2, 2}, identity.PubKey{2, 3}
	key, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	who := key.Public()
	rows := sessionTable([]session.Info{{
		Peer: far, Initiator: true, Ready: true, Began: now.Add(-time.Minute), RTT: time.Millisecond, Streams: 1, InFlight: 2, Window: 3, Retained: 4,
		Resent: 5, Switches: 1, Moved: now.Add(-10 * time.Second), WhyMoved: "the route is silent",
		Paths: []session.PathInfo{{Nodes: []identity.PubKey{near, mid, far}, State: "active", RTT: time.Millisecond}, {State: "standby"}},
		Terms: session.Terms("--hops 2 --via " + who.String()),
	}, {Peer: far, Outage: "a link of the route closed"}, {Peer: near, Apart: true}}, called{near: "node0", far: "node2", who: "node7"}, now)
	r := rows[0]
	if r.Peer != "node2" || r.State != "ready" || r.LastSwitch != "the route is silent, 10s ago" || r.WindowBytes != 3 || r.RetainedBytes != 4 || r.InFlightBytes != 2 || r.ResentRecords != 5 {
		t.Errorf("%+v", r)
	}
	if want := "active 1ms node0 > 02000000 > node2"; len(r.Paths) != 2 || r.Paths[0] != want || !strings.HasPrefix(r.Paths[1], "standby (") {
		t.Errorf("paths %q", r.Paths)
	}
	if r.Terms != "--hops 2 --via node7" || rows[1].Terms != "" || rows[2].Terms != "those of the far end" {
		t.Errorf("terms %q, %q, %q", r.Terms, rows[1].Terms, rows[2].Terms)
	}
	if rows[1].State != "outage" || rows[1].LastSwitch != "" || rows[2].State != "greeting" {
		t.Errorf("%+v", rows[1:])
	}
}

func TestFindingText(t *testing.T) {
	now := time.Now()
	a, b := identity.PubKey{2, 1}, identity.PubKey{2, 2}
	if got := findingText(map[identity.PubKey]time.Time{a: now.Add(-waitShown / 2)}, now); got != "" {
		t.Errorf("%q", got)
	}
	if got := findingText(map[identity.PubKey]time.Time{a: now.Add(-time.Second), b: now.Add(-7 * time.Second)}, now); got != "finding a route to 02000000 (4 s)" {
		t.Errorf("%q", got)
	}
}

func TestHopRows(t *testing.T) {
	near, mid, far := identity.PubKey{2, 1}, identity.PubKey{2, 2}, identity.PubKey{2, 3}
	rows := hopRows([]node.Hop{
		{Node: near},
		{Node: mid, RoundTrips: node.RoundTrips{Sent: 3, Lost: 3}},
		{Node: mid, Err: control.Errorf(control.CodeNoRoute, "nowhere")},
		{Node: far, Apart: true, RoundTrips: node.RoundTrips{Sent: 3, Min: time.Millisecond, Path: []identity.PubKey{near, far}}},
		{Node: far, RoundTrips: node.RoundTrips{Sent: 3, Lost: 1, Min: time.Millisecond}},
	}, called{near: "node0"})
	want := []string{"this node", "no answer", "not measured: no route: nowhere", "measured another way: node0 > 03000000", ""}
	for i, r := range rows {
		if r.Hop != i || r.Note != want[i] {
			t.Errorf("%+v, want %q", r, want[i])
		}
	}
	if rows[4].RTTms != 1 || rows[4].Lost != 1 {
		t.Errorf("%+v", rows[4])
	}
}

func TestWhyOf(t *testing.T) {
	now := time.Now()
	far, near := identity.PubKey{2, 3}, identity.PubKey{2, 4}
	down := link.PeerInfo{Key: near, LastError: "connection refused", NextTry: now.Add(time.Second)}
	row := whyOf(node.Diagnosis{
		Peer: far, Cause: node.CauseFirstLink, Node: near.Short(), Err: fmt.Errorf("asking: %w", control.Errorf(control.CodeRefused, "node x: no")),
		Manager: control.Status{Connected: true, Since: now.Add(-time.Minute)}, Links: 2, Down: []link.PeerInfo{down},
		With: session.Relation{Ended: now.Add(-time.Second), Err: errors.New("session: idle")},
	}, called{near: "node1"}, now)
	if row.Reachable || row.Code != "refused (control 5)" || row.Says != "refused: node x: no" || row.Do != "mend the link to node1 (connection refused): `links` says when it is tried again" {
		t.Errorf("%+v", row)
	}
	want := []checkRow{
		{"node manager", "connected", "for 1m0s"}, {"links", "2 up", "1 neighbour is missing"},
		{"link to node1", "down", "connection refused, next try in 1s"}, {"session", "none", ""}, {"last failure", "1s ago", "idle"},
	}
	if fmt.Sprint(row.Checks) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", row.Checks, want)
	}
	for _, c := range []node.Cause{
		node.CauseSilent, node.CauseManagerAway, node.CauseUnknown, node.CauseNotMember, node.CauseNoLinks, node.CauseNoPath, node.CauseRefused,
		node.CauseNodeAway, node.CauseGreeting, node.CauseGreetFailed, node.CauseBusy, node.CauseBroke, node.CauseSlow, node.CauseOther,
	} {
		if advice(node.Diagnosis{Cause: c}, nil) == "" {
			t.Errorf("nothing to do about %s", c)
		}
	}
	if row := whyOf(node.Diagnosis{Cause: node.CauseNone, RTT: time.Millisecond}, nil, now); !row.Reachable || row.Do != "" || row.RTTms != 1 {
		t.Errorf("%+v", row)
	}
	if got := codeText(&wire.Refused{Code: wire.CodeGone}); got != "the session was lost (stream 11)" {
		t.Error(got)
	}
}

func TestMovedSessions(t *testing.T) {
	k1, k2 := identity.PubKey{2, 1}, identity.PubKey{2, 2}
	moved := map[identity.PubKey]uint64{}
	for i, step := range []struct {
		sessions []session.Info
		want     int
	}{
		{[]session.Info{{Peer: k1}, {Peer: k2, Switches: 1, WhyMoved: "a better route"}}, 1},
		{[]session.Info{{Peer: k1}, {Peer: k2, Switches: 1}}, 0},
		{[]session.Info{{Peer: k1, Switches: 3}, {Peer: k2, Switches: 2}}, 2},
		{nil, 0},
		{[]session.Info{{Peer: k1}}, 0}, // another session with it
	} {
		if got := movedTexts(step.sessions, moved); len(got) != step.want {
			t.Errorf("step %d: %q", i, got)
		}
	}
	if len(moved) != 1 {
		t.Errorf("kept: %v", moved)
	}
}
