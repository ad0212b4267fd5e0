package control

import (
	"context"
	"encoding/binary"
	"slices"

	"github.com/skycoin/viscript/node/wire"
)

// Reason is why the manager proposes another path for a route. Append-only.
type Reason uint8

// The reasons.
const (
	ReasonBroken Reason = 1 // a link of it is gone
	ReasonBetter Reason = 2 // another path costs at most half by now
)

// String says the reason in words.
func (r Reason) String() string {
	switch r {
	case ReasonBroken:
		return "a link is gone"
	case ReasonBetter:
		return "another path is better"
	default:
		return "unknown"
	}
}

// AppendRoutes appends the body of a keep and of its answer, at most MaxKept.
func AppendRoutes(dst []byte, list []RouteKey) []byte {
	list = list[:min(len(list), MaxKept)]
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(list)))
	for _, k := range list {
		dst = append(dst, k[:]...)
	}
	return dst
}

// ParseRoutes reads the body of a keep or of its answer.
func ParseRoutes(b []byte) ([]RouteKey, error) {
	r := wire.NewReader(b)
	list := make([]RouteKey, r.Count(MaxKept, RouteKeyLen))
	for i := range list {
		r.Fixed(list[i][:])
	}
	return list, r.Done()
}

// Reroute is a hint for one route.
type Reroute struct {
	Route  RouteKey
	Reason Reason // ones that are not known are no error
}

// Append appends the body of the message.
func (m Reroute) Append(dst []byte) []byte { return append(append(dst, m.Route[:]...), byte(m.Reason)) }

// ParseReroute reads the body of the message.
func ParseReroute(b []byte) (m Reroute, err error) {
	r := wire.NewReader(b)
	r.Fixed(m.Route[:])
	m.Reason = Reason(r.U8())
	return m, r.Done()
}

// keepRoute notes a route as ours until it is closed or not in use any more.
func (c *Client) keepRoute(t Route) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.routes) < MaxKept {
		c.routes[t.Key] = t
	}
}

func (c *Client) dropRoute(k RouteKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.routes, k)
}

func (c *Client) ourRoutes() map[RouteKey]Route {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make(map[RouteKey]Route, len(c.routes))
	for k, t := range c.routes {
		list[k] = t
	}
	return list
}

// inUse returns our routes that are still in place; the others are forgotten.
func (c *Client) inUse() map[RouteKey]Route {
	ours := c.ourRoutes() // before Routes: a route is in place before it is ours
	if c.cfg.Routes == nil {
		return ours
	}
	placed := c.cfg.Routes()
	for k := range ours {
		if !slices.Contains(placed, k) {
			delete(ours, k)
			c.dropRoute(k)
		}
	}
	return ours
}

// keep tells the manager which routes are in use, and reminds it of those that it forgot.
func (c *Client) keep(ctx context.Context, p *Peer) error {
	ours := c.inUse()
	if len(ours) == 0 {
		return nil
	}
	keys := make([]RouteKey, 0, len(ours))
	for k := range ours {
		keys = append(keys, k)
	}
	b, err := p.Call(ctx, TypeKeep, AppendRoutes(nil, keys))
	if err != nil {
		return onlyLost(err)
	}
	forgotten, err := ParseRoutes(b)
	if err != nil {
		return err
	}
	for _, k := range forgotten {
		t, is := ours[k]
		if !is {
			continue
		}
		_, err := p.Call(ctx, TypeRecall, t.Append(nil))
		if CodeOf(err) != 0 {
			c.cfg.Log.Debug("the manager does not take a route back", "route", k.String(), "err", err)
		}
		if err := onlyLost(err); err != nil {
			return err
		}
	}
	return nil
}

// onlyLost drops refusals: the connection goes on.
func onlyLost(err error) error {
	if CodeOf(err) != 0 {
		return nil
	}
	return err
}
