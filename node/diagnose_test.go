package node

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/session"
	"github.com/skycoin/viscript/node/wire"
)

func TestCauses(t *testing.T) {
	late := context.DeadlineExceeded
	of := func(c control.Code) error {
		return refused(fmt.Errorf("asking: %w", &control.Error{Code: c, Text: "x"}), "")
	}
	for _, tt := range []struct {
		name string
		err  error
		want Cause
	}{
		{"unknown key", of(control.CodeUnknownKey), CauseUnknown},
		{"unknown name", of(control.CodeUnknownName), CauseUnknown},
		{"no member", of(control.CodeNotMember), CauseNotMember},
		{"no path", of(control.CodeNoRoute), CauseNoPath},
		{"refused", of(control.CodeRefused), CauseRefused},
		{"quota", of(control.CodeQuota), CauseBusy},
		{"busy", of(control.CodeBusy), CauseBusy},
		{"a node is away", of(control.CodeUnavailable), CauseNodeAway},
		{"manager is away", refused(fmt.Errorf("%w (%w)", control.Errorf(control.CodeUnavailable, "not connected to x"), late), "late"), CauseManagerAway},
		{"manager failed", of(control.CodeInternal), CauseOther},
		{"slow handshake", fmt.Errorf("%w abc: %w", session.ErrGreeting, late), CauseGreeting},
		{"bad handshake", fmt.Errorf("%w abc: %w", session.ErrGreeting, errors.New("mac")), CauseGreetFailed},
		{"too many", fmt.Errorf("x: %w", session.ErrFull), CauseBusy},
		{"slow", &slow{time.Second, true}, CauseSlow},
		{"gone", &wire.Refused{Code: wire.CodeGone}, CauseBroke},
		{"no route", &wire.Refused{Code: wire.CodeNoRoute}, CauseNoPath},
		{"busy far node", &wire.Refused{Code: wire.CodeBusy}, CauseBusy},
		{"anything", errors.New("odd"), CauseOther},
	} {
		if got := causeOf(tt.err); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestBlames(t *testing.T) {
	for _, tt := range []struct {
		text  string
		cause Cause
		node  string
	}{
		{"node aabbccdd: quota reached: x", "", "aabbccdd"},
		{"node 01020304: no route: no link to aabbccdd", CauseFirstLink, "aabbccdd"},
		{"node aabbccdd: no route: no link to 01020304", "", "aabbccdd"},
		{"node 01020304: no route: no link to anybody", "", "01020304"},
		{"node somebody else: x", "", ""},
		{"aabbccdd: x", "", ""},
		{"node aabbccdd", "", ""},
		{"", "", ""},
	} {
		if cause, node := blames(tt.text, "01020304"); cause != tt.cause || node != tt.node {
			t.Errorf("%q: %q %q", tt.text, cause, node)
		}
	}
}

func TestRoundTripsAdd(t *testing.T) {
	var r RoundTrips
	for _, d := range []time.Duration{4, 0, 2, 6} { // 0: lost
		if r.Sent++; d == 0 {
			r.Lost++
			continue
		}
		r.add(d * time.Millisecond)
	}
	if r.Min != 2*time.Millisecond || r.Max != 6*time.Millisecond || r.Avg != 4*time.Millisecond {
		t.Errorf("%+v", r)
	}
}

func TestNamesAreKeptForATime(t *testing.T) {
	var c names
	now := time.Unix(1000, 0)
	a, b := identity.PubKey{1}, identity.PubKey{2}
	if _, fresh := c.get(a, now); fresh {
		t.Error("an unknown key has a fresh name")
	}
	c.put(a, "node0", now)
	c.put(b, "", now)
	for _, tt := range []struct {
		key   identity.PubKey
		after time.Duration
		name  string
		fresh bool
	}{{a, 0, "node0", true}, {a, nameFor, "node0", false}, {b, 0, "", true}, {b, noNameFor, "", false}} {
		if name, fresh := c.get(tt.key, now.Add(tt.after)); name != tt.name || fresh != tt.fresh {
			t.Errorf("%v after %s: %q, %v", tt.key[0], tt.after, name, fresh)
		}
	}
	for i := range maxNames {
		c.put(identity.PubKey{3, byte(i), byte(i >> 8)}, "x", now)
	}
	if len(c.known) > maxNames {
		t.Errorf("%d names are kept", len(c.known))
	}
}

func TestRefusalsKeepTheirCause(t *testing.T) {
	err := refused(control.Errorf(control.CodeNoRoute, "nowhere"), "")
	if !errors.Is(err, &wire.Refused{Code: wire.CodeNoRoute}) || control.CodeOf(err) != control.CodeNoRoute {
		t.Errorf("%v", err)
	}
}
