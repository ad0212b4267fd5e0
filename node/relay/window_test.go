package relay

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

func TestWindowGrowsAndShrinks(t *testing.T) {
	w := newWindow(maxWindow)
	run := func(n int, marked bool) {
		for range n {
			k := int(w.granted - w.received)
			if !w.take(k, marked) {
				t.Fatal("what was granted is refused")
			}
			if _, send := w.consume(k, maxWindow); !send {
				t.Fatal("no credit after a whole window")
			}
		}
	}
	run(20, false)
	if w.size != maxWindow {
		t.Errorf("window %d after 20 unmarked ones, want %d", w.size, maxWindow)
	}
	run(50, true)
	if w.size != smallWindow {
		t.Errorf("window %d after 50 marked ones, want %d", w.size, smallWindow)
	}
	run(1, false)
	if w.size != 2*smallWindow {
		t.Errorf("window %d, want it doubled", w.size)
	}
}

func TestWindowRefusesWhatWasNotGranted(t *testing.T) {
	w := newWindow(leastWindow)
	if w.granted != leastWindow || w.take(leastWindow+1, false) || !w.take(leastWindow, false) || w.take(1, false) {
		t.Errorf("%+v", w)
	}
}

// TestWindowNeverStalls: whoever sends all he may and reads all there is never waits for a credit that does not come, whatever
// the share; and credit never decreases.
func TestWindowNeverStalls(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		limit := share(1 + r.IntN(3000))
		w := newWindow(limit)
		credit := w.granted
		for range 300 {
			if r.IntN(10) == 0 {
				limit = share(1 + r.IntN(3000))
			}
			if w.received == w.granted && w.consumed == w.received {
				t.Fatalf("stalled: %+v with limit %d", w, limit)
			}
			if n := int(w.granted - w.received); n > 0 {
				w.take(1+r.IntN(n), r.IntN(4) == 0)
			}
			if n := int(w.received - w.consumed); n > 0 {
				if c, send := w.consume(n, limit); send {
					if c < credit {
						t.Fatalf("credit fell from %d to %d", credit, c)
					}
					credit = c
				}
			}
		}
	}
}

func TestInbox(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var q inbox
	var want, got []byte
	for len(want) < 1<<20 {
		b := make([]byte, r.IntN(3*blockLen))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		q.put(b)
		want = append(want, b...)
		p := make([]byte, r.IntN(3*blockLen))
		got = append(got, p[:q.take(p)]...)
	}
	for !q.empty() {
		p := make([]byte, 1000)
		got = append(got, p[:q.take(p)]...)
	}
	if !bytes.Equal(got, want) {
		t.Error("what came out is not what went in")
	}
	q.put(want)
	q.clear()
	if !q.empty() || q.take(make([]byte, 1)) != 0 {
		t.Error("not cleared")
	}
}
