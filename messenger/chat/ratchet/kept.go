package ratchet

import (
	"maps"
	"slices"
)

// missed is the key of a message that has not come yet.
type missed struct {
	header secret
	n      uint32
	key    secret
}

// skip makes the keys of the messages from where the chain is to the one numbered until.
func (c *chain) skip(to []missed, until uint32) ([]missed, error) {
	if until < c.n {
		return to, ErrUsed
	}
	if until-c.n > MaxSkip {
		return to, ErrGap
	}
	for c.n < until {
		m := missed{header: c.header, n: c.n}
		m.key = c.advance()
		to = append(to, m)
	}
	return to, nil
}

// keptKeys are the keys of messages that have not come yet, by chain, the oldest chain first.
type keptKeys struct {
	chains []keptChain
	count  int
}

type keptChain struct {
	header secret
	first  uint32 // no key has a lower number; where the search for the oldest goes on
	keys   map[uint32]secret
}

// find is the chain whose header key opens the message's header.
func (k *keptKeys) find(message, ad []byte) (int, header, bool) {
	for i := range k.chains {
		if h, ok := openHeader(k.chains[i].header, message, ad); ok {
			return i, h, true
		}
	}
	return 0, header{}, false
}

func (k *keptKeys) key(i int, n uint32) (secret, bool) {
	key, ok := k.chains[i].keys[n]
	return key, ok
}

// drop forgets a key that was used.
func (k *keptKeys) drop(i int, n uint32) {
	delete(k.chains[i].keys, n)
	k.count--
	if len(k.chains[i].keys) == 0 {
		k.chains = append(k.chains[:i], k.chains[i+1:]...)
	}
}

// add keeps more keys; those of the oldest messages give way.
func (k *keptKeys) add(list []missed) {
	for _, m := range list {
		if n := len(k.chains); n == 0 || k.chains[n-1].header != m.header {
			k.chains = append(k.chains, keptChain{header: m.header, first: m.n, keys: map[uint32]secret{}})
		}
		k.chains[len(k.chains)-1].keys[m.n] = m.key
		k.count++
	}
	for len(k.chains) > maxChains {
		k.count -= len(k.chains[0].keys)
		k.chains = k.chains[1:]
	}
	for k.count > MaxKept {
		k.dropOldest()
	}
}

// dropOldest forgets the key of the lowest number in the oldest chain.
func (k *keptKeys) dropOldest() {
	c := &k.chains[0]
	for {
		n := c.first
		c.first++
		if _, ok := c.keys[n]; ok {
			k.drop(0, n)
			return
		}
	}
}

// sorted are the numbers of a chain's keys, ascending.
func (c *keptChain) sorted() []uint32 { return slices.Sorted(maps.Keys(c.keys)) }
