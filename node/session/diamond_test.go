package session_test

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/forward"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/session"
	"github.com/skycoin/viscript/node/wire"
)

// diamond is two ends and relays between them, each linked to both over loopback TCP.
type diamond struct {
	*chain
	relays []*host
	mu     sync.Mutex // guards the following
	number wire.RouteID
}

func newDiamond(t *testing.T, relays int) *diamond {
	ctx, cancel := context.WithCancel(context.Background())
	d := &diamond{chain: &chain{t: t, ctx: ctx}}
	var wg sync.WaitGroup
	for range 2 + relays {
		d.hosts = append(d.hosts, newHost(t, ctx, &wg, 0))
	}
	d.relays = d.hosts[2:]
	t.Cleanup(func() {
		d.hosts[0].sess.Close()
		d.hosts[1].sess.Close()
		cancel()
		wg.Wait()
	})
	for i := range d.relays {
		for end := range 2 {
			d.join(end, 2+i)
		}
	}
	d.hosts[1].sess = session.NewHost(session.Config{Key: d.hosts[1].key, Accept: func(st *session.Stream) { d.hosts[1].accept <- st }})
	d.hosts[0].sess = session.NewHost(session.Config{Key: d.hosts[0].key, Lay: d.layOne, Accept: func(*session.Stream) {}})
	d.hosts[0].sess.Calm()
	d.hosts[1].sess.Calm()
	return d
}

func (d *diamond) join(i, j int) {
	to := d.hosts[j]
	d.hosts[i].links.AddPeer(secure.Addr{Key: to.key.Public(), HostPort: to.links.Addr().String()})
	d.link(i, j)
	d.link(j, i)
}

// layOne lays a route over the first relay that has both links, is not to be avoided and, if it can be had, not in
// want.Beside.
func (d *diamond) layOne(_ context.Context, want session.Want) (session.Laid, error) {
	if want.Instead != nil {
		return session.Laid{}, session.ErrNoBetter
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, beside := range []bool{true, false} {
		for _, r := range d.relays {
			k := r.key.Public()
			if slices.Contains(want.Avoid, k) || beside && slices.Contains(want.Beside, k) {
				continue
			}
			if laid, err := d.over(r); err == nil {
				return laid, nil
			}
		}
	}
	return session.Laid{}, errors.New("no relay has both links")
}

func (d *diamond) over(r *host) (laid session.Laid, err error) {
	a, b := d.hosts[0], d.hosts[1]
	ka, kr, kb := a.key.Public(), r.key.Public(), b.key.Public()
	ar, ra, rb, br := a.links.Link(kr), r.links.Link(ka), r.links.Link(kb), b.links.Link(kr)
	if ar == nil || ra == nil || rb == nil || br == nil {
		return laid, forward.ErrNoLink
	}
	var key forward.Key
	rand.Read(key[:])
	d.number += 4
	n := d.number
	pb, err := b.sess.New(ka, key, false)
	if err != nil {
		return laid, err
	}
	pa, err := a.sess.New(kb, key, true)
	if err != nil {
		return laid, err
	}
	eb, err := b.table.Install(forward.Route{Key: key, Prev: forward.Side{Link: br, In: n, Out: n + 1}, Upper: pb})
	if err != nil {
		return laid, err
	}
	b.sess.Attach(d.ctx, pb, eb)
	if _, err = r.table.Install(forward.Route{Key: key, Prev: forward.Side{Link: ra, In: n + 2, Out: n + 3}, Next: forward.Side{Link: rb, In: n + 1, Out: n}}); err != nil {
		return laid, err
	}
	ea, err := a.table.Install(forward.Route{Key: key, Next: forward.Side{Link: ar, In: n + 3, Out: n + 2}, Upper: pa})
	if err != nil {
		return laid, err
	}
	a.sess.Attach(d.ctx, pa, ea)
	return session.Laid{Path: pa, Nodes: []identity.PubKey{ka, kr, kb}}, nil
}

// TestDiamondLosesLinks cuts the links of relays in turn, whenever all are there, while streams carry data both ways.
func TestDiamondLosesLinks(t *testing.T) {
	d := newDiamond(t, 2)
	var ends [4][2]*session.Stream
	for i := range ends { // before the first cut: a handshake does not move to another route
		ends[i][0], ends[i][1] = d.diamondDial()
	}
	stop := make(chan struct{})
	var cutting sync.WaitGroup
	cutting.Go(func() {
		for i := 0; i < 6; i++ {
			for !d.whole() {
				select {
				case <-stop:
					return
				case <-time.After(10 * time.Millisecond):
				}
			}
			time.Sleep(20 * time.Millisecond)
			if l := d.hosts[i%2].links.Link(d.relays[i/2%2].key.Public()); l != nil {
				l.Abort() // it is dialed again
			}
		}
	})
	var wg sync.WaitGroup
	for _, e := range ends {
		near, far := e[0], e[1]
		wg.Go(func() { transfer(t, near, far, 30<<20) })
		wg.Go(func() { transfer(t, far, near, 30<<20) })
	}
	wg.Wait()
	close(stop)
	cutting.Wait()
	for _, s := range d.hosts[0].sess.Sessions() {
		t.Logf("%d switches, %d records sent again", s.Switches, s.Resent)
	}
}

// whole reports whether every link is there.
func (d *diamond) whole() bool {
	for _, r := range d.relays {
		for _, h := range d.hosts[:2] {
			if h.links.Link(r.key.Public()) == nil || r.links.Link(h.key.Public()) == nil {
				return false
			}
		}
	}
	return true
}

// diamondDial opens a stream between the ends.
func (d *diamond) diamondDial() (near, far *session.Stream) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.ctx, patience)
	defer cancel()
	got := make(chan *session.Stream, 1)
	go func() {
		select {
		case st := <-d.hosts[1].accept:
			st.Confirm()
			got <- st
		case <-ctx.Done():
			got <- nil
		}
	}()
	near, err := d.hosts[0].sess.Dial(ctx, d.hosts[1].key.Public(), "", 7, "x", nil)
	if err != nil {
		d.t.Fatal("dialing:", err)
	}
	return near, <-got
}
