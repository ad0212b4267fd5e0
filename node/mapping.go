package node

import (
	"context"
	"net/netip"
	"time"

	"github.com/skycoin/viscript/node/portmap"
)

// Asking the router to let datagrams in.
const (
	mappingLife  = time.Hour
	mappingRetry = 10 * time.Minute // where it does not, or the host has no router
	unmapTime    = 200 * time.Millisecond
)

// keepMapping has the router let datagrams to the UDP port in, where it can be asked to, until ctx ends.
func (n *Node) keepMapping(ctx context.Context) error {
	for ctx.Err() == nil {
		wait := mappingRetry
		gateway, port, err := n.router()
		if err == nil {
			var m portmap.Mapping
			if m, err = portmap.Ask(ctx, gateway, port, mappingLife); err == nil {
				wait = max(m.Renew(), time.Minute)
				if old := n.mapped.Swap(&m); old == nil || old.External != m.External {
					n.log.Info("the router lets datagrams in", "addr", m.External, "carrier", m.Protocol)
				}
			}
		}
		if err != nil {
			n.mapped.Store(nil)
			n.log.Debug("asking the router for a port", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-n.remap:
		case <-time.After(wait):
		}
	}
	if gateway, port, err := n.router(); err == nil && n.mapped.Load() != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unmapTime)
		defer cancel()
		portmap.Ask(ctx, gateway, port, 0) // it ends by itself, too
	}
	return nil
}

// router is where to ask, and our port.
func (n *Node) router() (netip.AddrPort, uint16, error) {
	gateway, err := portmap.Gateway()
	if err != nil {
		return netip.AddrPort{}, 0, err
	}
	at, err := netip.ParseAddrPort(addrText(n.cfg.Punch.Addr()))
	return netip.AddrPortFrom(gateway, portmap.Port), at.Port(), err
}

// kickMapping has the router asked again: the host has moved.
func (n *Node) kickMapping() {
	select {
	case n.remap <- struct{}{}:
	default:
	}
}
