package panel

import (
	"hash/fnv"
	"math"
)

// A Place is where a node stands on the map, both from 0 to 1.
type Place struct{ X, Y float64 }

// work bounds the pairs of nodes that Arrange looks at: some 20 ms.
const work = 2_000_000

// Arrange places the nodes of m so that linked ones are near and no two on one spot (forces after
// Fruchterman and Reingold, 1991). The same map and places before give the same result. Nodes that had
// a place keep it, so that people find them again, unless half of all nodes are new.
func Arrange(m *Mesh, before map[string]Place) map[string]Place {
	n := len(m.Nodes)
	at, kept := make([]Place, n), make([]bool, n)
	index := make(map[string]int, n)
	fresh := 0
	for i := range m.Nodes {
		id := m.Nodes[i].ID
		index[id] = i
		if at[i], kept[i] = before[id]; !kept[i] {
			at[i], fresh = start(id, i, n), fresh+1
		}
	}
	links := make([][2]int, 0, len(m.Links))
	for _, l := range m.Links {
		links = append(links, [2]int{index[l.A], index[l.B]})
	}
	switch {
	case fresh == 0:
	case 2*fresh >= n:
		for i := range m.Nodes {
			at[i], kept[i] = start(m.Nodes[i].ID, i, n), false
		}
		relax(at, kept, links, 0.1)
		low, high := reach(at)
		fit(at, low, high)
	default:
		settle(at, kept, links)
		relax(at, kept, links, 0.02)
		fit(at, Place{}, Place{1, 1})
	}
	out := make(map[string]Place, n)
	for id, i := range index {
		out[id] = at[i]
	}
	return out
}

// settle puts new nodes beside a neighbour that has a place.
func settle(at []Place, kept []bool, links [][2]int) {
	for _, l := range links {
		for _, way := range [...][2]int{l, {l[1], l[0]}} {
			if from, to := way[0], way[1]; kept[from] && !kept[to] {
				p, q := at[from], at[to]
				at[to] = Place{p.X + (q.X-p.X)*0.15, p.Y + (q.Y-p.Y)*0.15}
			}
		}
	}
}

// start spreads nodes over a circle, off it by a little that their id decides, so that no two forces
// cancel.
func start(id string, i, n int) Place {
	h := fnv.New32a()
	h.Write([]byte(id))
	off := float64(h.Sum32()%1000) / 1000
	angle := 2 * math.Pi * (float64(i) + 0.3*off) / float64(n)
	r := 0.3 + 0.1*off
	return Place{0.5 + r*math.Cos(angle), 0.5 + r*math.Sin(angle)}
}

// relax moves the places that are not kept for some rounds, by less and less.
func relax(at []Place, kept []bool, links [][2]int, heat float64) {
	n := len(at)
	rounds := max(10, min(200, work/(n*n)))
	k := 0.8 / math.Sqrt(float64(n)) // the distance at which forces are in balance
	move := make([]Place, n)
	for round := range rounds {
		repel(at, move, k)
		for _, l := range links {
			pull(at, move, l[0], l[1], k)
		}
		limit := heat * (1 - float64(round)/float64(rounds))
		for i := range at {
			if kept[i] {
				continue
			}
			dx, dy := move[i].X+(0.5-at[i].X)*k, move[i].Y+(0.5-at[i].Y)*k
			d := math.Hypot(dx, dy)
			if d > limit {
				dx, dy = dx/d*limit, dy/d*limit
			}
			at[i] = Place{at[i].X + dx, at[i].Y + dy}
		}
	}
}

// reach is the least and the greatest coordinates.
func reach(at []Place) (low, high Place) {
	low, high = at[0], at[0]
	for _, p := range at {
		low = Place{min(low.X, p.X), min(low.Y, p.Y)}
		high = Place{max(high.X, p.X), max(high.Y, p.Y)}
	}
	return low, high
}

// fit spreads the places between low and high over the whole map; those beyond go to its edge.
func fit(at []Place, low, high Place) {
	scale := func(v, low, high float64) float64 {
		if high-low < 1e-9 {
			return 0.5
		}
		return max(0, min((v-low)/(high-low), 1))
	}
	for i, p := range at {
		at[i] = Place{scale(p.X, low.X, high.X), scale(p.Y, low.Y, high.Y)}
	}
}

func repel(at, move []Place, k float64) {
	clear(move)
	for i := range at {
		for j := i + 1; j < len(at); j++ {
			dx, dy := at[i].X-at[j].X, at[i].Y-at[j].Y
			d2 := dx*dx + dy*dy
			if d2 < 1e-8 { // on one spot: apart along a direction of their own
				dx, dy, d2 = 1e-4*float64(1+i%7), 1e-4*float64(1+j%5), 1e-8
			}
			f := k * k / d2
			move[i].X, move[i].Y = move[i].X+dx*f, move[i].Y+dy*f
			move[j].X, move[j].Y = move[j].X-dx*f, move[j].Y-dy*f
		}
	}
}

func pull(at, move []Place, i, j int, k float64) {
	dx, dy := at[i].X-at[j].X, at[i].Y-at[j].Y
	f := math.Hypot(dx, dy) / k
	move[i].X, move[i].Y = move[i].X-dx*f, move[i].Y-dy*f
	move[j].X, move[j].Y = move[j].X+dx*f, move[j].Y+dy*f
}
