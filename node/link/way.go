package link

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/skycoin/viscript/node/identity"
)

// Choice between an address and the relay.
const (
	relayAfter   = 500 * time.Millisecond // an address that answers sooner is not raced
	firstImprove = 2 * time.Second        // until an address is tried again beside a relayed link
	maxImprove   = 2 * time.Minute
)

var errNoWay = errors.New("link: no address of the peer is known")

// way is how one attempt to reach a peer ended.
type way struct {
	l       *Link
	err     error
	relayed bool
}

// reach dials a peer at addr, "" for none, and by the relay where that fails or takes longer than patience.
func (n *Neighbours) reach(ctx context.Context, key identity.PubKey, addr string, patience time.Duration) (*Link, error) {
	switch {
	case n.cfg.Relay == nil && addr == "":
		return nil, errNoWay
	case n.cfg.Relay == nil:
		return n.dial(ctx, key, n.cfg.Carrier, addr)
	case addr == "":
		l, err := n.dial(ctx, key, n.cfg.Relay, key.String())
		return explained(l, errNoWay), err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ways := make(chan way, 2)
	n.background(func() {
		l, err := n.dial(ctx, key, n.cfg.Carrier, addr)
		ways <- way{l, err, false}
	})
	byRelay := func() {
		l, err := n.dial(ctx, key, n.cfg.Relay, key.String())
		ways <- way{l, err, true}
	}
	return n.first(ways, byRelay, cancel, patience, fmt.Errorf("no answer from %s yet", addr))
}

// first returns the first link of two ways, of which the second begins when relayed is called, and closes the other one.
func (n *Neighbours) first(ways <-chan way, relayed, cancel func(), patience time.Duration, slow error) (*Link, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	why, byRelay, began := slow, error(nil), false
	for open := 1; open > 0; {
		var w way
		select {
		case <-timer.C:
		case w = <-ways:
			open--
		}
		switch {
		case w.l != nil:
			cancel()
			for ; open > 0; open-- {
				if late := <-ways; late.l != nil {
					late.l.close(ErrReplaced)
				}
			}
			if w.relayed {
				explained(w.l, why)
			}
			return w.l, nil
		case w.relayed:
			byRelay = w.err
		case w.err != nil:
			why = w.err
		}
		if !began {
			began = true
			open++
			n.background(relayed)
		}
	}
	return nil, fmt.Errorf("%w; by %s: %w", why, n.cfg.Relay.Name(), byRelay)
}

// explained notes why a link is relayed.
func explained(l *Link, why error) *Link {
	if l != nil {
		l.why = why.Error()
	}
	return l
}

// outlive waits until a link to a peer closes; beside a relayed one it tries the peer's addresses now and then.
func (n *Neighbours) outlive(ctx context.Context, k *keeper, key identity.PubKey, l *Link) error {
	if !l.relayed {
		select {
		case <-l.Done():
		case <-ctx.Done():
		}
		return nil
	}
	pause := firstImprove
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for try := 0; ; try++ {
		select {
		case <-l.Done():
			return nil
		case <-ctx.Done():
			return nil
		case <-k.kick: // this host or the peer has moved
			pause = firstImprove
		case <-timer.C:
			pause = min(2*pause, maxImprove)
		}
		if better := n.improve(ctx, k, key, l, try); better != nil {
			n.mu.Lock()
			k.relayed = false
			n.mu.Unlock()
			return n.carry(better)
		}
		timer.Reset(pause)
	}
}

// improve dials a peer at an address while the relayed link l lives, nil if that does not answer.
func (n *Neighbours) improve(ctx context.Context, k *keeper, key identity.PubKey, l *Link, try int) *Link {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	n.background(func() {
		select {
		case <-l.Done():
			cancel()
		case <-ctx.Done():
		}
	})
	n.mu.Lock()
	addrs := slices.Clone(k.Addrs)
	n.mu.Unlock()
	if len(addrs) == 0 {
		addrs = n.find(ctx, key)
	}
	if len(addrs) == 0 {
		return nil
	}
	addr := addrs[try%len(addrs)]
	better, err := n.dial(ctx, key, n.cfg.Carrier, addr)
	if err != nil {
		n.cfg.Log.Debug("no direct way yet", "peer", key.Short(), "addr", addr, "err", err)
		return nil
	}
	return better
}
