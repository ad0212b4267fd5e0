package link

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
)

// Redialing.
const (
	firstBackoff = 100 * time.Millisecond
	maxBackoff   = 2 * time.Second  // and up to half of it more: a path that heals is found within 3 s
	dialTimeout  = 3 * time.Second  // to connect; the handshake has its own
	patience     = 3 * time.Second  // a failure that lasts longer is worth a word
	steadyAfter  = 10 * time.Second // a link that lived so long makes the next backoff start over
)

// Peer is a neighbour that we dial and redial.
type Peer struct {
	Key   identity.PubKey // zero: asked of Config.KeyAt
	Addrs []string        // tried in turn; none: asked of Config.Find, and of Config.Relay
}

// keeper holds a link to one peer.
type keeper struct {
	named  bool // by the manager, not by configuration
	cancel context.CancelFunc
	kick   chan struct{} // try again at once

	// guarded by Neighbours.mu
	Peer
	abort context.CancelFunc // of the dial under way
	// relayed: the last link was, so that no address is waited for before the relay is asked.
	relayed bool
	state   PeerInfo // the changing part
}

// AddPeer keeps a link to a configured peer from now on. Call it before or while Run runs.
func (n *Neighbours) AddPeer(a secure.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := Peer{Key: a.Key}
	if a.HostPort != "" {
		p.Addrs = []string{a.HostPort}
	}
	n.addLocked(a.String(), p, false)
}

// Again dials a peer of that key at once, if it is not linked.
func (n *Neighbours) Again(key identity.PubKey) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if l := n.links[key]; l != nil && l.Err() == nil {
		return
	}
	for _, k := range n.peers {
		if k.Key == key {
			k.againLocked()
		}
	}
}

// SetNamed keeps links to exactly these neighbours, besides the configured ones; a neighbour whose
// addresses changed is tried at the new ones at once. Links that came in from others stay.
func (n *Neighbours) SetNamed(peers []Peer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	want := map[string]bool{}
	for _, p := range peers {
		if p.Key == n.cfg.Key.Public() || len(p.Addrs) == 0 && n.cfg.Relay == nil {
			continue
		}
		want[p.Key.String()] = true
		n.addLocked(p.Key.String(), p, true)
	}
	for name, k := range n.peers {
		if k.named && !want[name] {
			k.cancel()
			delete(n.peers, name)
		}
	}
}

func (n *Neighbours) addLocked(name string, p Peer, named bool) {
	if k := n.peers[name]; k != nil {
		if k.named && !slices.Equal(k.Addrs, p.Addrs) {
			k.Addrs = slices.Clone(p.Addrs)
			k.againLocked()
		}
		return
	}
	if len(n.peers) >= maxLinks {
		return
	}
	nothing := func() {}
	k := &keeper{Peer: p, named: named, kick: make(chan struct{}, 1), cancel: nothing, abort: nothing}
	n.peers[name] = k
	if n.ctx != nil {
		n.startLocked(k)
	}
}

// startLocked starts the goroutine that keeps dialing.
func (n *Neighbours) startLocked(k *keeper) {
	if n.ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithCancel(n.ctx)
	k.cancel = cancel
	n.wg.Go(func() { n.keep(ctx, k) })
}

// againLocked makes k dial at once, also when it is dialing now, with the first backoff to follow.
func (k *keeper) againLocked() {
	k.abort()
	select {
	case k.kick <- struct{}{}:
	default:
	}
}

// keep holds a link to a peer until ctx ends.
func (n *Neighbours) keep(ctx context.Context, k *keeper) {
	backoff, failing := firstBackoff, time.Time{}
	warned := ""
	for try := 0; ctx.Err() == nil; try++ {
		began := time.Now()
		addr, err := n.attempt(ctx, k, try)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			warned, failing = "", time.Time{}
		case failing.IsZero():
			failing = began
		case began.Sub(failing) > patience && err.Error() != warned:
			warned = err.Error() // the same failure again is no news, nor is one that passes at once
			n.cfg.Log.Warn("peer not reached", "addr", addr, "err", err)
		}
		if time.Since(began) > steadyAfter {
			backoff = firstBackoff
		}
		wait := backoff + rand.N(backoff/2+1)
		n.note(k, func(s *PeerInfo) { s.tried(addr, err, wait) })
		timer := time.NewTimer(wait)
		backoff = min(2*backoff, maxBackoff)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-k.kick:
			backoff = firstBackoff
		}
		timer.Stop()
	}
}

func (n *Neighbours) note(k *keeper, f func(*PeerInfo)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f(&k.state)
}

// attempt dials a peer once and carries the link until it closes; with a link already up it waits for that
// one's end instead. A relayed link makes place for a direct one meanwhile, if an address answers.
func (n *Neighbours) attempt(ctx context.Context, k *keeper, try int) (addr string, err error) {
	dialing, cancel := context.WithCancel(ctx)
	defer cancel()
	n.mu.Lock()
	k.abort = cancel
	key, addrs, patient := k.Key, k.Addrs, relayAfter
	if k.relayed {
		patient = 0
	}
	n.mu.Unlock()
	if len(addrs) == 0 {
		addrs = n.find(dialing, key)
	}
	if len(addrs) > 0 {
		addr = addrs[try%len(addrs)]
	}
	if key.IsZero() {
		if key, err = n.keyOf(dialing, addr); err != nil {
			return addr, err
		}
		n.note(k, func(s *PeerInfo) { s.Key = key })
	}
	l := n.Link(key)
	if l == nil {
		n.note(k, func(s *PeerInfo) { s.trying(addr) })
		if l, err = n.reach(dialing, key, addr, patient); err != nil {
			return addr, err
		}
		n.mu.Lock()
		k.relayed = l.relayed
		n.mu.Unlock()
		if !l.relayed {
			n.note(k, (*PeerInfo).up)
			return addr, n.carry(l)
		}
		n.background(func() { n.carry(l) })
	}
	n.note(k, (*PeerInfo).up)
	return addr, n.outlive(ctx, k, key, l)
}

// background runs f on one of Run's goroutines; the caller is one itself.
func (n *Neighbours) background(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.wg.Go(f)
}

func (n *Neighbours) find(ctx context.Context, key identity.PubKey) []string {
	if n.cfg.Find == nil || key.IsZero() {
		return nil
	}
	return n.cfg.Find(ctx, key)
}

func (n *Neighbours) keyOf(ctx context.Context, hostport string) (identity.PubKey, error) {
	if n.cfg.KeyAt == nil {
		return identity.PubKey{}, errors.New("link: the peer's key is not known: give KEY@HOST:PORT")
	}
	key, err := n.cfg.KeyAt(ctx, hostport)
	if err != nil {
		return identity.PubKey{}, fmt.Errorf("finding the key of %s: %w", hostport, err)
	}
	return key, nil
}

// dial makes a link over a carrier; to is what its Dial takes.
func (n *Neighbours) dial(ctx context.Context, key identity.PubKey, c Carrier, to string) (*Link, error) {
	dialing, cancel := context.WithTimeout(ctx, dialTimeout)
	nc, err := c.Dial(dialing, to)
	cancel()
	if err != nil {
		return nil, fmt.Errorf("dialing %s: %w", to, err)
	}
	if !n.track(ctx, nc) {
		return nil, ctx.Err()
	}
	defer n.untrack(nc)
	res, err := secure.Dial(ctx, nc, n.handshake(), key)
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("greeting %s at %s: %w", key.Short(), to, err)
	}
	return n.newLink(nc, res, c, true), nil
}
