package gui

import (
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/desktop/panel"
)

// A sample is what an app had used at a moment.
type sample struct {
	at            time.Time
	cpu           float64 // seconds since its start
	memory, files float32
	read, written uint64 // bytes since its start
}

// A history is the samples of one run of an app, oldest first. They come every second while somebody looks,
// otherwise less often; between two of them load is taken as even.
type history struct {
	pid     int
	samples []sample
}

// span is how far graphs go back.
const span = panel.MaxSamples * time.Second

// add keeps u. What an earlier run of the app used is forgotten, and so is what is older than the graphs.
func (h *history) add(at time.Time, u signal.Usage) {
	if u.Pid != h.pid {
		h.pid, h.samples = u.Pid, h.samples[:0]
	}
	old := 0
	for old+1 < len(h.samples) && at.Sub(h.samples[old+1].at) >= span {
		old++ // the one before the span begins is where its first second comes from
	}
	h.samples = append(h.samples[:0], h.samples[old:]...)
	h.samples = append(h.samples, sample{at, u.CPUSeconds, float32(u.RSSBytes), float32(u.OpenFiles), u.ReadBytes, u.WrittenBytes})
}

// A graphs is a history as a panel draws it: a value a second, newest last.
type graphs struct{ cpu, memory, files, in, out []float32 }

// series are the last seconds of h, at most so many. A single sample gives one value, without rates.
func (h *history) series(most int) (g graphs) {
	n := len(h.samples)
	if n == 0 {
		return g
	}
	newest := h.samples[n-1].at
	seconds := min(most, max(1, int(newest.Sub(h.samples[0].at)/time.Second)))
	i := n - 1 // the sample at or after the second that is drawn
	for k := range seconds {
		at := newest.Add(-time.Duration(k) * time.Second)
		for i > 1 && !h.samples[i-1].at.Before(at) {
			i--
		}
		g.push(h.samples[max(0, i-1)], h.samples[i])
	}
	g.reverse()
	return g
}

// push appends what was used between a and b.
func (g *graphs) push(a, b sample) {
	seconds := b.at.Sub(a.at).Seconds()
	rate := func(from, to float64) float32 {
		if seconds <= 0 {
			return 0
		}
		return float32(max(0, to-from) / seconds)
	}
	g.cpu = append(g.cpu, 100*rate(a.cpu, b.cpu))
	g.memory = append(g.memory, b.memory)
	g.files = append(g.files, b.files)
	g.in = append(g.in, rate(float64(a.read), float64(b.read)))
	g.out = append(g.out, rate(float64(a.written), float64(b.written)))
}

func (g *graphs) reverse() {
	for _, v := range [...][]float32{g.cpu, g.memory, g.files, g.in, g.out} {
		for i, j := 0, len(v)-1; i < j; i, j = i+1, j-1 {
			v[i], v[j] = v[j], v[i]
		}
	}
}
