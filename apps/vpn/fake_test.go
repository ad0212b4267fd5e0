package vpn

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/packet"
	"github.com/skycoin/viscript/node/tunnel"
	"github.com/skycoin/viscript/node/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is for what comes soon, on a machine that is busy.
const patience = time.Minute

func newKey(t testing.TB) identity.PubKey {
	t.Helper()
	k, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return k.Public()
}

// pipe is one end of a stream in memory.
type pipe struct {
	net.Conn
	peer      identity.PubKey
	confirmed chan struct{}
	refused   chan struct{} // closed by Reset; nil at the opener's end
	once      sync.Once
}

func (p *pipe) Reset(wire.Code) {
	p.Close()
	if p.refused != nil {
		p.once.Do(func() { close(p.refused) })
	}
}
func (p *pipe) Peer() identity.PubKey { return p.peer }
func (p *pipe) Confirm() error {
	close(p.confirmed)
	return nil
}

// mesh brings clients to a server.
type mesh struct {
	in chan Incoming
}

func newMesh() *mesh { return &mesh{in: make(chan Incoming)} }

func (m *mesh) accept(ctx context.Context) (Incoming, error) {
	select {
	case in := <-m.in:
		return in, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (m *mesh) dial(ctx context.Context, from identity.PubKey) (Stream, error) {
	a, b := net.Pipe()
	far := &pipe{Conn: b, peer: from, confirmed: make(chan struct{}), refused: make(chan struct{})}
	select {
	case m.in <- far:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case <-far.confirmed:
		return &pipe{Conn: a}, nil
	case <-far.refused:
		return nil, errRefused
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// mover notes what it is told.
type mover struct {
	port uint16

	mu    sync.Mutex // guards the following
	rules packet.Rules
	peers map[tunnel.PeerID]tunnel.Peer
	done  chan struct{}
	ended bool
}

func newMover(port uint16) *mover {
	return &mover{port: port, peers: map[tunnel.PeerID]tunnel.Peer{}, done: make(chan struct{})}
}

func (m *mover) Port() uint16 { return m.port }
func (m *mover) SetRules(r packet.Rules) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rules = r
	return nil
}
func (m *mover) SetPeer(p tunnel.Peer) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended {
		return net.ErrClosed
	}
	if len(p.Prefixes) == 0 {
		delete(m.peers, p.PeerID)
	} else {
		m.peers[p.PeerID] = p
	}
	return nil
}
func (m *mover) Counts() (total tunnel.Total, list []tunnel.PeerCount, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id := range m.peers {
		list = append(list, tunnel.PeerCount{PeerID: id, Count: tunnel.Count{Sent: tunnel.Traffic{Packets: 1, Bytes: 2}}})
	}
	return total, list, nil
}
func (m *mover) Done() <-chan struct{} { return m.done }
func (m *mover) Err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended {
		return net.ErrClosed
	}
	return nil
}
func (m *mover) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.ended {
		m.ended = true
		close(m.done)
	}
	return nil
}
func (m *mover) peer(id tunnel.PeerID) (tunnel.Peer, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := m.peers[id]
	return p, ok
}

// run runs f until the test ends.
func run(t *testing.T, f func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-done:
				if err != nil {
					t.Errorf("it ended with %v", err)
				}
			case <-time.After(patience):
				t.Error("it does not end")
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

var (
	errNothing = errors.New("nothing came back")
	errRefused = errors.New("reset before it was confirmed")
)

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }
