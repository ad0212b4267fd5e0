package link

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
)

// maxLinks bounds the neighbours of one node.
const maxLinks = 1024

// Config tells Neighbours who we are.
type Config struct {
	Key     *identity.Key
	Network string  // in the handshake's prologue; nodes of another network cannot link
	Carrier Carrier // nil: TCP
	Listen  string  // HOST:PORT to accept links on
	Guard   *secure.Guard
	// Receive makes the receiver of a new link.
	Receive func(*Link) Receiver
	// KeyAt finds the key of a peer that was configured by address alone; it blocks until it
	// knows or ctx ends.
	KeyAt func(ctx context.Context, hostport string) (identity.PubKey, error)
	// Changed is called, without locks held, after a link came or went. It must not block.
	Changed func()
	Log     *slog.Logger
}

// Neighbours keeps one link to each neighbour. Safe for concurrent use.
type Neighbours struct {
	cfg Config
	ln  net.Listener

	mu    sync.Mutex // guards the following
	links map[identity.PubKey]*Link
	peers map[string]*Peer // by address as configured or key of a named neighbour
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
	return &Neighbours{
		cfg: cfg, ln: ln,
		links: map[identity.PubKey]*Link{}, peers: map[string]*Peer{}, conns: map[net.Conn]struct{}{},
	}, nil
}

// Addr is the address links are accepted on.
func (n *Neighbours) Addr() net.Addr { return n.ln.Addr() }

// Close closes the port of Neighbours that are not run.
func (n *Neighbours) Close() error { return n.ln.Close() }

// Run accepts and dials until ctx ends, then closes every link and returns nil when all is quiet.
func (n *Neighbours) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	n.mu.Lock()
	n.ctx, n.wg = ctx, &wg
	for _, p := range n.peers {
		n.startLocked(p)
	}
	n.mu.Unlock()
	stop := context.AfterFunc(ctx, n.closeAll)
	defer stop()
	err := n.accept(ctx)
	n.closeAll()
	wg.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// closeAll ends the listener, every link and every handshake under way.
func (n *Neighbours) closeAll() {
	n.ln.Close()
	n.mu.Lock()
	links := make([]*Link, 0, len(n.links))
	for _, l := range n.links {
		links = append(links, l)
	}
	for c := range n.conns {
		c.Close()
	}
	n.mu.Unlock()
	for _, l := range links {
		l.close(ErrClosed)
	}
}

// accept takes connections until the listener closes.
func (n *Neighbours) accept(ctx context.Context) error {
	for {
		nc, err := n.ln.Accept()
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
		n.wg.Go(func() { n.inbound(ctx, nc) })
		n.mu.Unlock()
	}
}

func (n *Neighbours) inbound(ctx context.Context, nc net.Conn) {
	if !n.track(ctx, nc) {
		return
	}
	res, err := secure.Accept(ctx, nc, n.handshake(), n.cfg.Guard)
	n.untrack(nc)
	if err != nil {
		n.cfg.Log.Debug("refusing a link", "peer", nc.RemoteAddr(), "err", err)
		nc.Close()
		return
	}
	n.carry(newLink(nc, res, n.cfg.Carrier.Name(), false))
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

// carry runs a link until it closes, unless the neighbour has a better one.
func (n *Neighbours) carry(l *Link) {
	if err := n.enter(l); err != nil {
		n.cfg.Log.Debug("dropping a link", "peer", l.peer.Short(), "err", err)
		l.close(err)
		return
	}
	n.cfg.Log.Info("link up", "peer", l.peer.Short(), "carrier", l.carrier, "dialed", l.dialer)
	n.changed()
	l.run(n.cfg.Receive(l))
	n.mu.Lock()
	if n.links[l.peer] == l {
		delete(n.links, l.peer)
	}
	n.mu.Unlock()
	n.cfg.Log.Info("link down", "peer", l.peer.Short(), "err", l.reason)
	n.changed()
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
	if old != nil && old.dialer != l.dialer && old.Err() == nil && n.lowerDialed(old) {
		return ErrReplaced
	}
	if old != nil {
		old.close(ErrReplaced)
	}
	n.links[l.peer] = l
	return nil
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

// Info is what is known of one link.
type Info struct {
	Peer      identity.PubKey `json:"peer"`
	Carrier   string          `json:"carrier"`
	Addr      string          `json:"addr"`
	Dialed    bool            `json:"dialed"`
	Since     time.Time       `json:"since"`
	RTT       time.Duration   `json:"rtt_ns"`
	SentBytes uint64          `json:"sent_bytes"`
	RecvBytes uint64          `json:"received_bytes"`
	Queued    int             `json:"queued_bytes"`
}

// Links lists the links, by key.
func (n *Neighbours) Links() []Info {
	n.mu.Lock()
	links := make([]*Link, 0, len(n.links))
	for _, l := range n.links {
		links = append(links, l)
	}
	n.mu.Unlock()
	infos := make([]Info, len(links))
	for i, l := range links {
		infos[i] = l.info()
	}
	slices.SortFunc(infos, func(a, b Info) int { return cmp.Compare(a.Peer.String(), b.Peer.String()) })
	return infos
}

// Queued is how many bytes wait for the neighbour.
func (l *Link) Queued() int {
	l.out.mu.Lock()
	defer l.out.mu.Unlock()
	return l.out.q.bytes + len(l.out.tail)
}

func (l *Link) info() Info {
	return Info{
		Peer: l.peer, Carrier: l.carrier, Addr: l.nc.RemoteAddr().String(), Dialed: l.dialer, Since: l.since,
		RTT: l.RTT(), SentBytes: l.sentBytes.Load(), RecvBytes: l.recvBytes.Load(), Queued: l.Queued(),
	}
}
