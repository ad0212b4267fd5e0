package nodemanager

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
)

// stormNode is the least that a node is: a key, a connection, and an answer to everything.
type stormNode struct {
	key  *identity.Key
	peer *control.Peer
	seq  uint64
}

// storm is a manager in memory and its nodes, all at once.
type storm struct {
	m     *Manager
	nodes []*stormNode
	ctx   context.Context
	wg    sync.WaitGroup
}

func newStorm(t testing.TB, n int) *storm {
	t.Helper()
	m, err := New(Config{Listen: "127.0.0.1:0", Dir: t.TempDir(), Network: network, Key: newKey(t), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s := &storm{m: m}
	start(t, m.Run)
	ctx, cancel := context.WithCancel(context.Background())
	s.ctx = ctx
	t.Cleanup(func() { cancel(); s.wg.Wait() })
	for range n {
		s.nodes = append(s.nodes, &stormNode{key: newKey(t)})
	}
	return s
}

// connect shakes hands over a pipe, at both ends, and leaves the connection to the manager.
func (s *storm) connect(n *stormNode) error {
	near, far := net.Pipe()
	s.wg.Go(func() {
		defer far.Close()
		r, err := secure.Accept(s.ctx, far, secure.Config{Local: s.m.cfg.Key, Kind: secure.KindControl, Network: network}, nil)
		if err == nil {
			s.m.attend(s.ctx, secure.NewConn(far, r))
		}
	})
	r, err := secure.Dial(s.ctx, near, secure.Config{Local: n.key, Kind: secure.KindControl, Network: network}, s.m.Key())
	if err != nil {
		near.Close()
		return err
	}
	n.peer = control.NewPeer(control.PeerConfig{Conn: secure.NewConn(near, r), Serve: func(context.Context, control.Type, []byte) ([]byte, error) { return nil, nil }})
	s.wg.Go(func() { n.peer.Run(s.ctx) })
	return nil
}

func (n *stormNode) record(i int) control.NodeRecord {
	n.seq++
	return control.SignNode(n.key, network, control.NodeRecord{
		Name: fmt.Sprintf("n%d", i), Addrs: []string{fmt.Sprintf("10.%d.%d.%d:9000", i>>16, i>>8&255, i&255)}, Connect: true, Seq: n.seq,
	})
}

func (s *storm) register(i int) error {
	n := s.nodes[i]
	if err := s.connect(n); err != nil {
		return fmt.Errorf("handshake: %w", err)
	}
	_, err := n.peer.Call(s.ctx, control.TypeRegister, control.Register{Instance: control.Instance{1}, Node: n.record(i)}.Append(nil))
	return err
}

func (s *storm) report(i int, links []control.LinkReport) error {
	_, err := s.nodes[i].peer.Call(s.ctx, control.TypeReport, control.Report{Node: s.nodes[i].record(i), Links: links}.Append(nil))
	return err
}

// each runs f for every node, so many at a time.
func (s *storm) each(t testing.TB, atOnce int, f func(i int) error) time.Duration {
	t.Helper()
	began := time.Now()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range atOnce {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(s.nodes); i = int(next.Add(1)) - 1 {
				if err := f(i); err != nil {
					t.Errorf("node %d: %v", i, err)
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Since(began)
}

// persist does again what a busy machine did not get done in the time that the manager and its nodes give each other.
func persist(f func(i int) error) func(i int) error {
	return func(i int) error {
		for end := time.Now().Add(patience); ; {
			err := f(i)
			if !tooSlow(err) || time.Now().After(end) {
				return err
			}
		}
	}
}

// tooSlow tells the errors of who waited too long, at this end and at the other one.
func tooSlow(err error) bool {
	for _, e := range []error{context.DeadlineExceeded, control.ErrClosed, secure.ErrTimeout, io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, net.ErrClosed} {
		if errors.Is(err, e) {
			return true
		}
	}
	return control.CodeOf(err) == control.CodeUnavailable || isTimeout(err)
}

// links is a random network of about degree links for each node, one list per node.
func (s *storm) links(degree int) [][]control.LinkReport {
	rnd := rand.New(rand.NewPCG(1, 1))
	lists := make([][]control.LinkReport, len(s.nodes))
	have := make(map[[2]int]bool)
	add := func(a, b int) {
		if a == b || have[[2]int{a, b}] || have[[2]int{b, a}] {
			return
		}
		have[[2]int{a, b}] = true
		rtt := time.Duration(1+rnd.IntN(100)) * time.Millisecond
		for _, e := range [][2]int{{a, b}, {b, a}} {
			lists[e[0]] = append(lists[e[0]], control.LinkReport{
				Peer: s.nodes[e[1]].key.Public(), RTT: rtt, Jitter: time.Millisecond, Capacity: 1 << 24, Up: time.Now(), Carrier: "tcp",
			})
		}
	}
	for i := 1; i < len(lists); i++ {
		add(i, rnd.IntN(i))
	}
	for range len(lists) * (degree - 2) / 2 {
		add(rnd.IntN(len(lists)), rnd.IntN(len(lists)))
	}
	return lists
}

// TestStorm: all nodes of a network come at once, report, and find their ways.
func TestStorm(t *testing.T) {
	s := newStorm(t, 120)
	if s.each(t, 8, persist(s.register)); t.Failed() {
		t.FailNow()
	}
	lists := s.links(10)
	report := persist(func(i int) error { return s.report(i, lists[i]) })
	s.each(t, 64, report)
	s.each(t, 64, report)
	if n := len(s.m.Nodes()); n != len(s.nodes) {
		t.Errorf("%d nodes are registered", n)
	}
	s.each(t, 16, persist(func(i int) error {
		dst := s.nodes[(i+1)%len(s.nodes)].key.Public()
		_, err := s.nodes[i].peer.Call(s.ctx, control.TypeRoute, control.RouteRequest{Dst: dst}.Append(nil))
		return err
	}))
}

// BenchmarkStorm is the figures of a large network: run it with -benchtime 1x. Handshakes and signatures of both ends are in
// the processor time, which is that of nodes and manager together.
func BenchmarkStorm(b *testing.B) {
	const nodes = 10_000
	s := newStorm(b, nodes)
	lists := s.links(10)
	b.ResetTimer()
	for b.Loop() {
		base := heap()
		cpu := cpuTime()
		took := s.each(b, 256, s.register)
		b.ReportMetric(took.Seconds(), "register-s")
		b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/nodes, "register-cpu-us/node")

		cpu = cpuTime()
		took = s.each(b, 256, func(i int) error { return s.report(i, lists[i]) })
		b.ReportMetric(took.Seconds(), "report-s")
		b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/nodes, "report-cpu-us/node")

		cpu = cpuTime()
		took = s.each(b, 256, func(i int) error { return s.report(i, lists[i]) })
		b.ReportMetric(took.Seconds(), "again-s")
		b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/nodes, "again-cpu-us/node")
		b.ReportMetric(float64(len(s.m.links.Edges())), "links")
		time.Sleep(2 * time.Second) // until nobody is told of neighbours any more
		b.ReportMetric(float64(heap()-base)/(1<<20), "MiB-both-ends")
	}
}

func heap() uint64 {
	var ms runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&ms)
	return ms.HeapAlloc + ms.StackInuse
}
