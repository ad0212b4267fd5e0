package link

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
)

// Redialing.
const (
	firstBackoff = 100 * time.Millisecond
	maxBackoff   = 5 * time.Second
	dialTimeout  = 10 * time.Second
	patience     = 3 * time.Second  // a failure that lasts longer is worth a word
	steadyAfter  = 10 * time.Second // a link that lived so long makes the next backoff start over
)

// Peer is a neighbour that we dial and redial.
type Peer struct {
	Key   identity.PubKey // zero: asked of Config.KeyAt
	Addrs []string        // tried in turn

	named  bool // by the manager, not by configuration
	cancel context.CancelFunc
}

// AddPeer keeps a link to a configured peer from now on. Call it before or while Run runs.
func (n *Neighbours) AddPeer(a secure.Addr) {
	n.add(a.String(), &Peer{Key: a.Key, Addrs: []string{a.HostPort}})
}

// SetNamed keeps links to exactly these neighbours, besides the configured ones. Links that
// came in from others stay.
func (n *Neighbours) SetNamed(peers []Peer) {
	want := map[string]bool{}
	for _, p := range peers {
		if p.Key == n.cfg.Key.Public() || len(p.Addrs) == 0 {
			continue
		}
		want[p.Key.String()] = true
		n.add(p.Key.String(), &Peer{Key: p.Key, Addrs: p.Addrs, named: true})
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for name, p := range n.peers {
		if p.named && !want[name] {
			p.cancel()
			delete(n.peers, name)
		}
	}
}

func (n *Neighbours) add(name string, p *Peer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.peers[name] != nil || len(n.peers) >= maxLinks {
		return
	}
	n.peers[name] = p
	p.cancel = func() {}
	if n.ctx != nil {
		n.startLocked(p)
	}
}

// startLocked starts the goroutine that keeps dialing p.
func (n *Neighbours) startLocked(p *Peer) {
	if n.ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithCancel(n.ctx)
	p.cancel = cancel
	n.wg.Go(func() { n.keep(ctx, p) })
}

// keep holds a link to p until ctx ends.
func (n *Neighbours) keep(ctx context.Context, p *Peer) {
	backoff, failed, failing := firstBackoff, "", time.Time{}
	for try := 0; ctx.Err() == nil; try++ {
		began := time.Now()
		err := n.attempt(ctx, p, p.Addrs[try%len(p.Addrs)])
		switch {
		case err == nil:
			failed, failing = "", time.Time{}
		case failing.IsZero():
			failing = began
		case began.Sub(failing) > patience && err.Error() != failed && ctx.Err() == nil:
			failed = err.Error() // the same failure again is no news, nor is one that passes at once
			n.cfg.Log.Warn("peer not reached", "addr", p.Addrs[try%len(p.Addrs)], "err", err)
		}
		if time.Since(began) > steadyAfter {
			backoff = firstBackoff
		}
		jitter := time.Duration(rand.Int64N(int64(backoff)/2 + 1))
		select {
		case <-ctx.Done():
		case <-time.After(backoff + jitter):
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// attempt dials p once and carries the link until it closes; with a link already up it waits for that
// one's end instead.
func (n *Neighbours) attempt(ctx context.Context, p *Peer, hostport string) error {
	key, err := n.keyOf(ctx, p, hostport)
	if err != nil {
		return err
	}
	if l := n.Link(key); l != nil {
		select {
		case <-l.Done():
		case <-ctx.Done():
		}
		return nil
	}
	l, err := n.dial(ctx, key, hostport)
	if err != nil {
		return err
	}
	n.carry(l)
	return nil
}

func (n *Neighbours) keyOf(ctx context.Context, p *Peer, hostport string) (identity.PubKey, error) {
	if !p.Key.IsZero() {
		return p.Key, nil
	}
	if n.cfg.KeyAt == nil {
		return identity.PubKey{}, errors.New("link: the peer's key is not known: give KEY@HOST:PORT")
	}
	key, err := n.cfg.KeyAt(ctx, hostport)
	if err != nil {
		return identity.PubKey{}, fmt.Errorf("finding the key of %s: %w", hostport, err)
	}
	return key, nil
}

func (n *Neighbours) dial(ctx context.Context, key identity.PubKey, hostport string) (*Link, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	nc, err := n.cfg.Carrier.Dial(ctx, hostport)
	if err != nil {
		return nil, fmt.Errorf("dialing %s: %w", hostport, err)
	}
	if !n.track(ctx, nc) {
		return nil, ctx.Err()
	}
	defer n.untrack(nc)
	res, err := secure.Dial(ctx, nc, n.handshake(), key)
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("greeting %s at %s: %w", key.Short(), hostport, err)
	}
	return newLink(nc, res, n.cfg.Carrier.Name(), true), nil
}
