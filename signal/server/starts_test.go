//go:build linux

package server

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"

	sig "github.com/skycoin/viscript/signal"
)

// holdings are what a server may not have more of after many starts.
type holdings struct{ fds, goroutines, files, heap, rss int }

func holdingsOf(s *Server) (h holdings) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fds, _ := os.ReadDir("/proc/self/fd")
	files, _ := os.ReadDir(filepath.Join(s.cfg.Dir, runName))
	logs, _ := os.ReadDir(filepath.Join(s.cfg.Dir, logsName))
	statm, _ := os.ReadFile("/proc/self/statm")
	fmt.Sscan(string(statm), new(int), &h.rss)
	h.fds, h.goroutines, h.files = len(fds), runtime.NumGoroutine(), len(files)+len(logs)
	h.heap, h.rss = int(m.HeapAlloc>>10), h.rss*os.Getpagesize()>>10
	return h
}

// TestManyStarts starts 1,000 apps, with the race detector 300, eight at a time, each with a keeper; STARTS=10000 makes it more.
// Nothing of them may stay: no zombie, descriptor, goroutine, file or memory.
func TestManyStarts(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many apps")
	}
	n, err := strconv.Atoi(cmp.Or(os.Getenv("STARTS"), manyStarts))
	if err != nil {
		t.Fatal(err)
	}
	reapAll(t)
	const hands = 8
	s := serve(t, func(c *Config) { c.Limits.History = 5 })
	many := func(n int) {
		var all sync.WaitGroup
		for range hands {
			all.Go(func() {
				for range n / hands {
					v, err := s.Start(t.Context(), sig.StartRequest{App: "true", Path: "/bin/true"})
					if err != nil {
						t.Error(err)
						return
					}
					if _, r, err := s.current(v.ID); err == nil { // else the table has forgotten it
						<-r.proc.Gone()
					}
				}
			})
		}
		all.Wait()
	}
	many(n / 5)
	var base holdings
	eventually(t, "it settles", func() bool {
		last := base
		base = holdingsOf(s)
		return base.fds == last.fds && base.goroutines == last.goroutines
	})
	many(n)
	var now holdings
	eventually(t, "nothing has stayed", func() bool {
		now = holdingsOf(s)
		return now.fds <= base.fds && now.goroutines <= base.goroutines && now.files <= base.files
	})
	t.Logf("%d starts: %+v became %+v", n, base, now)
	if now.heap > base.heap+2<<10 || now.rss > base.rss+manyRSS {
		t.Errorf("memory grew in %d starts: KiB %+v, %+v", n, base, now)
	}
	var ws syscall.WaitStatus
	if pid, err := syscall.Wait4(-1, &ws, syscall.WNOHANG, nil); err != syscall.ECHILD {
		t.Errorf("a child is left: %d, %v", pid, err)
	}
}
