package link

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/link/linktest"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/wire"
)

// inMemory runs two stations on a network in memory, in virtual time; the first dials the second.
func inMemory(t *testing.T, rate int, f func(t *testing.T, w *linktest.Network, host *linktest.Host, a, b *station)) {
	synctest.Test(t, func(t *testing.T) {
		w := linktest.New(rate)
		host := w.Host("10.0.0.1")
		on := func(h *linktest.Host, at string) *station {
			return newStation(t, true, func(c *Config) { c.Carrier, c.Listen = h, at })
		}
		a, b := on(host, "10.0.0.1:7"), on(w.Host("10.0.0.2"), "10.0.0.2:7")
		a.AddPeer(b.addr())
		eventually(t, "the link", func() bool { return a.Link(b.key.Public()) != nil && b.Link(a.key.Public()) != nil && b.sink(a) != nil })
		f(t, w, host, a, b)
	})
}

func TestLinkInMemory(t *testing.T) {
	inMemory(t, 1<<20, func(t *testing.T, _ *linktest.Network, _ *linktest.Host, a, b *station) {
		began := time.Now()
		for i := range 64 {
			a.Link(b.key.Public()).Send(record(1, uint64(i), 16<<10))
		}
		eventually(t, "all records", func() bool { return b.sink(a).count() == 64 })
		if took := time.Since(began); took < time.Second || took > 1500*time.Millisecond {
			t.Errorf("1 MiB at 1 MiB/s took %v", took)
		}
		in := a.Links()[0]
		if in.Carrier != "memory" || in.Addr != "10.0.0.2:7" || !strings.HasPrefix(in.Local, "10.0.0.1:") || in.Waited < 64 {
			t.Errorf("%+v", in)
		}
		time.Sleep(time.Minute)
		if in := a.Links()[0]; in.RTT == 0 || in.RTT > 100*time.Millisecond {
			t.Errorf("round trip %v", in.RTT)
		}
	})
}

// TestUrgentOnASlowLink: at 1 MiB/s a full write of 128 KiB would hold everything up for an eighth of a second.
func TestUrgentOnASlowLink(t *testing.T) {
	inMemory(t, 1<<20, func(t *testing.T, _ *linktest.Network, _ *linktest.Host, a, b *station) {
		l := a.Link(b.key.Public())
		for i := range 400 {
			l.Send(record(1, uint64(i), 10<<10))
		}
		time.Sleep(time.Second)
		began := time.Now()
		l.Send(typed(wire.Control, 1, 7777, 50))
		eventually(t, "the control record", func() bool {
			k := b.sink(a)
			k.mu.Lock()
			defer k.mu.Unlock()
			for _, rec := range k.got {
				if t, _, _, _ := wire.ParseHeader(rec[wire.LenLen:]); t == wire.Control {
					return true
				}
			}
			return false
		})
		if took := time.Since(began); took > 60*time.Millisecond {
			t.Errorf("a control record took %v past 3 MiB of data", took)
		}
	})
}

// TestSilence cuts the network without a word.
func TestSilence(t *testing.T) {
	for name, c := range map[string]struct {
		busy  bool
		known time.Duration
	}{"idle": {false, 10 * time.Second}, "busy": {true, 4100 * time.Millisecond}} {
		t.Run(name, func(t *testing.T) {
			inMemory(t, 0, func(t *testing.T, w *linktest.Network, _ *linktest.Host, a, b *station) {
				time.Sleep(time.Minute + 1234*time.Millisecond)
				l := a.Link(b.key.Public())
				stop := make(chan struct{})
				defer close(stop)
				if c.busy {
					go func() {
						for {
							select {
							case <-stop:
								return
							case <-time.After(50 * time.Millisecond):
								l.Send(record(1, 0, 100))
							}
						}
					}()
					time.Sleep(10 * time.Second)
				}
				w.Cut(true)
				cut := time.Now()
				<-l.Done()
				if took := time.Since(cut); took > c.known || !errors.Is(l.Err(), ErrSilent) {
					t.Errorf("known after %v: %v", took, l.Err())
				}
				time.Sleep(30 * time.Second)
				p := a.Peers()[0]
				if p.Up || p.Tries < 3 || p.Why(time.Now()) == "" {
					t.Errorf("%+v: %q", p, p.Why(time.Now()))
				}
				w.Cut(false)
				healed := time.Now()
				eventually(t, "a new link", func() bool { return a.Link(b.key.Public()) != nil })
				if took := time.Since(healed); took > 7*time.Second { // a dial of 3 s may be under way, and the pause after it is up to 3 s
					t.Errorf("linked %v after the network was healed", took)
				}
			})
		})
	}
}

// TestMove gives the dialing host another address while nothing but its watcher tells.
func TestMove(t *testing.T) {
	inMemory(t, 0, func(t *testing.T, w *linktest.Network, host *linktest.Host, a, b *station) {
		time.Sleep(time.Minute)
		old := a.Link(b.key.Public())
		w.Cut(true)
		time.Sleep(100 * time.Millisecond)
		w.Cut(false)
		moved := time.Now()
		host.Move("10.0.0.99")
		if !errors.Is(old.Err(), ErrMoved) {
			t.Errorf("the link from the old address: %v", old.Err())
		}
		eventually(t, "a link from the new address", func() bool {
			l := b.Link(a.key.Public())
			return l != nil && strings.HasPrefix(l.nc.RemoteAddr().String(), "10.0.0.99:") && a.Link(b.key.Public()) != nil
		})
		if took := time.Since(moved); took > time.Second {
			t.Errorf("healed after %v", took)
		}
	})
}

// TestWakeProbes: the address is the same, but the path is dead; without the doubt it would take up to 10 s to see.
func TestWakeProbes(t *testing.T) {
	inMemory(t, 0, func(t *testing.T, w *linktest.Network, host *linktest.Host, a, b *station) {
		time.Sleep(time.Minute)
		old := a.Link(b.key.Public())
		w.Cut(true)
		time.Sleep(100 * time.Millisecond)
		w.Cut(false)
		woke := time.Now()
		host.Move("10.0.0.1")
		eventually(t, "a new link", func() bool { l := a.Link(b.key.Public()); return l != nil && l != old })
		if took := time.Since(woke); took > 3*time.Second {
			t.Errorf("healed after %v", took)
		}
	})
}

func TestMoveEndsABackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := linktest.New(0)
		w.Cut(true)
		host := w.Host("10.0.0.1")
		moves := 0
		a := newStation(t, true, func(c *Config) { c.Carrier, c.Listen, c.Moved = host, "10.0.0.1:7", func([]netip.Addr) { moves++ } })
		b := newStation(t, true, func(c *Config) { c.Carrier, c.Listen = w.Host("10.0.0.2"), "10.0.0.2:7" })
		a.AddPeer(b.addr())
		time.Sleep(time.Minute)
		w.Cut(false)
		host.Move("10.0.0.1")
		time.Sleep(200 * time.Millisecond)
		if a.Link(b.key.Public()) == nil || moves != 1 {
			t.Errorf("no link at once after the host came back; told %d times", moves)
		}
	})
}

func TestPeersSayWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := linktest.New(0)
		a := newStation(t, true, func(c *Config) { c.Carrier, c.Listen = w.Host("10.0.0.1"), "10.0.0.1:7" })
		key, _ := identity.Generate()
		a.AddPeer(secure.Addr{Key: key.Public(), HostPort: "10.0.0.3:7"})
		a.SetNamed([]Peer{{Key: a.key.Public(), Addrs: []string{"10.0.0.1:7"}}}) // ourselves: no peer
		time.Sleep(10 * time.Second)
		synctest.Wait()
		ps := a.Peers()
		if len(ps) != 1 {
			t.Fatalf("%+v", ps)
		}
		why := ps[0].Why(time.Now())
		if !strings.Contains(why, "dialing 10.0.0.3:7: linktest: nobody listens") || !strings.Contains(why, "next try in ") {
			t.Errorf("%q", why)
		}
	})
}

// TestNamedPeerMoves: the manager gives new addresses of a neighbour.
func TestNamedPeerMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := linktest.New(0)
		a := newStation(t, true, func(c *Config) { c.Carrier, c.Listen = w.Host("10.0.0.1"), "10.0.0.1:7" })
		b := newStation(t, true, func(c *Config) { c.Carrier, c.Listen = w.Host("10.0.0.2"), "10.0.0.2:7" })
		a.SetNamed([]Peer{{Key: b.key.Public(), Addrs: []string{"10.0.0.3:7"}}})
		time.Sleep(time.Minute)
		a.SetNamed([]Peer{{Key: b.key.Public(), Addrs: []string{"10.0.0.2:7"}}})
		time.Sleep(200 * time.Millisecond)
		if a.Link(b.key.Public()) == nil {
			t.Error("no link at the new address")
		}
		a.SetNamed(nil)
		if ps := a.Peers(); len(ps) != 0 {
			t.Errorf("a neighbour that is named no more: %+v", ps)
		}
	})
}

func TestAdmit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := linktest.New(0)
		no := errors.New("not one of us")
		asked := map[identity.PubKey]int{}
		b := newStation(t, true, func(c *Config) {
			c.Carrier, c.Listen = w.Host("10.0.0.2"), "10.0.0.2:7"
			c.Admit = func(ctx context.Context, key identity.PubKey) error {
				asked[key]++
				if d, ok := ctx.Deadline(); !ok || time.Until(d) > admitTime {
					t.Error("asked without a deadline")
				}
				return no
			}
		})
		stranger := newStation(t, true, func(c *Config) { c.Carrier, c.Listen = w.Host("10.0.0.1"), "10.0.0.1:7" })
		friend := newStation(t, true, func(c *Config) { c.Carrier, c.Listen = w.Host("10.0.0.3"), "10.0.0.3:7" })
		b.AddPeer(secure.Addr{Key: friend.key.Public(), HostPort: "10.0.0.4:7"}) // known, though not reached there
		stranger.AddPeer(b.addr())
		friend.AddPeer(b.addr())
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if b.Link(stranger.key.Public()) != nil || asked[stranger.key.Public()] == 0 {
			t.Error("a stranger has a link")
		}
		if b.Link(friend.key.Public()) == nil || asked[friend.key.Public()] != 0 {
			t.Error("a peer of ours was asked about, or has no link")
		}
	})
}

// hidden is a TCP connection that shows no descriptor.
type hidden struct{ still }

type bare struct{ net.Conn }

func (hidden) Dial(ctx context.Context, at string) (net.Conn, error) {
	nc, err := TCP{}.Dial(ctx, at)
	if err != nil {
		return nil, err
	}
	return bare{nc}, nil
}

// TestNoDescriptor: links work over a plain net.Conn.
func TestNoDescriptor(t *testing.T) {
	a, b := newStation(t, true, func(c *Config) { c.Carrier = hidden{} }), newStation(t, true, nil)
	a.AddPeer(b.addr())
	eventually(t, "the link", func() bool { return a.Link(b.key.Public()) != nil && b.sink(a) != nil })
	l := a.Link(b.key.Public())
	for i := range 1000 {
		if l.SendKept(record(wire.RouteID(1+i%3), uint64(i), 1000)) != 0 {
			t.Fatal("overflow")
		}
	}
	eventually(t, "all records", func() bool { return b.sink(a).count() == 1000 })
}
