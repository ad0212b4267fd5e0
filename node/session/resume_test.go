package session

import (
	"bytes"
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/forward"
)

// copyBoth sends n random bytes each way over a stream and compares them.
func copyBoth(t testing.TB, near, far *Stream, n int) {
	t.Helper()
	var wg sync.WaitGroup
	for i, ends := range [][2]*Stream{{near, far}, {far, near}} {
		from, to := ends[0], ends[1]
		seed := [32]byte{byte(i), byte(n)}
		wg.Go(func() {
			if _, err := io.CopyN(from, rand.NewChaCha8(seed), int64(n)); err != nil {
				t.Errorf("end %d sending: %v", i, err)
			}
			from.CloseWrite()
		})
		wg.Go(func() {
			got, want := sha256.New(), sha256.New()
			io.CopyN(want, rand.NewChaCha8(seed), int64(n))
			to.SetReadDeadline(time.Now().Add(10 * patience)) // many bytes, on a machine that others use
			m, err := io.Copy(got, to)
			if err != nil || m != int64(n) || !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
				t.Errorf("from end %d: %d of %d bytes arrived, %v, same: %t", i, m, n, err, bytes.Equal(got.Sum(nil), want.Sum(nil)))
			}
		})
	}
	wg.Wait()
}

func TestSecondPathIsLaidAndTakesOver(t *testing.T) {
	m := newMesh(t, 2, nil)
	near, far := m.dial()
	a, b := m.ready()
	m.until("two paths", func() bool { return paths(a) == 2 && paths(b) == 2 })
	first := m.activeRoad(a)
	done := make(chan struct{})
	go func() {
		defer close(done)
		copyBoth(t, near, far, 20<<20)
	}()
	time.Sleep(5 * time.Millisecond)
	first.cut(forward.ReasonLink)
	<-done
	if a.Err() != nil || b.Err() != nil {
		t.Fatal(a.Err(), b.Err())
	}
	for _, s := range []*Session{a, b} { // the copy may have been faster than the cut
		m.until("the move", func() bool { i := s.info(); return i.Switches > 0 && i.WhyMoved != "" })
	}
	m.until("a new second path", func() bool { return paths(a) == 2 && paths(b) == 2 })
}

// Paths that fell silent, which only the initiator has given up, take no room from the next: the far node has as many as it may have.
func TestSilentPathsMakeRoom(t *testing.T) {
	m := newMesh(t, 2, nil)
	near, far := m.dial()
	a, b := m.ready()
	m.until("a second path", func() bool { return paths(a) == 2 && paths(b) == 2 })
	for i := 2; i < maxPaths; i++ {
		laid, err := m.layOver(i%2, 1000+i)
		if err != nil || !a.take(&errand{why: toRescue}, laid) {
			t.Fatal("no further path:", err)
		}
		m.until("it to come through", func() bool { return paths(b) == i+1 })
	}
	for _, r := range m.live() {
		r.hush(true)
	}
	a.mu.Lock()
	all := slices.Clone(a.paths)
	a.mu.Unlock()
	for _, p := range all {
		p.close()
	}
	if n := paths(b); n != maxPaths {
		t.Fatalf("the far node has %d paths, want %d that are silent", n, maxPaths)
	}
	copyBoth(t, near, far, 1<<20)
	if a.Err() != nil || b.Err() != nil {
		t.Error(a.Err(), b.Err())
	}
}

// TestPathsDieAllTheTime kills the path in use a thousand times while streams carry data both ways.
func TestPathsDieAllTheTime(t *testing.T) {
	times := 1000
	if testing.Short() {
		times = 100
	}
	seed := rand.Uint64()
	t.Log("seed", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	m := newMesh(t, 4, nil)
	var ends [4][2]*Stream
	for i := range ends {
		ends[i][0], ends[i][1] = m.dial()
	}
	a, b := m.ready()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var moved [8]int64
	for i := range ends {
		for j := range 2 {
			from, to := ends[i][j], ends[i][1-j]
			key := [32]byte{byte(i), byte(j)}
			n := 2*i + j
			wg.Go(func() {
				src := rand.NewChaCha8(key)
				buf := make([]byte, 40000)
				for k := 0; ; k++ {
					select {
					case <-stop:
						from.CloseWrite()
						return
					default:
					}
					b := buf[:1+(k*7919)%len(buf)]
					src.Read(b)
					if _, err := from.Write(b); err != nil {
						t.Error("writing:", err)
						return
					}
				}
			})
			wg.Go(func() {
				src := rand.NewChaCha8(key)
				got, want := make([]byte, 50000), make([]byte, 50000)
				for {
					k, err := to.Read(got)
					src.Read(want[:k])
					if !bytes.Equal(got[:k], want[:k]) {
						t.Error("bytes differ after", moved[n])
						return
					}
					moved[n] += int64(k)
					if err == io.EOF {
						return
					} else if err != nil {
						t.Error("reading:", err)
						return
					}
				}
			})
		}
	}
	began := time.Now()
	for range times {
		who := a
		if rng.IntN(2) == 0 {
			who = b
		}
		var r *road
		m.until("a path in use", func() bool { r = m.activeRoad(who); return r != nil || t.Failed() })
		if t.Failed() {
			break
		}
		switch rng.IntN(8) {
		case 0: // everything at once
			for _, r := range m.live() {
				r.cut(forward.ReasonLink)
			}
		default:
			r.cut(forward.ReasonLink)
		}
		time.Sleep(time.Duration(rng.IntN(3000)) * time.Microsecond)
	}
	close(stop)
	wg.Wait()
	var total int64
	for _, n := range moved {
		total += n
	}
	t.Logf("%d MB in %s, %d switches", total>>20, time.Since(began), a.info().Switches)
	if a.Err() != nil || b.Err() != nil {
		t.Error(a.Err(), b.Err())
	}
}
