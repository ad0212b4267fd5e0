package session

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/forward"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

func yield()                  { time.Sleep(time.Millisecond) }
func newHostClock() time.Time { return time.Unix(1e9, 0) }

// quick makes a session notice silence in a fifth of a second. On a loaded machine it will also see some where there is none.
func quick(_ *Config, tm *timing) {
	tm.silence, tm.warm, tm.linger = 200*time.Millisecond, 300*time.Millisecond, 50*time.Millisecond
	tm.stuck, tm.join = 500*time.Millisecond, 5*time.Second
}

// both waits for two paths at both ends.
func both(m *mesh) (a, b *Session) {
	a, b = m.ready()
	m.until("two paths", func() bool { return paths(a) == 2 && paths(b) == 2 })
	return a, b
}

func TestSilentPathIsLeft(t *testing.T) {
	m := newMesh(t, 3, quick)
	near, far := m.dial()
	m.dial() // stays: somebody asks for signs of life, if the copy is over before the silence
	a, b := both(m)
	done := make(chan struct{})
	go func() {
		defer close(done)
		copyBoth(t, near, far, 30<<20)
	}()
	yield()
	dead := m.activeRoad(a)
	dead.hush(true)
	<-done
	m.until("the silent path to be left", func() bool { return m.activeRoad(a) != dead && m.activeRoad(b) != dead })
	m.mu.Lock()
	last := m.asked[len(m.asked)-1]
	m.mu.Unlock()
	if len(last.Avoid) == 0 {
		t.Log("no route was asked for since, or without avoiding anybody") // the third relay may have been laid before
	}
	if a.Err() != nil || b.Err() != nil {
		t.Error(a.Err(), b.Err())
	}
}

// Somebody who only receives must notice too.
func TestReceiverNoticesSilence(t *testing.T) {
	m := newMesh(t, 2, quick)
	near, far := m.dial()
	a, b := both(m)
	m.activeRoad(a).hush(true)
	m.until("both to move", func() bool { return a.info().Switches > 0 && b.info().Switches > 0 })
	copyBoth(t, near, far, 100<<10)
}

// A path that is silent for a while is not given up while there is no other.
func TestSilenceThatEnds(t *testing.T) {
	m := newMesh(t, 1, quick)
	near, far := m.dial()
	a, b := m.ready()
	r := m.activeRoad(a)
	m.mu.Lock()
	m.relays[0].down = true // no other route
	m.mu.Unlock()
	r.pause(true)
	m.until("the silence to be noticed", func() bool { return a.info().Outage != "" && b.info().Outage != "" })
	r.pause(false)
	m.until("its end to be noticed", func() bool { return a.info().Outage == "" && b.info().Outage == "" })
	copyBoth(t, near, far, 1<<20)
	if a.Err() != nil || b.Err() != nil || m.activeRoad(a) != r {
		t.Error("it was given up:", a.Err(), b.Err())
	}
}

func TestOutageEndsTheSession(t *testing.T) {
	m := newMesh(t, 1, nil)
	near, far := m.dial()
	a, b := m.ready()
	m.mu.Lock()
	m.relays[0].down = true
	m.mu.Unlock()
	m.activeRoad(a).cut(forward.ReasonLink)
	m.until("the outage", func() bool { return a.info().Outage != "" && b.info().Outage != "" })
	near.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	if _, err := near.Write(make([]byte, 1000)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a write without a route, with a deadline: %v", err)
	}
	for _, s := range []*Session{a, b} { // time goes by
		s.mu.Lock()
		s.alone -= calm.outage
		s.mu.Unlock()
		s.kickSteward()
	}
	over(t, a)
	over(t, b)
	if err := a.Err(); !strings.Contains(err.Error(), "a link of the route closed") {
		t.Errorf("it ended with %v", err)
	}
	if _, err := far.Read(make([]byte, 10)); !errors.Is(err, &wire.Refused{Code: wire.CodeGone}) {
		t.Errorf("the far stream ended with %v", err)
	}
}

func TestOutageThatEnds(t *testing.T) {
	m := newMesh(t, 1, nil)
	near, far := m.dial()
	a, b := m.ready()
	m.mu.Lock()
	m.relays[0].down = true
	m.mu.Unlock()
	m.activeRoad(a).cut(forward.ReasonLink)
	time.AfterFunc(300*time.Millisecond, func() {
		m.mu.Lock()
		m.relays[0].down = false
		m.mu.Unlock()
	})
	copyBoth(t, near, far, 3<<20)
	if a.Err() != nil || b.Err() != nil {
		t.Error(a.Err(), b.Err())
	}
}

func TestFarNodeForgotTheSession(t *testing.T) {
	m := newMesh(t, 2, nil)
	m.dial()
	a, b := m.ready()
	m.setTap(func(from int, _ wire.Type, _ uint8, p []byte) [][]byte {
		if from == 1 {
			return nil // not even a goodbye
		}
		return [][]byte{p}
	})
	b.Close()
	m.setTap(nil)
	over(t, a)
	if !strings.Contains(a.Err().Error(), "knows it no more") {
		t.Errorf("it ended with %v", a.Err())
	}
}

func TestCloseTellsTheFarEnd(t *testing.T) {
	m := newMesh(t, 2, nil)
	_, far := m.dial()
	a, b := both(m)
	a.Close()
	over(t, b)
	if b.Err() != errBye {
		t.Errorf("the far end heard %v", b.Err())
	}
	if _, err := far.Read(make([]byte, 1)); !errors.Is(err, &wire.Refused{Code: wire.CodeGone}) {
		t.Errorf("the far stream ended with %v", err)
	}
	m.until("every route to be given back", func() bool {
		n := 0
		for _, h := range m.hosts {
			h.mu.Lock()
			n += len(h.paths)
			h.mu.Unlock()
		}
		return n == 0
	})
}

// Both ends may move at once, to different paths: it ends on one.
func TestBothMoveAtOnce(t *testing.T) {
	m := newMesh(t, 3, nil)
	near, far := m.dial()
	a, b := both(m)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i, s := range []*Session{a, b} {
		wg.Go(func() {
			for n := i; ; n++ {
				select {
				case <-stop:
					return
				case <-time.After(time.Duration(1+n%3) * time.Millisecond):
				}
				s.mu.Lock()
				ps := s.paths
				p, gen := ps[n%len(ps)], s.gen+1
				s.mu.Unlock()
				s.switchTo(p, gen, "a test")
			}
		})
	}
	copyBoth(t, near, far, 10<<20)
	close(stop)
	wg.Wait()
	m.until("one path for both", func() bool { r := m.activeRoad(a); return r != nil && r == m.activeRoad(b) })
	if a.Err() != nil || b.Err() != nil {
		t.Error(a.Err(), b.Err())
	}
}

func TestLostResetIsRepeated(t *testing.T) {
	m := newMesh(t, 2, nil)
	near, far := m.dial()
	a, _ := both(m)
	var left atomic.Int32
	left.Store(3)
	m.setTap(func(from int, kind wire.Type, _ uint8, p []byte) [][]byte {
		if from == 0 && kind == wire.Control && left.Add(-1) >= 0 {
			return nil
		}
		return [][]byte{p}
	})
	near.Reset(wire.CodeDenied)
	far.SetReadDeadline(time.Now().Add(patience))
	if _, err := far.Read(make([]byte, 1)); !errors.Is(err, &wire.Refused{Code: wire.CodeDenied}) {
		t.Errorf("the far end got %v", err)
	}
	m.until("the acknowledgement", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return len(a.resets) == 0
	})
}

// CREDIT that dies with a path is said again on the next one.
func TestLostCreditIsRepeated(t *testing.T) {
	m := newMesh(t, 2, nil)
	near, far := m.dial()
	a, _ := both(m)
	first := m.activeRoad(a)
	var lossy atomic.Bool
	lossy.Store(true)
	m.setTap(func(from int, kind wire.Type, _ uint8, p []byte) [][]byte {
		if from == 1 && kind == wire.Control && lossy.Load() {
			return nil
		}
		return [][]byte{p}
	})
	time.AfterFunc(100*time.Millisecond, func() {
		lossy.Store(false)
		first.cut(forward.ReasonLink)
	})
	copyBoth(t, near, far, 2<<20) // beyond the first credit
}

// A record that got lost although its path lives is asked for.
func TestGapIsAskedFor(t *testing.T) {
	m := newMesh(t, 1, quick)
	near, far := m.dial()
	var n atomic.Int32
	m.setTap(func(from int, kind wire.Type, _ uint8, p []byte) [][]byte {
		if from == 0 && kind == wire.Data && n.Add(1)%60 == 30 {
			return nil
		}
		return [][]byte{p}
	})
	copyBoth(t, near, far, 4<<20)
}

func TestResetOvertakesOpen(t *testing.T) {
	m := newMesh(t, 1, nil)
	a, b := m.ready()
	a.reset(1, wire.CodeCancelled)
	m.until("the RESET", func() bool { b.mu.Lock(); defer b.mu.Unlock(); return len(b.early) == 1 })
	a.sendFrame(frame{kind: frameOpen, sid: 1, credit: 100}, nil, 0)
	a.sendFrame(frame{kind: frameOpen, sid: 3, credit: 100}, nil, 0)
	m.until("the second OPEN", func() bool { b.mu.Lock(); defer b.mu.Unlock(); return len(b.streams) == 1 && len(b.early) == 0 })
	// The streams of a session are offered in their order, each after it was entered.
	m.until("an offer to the app", func() bool { return len(m.accepted[1]) > 0 })
	if st := <-m.accepted[1]; st.id != 3 || len(m.accepted[1]) > 0 {
		t.Errorf("stream %d was offered to the app, and %d more", st.id, len(m.accepted[1]))
	}
}

func TestBetterRoute(t *testing.T) {
	m := newMesh(t, 3, func(_ *Config, tm *timing) { tm.linger = 50 * time.Millisecond }) // no other reason to move may come
	m.hosts[0].cfg.Lay = func(ctx context.Context, w Want) (Laid, error) {
		if w.Instead == nil {
			return m.lay(ctx, w)
		}
		m.mu.Lock()
		m.laid++
		n := m.laid
		m.mu.Unlock()
		return m.layOver(2, n)
	}
	near, far := m.dial()
	a, b := both(m)
	old := m.activeRoad(a)
	m.hosts[1].Improve(old.key) // not its part
	m.hosts[0].Improve(old.key)
	done := make(chan struct{})
	go func() {
		defer close(done)
		copyBoth(t, near, far, 5<<20)
	}()
	defer func() { <-done }()
	m.until("the move", func() bool {
		r := m.activeRoad(a)
		return r != nil && r.relay == 2 && r == m.activeRoad(b) && len(m.live()) == 2 && a.info().WhyMoved == "a better route"
	})
}

func TestFasterStandbyTakesOver(t *testing.T) {
	m := newMesh(t, 2, func(_ *Config, tm *timing) { tm.warm, tm.silence = 50*time.Millisecond, time.Second })
	m.relays[0].delay = 40 * time.Millisecond
	near, far := m.dial()
	a, _ := both(m)
	m.until("the move", func() bool { r := m.activeRoad(a); return r != nil && r.relay == 1 })
	copyBoth(t, near, far, 1<<20)
}

func TestJoinsThatDoNotBelong(t *testing.T) {
	m := newMesh(t, 2, nil)
	m.dial()
	a, b := both(m)
	joins := make(chan []byte, 99)
	m.setTap(func(from int, kind wire.Type, _ uint8, p []byte) [][]byte {
		if kind == wire.Join {
			joins <- p
			return nil
		}
		return [][]byte{p}
	})
	for _, r := range m.live() {
		if r != m.activeRoad(a) {
			r.cut(forward.ReasonLink)
		}
	} // a third one is laid, whose Join is caught
	join := <-joins
	m.setTap(nil)
	stranger, _ := identity.Generate()
	for name, c := range map[string]struct {
		from identity.PubKey
		p    []byte
	}{
		"a replay on another route": {m.keys[0].Public(), bytes.Clone(join)},
		"from somebody else":        {stranger.Public(), bytes.Clone(join)},
		"an unknown session":        {m.keys[0].Public(), make([]byte, 80)},
		"cut short":                 {m.keys[0].Public(), b.id[:7]},
		"nothing":                   {m.keys[0].Public(), nil},
	} {
		p, err := m.hosts[1].New(c.from, forward.Key{15: byte(len(name))}, false)
		if err != nil {
			t.Fatal(err)
		}
		m.hosts[1].attach(t.Context(), p, nowhere{})
		p.Receive(wire.Join, 0, c.p)
		if p.gone.Load() == 0 {
			t.Errorf("%s: the path was taken", name)
		}
	}
	if a.Err() != nil || b.Err() != nil {
		t.Error(a.Err(), b.Err())
	}
}

// nowhere is an end that swallows everything.
type nowhere struct{}

func (nowhere) Number() wire.RouteID { return 1 }
func (nowhere) Send([]byte)          {}
func (nowhere) SendKept([]byte)      {}
func (nowhere) Close()               {}

func TestUnclaimedRouteIsClosed(t *testing.T) {
	m := newMesh(t, 1, func(_ *Config, tm *timing) { tm.claim = 20 * time.Millisecond })
	p, _ := m.hosts[1].New(m.keys[0].Public(), forward.Key{1}, false)
	m.hosts[1].attach(t.Context(), p, nowhere{})
	m.until("its end", func() bool { return m.hosts[1].Path(forward.Key{1}) == nil })
}

func TestDatagrams(t *testing.T) {
	type got struct {
		port, from uint16
		b          string
	}
	in := make(chan got, 1<<16)
	m := newMesh(t, 2, func(c *Config, _ *timing) {
		c.Datagram = func(_ identity.PubKey, port, from uint16, _ Terms, b []byte) { in <- got{port, from, string(b)} }
	})
	m.setTap(func(_ int, kind wire.Type, _ uint8, p []byte) [][]byte {
		if kind == wire.Datagram {
			return [][]byte{p, bytes.Clone(p)}
		}
		return [][]byte{p}
	})
	big := string(make([]byte, MaxDatagram))
	for _, b := range []string{"", "hi", big, "the last"} { // what came twice would come before the next
		if err := m.hosts[0].Datagram(t.Context(), m.keys[1].Public(), "", 53, 1000, []byte(b)); err != nil {
			t.Fatal(err)
		}
		select {
		case g := <-in:
			if g != (got{53, 1000, b}) {
				t.Errorf("sent %d bytes, got %d to %d from %d", len(b), len(g.b), g.port, g.from)
			}
		case <-time.After(patience):
			t.Fatal("nothing came")
		}
	}
	if err := m.hosts[0].Datagram(t.Context(), m.keys[1].Public(), "", 1, 1, make([]byte, MaxDatagram+1)); err == nil {
		t.Error("one that is too long was taken")
	}
}

func TestSealAllocatesLittle(t *testing.T) { // a session by itself: whatever else runs would be counted
	var s Session
	l, buf := newSealLane([32]byte{1}, time.Now()), make([]byte, 0, 200)
	if n := testing.AllocsPerRun(100, func() { s.seal(l, append(buf, make([]byte, 100)...), seqAt) }); n > 1 {
		t.Errorf("%v allocations to seal one", n)
	}
}

// TestWritersTakeTurns: a stream that writes little is not kept waiting by those that write much.
func TestWritersTakeTurns(t *testing.T) {
	m := newMesh(t, 1, nil)
	m.relays[0].delay = 5 * time.Millisecond
	var counts [5]atomic.Int64
	var ends [5][2]*Stream
	for i := range ends {
		ends[i][0], ends[i][1] = m.dial()
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range counts {
		near, far := ends[i][0], ends[i][1]
		wg.Go(func() {
			buf := make([]byte, 64<<10)
			for {
				select {
				case <-stop:
					near.CloseWrite()
					return
				default:
				}
				n, err := near.Write(buf)
				counts[i].Add(int64(n))
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
		wg.Go(func() { io.Copy(io.Discard, far) })
	}
	sum := func(since *[5]int64) (least, most, all int64) {
		least = math.MaxInt64
		for i := range counts {
			n := counts[i].Load() - since[i]
			least, most, all = min(least, n), max(most, n), all+n
		}
		return least, most, all
	}
	var start [5]int64
	m.until("all to write", func() bool { least, _, _ := sum(&start); return least > 0 || t.Failed() })
	for i := range counts { // who came first has had the path for itself
		start[i] = counts[i].Load()
	}
	m.until("many turns", func() bool { _, _, all := sum(&start); return all > 300*spanData || t.Failed() })
	least, most, _ := sum(&start)
	close(stop)
	wg.Wait()
	if most > 10*least {
		t.Errorf("the luckiest stream sent %d bytes, the last %d", most, least)
	}
}

// TestRandomRuns is the state machine against a model, which is that bytes arrive: random networks that cut, hush, delay,
// repeat and reorder, random writes, opens, resets and moves.
func TestRandomRuns(t *testing.T) {
	runs := 12
	if testing.Short() {
		runs = 3
	}
	for range runs {
		seed := rand.Uint64()
		if !t.Run("", func(t *testing.T) { randomRun(t, seed, 60) }) {
			t.Fatalf("seed %d", seed)
		}
	}
}

func FuzzRun(f *testing.F) {
	f.Add(uint64(1), byte(5))
	f.Fuzz(func(t *testing.T, seed uint64, steps byte) { randomRun(t, seed, int(steps)%64) })
}

func randomRun(t *testing.T, seed uint64, steps int) {
	rng := rand.New(rand.NewPCG(seed, 99))
	m := newMesh(t, 2+rng.IntN(3), quick)
	for i := range m.relays {
		m.relays[i].delay = time.Duration(rng.IntN(2000)) * time.Microsecond
	}
	tapRng := rand.New(rand.NewPCG(seed, 100))
	var tapMu sync.Mutex
	held := map[int][]byte{}
	a, b := m.ready()
	m.setTap(func(from int, kind wire.Type, _ uint8, p []byte) [][]byte {
		tapMu.Lock()
		defer tapMu.Unlock()
		switch {
		case kind != wire.Data && kind != wire.Control || tapRng.IntN(20) > 0:
		case tapRng.IntN(2) == 0:
			return [][]byte{p, bytes.Clone(p)} // twice
		case kind == wire.Control && held[from] == nil:
			held[from] = p // overtaken by the next
			return nil
		}
		if kind == wire.Control && held[from] != nil {
			old := held[from]
			delete(held, from)
			return [][]byte{p, old}
		}
		return [][]byte{p}
	})
	m.dial() // stays: a session without streams may end when its route does
	var wg sync.WaitGroup
	for range 1 + rng.IntN(4) {
		near, far := m.dial()
		n := rng.IntN(3 << 20)
		wg.Go(func() { copyBoth(t, near, far, n) })
	}
	for range steps {
		time.Sleep(time.Duration(rng.IntN(4000)) * time.Microsecond)
		s := []*Session{a, b}[rng.IntN(2)]
		switch rng.IntN(6) {
		case 0, 1:
			if r := m.activeRoad(s); r != nil {
				r.cut(forward.ReasonLink)
			}
		case 2:
			if rng.IntN(10) == 0 {
				if r := m.activeRoad(s); r != nil {
					r.hush(true)
				}
			}
		case 3:
			s.mu.Lock()
			ps, gen := slices.Clone(s.paths), s.gen+1
			s.mu.Unlock()
			if len(ps) > 0 {
				if p := ps[rng.IntN(len(ps))]; p.gone.Load() == 0 {
					s.switchTo(p, gen, "a test")
				}
			}
		case 4:
			for _, r := range m.live() {
				if rng.IntN(2) == 0 {
					r.cut(forward.ReasonLink)
				}
			}
		case 5:
			go m.hosts[0].Retry()
		}
	}
	wg.Wait() // now nobody uses the session, and it may end for want of a route
}
