package simnet

import "slices"

// Partition silences the paths between two hosts: datagrams vanish, streams stand still, and nobody is told. Streams
// that still stand when the partition is healed go on, the time that TCP takes to try again later.
func (n *Network) Partition(a, b *Host) { n.setDown(a, b, true) }

// Heal ends a partition.
func (n *Network) Heal(a, b *Host) {
	n.setDown(a, b, false)
	for _, p := range n.streams(a, b) {
		p.resume()
	}
}

func (n *Network) setDown(a, b *Host, down bool) {
	there, back := n.path(a, b)
	for _, p := range []*path{there, back} {
		p.mu.Lock()
		p.down = down
		p.mu.Unlock()
	}
}

// Cut resets every stream between two hosts, at both ends and at once. What had arrived can still be read; what was under way
// is lost.
func (n *Network) Cut(a, b *Host) {
	for _, p := range n.streams(a, b) {
		p.cut()
	}
}

// Isolate partitions a host from every other host there is.
func (n *Network) Isolate(h *Host) {
	for _, other := range n.others(h) {
		n.Partition(h, other)
	}
}

// Rejoin ends what Isolate did, and every other partition of the host.
func (n *Network) Rejoin(h *Host) {
	for _, other := range n.others(h) {
		n.Heal(h, other)
	}
}

func (n *Network) others(h *Host) []*Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(n.hosts), func(o *Host) bool { return o == h })
}

func (n *Network) streams(a, b *Host) []*pair {
	p, _ := n.path(a, b)
	p.mu.Lock()
	defer p.mu.Unlock()
	pairs := make([]*pair, 0, len(p.pairs))
	for s := range p.pairs {
		pairs = append(pairs, s)
	}
	return pairs
}
