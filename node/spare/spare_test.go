package spare

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

type buffer struct{ users atomic.Int32 }

// What fits the list is there after garbage collections; nothing is handed to two at once.
func TestKeep(t *testing.T) {
	made := 0
	l := New(2, func() *buffer { made++; return new(buffer) })
	a, b := l.Get(), l.Get()
	if a == b || made != 2 {
		t.Fatalf("two of one, or %d made", made)
	}
	l.Put(a)
	l.Put(b)
	runtime.GC()
	runtime.GC()
	if c, d := l.Get(), l.Get(); c == d || made != 2 {
		t.Fatalf("want the two of before, have %d made", made)
	}
}

func TestBound(t *testing.T) {
	l := New(1, func() *buffer { return new(buffer) })
	for range 3 {
		l.Put(new(buffer))
	}
	if len(l.free) != 1 {
		t.Fatalf("%d are kept, want 1", len(l.free))
	}
}

func TestConcurrent(t *testing.T) {
	l := New(4, func() *buffer { return new(buffer) })
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				b := l.Get()
				if b.users.Add(1) != 1 {
					t.Error("a buffer with two users")
				}
				b.users.Add(-1)
				l.Put(b)
			}
		})
	}
	wg.Wait()
}

func TestNoAllocation(t *testing.T) {
	l := New(1, func() *buffer { return new(buffer) })
	l.Put(l.Get())
	if n := testing.AllocsPerRun(100, func() { l.Put(l.Get()) }); n != 0 {
		t.Fatalf("%.0f allocations", n)
	}
}
