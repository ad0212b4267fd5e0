package link

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/link/linktest"
	"github.com/skycoin/viscript/node/secure"
)

// meeting is a relay made of a network in memory of its own: its addresses are keys.
type meeting struct {
	*linktest.Host
	at    string
	ports map[string]string // by key
}

func (*meeting) Name() string { return "relay" }

func (m *meeting) Dial(ctx context.Context, key string) (net.Conn, error) {
	if m.ports[key] == "" {
		return nil, errors.New("not here")
	}
	return m.Host.Dial(ctx, m.ports[key])
}

func (m *meeting) Listen(ctx context.Context, _ string) (net.Listener, error) {
	return m.Host.Listen(ctx, m.at)
}

// twoWays is two stations with a direct network and a relay.
type twoWays struct {
	direct, relay *linktest.Network
	a, b          *station
	found         atomic.Bool // the messengers tell addresses
}

func inPair(t *testing.T, f func(t *testing.T, p *twoWays)) {
	synctest.Test(t, func(t *testing.T) {
		p := &twoWays{direct: linktest.New(0), relay: linktest.New(0)}
		ports := map[string]string{}
		on := func(ip string) *station {
			s := newStation(t, true, func(c *Config) {
				c.Carrier, c.Listen = p.direct.Host(ip), ip+":7"
				c.Find = func(context.Context, identity.PubKey) []string {
					if p.found.Load() {
						return []string{"10.0.0.2:7"}
					}
					return nil
				}
				c.Relay = &meeting{p.relay.Host(ip), ip + ":9", ports}
			})
			ports[s.key.Public().String()] = ip + ":9"
			return s
		}
		p.a, p.b = on("10.0.0.1"), on("10.0.0.2")
		f(t, p)
	})
}

// carrier waits for a's link to b and tells what carries it.
func (p *twoWays) carrier(t *testing.T, want string) {
	t.Helper()
	eventually(t, "a link by "+want, func() bool {
		l, far := p.a.Link(p.b.key.Public()), p.b.Link(p.a.key.Public())
		return l != nil && far != nil && l.Info().Carrier == want && far.Info().Carrier == want
	})
}

func TestDirectIsPreferred(t *testing.T) {
	inPair(t, func(t *testing.T, p *twoWays) {
		p.a.AddPeer(p.b.addr())
		p.carrier(t, "memory")
		time.Sleep(time.Minute)
		p.carrier(t, "memory")
	})
}

// TestRelayThenDirect links by the relay while the direct way swallows everything, and directly when it is healed.
func TestRelayThenDirect(t *testing.T) {
	inPair(t, func(t *testing.T, p *twoWays) {
		p.direct.Cut(true)
		began := time.Now()
		p.a.AddPeer(p.b.addr())
		p.carrier(t, "relay")
		if took := time.Since(began); took > time.Second {
			t.Errorf("relayed after %s", took)
		}
		if why := p.a.Links()[0].Why; !strings.Contains(why, "no answer from 10.0.0.2:7") {
			t.Errorf("why: %q", why)
		}
		if why := p.b.Links()[0].Why; why == "" {
			t.Error("the other end does not say why")
		}
		time.Sleep(10 * time.Second)
		relayed := p.a.Link(p.b.key.Public())
		p.direct.Cut(false)
		p.carrier(t, "memory")
		if err := relayed.Err(); !errors.Is(err, ErrReplaced) && !errors.Is(err, ErrClosed) { // whichever end was first
			t.Errorf("the relayed link: %v", relayed.Err())
		}
		direct := p.a.Link(p.b.key.Public())
		time.Sleep(time.Minute)
		if direct.Err() != nil {
			t.Errorf("the direct link did not stay: %v", direct.Err())
		}
		p.direct.Cut(true) // and back
		p.carrier(t, "relay")
	})
}

func TestBothDialByRelay(t *testing.T) {
	inPair(t, func(t *testing.T, p *twoWays) {
		p.direct.Cut(true)
		p.a.AddPeer(p.b.addr())
		p.b.AddPeer(p.a.addr())
		p.carrier(t, "relay")
		time.Sleep(5 * time.Second)
		l := p.a.Link(p.b.key.Public())
		time.Sleep(10 * time.Second)
		if l.Err() != nil {
			t.Errorf("the link did not stay: %v", l.Err())
		}
		p.direct.Cut(false)
		p.carrier(t, "memory")
	})
}

// TestPeerByKey has a peer without an address, and one that is found.
func TestPeerByKey(t *testing.T) {
	inPair(t, func(t *testing.T, p *twoWays) {
		p.a.AddPeer(secure.Addr{Key: p.b.key.Public()})
		p.carrier(t, "relay")
		if in := p.a.Peers()[0]; !in.Up || len(in.Addrs) != 0 {
			t.Errorf("%+v", in)
		}
		p.found.Store(true)
		p.carrier(t, "memory")
	})
}

func TestNeitherWay(t *testing.T) {
	inPair(t, func(t *testing.T, p *twoWays) {
		p.direct.Cut(true)
		p.relay.Cut(true)
		p.a.AddPeer(p.b.addr())
		time.Sleep(20 * time.Second)
		in := p.a.Peers()[0]
		if in.Up || !strings.Contains(in.LastError, "10.0.0.2:7") || !strings.Contains(in.LastError, "by relay") {
			t.Errorf("%+v", in)
		}
		p.relay.Cut(false)
		healed := time.Now()
		p.carrier(t, "relay")
		if took := time.Since(healed); took > 7*time.Second {
			t.Errorf("healed after %s", took)
		}
	})
}

// TestRelayDiesWhileAnAddressIsTried: the next link does not wait for the address that swallows the dial.
func TestRelayDiesWhileAnAddressIsTried(t *testing.T) {
	inPair(t, func(t *testing.T, p *twoWays) {
		p.direct.Cut(true)
		p.a.AddPeer(p.b.addr())
		p.carrier(t, "relay")
		time.Sleep(firstImprove + 100*time.Millisecond) // of the 3 s that a dial may take
		l := p.a.Link(p.b.key.Public())
		l.Abort()
		began := time.Now()
		eventually(t, "another link", func() bool { now := p.a.Link(p.b.key.Public()); return now != nil && now != l })
		if took := time.Since(began); took > 500*time.Millisecond {
			t.Errorf("linked again after %s", took)
		}
	})
}

// TestMoveTriesAddresses: a host that has moved tries a peer's address at once, however long it has gone without.
func TestMoveTriesAddresses(t *testing.T) {
	inPair(t, func(t *testing.T, p *twoWays) {
		p.direct.Cut(true)
		p.a.AddPeer(p.b.addr())
		p.carrier(t, "relay")
		time.Sleep(10 * time.Minute)
		p.direct.Cut(false)
		moved := time.Now()
		p.a.moved(nil)
		p.carrier(t, "memory")
		if took := time.Since(moved); took > 4*time.Second { // one dial may be under way
			t.Errorf("direct after %s", took)
		}
	})
}
