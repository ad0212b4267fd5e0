package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skycoin/viscript/node"
	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/simnet"
	"github.com/skycoin/viscript/nodemanager"
)

// mustSurvive says whether streams outlive the links of their route. While it is false a stream may break, with a reason;
// what had arrived by then must be right all the same.
const mustSurvive = true

// The simulated mesh.
const (
	simNodes   = 50
	simLinks   = 90 // 49 of them make it one piece
	simStreams = 20 // at a time
	simPort    = 7
	simAway    = 20 * time.Second // the manager, at times
	// simPatience is longer than the mesh may take to notice a silent link, find another way and answer.
	simPatience = 2 * time.Minute
)

// simMesh is a whole mesh on a network in memory, inside a bubble of virtual time.
type simMesh struct {
	t     *testing.T
	net   *simnet.Network
	keys  []*identity.Key
	home  *simnet.Host // of the manager
	hosts []*simnet.Host
	nodes []*node.Node
	links []simLink
	rng   *rand.Rand // of the faults and the pairs; used by one goroutine at a time
	mu    sync.Mutex // guards rng

	rounds, broken, dials, failed atomic.Int64
	bytes                         atomic.Int64
}

type simLink struct {
	a, b int
	down bool
}

func TestSimulatedMesh(t *testing.T) {
	if testing.Short() {
		t.Skip("the simulated hours take most of a minute")
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	keys := make([]*identity.Key, simNodes+1)
	for i := range keys {
		var err error
		if keys[i], err = identity.Generate(); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	began := time.Now()
	synctest.Test(t, func(t *testing.T) {
		m := &simMesh{t: t, net: simnet.New(seed), keys: keys, rng: rand.New(rand.NewPCG(seed, 1))}
		m.run(dir)
	})
	t.Logf("took %s", time.Since(began).Round(time.Millisecond))
}

// run builds the mesh, troubles it for simTime, and takes it down.
func (m *simMesh) run(dir string) {
	ctx, cancel := context.WithCancel(context.Background())
	var services sync.WaitGroup
	defer services.Wait()
	defer cancel()
	serve := func(run func(context.Context) error) {
		services.Go(func() {
			if err := run(ctx); err != nil {
				m.t.Error(err)
			}
		})
	}
	m.build(dir, serve)
	m.awaitLinks()

	working, stop := context.WithTimeout(ctx, simTime)
	defer stop()
	var work sync.WaitGroup
	for i, n := range m.nodes {
		ln, err := n.Apps().Listen(ctx, app.ListenOptions{Port: simPort})
		if err != nil {
			m.t.Fatalf("node %d: %v", i, err)
		}
		defer ln.Close()
		services.Go(func() { echo(ctx, ln) })
	}
	for range simStreams {
		work.Go(func() { m.keepTalking(working) })
	}
	work.Go(func() { m.trouble(working) })
	work.Wait()
	m.settle()
	m.t.Logf("%d streams dialed, %d dials failed, %d streams broke, %d answers, %d bytes", m.dials.Load(), m.failed.Load(), m.broken.Load(), m.rounds.Load(), m.bytes.Load())
	if m.rounds.Load() < int64(simTime/time.Minute) {
		m.t.Errorf("%d answers in %s", m.rounds.Load(), simTime)
	}
}

// build makes the manager, the nodes and a random graph in one piece.
func (m *simMesh) build(dir string, serve func(func(context.Context) error)) {
	log := slog.New(slog.DiscardHandler)
	m.home = m.net.Host("10.0.0.1")
	manager, err := nodemanager.New(nodemanager.Config{
		Domain: "sim", Listen: "10.0.0.1:7000", Dir: dir, Net: m.home, Key: m.keys[simNodes], Log: log,
	})
	if err != nil {
		m.t.Fatal(err)
	}
	serve(manager.Run)
	pins, err := secure.OpenPins(filepath.Join(dir, "pins-of-nodes"))
	if err != nil {
		m.t.Fatal(err)
	}
	peers := m.graph()
	for i := range simNodes {
		h := m.net.Host(simAddr(i))
		m.hosts = append(m.hosts, h)
		m.net.SetPath(h, m.home, simnet.Path{Latency: 5 * time.Millisecond, Jitter: time.Millisecond})
		n, err := node.New(context.Background(), node.Config{
			Key: m.keys[i], Name: fmt.Sprint("node", i), Listen: simAddr(i) + ":5000", Carrier: h, Net: h,
			Manager: secure.Addr{Key: manager.Key(), HostPort: "10.0.0.1:7000"}, Peers: peers[i], Pins: pins, Log: log,
		})
		if err != nil {
			m.t.Fatal(err)
		}
		m.nodes = append(m.nodes, n)
	}
	for _, l := range m.links {
		m.net.SetPath(m.hosts[l.a], m.hosts[l.b], simnet.Path{
			Latency: time.Duration(1+m.rng.IntN(40)) * time.Millisecond, Jitter: time.Duration(m.rng.IntN(3)) * time.Millisecond,
			Bandwidth: 1 << 20, Loss: m.rng.Float64() * 0.005,
		})
	}
	for _, n := range m.nodes {
		serve(n.Run)
	}
}

// simAddr gives every node a part of the network of its own, as real ones have.
func simAddr(i int) string { return fmt.Sprintf("10.1.%d.1", i) }

// graph draws the links and says whom each node dials.
func (m *simMesh) graph() (peers [simNodes][]secure.Addr) {
	has := map[[2]int]bool{}
	add := func(a, b int) {
		if a == b || has[[2]int{a, b}] || has[[2]int{b, a}] {
			return
		}
		has[[2]int{a, b}] = true
		m.links = append(m.links, simLink{a: a, b: b})
		peers[a] = append(peers[a], secure.Addr{Key: m.keys[b].Public(), HostPort: simAddr(b) + ":5000"})
	}
	for i := 1; i < simNodes; i++ {
		add(i, m.rng.IntN(i))
	}
	for len(m.links) < simLinks {
		add(m.rng.IntN(simNodes), m.rng.IntN(simNodes))
	}
	return peers
}

// awaitLinks waits until every link is up and every node is registered.
func (m *simMesh) awaitLinks() {
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		links, registered := 0, 0
		for _, n := range m.nodes {
			links += len(n.Links())
			if n.Info().Manager.Connected {
				registered++
			}
		}
		if links == 2*simLinks && registered == simNodes {
			time.Sleep(time.Second) // until all is reported
			m.t.Logf("up after %s", time.Since(began))
			return
		}
		if time.Since(began) > time.Minute {
			m.t.Fatalf("%d of %d ends of links are up, %d of %d nodes registered", links, 2*simLinks, registered, simNodes)
		}
	}
}

// trouble cuts and silences links, never so many that the mesh falls apart, and takes the manager away now and then.
func (m *simMesh) trouble(ctx context.Context) {
	var away sync.WaitGroup
	defer away.Wait()
	for ctx.Err() == nil {
		m.mu.Lock()
		i, kind := m.rng.IntN(len(m.links)), m.rng.IntN(20)
		wait := time.Duration(m.rng.IntN(20_000)) * time.Millisecond
		m.mu.Unlock()
		l := &m.links[i]
		a, b := m.hosts[l.a], m.hosts[l.b]
		switch {
		case l.down:
			m.net.Heal(a, b)
			l.down = false
		case kind == 0:
			m.net.Isolate(m.home)
			away.Go(func() {
				time.Sleep(simAway)
				m.net.Rejoin(m.home)
			})
		case kind < 8:
			m.net.Cut(a, b) // it is dialed again at once
		default:
			if l.down = true; !m.inOnePiece() {
				l.down = false
				break
			}
			m.net.Partition(a, b)
			if kind < 14 {
				m.net.Cut(a, b) // both ends know
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	for i := range m.links {
		m.net.Heal(m.hosts[m.links[i].a], m.hosts[m.links[i].b])
		m.links[i].down = false
	}
}

// inOnePiece reports whether every node can reach every other over links that are not down.
func (m *simMesh) inOnePiece() bool {
	var seen [simNodes]bool
	seen[0] = true
	for grew := true; grew; {
		grew = false
		for _, l := range m.links {
			if !l.down && seen[l.a] != seen[l.b] {
				seen[l.a], seen[l.b], grew = true, true, true
			}
		}
	}
	for _, s := range seen {
		if !s {
			return false
		}
	}
	return true
}

// keepTalking opens one stream after the other between nodes drawn at random.
func (m *simMesh) keepTalking(ctx context.Context) {
	for ctx.Err() == nil {
		m.mu.Lock()
		from, to, seed := m.rng.IntN(simNodes), m.rng.IntN(simNodes), m.rng.Uint64()
		m.mu.Unlock()
		if from == to {
			continue
		}
		m.talk(ctx, from, to, rand.New(rand.NewPCG(seed, 2)))
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// talk opens a stream and asks and answers for some minutes.
func (m *simMesh) talk(ctx context.Context, from, to int, rng *rand.Rand) {
	dctx, cancel := context.WithTimeout(ctx, simPatience)
	defer cancel()
	m.dials.Add(1)
	conn, err := m.nodes[from].Apps().Dial(dctx, m.keys[to].Public(), simPort, app.DialOptions{})
	if err != nil {
		m.failed.Add(1) // a route over a link that is gone and not yet missed
		if ctx.Err() == nil && dctx.Err() != nil {
			m.t.Errorf("node %d to %d: no answer for %s: %v", from, to, simPatience, err)
		}
		return
	}
	defer conn.Close()
	for range 10 + rng.IntN(30) {
		if err := m.ask(conn, rng); err != nil {
			m.broken.Add(1)
			if mustSurvive || errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, new(*app.Refused)) {
				m.t.Errorf("node %d to %d: %v", from, to, err)
			}
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(rng.IntN(10_000)) * time.Millisecond):
		}
	}
}

// ask sends some bytes and checks that the same come back.
func (m *simMesh) ask(conn *app.Conn, rng *rand.Rand) error {
	conn.SetDeadline(time.Now().Add(simPatience))
	want := make([]byte, 1+rng.IntN(24_000))
	for i := 0; i+8 <= len(want); i += 8 {
		binary.BigEndian.PutUint64(want[i:], rng.Uint64())
	}
	wrote := make(chan error, 1)
	go func() {
		_, err := conn.Write(want)
		wrote <- err
	}()
	got := make([]byte, len(want))
	n, err := io.ReadFull(conn, got)
	for i := range n {
		if got[i] != want[i] {
			return fmt.Errorf("byte %d of %d is %#x, want %#x", i, len(want), got[i], want[i])
		}
	}
	m.bytes.Add(int64(n))
	if err != nil {
		return err
	}
	m.rounds.Add(1)
	return <-wrote
}

// settle checks that the healed mesh works between every two neighbours of a ring.
func (m *simMesh) settle() {
	time.Sleep(simPatience)
	var work sync.WaitGroup
	for i := range simNodes {
		work.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), simPatience)
			defer cancel()
			for {
				conn, err := m.nodes[i].Apps().Dial(ctx, m.keys[(i+1)%simNodes].Public(), simPort, app.DialOptions{})
				if err == nil {
					err = m.ask(conn, rand.New(rand.NewPCG(uint64(i), 3)))
					conn.Close()
				}
				if err == nil {
					return
				}
				if mustSurvive || ctx.Err() != nil {
					m.t.Errorf("node %d after all is healed: %v", i, err)
					return
				}
				time.Sleep(time.Second)
			}
		})
	}
	work.Wait()
}

// echo serves a port: it sends back what comes.
func echo(ctx context.Context, ln *app.Listener) {
	var serving sync.WaitGroup
	defer serving.Wait()
	for {
		conn, err := ln.Accept(ctx)
		if err != nil {
			return
		}
		serving.Go(func() {
			defer conn.Close()
			if conn.Confirm() == nil {
				io.Copy(conn, conn)
			}
		})
	}
}
