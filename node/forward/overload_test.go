package forward_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/skycoin/viscript/node/forward"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/link/linktest"
	"github.com/skycoin/viscript/node/wire"
)

// narrow runs a line of three stations in memory and in virtual time, whose second link carries rate bytes a second.
func narrow(t *testing.T, rate int, f func(t *testing.T, l *line)) {
	synctest.Test(t, func(t *testing.T) {
		w := linktest.New(0)
		w.Slow("10.0.0.3:7", rate)
		on := func(ip string) *station { return newStationOn(t, w.Host(ip), ip+":7") }
		f(t, &line{a: on("10.0.0.1"), b: on("10.0.0.2"), c: on("10.0.0.3")})
	})
}

// pace sends size bytes each interval for a while, of one type.
func pace(e *forward.End, t wire.Type, size int, each, during time.Duration) (records int) {
	for until := time.Now().Add(during); time.Now().Before(until); records++ {
		e.Send(typed(t, e.Number(), uint64(records), 1, size))
		time.Sleep(each)
	}
	return records
}

// TestACheatHurtsOnlyItself: one route sends without any window, five times what the link carries; the other
// keeps its rate and its delay, and its mark of congestion never shows.
func TestACheatHurtsOnlyItself(t *testing.T) {
	narrow(t, 2<<20, func(t *testing.T, l *line) {
		cheat, cheatA, cheatC := l.lay(t, 1, identity.PubKey{1}, 0)
		honest, honestA, honestC := l.lay(t, 2, identity.PubKey{2}, 0)
		go pace(cheat, wire.Data, 16<<10, 1600*time.Microsecond, 5*time.Second)
		began := time.Now()
		sent := pace(honest, wire.Data, 5000, 10*time.Millisecond, 10*time.Second) // a quarter of the link
		eventually(t, "the honest records", func() bool { return honestC.count() == sent })
		if late := honestC.seen().when.Sub(began.Add(10 * time.Second)); late > 200*time.Millisecond {
			t.Errorf("the last honest record came %v late", late)
		}
		for i, mark := range honestC.seen().got {
			if mark != uint64(i) {
				t.Fatalf("record %d came as number %d", mark, i)
			}
		}
		for who, u := range map[string]*upper{"near": cheatA, "far": cheatC} {
			select {
			case r := <-u.down:
				if r != forward.ReasonOverload {
					t.Errorf("the cheat's %s end heard %v", who, r)
				}
			case <-time.After(patience):
				t.Errorf("the cheat's %s end heard nothing", who)
			}
		}
		if len(honestA.down)+len(honestC.down) != 0 || len(l.b.table.Routes()) != 1 {
			t.Error("the honest route ended too")
		}
		if cheatC.seen().ce == 0 {
			t.Error("the cheat was never warned")
		}
	})
}

// TestCongestionIsMarkedAndCounted: what waits too long at the relay carries the mark and is counted there.
func TestCongestionIsMarkedAndCounted(t *testing.T) {
	narrow(t, 1<<20, func(t *testing.T, l *line) {
		e, _, far := l.lay(t, 1, identity.PubKey{1}, 0)
		e.Send(span(e.Number(), 0, 40, 16<<10))
		eventually(t, "all records", func() bool { return far.count() == 40 })
		info, ce := l.b.table.Routes()[0], far.seen().ce
		if ce < 25 || info.Forward.Marked == 0 || info.Forward.Marked > uint64(ce) || info.Back.Marked != 0 {
			t.Errorf("%d of 40 records came marked, the relay counted %+v", ce, info.Forward)
		}
		if info.Src != (identity.PubKey{1}) || info.Forward.Records != 40 || info.Forward.Bytes != 40*16<<10 {
			t.Errorf("%+v", info)
		}
	})
}

// TestDatagramsNeverEndARoute: twice what the link carries; half is dropped and counted, Data on the same route is not.
func TestDatagramsNeverEndARoute(t *testing.T) {
	narrow(t, 1<<20, func(t *testing.T, l *line) {
		e, near, far := l.lay(t, 1, identity.PubKey{1}, 0)
		var data int
		done := make(chan struct{})
		go func() { data = pace(e, wire.Data, 1000, 20*time.Millisecond, 10*time.Second); close(done) }()
		datagrams := pace(e, wire.Datagram, 10000, 5*time.Millisecond, 10*time.Second)
		<-done
		time.Sleep(2 * time.Second)
		var got [16]int
		for _, k := range far.seen().kind {
			got[k]++
		}
		info := l.b.table.Routes()[0].Forward
		if got[wire.Data] != data {
			t.Errorf("%d of %d Data records came", got[wire.Data], data)
		}
		if n := got[wire.Datagram]; n < datagrams/4 || n+int(info.Dropped) != datagrams {
			t.Errorf("of %d datagrams %d came, %d were dropped", datagrams, n, info.Dropped)
		}
		if len(near.down)+len(far.down) != 0 {
			t.Error("the route ended")
		}
	})
}

// TestAKeysShare: five routes of one key fill that key's part of the link. The longest goes, and both its ends hear it; a
// route of another key does not notice.
func TestAKeysShare(t *testing.T) {
	narrow(t, 64<<10, func(t *testing.T, l *line) {
		var ends [6]*forward.End
		var near, far [6]*upper
		for i := range ends {
			src := identity.PubKey{1}
			if i == 5 {
				src = identity.PubKey{2}
			}
			ends[i], near[i], far[i] = l.lay(t, i, src, 0)
		}
		ends[5].Send(span(ends[5].Number(), 0, 100, 60<<10))
		for i := range 5 {
			n := 100
			if i == 2 {
				n = 120
			}
			ends[i].Send(span(ends[i].Number(), 0, n, 60<<10))
			time.Sleep(time.Millisecond)
		}
		for _, u := range []*upper{near[2], far[2]} {
			select {
			case r := <-u.down:
				if r != forward.ReasonOverload {
					t.Errorf("an end of the longest route heard %v", r)
				}
			case <-time.After(patience):
				t.Error("an end of the longest route heard nothing")
			}
		}
		if n := len(l.b.table.Routes()); n != 5 {
			t.Errorf("%d routes are left, want 5", n)
		}
	})
}

// TestGoodbyeComesAfterControl: an end that says its last word and closes is heard, though much data waits.
func TestGoodbyeComesAfterControl(t *testing.T) {
	narrow(t, 1<<20, func(t *testing.T, l *line) {
		e, _, far := l.lay(t, 1, identity.PubKey{1}, 0)
		e.Send(span(e.Number(), 0, 100, 32<<10))
		time.Sleep(100 * time.Millisecond)
		e.Send(typed(wire.Control, e.Number(), 4711, 1, 50))
		e.Close()
		if r := <-far.down; r != forward.ReasonBye {
			t.Errorf("heard %v", r)
		}
		got := far.seen().got
		if n := len(got); n == 0 || got[n-1] != 4711 || n > 90 {
			t.Errorf("%d records came, the last word was not the last of them", n)
		}
	})
}
