package vpn

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/packet"
	"github.com/skycoin/viscript/node/tunnel"
)

// testClient is a Client of a testServer, whose host and probes the test plays.
type testClient struct {
	*Client
	key     identity.PubKey
	applied chan Settings

	mu     sync.Mutex // guards the following
	movers []*mover
}

func startClient(t *testing.T, s *testServer, change func(*ClientConfig)) *testClient {
	t.Helper()
	c := &testClient{key: newKey(t), applied: make(chan Settings, 64)}
	cfg := ClientConfig{
		Self: func(context.Context) (identity.PubKey, error) { return c.key, nil },
		Find: func(context.Context, identity.PubKey) (Exit, error) {
			return Exit{Name: "exit", Key: s.self, Port: 1194}, nil
		},
		Dial: func(ctx context.Context, _ Exit) (Stream, error) { return s.mesh.dial(ctx, c.key) },
		Open: func(context.Context) (Mover, error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.movers = append(c.movers, newMover(5))
			return c.movers[len(c.movers)-1], nil
		},
		Offload: packet.All,
		Apply: func(_ context.Context, s Settings) error {
			c.applied <- s
			return nil
		},
		Probe: func(context.Context, netip.Addr, netip.Addr) (time.Duration, error) {
			return time.Millisecond, nil
		},
	}
	if change != nil {
		change(&cfg)
	}
	c.Client = NewClient(cfg)
	run(t, c.Run)
	return c
}

func (c *testClient) mover() *mover {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.movers) == 0 {
		return nil
	}
	return c.movers[len(c.movers)-1]
}

func (c *testClient) is(s State) func() bool { return func() bool { return c.Status().State == s } }

func TestClientConnects(t *testing.T) {
	s := startServer(t, nil)
	c := startClient(t, s, nil)
	eventually(t, "connected", c.is(StateConnected))
	st := c.Status()
	if st.Exit != "exit" || len(st.Addrs) != 2 || st.Addrs[0] != "10.5.0.2" || st.MTU != 1500 || st.RTT != time.Millisecond {
		t.Errorf("status %+v", st)
	}
	set := <-c.applied
	if set.Addrs[0] != prefix("10.5.0.2/32") || len(set.Gateways) != 2 || len(set.DNS) != 2 || set.MTU != 1500 {
		t.Errorf("settings %+v", set)
	}
	m := c.mover()
	p, ok := m.peer(tunnel.PeerID{Key: s.self, Port: 1194})
	if !ok || len(p.Prefixes) != 2 || !m.rules.Welcome(netip.MustParseAddr("10.5.0.2")) || m.rules.Welcome(netip.MustParseAddr("10.5.0.3")) {
		t.Errorf("the node was told %+v, rules %+v", p, m.rules)
	}
	if stats, err := c.Stats(); err != nil || stats.Sent.Packets != 1 {
		t.Errorf("stats %+v, %v", stats, err)
	}
}

// Everything is set up, but nothing comes back: that is not connected.
func TestClientIsNotConnectedBeforeTrafficComesBack(t *testing.T) {
	s := startServer(t, nil)
	var carries atomic.Bool
	var lost atomic.Int32 // probes
	c := startClient(t, s, func(cfg *ClientConfig) {
		cfg.Probe = func(context.Context, netip.Addr, netip.Addr) (time.Duration, error) {
			if !carries.Load() {
				lost.Add(1)
				return 0, errNothing
			}
			return time.Millisecond, nil
		}
	})
	<-c.applied
	eventually(t, "probing", c.is(StateProbing))
	eventually(t, "probes are lost, all of one round at least", func() bool { return lost.Load() > 2 })
	if st := c.Status(); st.State != StateProbing {
		t.Errorf("status %+v", st)
	}
	carries.Store(true)
	eventually(t, "connected", c.is(StateConnected))
}

func TestClientSurvivesTheExit(t *testing.T) {
	s := startServer(t, nil)
	c := startClient(t, s, nil)
	eventually(t, "connected", c.is(StateConnected))
	first := <-c.applied
	s.mu.Lock()
	for _, x := range s.clients {
		x.stop(&Refusal{Code: CodeStopping})
	}
	s.mu.Unlock()
	again := <-c.applied
	if !slices.Equal(first.Addrs, again.Addrs) {
		t.Errorf("first %v, then %v", first.Addrs, again.Addrs)
	}
	eventually(t, "connected again", func() bool { st := c.Status(); return st.State == StateConnected && st.Reconnects == 1 })
}

// The node goes and comes back: it is given the TUN again.
func TestClientSurvivesTheNode(t *testing.T) {
	s := startServer(t, nil)
	c := startClient(t, s, nil)
	eventually(t, "connected", c.is(StateConnected))
	m := c.mover()
	m.Close()
	eventually(t, "connected again", func() bool { return c.mover() != m && c.is(StateConnected)() })
}

func TestClientProbesWhenKicked(t *testing.T) {
	s := startServer(t, nil)
	var probes atomic.Int32
	c := startClient(t, s, func(cfg *ClientConfig) {
		cfg.Probe = func(context.Context, netip.Addr, netip.Addr) (time.Duration, error) {
			probes.Add(1)
			return time.Millisecond, nil
		}
	})
	eventually(t, "connected", c.is(StateConnected))
	before := probes.Load()
	c.Kick()
	eventually(t, "probed", func() bool { return probes.Load() > before })
}

func TestClientEndsWhenTryingIsNoUse(t *testing.T) {
	c := NewClient(ClientConfig{Open: func(context.Context) (Mover, error) { return nil, Fatal(errNothing) }})
	if err := c.Run(context.Background()); !errors.Is(err, errNothing) {
		t.Errorf("%v", err)
	}
}

func TestClientSaysWhatIsWrong(t *testing.T) {
	s := startServer(t, func(c *ServerConfig) { c.Allow = []identity.PubKey{newKey(t)} })
	c := startClient(t, s, nil)
	eventually(t, "trouble", func() bool { st := c.Status(); return st.State == StateWaiting && st.Trouble != "" })
	if st := c.Status(); st.Trouble[:4] != "exit" {
		t.Errorf("status %+v", st)
	}
}
