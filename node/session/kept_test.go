package session

import (
	"math/rand/v2"
	"testing"

	"github.com/skycoin/viscript/node/link"
	"github.com/skycoin/viscript/node/wire"
)

// TestRetainedAgainstAList compares what is kept with a plain list of records, over random runs.
func TestRetainedAgainstAList(t *testing.T) {
	for range 200 {
		seed := rand.Uint64()
		rng := rand.New(rand.NewPCG(seed, 7))
		var k retained
		var sizes []uint64 // of every record ever
		acked, sent := 0, 0
		sum := func(n int) (b uint64) {
			for _, s := range sizes[:n] {
				b += s
			}
			return b
		}
		for range 300 {
			switch rng.IntN(5) {
			case 0, 1: // seal some
				n := 40 + rng.IntN(maxData+sealedOver)
				if rng.IntN(2) == 0 {
					n = 40 + rng.IntN(200)
				}
				sp := k.room(n)
				from := len(sp.b)
				sp.b = sp.b[:from+n]
				sp.b[from+wire.LenLen] = byte(len(sizes))
				link.PutRecordLen(sp.b[from:])
				k.add(sp, from+n)
				sizes = append(sizes, uint64(n-wire.Overhead))
				k.letGo(sp)
			case 2: // send some
				limit := uint64(rng.IntN(200000))
				c, ok := k.take(limit)
				if !ok {
					if sent < len(sizes) && (sent == acked || sum(sent)-sum(acked)+sizes[sent] <= limit) {
						t.Fatalf("seed %d: nothing to send, but record %d is", seed, sent)
					}
					continue
				}
				for i := c.from; i < c.to; i++ {
					if got := c.sp.b[c.sp.start(i)+wire.LenLen]; got != byte(sent) {
						t.Fatalf("seed %d: record %d is sent in the place of %d", seed, got, sent)
					}
					sent++
				}
				if in := sum(sent) - sum(acked); in > limit && c.to-c.from > 1 {
					t.Fatalf("seed %d: %d in flight, the limit is %d", seed, in, limit)
				}
				freeSpans(k.letGo(c.sp))
			case 3: // hear of some, perhaps of what was sent before a rewind
				n := acked + rng.IntN(len(sizes)-acked+1)
				acked, sent = n, max(sent, n)
				freeSpans(k.release(uint64(n)))
			case 4:
				k.rewind()
				sent = acked
			}
			if k.acked != (mark{uint64(acked), sum(acked)}) || k.sent != (mark{uint64(sent), sum(sent)}) || k.sealed.records != uint64(len(sizes)) {
				t.Fatalf("seed %d: %+v %+v %+v, want %d acked, %d sent of %d", seed, k.acked, k.sent, k.sealed, acked, sent, len(sizes))
			}
			if (k.cursor == nil) != (sent == len(sizes)) {
				t.Fatalf("seed %d: sent %d of %d, cursor %v", seed, sent, len(sizes), k.cursor)
			}
			if acked == len(sizes) && k.head != nil {
				t.Fatalf("seed %d: everything is acknowledged, and memory is held", seed)
			}
		}
	}
}

// A hundred bytes must not hold a whole span.
func TestSmallRecordsShareSpans(t *testing.T) {
	m := newMesh(t, 1, nil)
	near, far := m.dial()
	go func() {
		buf := make([]byte, 1<<16)
		for {
			if _, err := far.Read(buf); err != nil {
				return
			}
		}
	}()
	m.setTap(func(from int, kind wire.Type, _ uint8, p []byte) [][]byte {
		if from == 1 {
			return nil // no ACK comes
		}
		return [][]byte{p}
	})
	for range 100 {
		near.Write(make([]byte, 100))
	}
	if n := m.hosts[0].Sessions()[0].Retained; n > 2*spanLen+1000 {
		t.Errorf("%d bytes of memory keep 10,000", n)
	}
	m.setTap(nil)
	near.Write(make([]byte, 100))
	m.until("the memory to be given back", func() bool { return m.hosts[0].Sessions()[0].Retained == 0 })
}

func TestReplayAgainstASet(t *testing.T) {
	for range 50 {
		seed := rand.Uint64()
		rng := rand.New(rand.NewPCG(seed, 3))
		r := newReplay(4)
		taken := map[uint64]bool{}
		var top uint64
		for range 2000 {
			n := top + uint64(rng.IntN(100)) - min(top, uint64(rng.IntN(300)))
			if rng.IntN(50) == 0 {
				n = top + uint64(rng.IntN(2000))
			}
			behind := top > 0 && n+1 < top+1 && top-n > r.window()
			want := taken[n] || behind
			if got := r.seen(n); got != want {
				t.Fatalf("seed %d: number %d of %d seen: %t, want %t", seed, n, top, got, want)
			}
			if !want {
				r.take(n)
				taken[n] = true
				top = max(top, n+1)
			}
		}
	}
}

func TestWindowFollowsMarks(t *testing.T) {
	var w window
	w.start(firstWindow)
	var acked uint64
	round := func(marked float64) { // one window's worth, acknowledged in quarters
		size := w.size
		for range 4 {
			n := size / 4
			acked += n
			w.onAck(n, acked, w.ce+uint64(marked*float64(n)), size, acked+size, maxWindow)
		}
	}
	round(0)
	if w.size < 2*firstWindow-windowStep {
		t.Errorf("after a round trip without marks it is %d, want it doubled", w.size)
	}
	for range 10 {
		round(0)
	}
	if w.size != maxWindow {
		t.Errorf("it ends at %d", w.size)
	}
	round(1)
	if w.size > maxWindow/2+windowStep || w.slow {
		t.Errorf("after the first mark it is %d", w.size)
	}
	for range 100 {
		round(1)
	}
	if w.size != minWindow {
		t.Errorf("with every byte marked it is %d", w.size)
	}
	for range 200 {
		round(0)
	}
	before := w.size
	round(0.05)
	round(0)
	if w.size < before*8/10 {
		t.Errorf("a few marks cut it from %d to %d", before, w.size)
	}
	for range 100 {
		w.onAck(0, acked, w.ce, 0, acked, maxWindow)
	}
}

func TestEpochs(t *testing.T) {
	m := newMesh(t, 2, nil)
	near, far := m.dial()
	a, b := m.ready()
	m.until("two paths", func() bool { return paths(a) == 2 && paths(b) == 2 })
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for rng := rand.New(rand.NewPCG(1, 1)); ; {
			select {
			case <-stop:
				return
			default:
			}
			s := []*Session{a, b}[rng.IntN(2)]
			s.sendMu.Lock()
			k := s.lanes.Load()
			for _, l := range []*sealLane{k.sealData, k.sealCtl, k.sealGram} {
				// A receiver knows the next key but not the one after: Data comes again, of the others many are lost in a cut.
				least := uint64(1000)
				if l == k.sealData {
					least = 3
				}
				if uint64(l.records) > least {
					l.records = epochRecords
				}
			}
			s.sendMu.Unlock()
			a.SendDatagram(1, 2, []byte("x"))
			if rng.IntN(10) == 0 {
				if r := m.activeRoad(s); r != nil {
					r.cut(1)
				}
			}
			yield()
		}
	}()
	copyBoth(t, near, far, 8<<20)
	epoch := func() uint64 {
		a.sendMu.Lock()
		defer a.sendMu.Unlock()
		return a.lanes.Load().sealData.epoch
	}
	m.until("two epochs", func() bool {
		if epoch() >= 2 {
			return true
		}
		near, far = m.dial() // the copy was faster than who turns the keys
		copyBoth(t, near, far, 1<<20)
		return false
	})
	close(stop)
	<-done
}

func TestKeysAreUsedUp(t *testing.T) {
	l := newSealLane([32]byte{1}, newHostClock())
	l.epoch, l.records = maxEpoch, epochRecords
	if _, err := l.draw(1, newHostClock()); err != errKeysUsedUp {
		t.Errorf("got %v", err)
	}
}
