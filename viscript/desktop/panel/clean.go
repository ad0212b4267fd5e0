package panel

import (
	"math"
	"time"

	"github.com/skycoin/viscript/viscript/term"
)

// Limits of what is shown; more is cut off.
const (
	MaxProcesses = 500
	MaxSamples   = 900 // 15 minutes, one a second
	MaxNodes     = 512
	MaxLinks     = 2048
	MaxRoutes    = 256
	MaxHops      = 32
	MaxLines     = 5000
	maxText      = 400 // bytes of a text before it is cleaned
)

// Text is s fit to be drawn: one line, without control characters, bounded.
func Text(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return term.Clean(s)
}

// sample is v if it can be drawn, else 0.
func sample(v float32) float32 {
	if v >= 0 && !math.IsInf(float64(v), 0) {
		return v
	}
	return 0
}

// samples are the newest of v, in memory of their own.
func samples(v []float32) []float32 {
	v = v[max(0, len(v)-MaxSamples):]
	out := make([]float32, len(v))
	for i, f := range v {
		out[i] = sample(f)
	}
	return out
}

// CleanProcesses is a copy of list that may be drawn.
func CleanProcesses(list []Process) []Process {
	out := make([]Process, 0, min(len(list), MaxProcesses))
	for _, r := range list[:cap(out)] {
		r.Name, r.State = Text(r.Name), Text(r.State)
		r.CPU, r.Memory = samples(r.CPU), samples(r.Memory)
		out = append(out, r)
	}
	return out
}

// Clean is a copy of a that may be drawn.
func (a App) Clean() App {
	a.Name, a.State, a.Detail = Text(a.Name), Text(a.State), Text(a.Detail)
	a.CPU, a.Memory, a.Descriptors, a.In, a.Out = samples(a.CPU), samples(a.Memory), samples(a.Descriptors), samples(a.In), samples(a.Out)
	a.Lines = CleanLines(a.Lines)
	return a
}

// CleanLines is a copy of the newest lines that may be drawn.
func CleanLines(list []LogLine) []LogLine {
	list = list[max(0, len(list)-MaxLines):]
	out := make([]LogLine, len(list))
	for i, l := range list {
		l.Time, l.Name, l.Text = Text(l.Time), Text(l.Name), Text(l.Text)
		out[i] = l
	}
	return out
}

// Clean is a copy of m that may be drawn: nodes have ids of their own, links and routes join nodes
// that are there.
func (m Mesh) Clean() Mesh {
	var out Mesh
	known := map[string]string{}
	for _, n := range m.Nodes[:min(len(m.Nodes), MaxNodes)] {
		if _, twice := known[n.ID]; twice || n.ID == "" || len(n.ID) > maxText {
			continue
		}
		raw := n.ID
		n.ID, n.Label, n.State = Text(raw), Text(n.Label), Text(n.State)
		known[raw] = n.ID
		out.Nodes = append(out.Nodes, n)
	}
	for _, l := range m.Links[:min(len(m.Links), MaxLinks)] {
		a, okA := known[l.A]
		b, okB := known[l.B]
		if !okA || !okB || a == b {
			continue
		}
		l.A, l.B, l.Latency = a, b, max(0, min(l.Latency, time.Hour))
		l.Rate = max(0, min(l.Rate, 1e15))
		if math.IsNaN(l.Rate) {
			l.Rate = 0
		}
		out.Links = append(out.Links, l)
	}
	for _, r := range m.Routes[:min(len(m.Routes), MaxRoutes)] {
		hops := make([]string, 0, min(len(r.Hops), MaxHops))
		for _, h := range r.Hops[:cap(hops)] {
			if id, ok := known[h]; ok {
				hops = append(hops, id)
			}
		}
		r.ID, r.Label, r.Hops = Text(r.ID), Text(r.Label), hops
		out.Routes = append(out.Routes, r)
	}
	return out
}
