package nodemanager

import (
	"cmp"
	"hash/maphash"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
)

// pool is the nodes that may be named as neighbours, for picking one at random. Not for concurrent use.
type pool struct {
	keys  []identity.PubKey
	index map[identity.PubKey]int
}

func newPool() pool { return pool{index: make(map[identity.PubKey]int)} }

func (p *pool) has(key identity.PubKey) bool {
	_, ok := p.index[key]
	return ok
}

// set puts a key in or takes it out; false when it was so before.
func (p *pool) set(key identity.PubKey, in bool) bool {
	i, was := p.index[key]
	switch {
	case in == was:
		return false
	case in:
		p.index[key] = len(p.keys)
		p.keys = append(p.keys, key)
	default:
		last := len(p.keys) - 1
		p.keys[i] = p.keys[last]
		p.index[p.keys[i]] = i
		p.keys = p.keys[:last]
		delete(p.index, key)
	}
	return true
}

// Rules of picking.
const (
	rankedFor  = time.Minute // a choice by rank counts so long: it costs a look at every node
	rankedMost = 2           // of the neighbours are chosen by rank
	pickTries  = 4 * control.MaxNeighbours
)

// choice is what was picked for one node. Its goroutine alone uses it.
type choice struct {
	list   []identity.PubKey // in the order of picking
	ranked []identity.PubKey
	at     time.Time // of the ranking
}

// pick renews the choice for a node. The first two are those that a secret hash of both keys puts first among all nodes, so
// that parts of a network which lost sight of each other find together again; then come those named before, so that a choice
// stays while others come and go, those the node has links to, which keeps a network as it is when its manager starts anew,
// and then anybody.
func (p *pool) pick(c *choice, self identity.PubKey, linked []identity.PubKey, seed maphash.Seed, now time.Time) {
	if now.Sub(c.at) > rankedFor || len(c.ranked) < rankedMost || slices.ContainsFunc(c.ranked, func(k identity.PubKey) bool { return !p.has(k) }) {
		c.ranked, c.at = p.first(self, seed), now
	}
	var list []identity.PubKey
	take := func(k identity.PubKey) {
		if len(list) < control.MaxNeighbours && k != self && p.has(k) && !slices.Contains(list, k) {
			list = append(list, k)
		}
	}
	for _, keys := range [][]identity.PubKey{c.ranked, c.list, linked} {
		for _, k := range keys {
			take(k)
		}
	}
	if len(p.keys) <= 2*control.MaxNeighbours {
		for _, k := range p.keys {
			take(k)
		}
	}
	for range pickTries {
		if len(list) == control.MaxNeighbours || len(p.keys) == 0 {
			break
		}
		take(p.keys[rand.IntN(len(p.keys))])
	}
	c.list = list
}

// first is the rankedMost nodes of least rank for self.
func (p *pool) first(self identity.PubKey, seed maphash.Seed) []identity.PubKey {
	type ranked struct {
		rank uint64
		key  identity.PubKey
	}
	var best []ranked
	for _, k := range p.keys {
		r := ranked{maphash.Comparable(seed, [2]identity.PubKey{self, k}), k}
		if k == self || len(best) == rankedMost && r.rank >= best[len(best)-1].rank {
			continue
		}
		best = append(best[:min(len(best), rankedMost-1)], r)
		slices.SortFunc(best, func(a, b ranked) int { return cmp.Compare(a.rank, b.rank) })
	}
	keys := make([]identity.PubKey, len(best))
	for i, b := range best {
		keys[i] = b.key
	}
	return keys
}
