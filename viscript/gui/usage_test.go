package gui

import (
	"slices"
	"testing"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/desktop/panel"
)

func use(pid int, cpu float64, rss, read uint64) signal.Usage {
	return signal.Usage{Pid: pid, CPUSeconds: cpu, RSSBytes: rss, OpenFiles: 7, ReadBytes: read, WrittenBytes: 2 * read}
}

func TestSeriesAreValuesASecond(t *testing.T) {
	begin := time.Unix(1000, 0)
	at := func(s int) time.Time { return begin.Add(time.Duration(s) * time.Second) }
	var h history
	if g := h.series(10); len(g.cpu) != 0 {
		t.Errorf("of nothing: %v", g)
	}
	h.add(at(0), use(5, 1, 100, 0))
	if g := h.series(10); !slices.Equal(g.memory, []float32{100}) || g.cpu[0] != 0 {
		t.Errorf("of one sample: %+v", g)
	}
	h.add(at(4), use(5, 3, 200, 400)) // half of a core for four seconds
	h.add(at(5), use(5, 3.25, 300, 1400))
	g := h.series(10)
	if want := []float32{50, 50, 50, 50, 25}; !slices.Equal(g.cpu, want) {
		t.Errorf("cpu %v, want %v", g.cpu, want)
	}
	if want := []float32{100, 100, 100, 100, 1000}; !slices.Equal(g.in, want) {
		t.Errorf("in %v, want %v", g.in, want)
	}
	if g := h.series(2); !slices.Equal(g.cpu, []float32{50, 25}) {
		t.Errorf("the last two: %v", g.cpu)
	}
	h.add(at(6), use(6, 0, 50, 0)) // another run
	if g := h.series(10); !slices.Equal(g.memory, []float32{50}) {
		t.Errorf("after a restart: %v", g.memory)
	}
}

func TestHistoryIsBounded(t *testing.T) {
	begin := time.Unix(1000, 0)
	var h history
	for i := range 5000 {
		h.add(begin.Add(time.Duration(i)*time.Second), use(1, float64(i), 1, 1))
	}
	if n := len(h.samples); n > panel.MaxSamples+2 {
		t.Errorf("%d samples are kept", n)
	}
	if g := h.series(panel.MaxSamples); len(g.cpu) != panel.MaxSamples || g.cpu[0] != 100 {
		t.Errorf("%d values, the first %v", len(g.cpu), g.cpu[0])
	}
}
