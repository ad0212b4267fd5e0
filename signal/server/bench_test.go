//go:build linux

package server

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	sig "github.com/skycoin/viscript/signal"
)

const crowd = 1000

// BenchmarkPing asks one of a thousand registered clients after another for a sign of life.
// The clients are connections of one process, entered as a thousand apps.
func BenchmarkPing(b *testing.B) {
	goFile := filepath.Join(b.TempDir(), "go")
	s := serve(b, func(c *Config) { c.Ladder.Ask = 0 })
	v := launch(b, s, helper("crowd", "GO="+goFile, "CROWD="+strconv.Itoa(crowd)))
	first, r, err := s.current(v.ID)
	if err != nil {
		b.Fatal(err)
	}
	for id := v.ID + 1; id < v.ID+crowd; id++ {
		a := &app{id: id, log: first.log, op: make(chan struct{}, 1), changed: make(chan struct{})}
		a.asked.Store(first.request())
		a.op <- struct{}{}
		own := &run{proc: r.proc, token: r.token, tokenFile: r.tokenFile, over: make(chan struct{})}
		s.enter(a, own)
		s.spawn(func() { s.watch(a, own) })
	}
	if err := os.WriteFile(goFile, nil, 0o600); err != nil {
		b.Fatal(err)
	}
	awaitLog(b, v, "crowd is there")
	b.ReportAllocs()
	var took []float64
	for b.Loop() {
		rep, err := s.Ping(b.Context(), v.ID+sig.ID(len(took)%crowd))
		if err != nil {
			b.Fatal(err)
		}
		took = append(took, rep.RTTms)
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)*99/100], "p99-ms")
}

// BenchmarkStartStop starts two hundred programs and stops them, all at once.
func BenchmarkStartStop(b *testing.B) {
	const many = 200
	s := serve(b, nil)
	for b.Loop() {
		var all sync.WaitGroup
		apps := make([]sig.App, many)
		began := time.Now()
		for i := range apps {
			apps[i] = launch(b, s, sig.StartRequest{App: "sleep", Path: "/bin/sleep", Args: []string{"600"}})
		}
		b.ReportMetric(float64(time.Since(began).Milliseconds()), "start-ms")
		for _, v := range apps {
			all.Go(func() {
				if rep, err := s.Stop(b.Context(), v.ID); err != nil || rep.Rung != sig.RungTerm {
					b.Errorf("%+v, %v", rep, err)
				}
			})
		}
		all.Wait()
	}
}
