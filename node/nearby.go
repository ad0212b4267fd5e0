package node

import (
	"context"
	"crypto/sha256"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/lan"
	"github.com/skycoin/viscript/node/link"
	"github.com/skycoin/viscript/node/wire"
)

// Neighbours on the same network segment.
const (
	maxNearby   = 8               // links that are wanted because of it
	nearbyLife  = 2 * time.Minute // since they were last heard
	managerWait = time.Second     // until the manager's key is looked at again
)

// nearby are the neighbours that the manager names and those that the segment shows.
type nearby struct {
	kicks [families]chan struct{} // announce ourselves again

	mu    sync.Mutex // guards the following
	named []link.Peer
	found map[identity.PubKey]sightings
}

// families of addresses, by lan.Family.
const families = 2

// sightings are where a node was heard, by each family of addresses.
type sightings [families]sighting

// sighting is where a node was heard; the zero value: nowhere.
type sighting struct {
	at    netip.AddrPort
	heard time.Time
}

// addrs are those at which it was heard of late.
func (s sightings) addrs() (addrs []string) {
	for _, one := range s {
		if one.fresh() {
			addrs = append(addrs, one.at.String())
		}
	}
	return addrs
}

func (s sighting) fresh() bool { return time.Since(s.heard) <= nearbyLife }

func (b *nearby) init() {
	b.found = map[identity.PubKey]sightings{}
	for f := range b.kicks {
		b.kicks[f] = make(chan struct{}, 1)
	}
}

// discovers reports whether the node looks for others on its segment.
func (n *Node) discovers() bool {
	at, err := netip.ParseAddrPort(addrText(n.links.Addr()))
	return err == nil && n.cfg.LAN && n.cfg.Connect && !at.Addr().IsLoopback()
}

// discover announces the node on its segment and listens for others of its manager, until ctx ends.
func (n *Node) discover(ctx context.Context) error {
	for n.manager.Status().Manager.IsZero() {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(managerWait):
		}
	}
	at, err := netip.ParseAddrPort(addrText(n.links.Addr()))
	if err != nil {
		return nil
	}
	manager := n.manager.Status().Manager
	mesh := sha256.Sum256(append(wire.AppendString([]byte("skymesh/lan"), n.cfg.Network), manager[:]...))
	var wg sync.WaitGroup
	for f, kick := range n.nearby.kicks {
		if f := lan.Family(f); takes(at.Addr(), f) {
			wg.Go(func() {
				lan.Run(ctx, lan.Config{
					Family: f, Key: n.cfg.Key, Mesh: lan.Mesh(mesh[:8]), Port: at.Port(), Kick: kick, Log: n.log.With("part", "lan"),
					Heard: func(key identity.PubKey, at netip.AddrPort) { n.heardNearby(f, key, at) },
				})
			})
		}
	}
	wg.Wait()
	return nil
}

// takes reports whether links of that family come to a socket that listens there.
func takes(listen netip.Addr, f lan.Family) bool {
	return listen.Is6() == (f == lan.IPv6) || listen == netip.IPv6Unspecified()
}

// heardNearby is told of a node on the segment. It becomes a neighbour if the manager knows it.
func (n *Node) heardNearby(f lan.Family, key identity.PubKey, at netip.AddrPort) {
	s := sighting{at: at, heard: time.Now()}
	b := &n.nearby
	b.mu.Lock()
	fresh := b.freshLocked()
	all, known := fresh[key]
	again := known && all[f].at == at
	if again {
		all[f] = s
		fresh[key] = all
	}
	room := len(fresh) < maxNearby
	b.mu.Unlock()
	if again || !known && !room {
		return
	}
	n.work.do(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		if err := n.manager.Member(ctx, key); err != nil {
			n.log.Debug("a node nearby is no neighbour", "peer", key.Short(), "err", err)
			return
		}
		b.mu.Lock()
		all := b.found[key]
		all[f] = s
		b.found[key] = all
		b.mu.Unlock()
		n.log.Info("a node nearby", "peer", key.Short(), "addr", at)
		n.setNamed(nil)
	})
}

// freshLocked are the nodes heard of late; others are forgotten.
func (b *nearby) freshLocked() map[identity.PubKey]sightings {
	for k, s := range b.found {
		if !s[lan.IPv4].fresh() && !s[lan.IPv6].fresh() {
			delete(b.found, k)
		}
	}
	return b.found
}

// setNamed has the node keep links to those that the manager names (nil: as before) and to those nearby.
func (n *Node) setNamed(named []link.Peer) {
	b := &n.nearby
	b.mu.Lock()
	defer b.mu.Unlock()
	if named != nil {
		b.named = named
	}
	peers := make([]link.Peer, 0, len(b.named)+maxNearby)
	found := b.freshLocked()
	for _, p := range b.named {
		first := slices.DeleteFunc(found[p.Key].addrs(), func(a string) bool { return slices.Contains(p.Addrs, a) })
		p.Addrs = slices.Concat(first, p.Addrs)
		peers = append(peers, p)
	}
	for key, s := range found {
		if !slices.ContainsFunc(b.named, func(p link.Peer) bool { return p.Key == key }) && len(peers) < len(b.named)+maxNearby {
			peers = append(peers, link.Peer{Key: key, Addrs: s.addrs()})
		}
	}
	n.links.SetNamed(peers)
	n.watchPeers(peers)
}

// lookAround announces the node on its segments at once: the host has moved.
func (n *Node) lookAround() {
	for _, kick := range n.nearby.kicks {
		select {
		case kick <- struct{}{}:
		default:
		}
	}
}
