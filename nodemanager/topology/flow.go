package topology

import "slices"

// flow is units on their way from src to dst, each link in use once at most. A node stands for two places, in (2n) and out
// (2n+1), with a step between them that is free for the first unit and sharedNode for each one more. What is left of the
// way from a place to in(dst), at least, is its height; steps are counted as weight + height(to) - height(from), which is
// never negative, so that Dijkstra finds the cheapest change of the flow although it may take back what it did before.
type flow struct {
	v        *view
	src, dst int32
	height   []int64           // by place
	used     map[[2]int32]bool // links, in the direction of their unit
	units    []int8            // by node, through it

	dist    []int64 // by place, of the search going on; far: not met
	from    []int32 // by place
	touched []int32 // places met
	h       heap[near]
}

func newFlow(v *view, src, dst int32) *flow {
	d := distances(v, dst, src)
	f := &flow{
		v: v, src: src, dst: dst,
		height: make([]int64, 2*len(d)), used: make(map[[2]int32]bool), units: make([]int8, len(d)),
		dist: make([]int64, 2*len(d)), from: make([]int32, 2*len(d)),
	}
	for n := range d { // distances beyond src's are not final
		least := min(d[n], d[src])
		f.height[2*n], f.height[2*n+1] = least, least
		f.dist[2*n], f.dist[2*n+1] = far, far
	}
	return f
}

func in(n int32) int32  { return 2 * n }
func out(n int32) int32 { return 2*n + 1 }

// augment sends one unit more, the cheapest way; false when there is none.
func (f *flow) augment() bool {
	defer f.clear()
	end, ok := f.search()
	if !ok {
		return false
	}
	for _, p := range f.touched {
		if f.dist[p] < end {
			f.height[p] += end - f.dist[p]
		}
	}
	for to := in(f.dst); to != out(f.src); to = f.from[to] {
		f.step(f.from[to], to)
	}
	return true
}

func (f *flow) clear() {
	for _, p := range f.touched {
		f.dist[p] = far
	}
	f.touched, f.h.a = f.touched[:0], f.h.a[:0]
}

// search is Dijkstra from out(src) to in(dst).
func (f *flow) search() (end int64, ok bool) {
	f.meet(out(f.src), out(f.src), 0)
	for f.h.len() > 0 {
		p := f.h.pop()
		switch {
		case p.weight > f.dist[p.node]:
		case p.node == in(f.dst):
			return p.weight, true
		case p.node&1 == 0:
			f.enter(p.node/2, p.weight)
		default:
			f.leave(p.node/2, p.weight)
		}
	}
	return 0, false
}

// meet notes a way of that length to a place.
func (f *flow) meet(from, to int32, dist int64) {
	if dist >= f.dist[to] {
		return
	}
	if f.dist[to] == far {
		f.touched = append(f.touched, to)
	}
	f.dist[to], f.from[to] = dist, from
	f.h.push(near{dist, to})
}

func (f *flow) relax(from, to int32, dist, weight int64) {
	f.meet(from, to, dist+weight+f.height[to]-f.height[from])
}

// enter goes on from in(n): through the node, or back along a unit that came in.
func (f *flow) enter(n int32, dist int64) {
	f.relax(in(n), out(n), dist, f.through(n))
	if f.units[n] == 0 {
		return
	}
	for _, e := range f.v.edges[n] {
		if f.used[[2]int32{e.to, n}] {
			f.relax(in(n), out(e.to), dist, -f.v.weigh(n, e))
		}
	}
}

func (f *flow) through(n int32) int64 {
	if f.units[n] == 0 {
		return 0
	}
	return sharedNode
}

// leave goes on from out(n): along a link, or back through the node with a unit that left.
func (f *flow) leave(n int32, dist int64) {
	switch f.units[n] {
	case 0:
	case 1:
		f.relax(out(n), in(n), dist, 0)
	default:
		f.relax(out(n), in(n), dist, -sharedNode)
	}
	for _, e := range f.v.edges[n] {
		if e.to == f.src || len(f.used) > 0 && f.used[[2]int32{n, e.to}] {
			continue
		}
		if w := f.v.weigh(n, e); w < far {
			f.relax(out(n), in(e.to), dist, w)
		}
	}
}

// step carries out one step of the way that was found.
func (f *flow) step(from, to int32) {
	a, b := from/2, to/2
	switch {
	case a == b && from&1 == 0:
		f.units[a]++
	case a == b:
		f.units[a]--
	case from&1 == 1:
		f.used[[2]int32{a, b}] = true
	default: // back from in(a) to out(b): the unit that went from b to a
		delete(f.used, [2]int32{b, a})
	}
}

// paths takes the flow apart. A cheapest flow has no circle, so no path passes a node twice.
func (f *flow) paths() [][]int32 {
	next := make(map[int32][]int32)
	for l := range f.used {
		next[l[0]] = append(next[l[0]], l[1])
	}
	for _, list := range next {
		slices.Sort(list)
	}
	var paths [][]int32
	for range next[f.src] {
		p := []int32{f.src}
		for n := f.src; n != f.dst; {
			n, next[n] = next[n][0], next[n][1:]
			p = append(p, n)
		}
		paths = append(paths, p)
	}
	return paths
}
