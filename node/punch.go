package node

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/skycoin/viscript/node/secure"
)

// How long others may take to tell from which address our datagrams come.
const (
	observeTime  = time.Second
	observeGrace = 150 * time.Millisecond // for the others, after the first answer
)

// Socket is a UDP port from which direct ways to peers can be opened (quic.Socket).
type Socket interface {
	// Addr is where it is, nil while it is not open.
	Addr() net.Addr
	// Observed asks who listens at HOST:PORT from where our datagrams come; it blocks until the answer or ctx ends.
	Observed(ctx context.Context, hostport string) (netip.AddrPort, error)
	// Punch is link.Puncher's.
	Punch(ctx context.Context, nonce [16]byte, addrs []netip.AddrPort, dial bool) (net.Conn, error)
}

// punches reports whether the node opens direct ways beside links that a messenger relays.
func (n *Node) punches() bool {
	return n.cfg.Punch != nil && n.cfg.Connect && len(n.cfg.Messengers) > 0
}

// puncher implements link.Puncher.
type puncher struct {
	Socket
	n *Node
}

// Candidates are our addresses as messengers see them, the one that the router granted, then those of this host.
func (p puncher) Candidates(ctx context.Context) []netip.AddrPort {
	at, err := netip.ParseAddrPort(addrText(p.Addr()))
	if err != nil {
		return nil
	}
	list := p.observed(ctx)
	if m := p.n.mapped.Load(); m != nil && !slices.Contains(list, m.External) {
		list = append(list, m.External)
	}
	for _, a := range localAddrs(at) {
		if !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	return list
}

func addrText(a net.Addr) string {
	if a == nil {
		return ""
	}
	return a.String()
}

// observed asks the messengers.
func (p puncher) observed(ctx context.Context) (seen []netip.AddrPort) {
	ctx, cancel := context.WithTimeout(ctx, observeTime)
	defer cancel()
	answers := make(chan netip.AddrPort, len(p.n.cfg.Messengers))
	asked := 0
	for _, m := range p.n.cfg.Messengers {
		scheme, at, _ := secure.Scheme(m.HostPort)
		if scheme == "wss://" { // there is no UDP port behind it
			continue
		}
		asked++
		go func() { // ends with ctx
			a, _ := p.Observed(ctx, at)
			answers <- a
		}()
	}
	for ; asked > 0; asked-- {
		a := <-answers
		if a.IsValid() && !slices.Contains(seen, a) {
			if len(seen) == 0 {
				time.AfterFunc(observeGrace, cancel)
			}
			seen = append(seen, a)
		}
	}
	return seen
}

// localAddrs are the addresses of this host at which a socket takes datagrams, loopback left out.
func localAddrs(at netip.AddrPort) (list []netip.AddrPort) {
	if ip := at.Addr().Unmap(); !ip.IsUnspecified() {
		if !ip.IsLoopback() {
			list = append(list, netip.AddrPortFrom(ip, at.Port()))
		}
		return list
	}
	all, _ := net.InterfaceAddrs()
	for _, a := range all {
		p, err := netip.ParsePrefix(a.String())
		if err == nil && p.Addr().IsGlobalUnicast() && (p.Addr().Is4() || !at.Addr().Is4()) {
			list = append(list, netip.AddrPortFrom(p.Addr(), at.Port()))
		}
	}
	return list
}
