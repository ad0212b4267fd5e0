package node_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/skycoin/viscript/messenger"
	"github.com/skycoin/viscript/node"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/simnet"
	"github.com/skycoin/viscript/nodemanager"
)

// TestMeetByKey has two nodes behind symmetric NATs, which know each other's keys and nothing more, link through a messenger, and again
// after it was away.
func TestMeetByKey(t *testing.T) {
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
	w := simnet.New(1)
	dir := t.TempDir()
	pins, err := secure.OpenPins(filepath.Join(dir, "pins"))
	if err != nil {
		t.Fatal(err)
	}
	world := w.Host("10.0.0.1")
	m, err := nodemanager.New(nodemanager.Config{Listen: "10.0.0.1:7000", Dir: dir, Net: world, Key: key()})
	if err != nil {
		t.Fatal(err)
	}
	running.Go(func() { m.Run(ctx) })
	mcfg := messenger.Config{Listen: "10.0.0.1:7001", Dir: filepath.Join(dir, "messenger"), Net: world, Key: key()}
	start := func() (stop func()) {
		ms, err := messenger.New(mcfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(ctx)
		ended := make(chan error, 1)
		running.Go(func() { ended <- ms.Run(ctx) })
		return func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}
	stop := start()
	keys := []*identity.Key{key(), key()}
	var nodes []*node.Node
	for i, k := range keys {
		h := w.NAT(simnet.Symmetric, fmt.Sprintf("10.2.%d.1", i)).Host(fmt.Sprintf("192.168.%d.2", i))
		n, err := node.New(ctx, node.Config{
			Key: k, Name: fmt.Sprint("n", i), Listen: h.String() + ":5000", Carrier: h, Net: h, Pins: pins,
			Manager: secure.Addr{Key: m.Key(), HostPort: "10.0.0.1:7000"}, Messengers: []secure.Addr{{HostPort: "10.0.0.1:7001"}},
			Peers: []secure.Addr{{Key: keys[1-i].Public()}},
		})
		if err != nil {
			t.Fatal(err)
		}
		running.Go(func() { n.Run(ctx) })
		nodes = append(nodes, n)
	}
	reach := func() {
		t.Helper()
		eventually(t, "one reaches the other", func() error {
			r, err := nodes[0].Ping(ctx, keys[1].Public(), 1)
			if err == nil && r.Lost > 0 { // the session is there, and has no route
				err = errors.New("no answer")
			}
			return err
		})
	}
	reach()
	eventually(t, "there is one link, of the two that they dialed", func() error {
		if l := nodes[0].Links(); len(l) != 1 || l[0].Carrier != "relay" || l[0].Why == "" || !strings.HasSuffix(l[0].Addr, "via 10.0.0.1:7001") {
			return fmt.Errorf("links: %+v", l)
		}
		return nil
	})
	eventually(t, "the messenger has the record", func() error { // which is told a moment after a node is there
		rec, err := nodes[0].Lookup(ctx, keys[1].Public())
		if err == nil && (len(rec.Addrs) != 0 || len(rec.Homes) != 1) {
			err = fmt.Errorf("the record of a node without Connect: %+v", rec)
		}
		return err
	})
	eventually(t, "a node is at home", func() error {
		if homes := nodes[1].Messengers(); len(homes) != 1 || !homes[0].Connected || !strings.HasPrefix(homes[0].Observed, "10.2.1.1:") {
			return fmt.Errorf("messengers: %+v", homes)
		}
		return nil
	})
	stop()
	eventually(t, "the link ends with the messenger", func() error {
		if l := nodes[0].Links(); len(l) > 0 {
			return fmt.Errorf("links: %+v", l)
		}
		return nil
	})
	stop = start()
	reach()
	stop()
}

func TestNoMessenger(t *testing.T) {
	w := newLine(t, 1)
	if _, err := w.nodes[0].Lookup(t.Context(), w.keys[0]); !errors.Is(err, node.ErrNoMessenger) {
		t.Errorf("lookup: %v", err)
	}
	if _, err := w.nodes[0].Offers(t.Context(), "socks-server"); !errors.Is(err, node.ErrNoMessenger) || len(w.nodes[0].Messengers()) != 0 {
		t.Errorf("offers: %v", err)
	}
}
