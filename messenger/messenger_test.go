package messenger_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/skycoin/viscript/messenger"
	"github.com/skycoin/viscript/messenger/porttest"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/relay"
	"github.com/skycoin/viscript/node/secure"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what happens at once on an idle machine.
const patience = time.Minute

func newKey(t testing.TB) *identity.Key {
	t.Helper()
	k, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// server is a messenger that can be stopped and started again.
type server struct {
	t    testing.TB
	cfg  messenger.Config
	m    *messenger.Messenger
	stop func()
}

func newServer(t testing.TB, change func(*messenger.Config)) *server {
	t.Helper()
	s := &server{t: t, cfg: messenger.Config{Listen: porttest.Kept(t), Dir: t.TempDir(), Key: newKey(t)}, stop: func() {}}
	if change != nil {
		change(&s.cfg)
	}
	s.start()
	t.Cleanup(func() { s.stop() })
	return s
}

func (s *server) start() {
	s.t.Helper()
	m, err := messenger.New(s.cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.m, s.cfg.Listen = m, m.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := m.Run(ctx); err != nil {
			s.t.Errorf("messenger: %v", err)
		}
	})
	s.stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
}

func (s *server) addr() secure.Addr {
	return secure.Addr{Key: s.m.Key(), HostPort: s.m.Addr().String()}
}

// client is a node's end.
type client struct {
	*relay.Client
	key  *identity.Key
	ln   net.Listener
	stop func()
}

func newClient(t testing.TB, change func(*relay.Config), at ...*server) *client {
	t.Helper()
	k := newKey(t)
	pins, err := secure.OpenPins(filepath.Join(t.TempDir(), "pins"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := relay.Config{Key: k, Pins: pins}
	for _, s := range at {
		cfg.Messengers = append(cfg.Messengers, s.addr())
	}
	if change != nil {
		change(&cfg)
	}
	rc, err := relay.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{Client: rc, key: k}
	if c.ln, err = rc.Listen(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { rc.Run(ctx) })
	c.stop = sync.OnceFunc(func() { cancel(); c.ln.Close(); wg.Wait() })
	t.Cleanup(c.stop)
	return c
}

func (c *client) connected(n int) bool {
	up := 0
	for _, h := range c.Status() {
		if h.Connected {
			up++
		}
	}
	return up == n
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for by := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(by) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// echo sends back what comes over each circuit.
func (c *client) echo() {
	for {
		nc, err := c.ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer nc.Close()
			io.Copy(nc, nc)
		}()
	}
}

// dial opens a circuit, trying until it works.
func (c *client) dial(t testing.TB, to identity.PubKey) net.Conn {
	t.Helper()
	var nc net.Conn
	eventually(t, "a circuit", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		var err error
		nc, err = c.Dial(ctx, to.String())
		return err == nil
	})
	return nc
}

func random(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	r.Read(b)
	return b
}

func TestCircuitCarriesBytes(t *testing.T) {
	s := newServer(t, nil)
	a, b := newClient(t, nil, s), newClient(t, nil, s)
	go b.echo()
	nc := a.dial(t, b.key.Public())
	defer nc.Close()
	want := random(20 << 20)
	go nc.Write(want)
	got := make([]byte, len(want))
	nc.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(nc, got); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("read: %v", err)
	}
	tr := s.m.Traffic()
	if tr.Clients != 2 || tr.Bytes < 2*uint64(len(want)) || tr.Dropped != 0 {
		t.Errorf("%+v", tr)
	}
	if nc.RemoteAddr().Network() != "relay" {
		t.Errorf("remote address %v", nc.RemoteAddr())
	}
}

func TestDialWhoIsNotThere(t *testing.T) {
	s := newServer(t, nil)
	a := newClient(t, nil, s)
	eventually(t, "connected", func() bool { return a.connected(1) })
	_, err := a.Dial(t.Context(), newKey(t).Public().String())
	if !errors.Is(err, relay.ResetNotHere) {
		t.Errorf("dialing a stranger: %v", err)
	}
	if _, err := a.Dial(t.Context(), "nonsense"); err == nil {
		t.Error("dialed nonsense")
	}
}

func TestOtherEndCloses(t *testing.T) {
	s := newServer(t, nil)
	a, b := newClient(t, nil, s), newClient(t, nil, s)
	nc := a.dial(t, b.key.Public())
	far, err := b.ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	far.Close()
	nc.SetReadDeadline(time.Now().Add(patience))
	if _, err := nc.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("read: %v", err)
	}
	if _, err := nc.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("write: %v", err)
	}
	nc.Close()
	if _, err := nc.Read(make([]byte, 1)); err == nil {
		t.Error("read after Close")
	}
}

func TestDeadlines(t *testing.T) {
	s := newServer(t, nil)
	a, b := newClient(t, nil, s), newClient(t, nil, s)
	nc := a.dial(t, b.key.Public())
	defer nc.Close()
	nc.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if _, err := nc.Read(make([]byte, 1)); !isTimeout(err) {
		t.Errorf("read: %v", err)
	}
	eventually(t, "a part is written", func() bool { // the time may be over before anything is
		nc.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		n, err := nc.Write(make([]byte, 32<<20)) // nobody reads
		if !isTimeout(err) {
			t.Fatalf("wrote %d: %v", n, err)
		}
		return n > 0
	})
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

func TestMessengerOfTheOther(t *testing.T) {
	one, two := twins(t)
	a, b := newClient(t, nil, one), newClient(t, nil, two)
	go b.echo()
	nc := a.dial(t, b.key.Public()) // its record came from one messenger to the other
	defer nc.Close()
	nc.Write([]byte("hello"))
	got := make([]byte, 5)
	nc.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(nc, got); err != nil || string(got) != "hello" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestMessengerComesBack(t *testing.T) {
	s := newServer(t, nil)
	a, b := newClient(t, nil, s), newClient(t, nil, s)
	go b.echo()
	nc := a.dial(t, b.key.Public())
	s.stop()
	nc.SetReadDeadline(time.Now().Add(patience))
	if _, err := nc.Read(make([]byte, 1)); err == nil {
		t.Error("the circuit outlives the messenger")
	}
	nc.Close()
	s.start()
	began := time.Now()
	nc = a.dial(t, b.key.Public())
	t.Logf("back after %s", time.Since(began).Round(time.Millisecond))
	nc.Close()
}

// twins are two messengers that exchange records.
func twins(t *testing.T) (one, two *server) {
	one, two = newServer(t, nil), newServer(t, nil)
	one.stop()
	two.stop()
	one.cfg.Peers, two.cfg.Peers = []secure.Addr{two.addr()}, []secure.Addr{one.addr()}
	one.start()
	two.start()
	return one, two
}

// TestMessengerMoves has a messenger come back at another port: its clients learn that from the other one.
func TestMessengerMoves(t *testing.T) {
	one, two := twins(t)
	a, b := newClient(t, nil, one, two), newClient(t, nil, one)
	eventually(t, "all connected", func() bool { return a.connected(2) && b.connected(1) })
	eventually(t, "their records at both", func() bool { return len(one.m.Records()) == 4 && len(two.m.Records()) == 4 })
	one.stop()
	eventually(t, "the loss", func() bool { return a.connected(1) })
	one.cfg.Listen = "127.0.0.1:0"
	began := time.Now()
	one.start()
	eventually(t, "connected again at the new address", func() bool { return a.connected(2) })
	t.Logf("back %s after the messenger was", time.Since(began).Round(time.Millisecond))
	for _, h := range a.Status() {
		if h.Addr.Key == one.m.Key() && h.Addr.HostPort != one.m.Addr().String() {
			t.Errorf("connected to %s", h.Addr.HostPort)
		}
	}
}

// TestRecordsTravel follows a record through both messengers, changes it, and takes it back.
func TestRecordsTravel(t *testing.T) {
	one, two := twins(t)
	kind, mu := "first", sync.Mutex{}
	a := newClient(t, func(c *relay.Config) {
		c.Self = func() relay.Record {
			mu.Lock()
			defer mu.Unlock()
			return relay.Record{Services: []relay.Service{{Type: kind}}, Attrs: []relay.Attr{{Name: "country", Value: "NL"}}}
		}
	}, one)
	told := make(chan relay.Record, 100)
	b := newClient(t, func(c *relay.Config) { c.Changed = func(r relay.Record) { told <- r } }, two)
	b.Watch([]identity.PubKey{a.key.Public()})
	has := func(kind string, n int) func() bool {
		return func() bool {
			f, err := b.Find(t.Context(), relay.Query{Type: kind, Attrs: []relay.Attr{{Name: "country", Value: "NL"}}, Limit: 9})
			return err == nil && len(f.Records) == n
		}
	}
	eventually(t, "the record at the other messenger", has("first", 1))
	if rec, err := b.Lookup(t.Context(), a.key.Public()); err != nil || len(rec.Homes) != 1 || rec.Homes[0] != one.addr() {
		t.Errorf("lookup: %+v, %v", rec, err)
	}
	mu.Lock()
	kind = "second"
	mu.Unlock()
	a.Kick()
	eventually(t, "the change", has("second", 1))
	eventually(t, "nothing of the first", has("first", 0))
	for by := time.After(patience); ; {
		var rec relay.Record
		select {
		case rec = <-told:
		case <-by:
			t.Fatal("the watcher is not told of the change")
		}
		if rec.Key == a.key.Public() && rec.Has("second", nil) {
			break
		}
	}
	a.stop()
	eventually(t, "the record is taken back", func() bool {
		_, err := b.Lookup(t.Context(), a.key.Public())
		return errors.Is(err, relay.ErrUnknown)
	})
}

// TestManyCircuits uses many circuits of a few clients at once.
func TestManyCircuits(t *testing.T) {
	s := newServer(t, nil)
	var all []*client
	for range 4 {
		c := newClient(t, nil, s)
		go c.echo()
		all = append(all, c)
	}
	eventually(t, "all connected", func() bool { return len(s.m.Clients()) == 4 })
	want := random(300 << 10)
	var wg sync.WaitGroup
	for i := range 48 {
		from, to := all[i%4], all[(i+1+i/4%3)%4]
		wg.Go(func() {
			nc := from.dial(t, to.key.Public())
			defer nc.Close()
			nc.SetDeadline(time.Now().Add(patience))
			go nc.Write(want)
			got := make([]byte, len(want))
			if _, err := io.ReadFull(nc, got); err != nil || !bytes.Equal(got, want) {
				t.Errorf("circuit %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if tr := s.m.Traffic(); tr.Dropped != 0 {
		t.Errorf("%+v", tr)
	}
}

// TestSameKeyAgain: a key's newer connection takes over from the older one.
func TestSameKeyAgain(t *testing.T) {
	s := newServer(t, nil)
	a := newClient(t, nil, s)
	eventually(t, "connected", func() bool { return a.connected(1) })
	b := newClient(t, func(c *relay.Config) { c.Key = a.key }, s)
	b.key = a.key
	eventually(t, "one of the two", func() bool { return b.connected(1) && len(s.m.Clients()) == 1 })
	a.stop()
	b.stop()
}

// TestOneMessengerTwice: a messenger that is given by two addresses keeps one of the connections.
func TestOneMessengerTwice(t *testing.T) {
	s := newServer(t, nil)
	a := newClient(t, nil, s, s)
	b := newClient(t, nil, s)
	go b.echo()
	eventually(t, "one connection, and the word for the other", func() bool {
		list := a.Status()
		return list[0].Connected != list[1].Connected && list[0].LastError+list[1].LastError != ""
	})
	nc := a.dial(t, b.key.Public())
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(patience))
	for range 20 {
		nc.Write([]byte("x"))
		if _, err := io.ReadFull(nc, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestListenEverywhere: a messenger without a public address does not tell others to look at all interfaces of their own.
func TestListenEverywhere(t *testing.T) {
	for _, at := range []string{"0.0.0.0:0", "[::]:0"} {
		ln, err := net.Listen("tcp", at)
		if err != nil {
			t.Logf("this machine has no %s: %v", at, err)
			continue
		}
		ln.Close()
		s := newServer(t, func(c *messenger.Config) { c.Listen = at })
		eventually(t, "its record", func() bool { return len(s.m.Records()) == 1 })
		if r := s.m.Records()[0]; len(r.Addrs) != 0 || len(r.Homes) != 0 || !r.Has(relay.TypeMessenger, nil) {
			t.Errorf("%s: %+v", at, r)
		}
	}
	s := newServer(t, func(c *messenger.Config) { c.Listen, c.Public = "0.0.0.0:0", "messenger.example:5998" })
	a := newClient(t, func(c *relay.Config) {
		c.Messengers = []secure.Addr{{Key: s.m.Key(), HostPort: strings.Replace(s.m.Addr().String(), "[::]", "127.0.0.1", 1)}}
	})
	eventually(t, "the public address in a client's record", func() bool {
		for _, r := range s.m.Records() {
			if r.Key == a.key.Public() {
				return len(r.Homes) == 1 && r.Homes[0].HostPort == "messenger.example:5998"
			}
		}
		return false
	})
}
