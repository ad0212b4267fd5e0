package session

import (
	"slices"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/identity"
)

// A relay that fell silent and is the only one beside the path in use stands by again soon, not when it need not be
// avoided any more.
func TestHealedRelayStandsBy(t *testing.T) {
	m := newMesh(t, 2, func(c *Config, tm *timing) { quick(c, tm); tm.avoid = time.Hour })
	near, far := m.dial()
	a, b := both(m)
	dead := m.activeRoad(a)
	dead.hush(true) // that route for ever; another one over the same relay works
	copyBoth(t, near, far, 1<<20)
	m.until("the path to be left", func() bool { return m.activeRoad(a) != dead && !slices.Contains(m.live(), dead) })
	m.dial() // somebody who needs the session
	m.until("two paths", func() bool { return paths(a) == 2 && paths(b) == 2 })
}

// Of the paths that fell silent the last one is avoided longest, and each time that there is no other way one more is not.
func TestAvoiding(t *testing.T) {
	var k [12]identity.PubKey
	for i := range k {
		k[i] = identity.PubKey{byte(i)}
	}
	var l laying
	l.shun(k[1:3], 10)
	l.shun(k[3:4], 20)
	l.shun(k[4:5], 30)
	check := func(now time.Duration, lenient int, want ...identity.PubKey) {
		t.Helper()
		l.lenient = lenient
		if got := l.avoiding(now); !slices.Equal(got, want) {
			t.Errorf("at %d, leniently %d: %v, want %v", now, lenient, got, want)
		}
	}
	check(5, 0, k[1], k[2], k[3], k[4])
	check(5, 1, k[3], k[4])
	check(5, 2, k[4])
	check(5, 3)
	check(5, 4)
	l.shun(k[3:4], 40) // again
	check(5, 2, k[3])
	check(10, 0, k[4], k[3])
	check(40, 0)
	l.shun(k[:], 50)
	if len(l.avoid) != maxAvoid || l.avoid[maxAvoid-1].node != k[11] {
		t.Errorf("%d are kept, the last %v", len(l.avoid), l.avoid[len(l.avoid)-1].node)
	}
}
