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
	kick chan struct{} // announce ourselves again

	mu    sync.Mutex // guards the following
	named []link.Peer
	found map[identity.PubKey]sighting
}

// sighting is where a node was heard.
type sighting struct {
	at    netip.AddrPort
	heard time.Time
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
	return lan.Run(ctx, lan.Config{
		Key: n.cfg.Key, Mesh: lan.Mesh(mesh[:8]), Port: at.Port(), Heard: n.heardNearby, Kick: n.nearby.kick, Log: n.log.With("part", "lan"),
	})
}

// heardNearby is told of a node on the segment. It becomes a neighbour if the manager knows it.
func (n *Node) heardNearby(key identity.PubKey, at netip.AddrPort) {
	s := sighting{at: at, heard: time.Now()}
	b := &n.nearby
	b.mu.Lock()
	old, known := b.found[key]
	if known {
		b.found[key] = s
	}
	room := len(b.freshLocked()) < maxNearby
	b.mu.Unlock()
	if known && old.at == at || !known && !room {
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
		b.found[key] = s
		b.mu.Unlock()
		n.log.Info("a node nearby", "peer", key.Short(), "addr", at)
		n.setNamed(nil)
	})
}

// freshLocked are the nodes heard of late; others are forgotten.
func (b *nearby) freshLocked() map[identity.PubKey]sighting {
	for k, s := range b.found {
		if time.Since(s.heard) > nearbyLife {
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
		if s, ok := found[p.Key]; ok && !slices.Contains(p.Addrs, s.at.String()) {
			p.Addrs = append([]string{s.at.String()}, p.Addrs...)
		}
		peers = append(peers, p)
	}
	for key, s := range found {
		if !slices.ContainsFunc(b.named, func(p link.Peer) bool { return p.Key == key }) && len(peers) < len(b.named)+maxNearby {
			peers = append(peers, link.Peer{Key: key, Addrs: []string{s.at.String()}})
		}
	}
	n.links.SetNamed(peers)
	n.watchPeers(peers)
}

// lookAround announces the node on its segments at once: the host has moved.
func (n *Node) lookAround() {
	select {
	case n.nearby.kick <- struct{}{}:
	default:
	}
}
