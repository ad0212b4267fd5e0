// Package node assembles one node of the mesh: its links, the rules by which it forwards, its sessions,
// the socket for the apps on its host, and its connection to the node manager.
//
//	n, err := node.New(ctx, node.Config{...})   // opens every port, so that a port in use is an error here
//	err = n.Run(ctx)                             // serves until ctx ends
package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/apphost"
	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/forward"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/link"
	"github.com/skycoin/viscript/node/mark"
	"github.com/skycoin/viscript/node/portmap"
	"github.com/skycoin/viscript/node/relay"
	"github.com/skycoin/viscript/node/route"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/session"
)

// Config is everything a node is told.
type Config struct {
	Key     *identity.Key
	Name    string        // HOSTNAME, in the manager's domain; "" for none
	Listen  string        // HOST:PORT for links
	Carrier link.Carrier  // of links; nil: TCP
	Net     control.Net   // on which the manager is; nil: TCP
	Public  []string      // HOST:PORT under which others reach us; nil: found from Listen
	Manager secure.Addr   // CTRL_ADDR
	Connect bool          // let the manager name neighbours, and be named to others
	AppPort app.Port      // for the apps on this host; 0: none but those in this process (Apps)
	Peers   []secure.Addr // neighbours of our own choice
	Routes  route.Terms   // to be met by all routes that begin here
	// Messengers are where the node is at home: others find and reach it there by its key. None: addresses only.
	Messengers []secure.Addr
	Punch      Socket       // opens direct ways to peers that a messenger relays to; nil: none. Not used without Connect
	LAN        bool         // look for nodes of the manager on the same network segment; not used without Connect
	Unlisted   bool         // the public record at the messengers tells no addresses; nor does that of a node without Connect
	Network    string       // nodes of another network id cannot talk to us; "" is a network id too
	Pins       *secure.Pins // keys seen at first contact
	Log        *slog.Logger // nil: nothing is logged
}

// Node is one node. Its query methods are safe for concurrent use.
type Node struct {
	cfg      Config
	log      *slog.Logger
	addrs    atomic.Pointer[[]string] // under which others reach our links; changes when the host moves
	links    *link.Neighbours
	table    *forward.Table
	sessions *session.Host
	apps     *apphost.Host
	manager  *control.Client
	relay    *relay.Client // nil: no messengers
	work     work
	mapped   atomic.Pointer[portmap.Mapping] // what the router lets in; nil: nothing
	nearby   nearby
	remap    chan struct{} // the router is to be asked again
	waiting  atomic.Int64  // datagrams that wait for a session
	names    names
}

// New checks the configuration and opens the ports; Run starts the node.
func New(ctx context.Context, cfg Config) (*Node, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	n := &Node{cfg: cfg, log: cfg.Log, table: forward.New(), remap: make(chan struct{}, 1)}
	n.nearby.init()
	var err error
	n.manager, err = control.NewClient(control.ClientConfig{
		Manager: cfg.Manager, Key: cfg.Key, Network: cfg.Network, Pins: cfg.Pins,
		Self: n.self, Links: n.linkReports, Routes: n.ownRoutes, Handler: handler{n}, Net: cfg.Net, Log: cfg.Log,
	})
	if err != nil {
		return nil, err
	}
	n.sessions = session.NewHost(session.Config{
		Key: cfg.Key, Network: cfg.Network, Lay: n.lay, Over: n.routeOver, Log: cfg.Log.With("part", "session"),
		Accept: func(st *session.Stream) { n.apps.Incoming(st) },
		Datagram: func(remote identity.PubKey, port, from uint16, terms session.Terms, b []byte) {
			n.apps.Datagram(remote, port, from, string(terms), b)
		},
	})
	links := link.Config{
		Key: cfg.Key, Network: cfg.Network, Carrier: cfg.Carrier, Listen: cfg.Listen, Guard: secure.NewGuard(secure.GuardConfig{}),
		Receive: n.table.Receiver, KeyAt: n.manager.KeyAt, Changed: n.linksChanged, Moved: n.moved, Admit: n.manager.Member,
		Log: cfg.Log.With("part", "link"),
	}
	if len(cfg.Messengers) > 0 {
		if n.relay, err = n.newRelay(); err != nil {
			return nil, err
		}
		links.Relay, links.Find = n.relay, n.addrsOf
		if n.punches() {
			links.Punch = puncher{Socket: cfg.Punch, n: n}
		}
	}
	if n.links, err = link.Listen(ctx, links); err != nil {
		return nil, err
	}
	addrs, err := advertised(cfg.Public, n.links.Addr())
	if err == nil {
		n.addrs.Store(&addrs)
		n.apps, err = apphost.Listen(cfg.AppPort, n.mesh(), cfg.Log.With("part", "app"))
	}
	if err != nil {
		n.links.Close()
		return nil, err
	}
	for _, p := range cfg.Peers {
		n.links.AddPeer(p)
	}
	n.watchPeers(nil)
	return n, nil
}

// Run serves until ctx ends; then it says goodbye to everybody and returns nil when all is quiet.
func (n *Node) Run(ctx context.Context) error {
	// The connection to the manager outlives the rest, which takes back what it registered.
	managed, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer leave()
	manager, _ := errgroup.WithContext(managed)
	manager.Go(func() error { return n.manager.Run(managed) })
	g, ctx := errgroup.WithContext(ctx)
	n.work.begin(ctx)
	g.Go(func() error { return n.table.Run(ctx) })
	g.Go(func() error { return n.links.Run(ctx) })
	g.Go(func() error { return n.apps.Run(ctx) })
	if n.relay != nil {
		g.Go(func() error { return n.relay.Run(ctx) })
	}
	if n.discovers() {
		g.Go(func() error { return n.discover(ctx) })
	}
	if n.punches() {
		g.Go(func() error { return n.keepMapping(ctx) })
	}
	g.Go(func() error {
		<-ctx.Done()
		n.sessions.Close()
		return nil
	})
	err := g.Wait()
	n.work.wait()
	leave()
	return errors.Join(err, manager.Wait())
}

// advertised lists the addresses under which others reach our link port.
func advertised(public []string, at net.Addr) ([]string, error) {
	if len(public) > 0 {
		return public, nil
	}
	host, port, err := net.SplitHostPort(at.String())
	if err != nil {
		return nil, fmt.Errorf("node: link address %s: %w", at, err)
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return nil, fmt.Errorf("node: link address %s: %w", at, err)
	}
	if !ip.IsUnspecified() {
		return []string{at.String()}, nil
	}
	return interfaceAddrs(port)
}

// interfaceAddrs are this host's addresses with port, without loopback unless there is nothing else.
func interfaceAddrs(port string) ([]string, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("node: listing this host's addresses: %w", err)
	}
	var addrs []string
	tunnels := mark.Tunnels()
	for _, i := range all {
		list, err := i.Addrs()
		if err != nil || tunnels[i.Name] {
			continue // it is gone, or a VPN over the mesh
		}
		for _, a := range list {
			p, err := netip.ParsePrefix(a.String())
			if err == nil && p.Addr().IsGlobalUnicast() {
				addrs = append(addrs, net.JoinHostPort(p.Addr().String(), port))
			}
		}
	}
	if len(addrs) == 0 {
		addrs = []string{net.JoinHostPort("127.0.0.1", port)}
	}
	slices.Sort(addrs)
	return addrs[:min(len(addrs), control.MaxAddrs)], nil
}

// self is what we register with the manager.
func (n *Node) self() control.NodeRecord {
	return control.NodeRecord{Key: n.cfg.Key.Public(), Name: n.cfg.Name, Addrs: *n.addrs.Load(), Connect: n.cfg.Connect}
}

// linkReports is our word on our links.
func (n *Node) linkReports() []control.LinkReport {
	infos := n.links.Links()
	reports := make([]control.LinkReport, len(infos))
	for i, l := range infos {
		reports[i] = control.LinkReport{
			Peer: l.Peer, RTT: l.RTT, Jitter: l.Jitter, Loss: l.Loss, Capacity: l.Capacity,
			Up: l.Since, SentBytes: l.SentBytes, RecvBytes: l.RecvBytes, Carrier: l.Carrier,
		}
	}
	return reports
}

// ownRoutes are the routes in place that begin here; the manager keeps them while we say so.
func (n *Node) ownRoutes() []control.RouteKey {
	var keys []control.RouteKey
	for _, r := range n.table.Routes() {
		if r.Prev == nil {
			keys = append(keys, control.RouteKey(r.Key))
		}
	}
	return keys
}

// Addr is where the node takes links.
func (n *Node) Addr() net.Addr { return n.links.Addr() }

// Apps is the mesh for apps in this process: it reaches the node without a socket, while Run runs.
func (n *Node) Apps() *app.Client { return app.NewClient(n.apps.Connect) }

// AppAddr is where apps of this host reach it, "" where they do not.
func (n *Node) AppAddr() string {
	if n.cfg.AppPort == 0 {
		return ""
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(int(n.cfg.AppPort)))
}
