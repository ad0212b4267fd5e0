package link

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
)

// Limits of one node.
const (
	maxLinks     = 1024
	maxAdmitting = 64 // strangers who wait for Config.Admit
	// relayHalfOpen is how many relayed connections may be in the middle of a handshake.
	relayHalfOpen = 256
	admitTime     = 5 * time.Second
	// glareTime is how far apart two ends may dial each other and yet mean the same link. A link from a neighbour
	// to whom an older one is up means that for him the older one is gone.
	glareTime = 3 * time.Second
)

// Config tells Neighbours who we are.
type Config struct {
	Key     *identity.Key
	Network string  // in the handshake's prologue; nodes of another network cannot link
	Carrier Carrier // nil: TCP
	Listen  string  // HOST:PORT to accept links on
	// Relay carries links through third parties, by key: its Dial takes a key's text, its Listen nothing. It is used where no
	// address of a peer answers within 500 ms; an address that answers later takes over. nil: none.
	Relay Carrier
	// Find returns addresses of a peer that was configured by key alone, nil for none; it blocks for a second or so. nil: not asked.
	Find  func(ctx context.Context, key identity.PubKey) []string
	Guard *secure.Guard
	// Receive makes the receiver of a new link.
	Receive func(*Link) Receiver
	// KeyAt finds the key of a peer that was configured by address alone; it blocks until it
	// knows or ctx ends.
	KeyAt func(ctx context.Context, hostport string) (identity.PubKey, error)
	// Admit is asked whether an inbound link of a key that is no peer of ours may be; nil: all may. It has until
	// ctx ends, 5 s. Its answer is not kept.
	Admit func(ctx context.Context, key identity.PubKey) error
	// Moved is called, without locks held, after this host's addresses changed or it woke from sleep; here are its addresses
	// now, nil: unknown. It must not block.
	Moved func(here []netip.Addr)
	// Changed is called, without locks held, after a link came or went. It must not block.
	Changed func()
	Log     *slog.Logger
}

// Neighbours keeps one link to each neighbour. Safe for concurrent use.
type Neighbours struct {
	cfg     Config
	ln      net.Listener
	relayed net.Listener // nil without Config.Relay
	// relayGuard stands before what comes by the relay, so that a flood there leaves the port's own places free; nil without Config.Relay.
	relayGuard *secure.Guard

	admitting chan struct{} // one element for each call of Admit

	mu    sync.Mutex // guards the following
	links map[identity.PubKey]*Link
	peers map[string]*keeper // by address as configured or key of a named neighbour
	conns map[net.Conn]struct{}
	ctx   context.Context // of Run; nil before
	wg    *sync.WaitGroup // of Run's goroutines
}

// Listen opens the port that neighbours dial. Run serves it.
func Listen(ctx context.Context, cfg Config) (*Neighbours, error) {
	if cfg.Carrier == nil {
		cfg.Carrier = TCP{}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	ln, err := cfg.Carrier.Listen(ctx, cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("listening for links on %s: %w", cfg.Listen, err)
	}
	var relayed net.Listener
	var guard *secure.Guard
	if cfg.Relay != nil {
		guard = secure.NewGuard(secure.GuardConfig{HalfOpen: relayHalfOpen})
		if relayed, err = cfg.Relay.Listen(ctx, ""); err != nil {
			return nil, errors.Join(fmt.Errorf("listening for links by %s: %w", cfg.Relay.Name(), err), ln.Close())
		}
	}
	return &Neighbours{
		cfg: cfg, ln: ln, relayed: relayed, relayGuard: guard,
		links: map[identity.PubKey]*Link{}, peers: map[string]*keeper{}, conns: map[net.Conn]struct{}{},
		admitting: make(chan struct{}, maxAdmitting),
	}, nil
}

// Addr is the address links are accepted on.
func (n *Neighbours) Addr() net.Addr { return n.ln.Addr() }

// Close closes the port of Neighbours that are not run.
func (n *Neighbours) Close() error {
	if n.relayed != nil {
		n.relayed.Close()
	}
	return n.ln.Close()
}

// Run accepts and dials until ctx ends, then closes every link and returns nil when all is quiet.
func (n *Neighbours) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	n.mu.Lock()
	n.ctx, n.wg = ctx, &wg
	for _, k := range n.peers {
		n.startLocked(k)
	}
	n.mu.Unlock()
	if w, ok := n.cfg.Carrier.(Watcher); ok {
		wg.Go(func() {
			if err := w.Watch(ctx, n.moved); err != nil && ctx.Err() == nil {
				n.cfg.Log.Warn("changes of this host's network will be noticed late", "err", err)
			}
		})
	}
	stop := context.AfterFunc(ctx, n.closeAll)
	defer stop()
	if n.relayed != nil {
		wg.Go(func() { n.accept(ctx, n.relayed, n.cfg.Relay) })
	}
	err := n.accept(ctx, n.ln, n.cfg.Carrier)
	n.closeAll()
	wg.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// closeAll ends the listener, every link and every handshake under way.
func (n *Neighbours) closeAll() {
	n.Close()
	n.mu.Lock()
	for c := range n.conns {
		c.Close()
	}
	n.mu.Unlock()
	for _, l := range n.all() {
		l.close(ErrClosed)
	}
}

// all returns the links, in no order.
func (n *Neighbours) all() []*Link {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Collect(maps.Values(n.links))
}

// moved closes the links whose address here is gone, has the others find out, and dials who is missing.
func (n *Neighbours) moved(here []netip.Addr) {
	n.cfg.Log.Info("this host's network changed")
	for _, l := range n.all() {
		l.Moved(here)
	}
	n.mu.Lock()
	for _, k := range n.peers {
		k.againLocked()
	}
	n.mu.Unlock()
	if n.cfg.Moved != nil {
		n.cfg.Moved(here)
	}
}

// stillHere reports whether a link's local address is among those of this host. One that is no IP address
// is taken to be.
func stillHere(local net.Addr, here []netip.Addr) bool {
	ap, err := netip.ParseAddrPort(local.String())
	return err != nil || slices.Contains(here, ap.Addr().Unmap().WithZone(""))
}

// accept takes connections until the listener closes.
func (n *Neighbours) accept(ctx context.Context, ln net.Listener, c Carrier) error {
	for {
		nc, err := ln.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			n.cfg.Log.Warn("accepting links", "err", err) // out of descriptors, most likely: wait and go on
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		n.mu.Lock()
		n.wg.Go(func() { n.inbound(ctx, nc, c) })
		n.mu.Unlock()
	}
}

func (n *Neighbours) inbound(ctx context.Context, nc net.Conn, c Carrier) {
	if !n.track(ctx, nc) {
		return
	}
	guard := n.cfg.Guard
	if n.isRelay(c) {
		guard = n.relayGuard
	}
	res, err := secure.Accept(ctx, nc, n.handshake(), guard)
	if err == nil {
		err = n.admit(ctx, res.Remote)
	}
	n.untrack(nc)
	if err != nil {
		n.cfg.Log.Debug("refusing a link", "peer", nc.RemoteAddr(), "err", err)
		nc.Close()
		return
	}
	l := n.newLink(nc, res, c, false)
	if l.relayed {
		l.why = "the neighbour dialed us so"
	}
	n.carry(l)
}

// newLink wraps a connection of a carrier.
func (n *Neighbours) newLink(nc net.Conn, r secure.Result, c Carrier, dialed bool) *Link {
	l := newLink(nc, r, c.Name(), dialed)
	l.relayed = n.isRelay(c)
	return l
}

func (n *Neighbours) isRelay(c Carrier) bool { return n.cfg.Relay != nil && c == n.cfg.Relay }

// admit asks whether a stranger may be our neighbour.
func (n *Neighbours) admit(ctx context.Context, key identity.PubKey) error {
	if n.cfg.Admit == nil || n.isPeer(key) {
		return nil
	}
	select {
	case n.admitting <- struct{}{}:
		defer func() { <-n.admitting }()
	default:
		return errBusy
	}
	ctx, cancel := context.WithTimeout(ctx, admitTime)
	defer cancel()
	if err := n.cfg.Admit(ctx, key); err != nil {
		return fmt.Errorf("link: %s is not admitted: %w", key.Short(), err)
	}
	return nil
}

// isPeer reports whether key is one that we keep a link to.
func (n *Neighbours) isPeer(key identity.PubKey) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, k := range n.peers {
		if k.Key == key || k.state.Key == key {
			return true
		}
	}
	return false
}

// track makes closeAll close nc; false when it is too late for that, and nc is closed.
func (n *Neighbours) track(ctx context.Context, nc net.Conn) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if ctx.Err() != nil {
		nc.Close()
		return false
	}
	n.conns[nc] = struct{}{}
	return true
}

func (n *Neighbours) untrack(nc net.Conn) {
	n.mu.Lock()
	delete(n.conns, nc)
	n.mu.Unlock()
}

func (n *Neighbours) handshake() secure.Config {
	return secure.Config{Local: n.cfg.Key, Kind: secure.KindLink, Network: n.cfg.Network}
}

// carry runs a link until it closes, unless the neighbour has a better one. Error: the link may not be.
func (n *Neighbours) carry(l *Link) error {
	if err := n.enter(l); err != nil {
		n.cfg.Log.Debug("dropping a link", "peer", l.peer.Short(), "err", err)
		l.close(err)
		if errors.Is(err, ErrReplaced) {
			return nil
		}
		return err
	}
	n.cfg.Log.Info("link up", "peer", l.peer.Short(), "carrier", l.carrier, "dialed", l.dialer)
	n.changed()
	l.run(n.cfg.Receive(l))
	n.leave(l)
	n.cfg.Log.Info("link down", "peer", l.peer.Short(), "err", l.reason)
	n.changed()
	return nil
}

// leave forgets a link that closed.
func (n *Neighbours) leave(l *Link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.links[l.peer] != l {
		return // it was replaced
	}
	delete(n.links, l.peer)
	for _, k := range n.peers {
		if k.Key == l.peer || k.state.Key == l.peer {
			k.state.Since, k.state.LastError = time.Now(), l.reason.Error()
		}
	}
}

func (n *Neighbours) changed() {
	if n.cfg.Changed != nil {
		n.cfg.Changed()
	}
}

// enter makes l the link to its neighbour, closing the one it replaces.
func (n *Neighbours) enter(l *Link) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ctx.Err() != nil {
		return ErrClosed
	}
	if l.peer == n.cfg.Key.Public() {
		return errors.New("link: that is our own key")
	}
	old := n.links[l.peer]
	if old == nil && len(n.links) >= maxLinks {
		return errTableFull
	}
	if old != nil && old.Err() == nil && l.since.Sub(old.since) < glareTime && n.stays(old, l) {
		return ErrReplaced
	}
	if old != nil {
		old.close(ErrReplaced)
	}
	n.links[l.peer] = l
	return nil
}

// stays decides between two links that are about equally old: a direct one before a relayed one, and of two that cross the
// one that lowerDialed says.
func (n *Neighbours) stays(old, l *Link) bool {
	if old.relayed != l.relayed {
		return l.relayed
	}
	return old.dialer != l.dialer && n.lowerDialed(old)
}

// lowerDialed reports whether the end with the lower key dialed l: of two links that cross, that
// one stays. (Of two by the same dialer the newer stays: it knows that the older is dead.)
func (n *Neighbours) lowerDialed(l *Link) bool {
	us := n.cfg.Key.Public()
	weAreLower := slices.Compare(us[:], l.peer[:]) < 0
	return l.dialer == weAreLower
}

// Link returns the link to a neighbour, nil if there is none.
func (n *Neighbours) Link(peer identity.PubKey) *Link {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.links[peer]
}
