package quic

import (
	"context"
	"net"
	"net/netip"
	"time"
)

const (
	punchEvery = 100 * time.Millisecond
	// MaxPunched is how many addresses one attempt tries.
	MaxPunched = 16
)

// Punch sends datagrams to the addresses of a peer, who does the same with the same nonce, until ctx ends. With dial it
// connects to the first that answers and returns the connection, which is nobody's in particular: the handshake inside says whose.
// Without, it returns nil and the cause of ctx: the peer's connection comes to who accepts.
func (s *Socket) Punch(ctx context.Context, nonce Nonce, addrs []netip.AddrPort, dial bool) (net.Conn, error) {
	p, err := s.opened()
	if err != nil {
		return nil, err
	}
	hits, forget, err := p.asides.await(nonce)
	if err != nil {
		return nil, err
	}
	defer forget()
	addrs = addrs[:min(len(addrs), MaxPunched)]
	tick := time.NewTicker(punchEvery)
	defer tick.Stop()
	for {
		for _, a := range addrs {
			p.send(aside{head: headPunch, nonce: nonce}, a)
		}
		if nc := p.struck(ctx, nonce, hits, tick.C, dial); nc != nil {
			return nc, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if p.ctx.Err() != nil {
			return nil, net.ErrClosed
		}
	}
}

// struck waits for the next time to punch, and connects to where a hit came from.
func (p *port) struck(ctx context.Context, nonce Nonce, hits <-chan heard, next <-chan time.Time, dial bool) net.Conn {
	for {
		select {
		case h := <-hits:
			if !dial {
				continue
			}
			if h.head == headPunch { // he may come from where he did not know himself to be
				p.send(aside{head: headPunch, nonce: nonce}, h.from)
			}
			if h.head != headHit {
				continue
			}
			if nc, err := p.dial(ctx, net.UDPAddrFromAddrPort(h.from)); err == nil {
				return nc
			}
		case <-next:
			return nil
		case <-ctx.Done():
			return nil
		case <-p.ctx.Done():
			return nil
		}
	}
}
