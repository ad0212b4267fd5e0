package nodemanager

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/nodemanager/store/boltstore"
)

func TestNamesAndAddresses(t *testing.T) {
	m := newManager(t, secure.Addr{})
	a := newNode(t, m.addr, "Node0", withAddr("10.0.0.1:9000"), withAddr("10.0.0.9:1"))
	b := newNode(t, m.addr, "node1.mysterious.network", withAddr("Example.org:9000"), withAddr("10.0.0.9:1"))
	waitFor(t, "both registered", func() bool { return a.Status().Connected && b.Status().Connected })
	for name, want := range map[string]identity.PubKey{
		"node0": a.pub(), "NODE0.Mysterious.Network": a.pub(), "node1": b.pub(), "node1.mysterious.network": b.pub(),
	} {
		if got, err := b.ResolveName(deadline(t), name); err != nil || got != want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for addr, want := range map[string]identity.PubKey{"10.0.0.1:9000": a.pub(), "EXAMPLE.org:9000": b.pub()} {
		if got, err := b.KeyAt(deadline(t), addr); err != nil || got != want {
			t.Errorf("%s: %v, %v", addr, got, err)
		}
	}
	_, err := a.KeyAt(deadline(t), "10.0.0.9:1")
	wantCode(t, "an address of two", err, control.CodeAmbiguous)
	_, err = a.KeyAt(deadline(t), "10.0.0.1:9001")
	wantCode(t, "an address of nobody", err, control.CodeUnknownAddr)
	_, err = a.ResolveName(deadline(t), "node2")
	wantCode(t, "a name of nobody", err, control.CodeUnknownName)
	_, err = a.ResolveName(deadline(t), "node0.other.network")
	wantCode(t, "another domain", err, control.CodeBadRequest)
	_, err = a.ResolveName(deadline(t), "no name")
	wantCode(t, "no name", err, control.CodeBadRequest)
	_, err = a.FindApps(deadline(t), control.AppQuery{})
	wantCode(t, "apps without a tracker", err, control.CodeUnavailable)
}

func TestNameIsKeptAcrossRestart(t *testing.T) {
	m := newManager(t, secure.Addr{})
	a := newNode(t, m.addr, "node0")
	waitFor(t, "a is registered", func() bool { return a.Status().Connected })
	a.stop()
	m.stop()
	m.start(t)
	if k, err := m.find("node0"); err != nil || k != a.pub() {
		t.Errorf("after the restart node0 is %v, %v", k, err)
	}
	thief := newNode(t, m.addr, "NODE0")
	waitFor(t, "the thief is refused", func() bool { return strings.Contains(thief.Status().LastError, "name taken") })
	if len(m.Nodes()) != 1 || thief.Status().Connected {
		t.Errorf("nodes %+v", m.Nodes())
	}
	thief.stop()
	if err := m.ForgetName(deadline(t), "node0"); err != nil {
		t.Fatal(err)
	}
	heir := newNode(t, m.addr, "node0")
	waitFor(t, "the name is free for another", func() bool { return heir.Status().Connected })
}

func TestSecondProcessTakesOver(t *testing.T) {
	m := newManager(t, secure.Addr{})
	a := newNode(t, m.addr, "a")
	waitFor(t, "a is registered", func() bool { return a.Status().Connected })
	b := newNode(t, m.addr, "a", withKey(a.key))
	waitFor(t, "the second is registered", func() bool { return b.Status().Connected })
	waitFor(t, "the first is dropped", func() bool { return !a.Status().Connected || a.Status().LastError != "" })
	a.stop()
	b.stop()
}

func TestAppsThroughManager(t *testing.T) {
	trk := newTracker(t)
	m := newManager(t, secure.Addr{HostPort: trk.addr.HostPort}) // key by first contact
	a, b := newNode(t, m.addr, "a"), newNode(t, m.addr, "b")
	waitFor(t, "the manager has its tracker", func() bool { return m.Tracker().Connected })
	reg := func(n *fakeNode, name, typ string) error {
		return n.RegisterApp(deadline(t), control.AppRecord{Name: name, Type: typ, Port: 1080})
	}
	for name, err := range map[string]error{
		"first": reg(a, "socks0", "socks-server"), "second": reg(b, "socks1", "socks-server"), "third": reg(b, "vpn0", "vpn-server"),
	} {
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	wantCode(t, "a name of another", reg(b, "SOCKS0", "socks-server"), control.CodeNameTaken)
	forged := control.SignApp(b.key, network, control.AppRecord{Name: "x", Type: "y"})
	wantCode(t, "a record of another node", a.RegisterApp(deadline(t), forged), control.CodeBadRequest)
	other := control.SignApp(a.key, "another network", control.AppRecord{Name: "x", Type: "y"})
	wantCode(t, "a record of another network", a.RegisterApp(deadline(t), other), control.CodeBadSignature)

	find := func(q control.AppQuery) (names string) {
		apps, err := a.FindApps(deadline(t), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range apps {
			names += r.Name + " "
		}
		return names
	}
	for q, want := range map[control.AppQuery]string{
		{}:                                   "socks0 socks1 vpn0 ",
		{Type: "socks-server"}:               "socks0 socks1 ",
		{Key: b.pub()}:                       "socks1 vpn0 ",
		{Name: "Vpn0"}:                       "vpn0 ",
		{Name: "vpn0", Type: "socks-server"}: "",
		{Type: "socks-server", Key: newKey(t).Public()}: "",
	} {
		if got := find(q); got != want {
			t.Errorf("%+v: %q, want %q", q, got, want)
		}
	}
	if apps, err := m.Apps(deadline(t)); err != nil || len(apps) != 3 || len(trk.Apps()) != 3 {
		t.Errorf("%v, %v", apps, err)
	}

	trk.stop()
	waitFor(t, "the manager notices", func() bool { return !m.Tracker().Connected })
	back := make(chan error, 1)
	go func() { back <- reg(a, "socks0", "socks-server") }()
	trk.start(t)
	err := <-back
	for control.CodeOf(err) == control.CodeUnavailable { // a busy machine may need longer than the manager waits
		err = reg(a, "socks0", "socks-server")
	}
	if err != nil {
		t.Errorf("after the tracker came back: %v", err)
	}
	wantCode(t, "the name after a restart", reg(b, "socks0", "socks-server"), control.CodeNameTaken)
	if err := a.UnregisterApp(deadline(t), "socks0"); err != nil {
		t.Error(err)
	}
	wantCode(t, "twice", a.UnregisterApp(deadline(t), "socks0"), control.CodeUnknownName)
	waitFor(t, "the records that the manager repeats", func() bool { return find(control.AppQuery{}) == "socks1 vpn0 " })
}

func TestChangedManagerKeyIsRefused(t *testing.T) {
	m := newManager(t, secure.Addr{})
	byAddress := secure.Addr{HostPort: m.addr.HostPort}
	a := newNode(t, byAddress, "a")
	waitFor(t, "pinned", func() bool { return a.Status().Connected })
	m.stop()
	m.cfg.Key, m.cfg.Dir = newKey(t), t.TempDir()
	m.start(t)
	waitFor(t, "refused with a hint", func() bool {
		s := a.Status()
		return !s.Connected && strings.Contains(s.LastError, "pins") && strings.Contains(s.LastError, m.Key().String())
	})
}

// greet connects with a key of its own, again where the handshake took longer than it may.
func greet(t *testing.T, m *managerAt, k *identity.Key) (nc net.Conn, r secure.Result) {
	t.Helper()
	eventually(t, "a handshake", func() (err error) {
		nc = dial(t, m.addr.HostPort)
		r, err = secure.Dial(deadline(t), nc, secure.Config{Local: k, Kind: secure.KindControl, Network: network}, m.Key())
		return err
	})
	return nc, r
}

// raw speaks the protocol by hand.
func raw(t *testing.T, m *managerAt, k *identity.Key) *control.Peer {
	t.Helper()
	nc, r := greet(t, m, k)
	p := control.NewPeer(control.PeerConfig{Conn: secure.NewConn(nc, r), Serve: func(context.Context, control.Type, []byte) ([]byte, error) { return nil, nil }})
	start(t, func(ctx context.Context) error { p.Run(ctx); return nil })
	return p
}

func TestStrangersRequests(t *testing.T) {
	m := newManager(t, secure.Addr{})
	k := newKey(t)
	p := raw(t, m, k)
	call := func(typ control.Type, body []byte) error { _, err := p.Call(deadline(t), typ, body); return err }
	record := func(k *identity.Key, net string, seq uint64, change func(*control.NodeRecord)) []byte {
		r := control.NodeRecord{Seq: seq}
		if change != nil {
			change(&r)
		}
		return control.Register{Node: control.SignNode(k, net, r)}.Append(nil)
	}
	for typ := control.Type(1); typ < 30; typ++ {
		wantCode(t, "before registering", call(typ, []byte("x")), control.CodeBadRequest)
	}
	wantCode(t, "another's record", call(control.TypeRegister, record(newKey(t), network, 1, nil)), control.CodeBadRequest)
	wantCode(t, "another's network", call(control.TypeRegister, record(k, "x", 1, nil)), control.CodeBadSignature)

	for name, tt := range map[string]struct {
		change func(*control.NodeRecord)
		want   control.Code
	}{
		"an old clock":  {func(r *control.NodeRecord) { r.Issued = time.Now().Add(-time.Hour) }, control.CodeStale},
		"unspecified":   {func(r *control.NodeRecord) { r.Addrs = []string{"0.0.0.0:1"} }, control.CodeBadRequest},
		"a strange one": {func(r *control.NodeRecord) { r.Name = "a.b.c" }, control.CodeBadRequest},
	} {
		k := newKey(t)
		_, err := raw(t, m, k).Call(deadline(t), control.TypeRegister, record(k, network, 1, tt.change))
		wantCode(t, name, err, tt.want)
	}
	if len(m.Nodes()) != 0 {
		t.Errorf("nodes %+v", m.Nodes())
	}

	k = newKey(t)
	p = raw(t, m, k)
	if err := call(control.TypeRegister, record(k, network, 5, nil)); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "twice", call(control.TypeRegister, record(k, network, 6, nil)), control.CodeBadRequest)
	older := control.Report{Node: control.SignNode(k, network, control.NodeRecord{Seq: 5})}
	wantCode(t, "a report that is not newer", call(control.TypeReport, older.Append(nil)), control.CodeStale)
	wantCode(t, "an unknown route", call(control.TypeCloseRoute, make([]byte, 16)), control.CodeUnknownRoute)
	wantCode(t, "a request of the other direction", call(control.TypeInstall, nil), control.CodeBadRequest)
	// A flood: the largest requests, since a busy machine may not get small ones across faster than they are allowed.
	large := make([]byte, 60_000)
	var busy error
	for end := time.Now().Add(patience); control.CodeOf(busy) != control.CodeBusy && time.Now().Before(end); {
		busy = call(control.TypeName, large)
	}
	wantCode(t, "a flood", busy, control.CodeBusy)
}

// TestHostileConnections: each of them gets nothing or is closed, and nobody else is disturbed.
func TestHostileConnections(t *testing.T) {
	m := newManager(t, secure.Addr{})
	trk := newTracker(t)
	good := newNode(t, m.addr, "good")
	waitFor(t, "good is registered", func() bool { return good.Status().Connected })
	for _, addr := range []string{m.addr.HostPort, trk.addr.HostPort} {
		for name, send := range map[string][]byte{
			"http":      []byte("GET / HTTP/1.1\r\n\r\n"),
			"oversized": append([]byte{0xff, 0xff}, bytes.Repeat([]byte("x"), 70_000)...),
			"zeros":     make([]byte, 5000),
			"half open": {},
			"slow":      {0x04},
		} {
			c := dial(t, addr)
			c.Write(send)
			if name == "half open" || name == "slow" {
				continue // they stay open while the others go on
			}
			c.SetReadDeadline(time.Now().Add(patience))
			if got, err := io.ReadAll(c); len(got) > 0 || isTimeout(err) {
				t.Errorf("%s: got %q, %v", name, got, err)
			}
		}
	}
	// A wrong kind and a wrong network do not get past the handshake.
	for name, cfg := range map[string]secure.Config{
		"kind":    {Local: newKey(t), Kind: secure.KindTracker, Network: network},
		"network": {Local: newKey(t), Kind: secure.KindControl, Network: "x"},
	} {
		if _, err := secure.Dial(deadline(t), dial(t, m.addr.HostPort), cfg, m.Key()); err == nil {
			t.Errorf("wrong %s: admitted", name)
		}
	}
	// Behind a good handshake: records that do not open, and a message that is none.
	nc, r := greet(t, m, newKey(t))
	secure.NewConn(nc, r).WriteMsg([]byte("no message"))
	nc.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadAll(nc); isTimeout(err) {
		t.Error("a broken message did not end the connection")
	}
	if _, err := good.ResolveName(deadline(t), "good"); err != nil {
		t.Errorf("the good node: %v", err)
	}
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

func TestNewNamesItsTroubles(t *testing.T) {
	m := newManager(t, secure.Addr{})
	good := Config{Listen: "127.0.0.1:0", Dir: t.TempDir(), Key: newKey(t)}
	with := func(change func(*Config)) Config { c := good; change(&c); return c }
	for want, cfg := range map[string]Config{
		m.addr.HostPort: with(func(c *Config) { c.Listen = m.addr.HostPort }),
		"domain":        with(func(c *Config) { c.Domain = "no domain" }),
		"Key":           with(func(c *Config) { c.Key = nil }),
		StoreFile:       with(func(c *Config) { c.Dir = m.cfg.Dir }),
	} {
		if x, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
			if err == nil {
				x.Close()
			}
		}
	}
	_, err := New(with(func(c *Config) { c.Dir = m.cfg.Dir }))
	if !errors.Is(err, boltstore.ErrLocked) {
		t.Errorf("second manager on a state folder: %v", err)
	}
	x, err := New(good)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(x.Close(), x.Close()); err != nil {
		t.Error(err)
	}
	if _, err := New(good); err != nil {
		t.Errorf("after Close: %v", err)
	} else if _, err := secure.OpenPins(filepath.Join(good.Dir, PinsFile)); err != nil {
		t.Error(err)
	}
}

func TestVanishedNode(t *testing.T) {
	m := newManager(t, secure.Addr{})
	nodes := line(t, m, 2)
	r, err := nodes[0].Route(deadline(t), control.RouteRequest{Dst: nodes[1].pub()})
	if err != nil {
		t.Fatal(err)
	}
	m.expireOnce(t.Context(), time.Now().Add(control.RecordLife/2))
	if len(m.Nodes()) != 2 {
		t.Fatal("forgotten too early")
	}
	nodes[1].stop()
	nodes[0].stop()
	waitFor(t, "both connections are over", func() bool { return len(m.connected()) == 0 })
	m.expireOnce(t.Context(), time.Now().Add(2*control.RecordLife))
	if len(m.Nodes()) != 0 || len(m.Routes()) != 0 {
		t.Errorf("nodes %v, routes %v", m.Nodes(), m.Routes())
	}
	if _, ok := nodes[0].hop(r.Key); !ok {
		t.Error("a rule was removed although the node may still forward")
	}
}
