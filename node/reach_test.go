package node_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/skycoin/viscript/node"
	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/simnet"
	"github.com/skycoin/viscript/nodemanager"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = time.Minute

// line is nodes in a row, each linked to the one before it, on a network in memory.
type line struct {
	net     *simnet.Network
	manager *simnet.Host
	hosts   []*simnet.Host
	nodes   []*node.Node
	keys    []identity.PubKey
}

func newLine(t *testing.T, n int) *line {
	t.Helper()
	w := &line{net: simnet.New(1)}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	t.Cleanup(func() { cancel(); running.Wait() })
	key := func() *identity.Key {
		k, err := identity.Generate()
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	dir := t.TempDir()
	pins, err := secure.OpenPins(filepath.Join(dir, "pins"))
	if err != nil {
		t.Fatal(err)
	}
	w.manager = w.net.Host("10.0.0.1")
	m, err := nodemanager.New(nodemanager.Config{Listen: "10.0.0.1:7000", Dir: dir, Net: w.manager, Key: key()})
	if err != nil {
		t.Fatal(err)
	}
	running.Go(func() { m.Run(ctx) })
	for i := range n {
		h := w.net.Host(fmt.Sprintf("10.1.%d.1", i))
		k := key()
		cfg := node.Config{
			Key: k, Name: fmt.Sprint("n", i), Listen: h.String() + ":5000", Carrier: h, Net: h, Pins: pins,
			Manager: secure.Addr{Key: m.Key(), HostPort: "10.0.0.1:7000"},
		}
		if i > 0 {
			cfg.Peers = []secure.Addr{{Key: w.keys[i-1], HostPort: fmt.Sprintf("10.1.%d.1:5000", i-1)}}
		}
		node, err := node.New(ctx, cfg)
		if err != nil {
			t.Fatal(err)
		}
		running.Go(func() { node.Run(ctx) })
		w.hosts, w.nodes, w.keys = append(w.hosts, h), append(w.nodes, node), append(w.keys, k.Public())
	}
	return w
}

// await waits until the first node reaches the last one.
func (w *line) await(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		_, err := w.nodes[0].Ping(ctx, w.keys[len(w.keys)-1], 1)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestReach(t *testing.T) {
	w := newLine(t, 3)
	w.await(t)
	first, far := w.nodes[0], w.keys[2]
	for _, name := range []string{"n2", strings.ToUpper(far.String()), far.Short()} {
		eventually(t, "the manager says who that is", func() error {
			key, err := first.Who(t.Context(), name)
			if err == nil && key != far {
				t.Fatalf("%s is %s", name, key.Short())
			}
			return err
		})
	}
	for _, name := range []string{"", "no such", "nobody", strings.Repeat("0", 66), strings.Repeat("a", 300)} {
		if _, err := first.Who(t.Context(), name); err == nil {
			t.Errorf("%q is somebody", name)
		}
	}
	// The manager gives a route five seconds, a node an answer three: a machine that stood still for longer is asked again.
	eventually(t, "three pings come back", func() error {
		r, err := first.Ping(t.Context(), far, 3)
		if err == nil && (r.Sent != 3 || r.Lost != 0 || r.Min <= 0 || r.Avg < r.Min || r.Max < r.Avg || len(r.Path) != 3 || r.Found != 0) {
			err = fmt.Errorf("%+v", r)
		}
		return err
	})
	tries := 0
	eventually(t, "the first ping to a neighbour", func() error {
		r, err := first.Ping(t.Context(), w.keys[1], 1)
		if tries++; tries == 1 && err == nil && r.Found == 0 {
			t.Errorf("first ping: %+v", r)
		}
		return err
	})
	eventually(t, "a trace", func() error { // over whose session the first node asked for
		hops, err := w.nodes[2].Trace(t.Context(), w.keys[0])
		if err != nil || len(hops) != 3 {
			return fmt.Errorf("trace: %+v, %v", hops, err)
		}
		for i, h := range hops {
			if h.Node != w.keys[2-i] || h.Err != nil || i > 0 && (h.Sent == 0 || h.Lost != 0 || h.Min <= 0) || h.Apart {
				return fmt.Errorf("hop %d: %+v", i, h)
			}
		}
		return nil
	})
	if hops, err := first.Trace(t.Context(), w.keys[0]); err != nil || len(hops) != 1 {
		t.Errorf("trace to itself: %+v, %v", hops, err)
	}
	eventually(t, "the manager has said the names", func() error { // within two seconds, or the next time
		names := first.Names(t.Context(), append(w.keys, identity.PubKey{1}))
		for i, k := range w.keys {
			if names[k] != fmt.Sprint("n", i) {
				return fmt.Errorf("node %d is called %q", i, names[k])
			}
		}
		return nil
	})
	for key, want := range map[identity.PubKey]node.Cause{far: node.CauseNone, w.keys[0]: node.CauseSelf} {
		eventually(t, "a diagnosis", func() error {
			if d := first.Diagnose(t.Context(), key); d.Cause != want || d.Links != 1 {
				return fmt.Errorf("%+v, want %s", d, want)
			}
			return nil
		})
	}
}

func TestDiagnose(t *testing.T) {
	w := newLine(t, 3)
	w.await(t)
	middle := w.nodes[1]
	stranger, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "nobody knows a stranger", func() error {
		if d := w.nodes[0].Diagnose(t.Context(), stranger.Public()); d.Cause != node.CauseUnknown || control.CodeOf(d.Err) != control.CodeUnknownKey {
			return fmt.Errorf("%+v", d)
		}
		return nil
	})
	eventually(t, "the manager has said who n0 is", func() error {
		key, err := middle.Who(t.Context(), "n0")
		if err == nil && key != w.keys[0] {
			t.Fatalf("n0 is %s", key.Short())
		}
		return err
	})
	// Nobody has a session from the middle outwards; its link there goes, and is known to be gone.
	w.net.Partition(w.hosts[0], w.hosts[1])
	w.net.Cut(w.hosts[0], w.hosts[1])
	eventually(t, "there is no path", func() error {
		d := middle.Diagnose(t.Context(), w.keys[0])
		if d.Cause != node.CauseNoPath || control.CodeOf(d.Err) != control.CodeNoRoute || len(d.Down) != 1 || d.Down[0].LastError == "" {
			return fmt.Errorf("%+v", d)
		}
		return nil
	})
	eventually(t, "a ping says so", func() error {
		if _, err := middle.Ping(t.Context(), w.keys[0], 1); control.CodeOf(err) != control.CodeNoRoute {
			return fmt.Errorf("%w", err)
		}
		return nil
	})
	w.net.Partition(w.hosts[2], w.hosts[1])
	w.net.Cut(w.hosts[2], w.hosts[1])
	eventually(t, "there are no links", func() error {
		if d := middle.Diagnose(t.Context(), w.keys[0]); d.Cause != node.CauseNoLinks {
			return fmt.Errorf("%+v", d)
		}
		return nil
	})
	w.net.Isolate(w.manager)
	w.net.Cut(w.manager, w.hosts[1])
	eventually(t, "the manager is away", func() error {
		if d := middle.Diagnose(t.Context(), w.keys[0]); d.Cause != node.CauseManagerAway {
			return fmt.Errorf("%+v", d)
		}
		return nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if key, err := middle.Who(ctx, "n0"); key != w.keys[0] || err != nil {
		t.Errorf("a name that was said before: %s, %v", key.Short(), err)
	}
	if _, err := middle.Who(ctx, "n9"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a name without the manager: %v", err)
	}
}

func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	t.Fatalf("waiting until %s: %v", what, err)
}
