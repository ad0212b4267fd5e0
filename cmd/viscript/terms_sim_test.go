package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skycoin/viscript/node"
	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/route"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/session"
	"github.com/skycoin/viscript/node/simnet"
	"github.com/skycoin/viscript/node/wire"
	"github.com/skycoin/viscript/nodemanager"
)

// The nodes of TestTerms, and its links: entry and exit are linked directly too, but apart at first.
//
//	     ┌─ left ──┐
//	entry ─ right ─ exit
//	     └─ long ─ left
const (
	atEntry = iota
	atExit
	atLeft
	atRight
	atLong
	termsNodes
)

// termsMesh is that network, in memory.
type termsMesh struct {
	t     *testing.T
	net   *simnet.Network
	keys  []*identity.Key
	hosts []*simnet.Host
	nodes []*node.Node
}

// termsWithin is longer than anything in the test may take, in virtual time.
const termsWithin = time.Minute

// onTerms runs test on a mesh of which the entry was told own.
func onTerms(t *testing.T, own route.Terms, test func(ctx context.Context, m *termsMesh)) {
	keys := make([]*identity.Key, termsNodes+1)
	for i := range keys {
		var err error
		if keys[i], err = identity.Generate(); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var services sync.WaitGroup
		defer services.Wait()
		defer cancel()
		m := &termsMesh{t: t, net: simnet.New(1), keys: keys}
		m.build(dir, own, func(run func(context.Context) error) {
			services.Go(func() {
				if err := run(ctx); err != nil {
					t.Error(err)
				}
			})
		})
		test(ctx, m)
	})
}

func (m *termsMesh) key(i int) identity.PubKey { return m.keys[i].Public() }

func (m *termsMesh) build(dir string, own route.Terms, serve func(func(context.Context) error)) {
	home := m.net.Host("10.0.0.1")
	manager, err := nodemanager.New(nodemanager.Config{Domain: "sim", Listen: "10.0.0.1:7000", Dir: dir, Net: home, Key: m.keys[termsNodes]})
	if err != nil {
		m.t.Fatal(err)
	}
	serve(manager.Run)
	pins, err := secure.OpenPins(filepath.Join(dir, "pins-of-nodes"))
	if err != nil {
		m.t.Fatal(err)
	}
	peers := [termsNodes][]int{atEntry: {atExit, atLeft, atRight, atLong}, atExit: {atLeft, atRight}, atLong: {atLeft}}
	for i := range termsNodes {
		m.hosts = append(m.hosts, m.net.Host(simAddr(i)))
		cfg := node.Config{
			Key: m.keys[i], Listen: simAddr(i) + ":5000", Carrier: m.hosts[i], Net: m.hosts[i],
			Manager: secure.Addr{Key: manager.Key(), HostPort: "10.0.0.1:7000"}, Pins: pins,
		}
		for _, p := range peers[i] {
			cfg.Peers = append(cfg.Peers, secure.Addr{Key: m.key(p), HostPort: simAddr(p) + ":5000"})
		}
		if i == atEntry {
			cfg.Routes = own
		}
		n, err := node.New(m.t.Context(), cfg)
		if err != nil {
			m.t.Fatal(err)
		}
		m.nodes = append(m.nodes, n)
		m.net.SetPath(m.hosts[i], home, simnet.Path{Latency: time.Millisecond})
		for j := range i {
			m.net.SetPath(m.hosts[i], m.hosts[j], simnet.Path{Latency: time.Duration(5+i) * time.Millisecond})
		}
	}
	m.net.Partition(m.hosts[atEntry], m.hosts[atExit])
	for _, n := range m.nodes {
		serve(n.Run)
	}
	m.until("links", func() bool {
		return len(m.nodes[atEntry].Links()) == 3 && len(m.nodes[atExit].Links()) == 2 && len(m.nodes[atLong].Links()) == 2
	})
	time.Sleep(time.Second) // until all is reported
}

func (m *termsMesh) until(what string, done func() bool) {
	m.t.Helper()
	for began := time.Now(); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Since(began) > termsWithin {
			m.t.Fatalf("waiting for %s\nentry: %+v\nexit: %+v", what, m.nodes[atEntry].Sessions(), m.nodes[atExit].Sessions())
		}
	}
}

// watch looks at the sessions of the entry all the time: their routes meet their terms. Nothing begins at the exit.
func (m *termsMesh) watch(ctx context.Context) {
	for ctx.Err() == nil {
		for _, s := range m.nodes[atEntry].Sessions() {
			terms, err := route.Parse(string(s.Terms))
			if err != nil {
				m.t.Error(err)
			}
			for _, p := range s.Paths {
				if err := terms.Met(p.Nodes); err != nil {
					m.t.Errorf("a session over %q runs over %d nodes: %v", s.Terms, len(p.Nodes), err)
				}
			}
		}
		for _, s := range m.nodes[atExit].Sessions() {
			if s.Initiator {
				m.t.Errorf("the exit began a session itself: %+v", s)
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// active are the nodes of the path in use by the session of those terms.
func (m *termsMesh) active(terms session.Terms) []identity.PubKey {
	for _, s := range m.nodes[atEntry].Sessions() {
		for _, p := range s.Paths {
			if s.Terms == terms && p.State == "active" {
				return p.Nodes
			}
		}
	}
	return nil
}

// over is a client at the entry whose routes must meet t.
func (m *termsMesh) over(t route.Terms) *app.Client {
	c, err := m.nodes[atEntry].Apps().Over(t)
	if err != nil {
		m.t.Fatal(err)
	}
	return c
}

// echoes checks that a stream that echoes does.
func echoes(conn *app.Conn, text string) error {
	conn.SetDeadline(time.Now().Add(termsWithin))
	if _, err := conn.Write([]byte(text)); err != nil {
		return err
	}
	b := make([]byte, len(text))
	if _, err := io.ReadFull(conn, b); err != nil || string(b) != text {
		return fmt.Errorf("read %q: %w", b, err)
	}
	return nil
}

// echoPackets sends datagrams back to where they came from.
func echoPackets(p *app.PacketConn) {
	b := make([]byte, app.MaxDatagram)
	for {
		n, from, err := p.ReadFrom(b)
		if err != nil {
			return
		}
		if _, err := p.WriteTo(b[:n], from); err != nil {
			return
		}
	}
}

// asks sends a datagram until it comes back.
func asks(p *app.PacketConn, to app.Addr, text string) error {
	b := make([]byte, 100)
	var err error
	for range 20 {
		if _, err = p.WriteTo([]byte(text), to); err != nil {
			return err
		}
		p.SetReadDeadline(time.Now().Add(3 * time.Second))
		n, _, got := p.ReadFrom(b)
		if err = got; err == nil && string(b[:n]) == text {
			return nil
		}
	}
	return fmt.Errorf("no answer to %q: %w", text, err)
}

// TestTerms: apps with other terms to the same node, beside each other, get what each asked for: at first, when a direct link appears,
// when a relay dies, and when there is no way that meets them any more, which none of them then replaces by another.
func TestTerms(t *testing.T) {
	onTerms(t, route.Terms{}, func(ctx context.Context, m *termsMesh) {
		exit := m.nodes[atExit].Apps()
		ln, err := exit.Listen(ctx, app.ListenOptions{Port: 7})
		if err != nil {
			t.Fatal(err)
		}
		var serving sync.WaitGroup
		defer serving.Wait()
		defer ln.Close()
		serving.Go(func() { echo(ctx, ln) })
		grams, err := exit.ListenPacket(ctx, 9)
		if err != nil {
			t.Fatal(err)
		}
		defer grams.Close()
		serving.Go(func() { echoPackets(grams) })
		watching, stop := context.WithCancel(ctx)
		defer stop()
		serving.Go(func() { m.watch(watching) })

		all := []route.Terms{
			{}, {MinHops: 2}, {MinHops: 3, MaxHops: 3}, {Via: []identity.PubKey{m.key(atRight)}}, {Avoid: []identity.PubKey{m.key(atRight)}, MinHops: 2},
		}
		conns := make([]*app.Conn, len(all))
		packets := make([]*app.PacketConn, len(all))
		to := app.Addr{Key: m.key(atExit), Port: 9}
		for i, terms := range all {
			c := m.nodes[atEntry].Apps()
			if !terms.None() {
				c = m.over(terms)
			}
			if conns[i], err = c.Dial(ctx, m.key(atExit), 7, app.DialOptions{}); err != nil {
				t.Fatalf("%v: %v", terms, err)
			}
			defer conns[i].Close()
			if packets[i], err = c.ListenPacket(ctx, 0); err != nil {
				t.Fatal(err)
			}
			defer packets[i].Close()
		}
		check := func(when string) {
			t.Helper()
			for i, terms := range all {
				if err := echoes(conns[i], when); err != nil {
					t.Fatalf("%s, %q: %v", when, terms, err)
				}
				if err := asks(packets[i], to, when); err != nil {
					t.Fatalf("%s, %q: %v", when, terms, err)
				}
			}
		}
		three, two := session.Terms("--hops 3"), session.Terms("--min-hops 2")
		check("at first")
		if n := len(m.nodes[atExit].Sessions()); n != len(all) {
			t.Errorf("%d sessions", n)
		}

		m.net.Heal(m.hosts[atEntry], m.hosts[atExit])
		m.until("the direct link to be used by who asks for nothing", func() bool { return len(m.active("")) == 2 })
		for range 30 {
			check("with a direct link")
			time.Sleep(2 * time.Second)
		}
		if n := len(m.active(two)); n != 3 {
			t.Errorf("what asks for two links has a path of %d nodes", n)
		}

		m.net.Isolate(m.hosts[atLeft]) // the only way of three links, and the only one without the right relay
		m.until("what asks for two links to leave the dead relay", func() bool { return slices.Contains(m.active(two), m.key(atRight)) })
		lost := make(chan error, 1)
		serving.Go(func() { lost <- echoes(conns[2], "back again") })
		for _, i := range []int{0, 1, 3} {
			if err := echoes(conns[i], "a relay is dead"); err != nil {
				t.Fatalf("%q: %v", all[i], err)
			}
			if err := asks(packets[i], to, "a relay is dead"); err != nil {
				t.Fatalf("%q: %v", all[i], err)
			}
		}
		select {
		case err := <-lost:
			t.Errorf("a stream of three links went on without any: %v", err)
		default:
		}
		m.net.Rejoin(m.hosts[atLeft])
		if err := <-lost; err != nil {
			t.Errorf("a stream whose only relay came back: %v", err)
		}
		m.until("three links again", func() bool { return len(m.active(three)) == 4 })
		check("all is well")
	})
}

// TestTermsRefused: what cannot be met, or contradicts what the node was told, is refused with the reason.
func TestTermsRefused(t *testing.T) {
	onTerms(t, route.Terms{MaxHops: 2}, func(ctx context.Context, m *termsMesh) {
		ln, err := m.nodes[atExit].Apps().Listen(ctx, app.ListenOptions{Port: 7})
		if err != nil {
			t.Fatal(err)
		}
		var serving sync.WaitGroup
		defer serving.Wait()
		defer ln.Close()
		serving.Go(func() { echo(ctx, ln) })
		entry := m.nodes[atEntry].Apps()
		dial := func(to int, terms route.Terms) error {
			conn, err := entry.Dial(ctx, m.key(to), 7, app.DialOptions{Routes: terms})
			if err == nil {
				conn.Close()
			}
			return err
		}
		for name, c := range map[string]struct {
			to    int
			terms route.Terms
			code  wire.Code
			text  string
		}{
			"more than the node allows":  {atExit, route.Terms{MinHops: 3}, wire.CodeDenied, "--min-hops 3 against --max-hops 2: at least 3 and at most 2 links"},
			"more nodes than fit":        {atExit, route.Terms{Via: []identity.PubKey{m.key(atLong), m.key(atLeft)}}, wire.CodeDenied, "2 nodes to pass need more than 2 links"},
			"fewer links than there are": {atExit, route.Terms{MaxHops: 1}, wire.CodeNoRoute, "the shortest path has 2 links"},
			"nodes that avoid all":       {atExit, route.Terms{Avoid: []identity.PubKey{m.key(atLeft), m.key(atRight)}}, wire.CodeNoRoute, ""},
			"the end is avoided":         {atExit, route.Terms{Avoid: []identity.PubKey{m.key(atExit)}}, wire.CodeDenied, m.key(atExit).Short()},
			"the beginning is passed":    {atExit, route.Terms{Via: []identity.PubKey{m.key(atEntry)}}, wire.CodeBadRequest, "where the routes begin"},
			"the node itself":            {atEntry, route.Terms{MinHops: 2}, wire.CodeNoRoute, "on this very node"},
		} {
			err := dial(c.to, c.terms)
			if !errors.Is(err, &app.Refused{Code: c.code}) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := dial(atExit, route.Terms{Via: []identity.PubKey{m.key(atRight)}}); err != nil {
			t.Errorf("what both allow: %v", err)
		}
		if err := dial(atExit, route.Terms{}); err != nil {
			t.Errorf("what the node allows: %v", err)
		}
		for _, s := range m.nodes[atEntry].Sessions() {
			if !strings.Contains(string(s.Terms), "--max-hops 2") {
				t.Errorf("a session over %q", s.Terms)
			}
		}
	})
}
