package socks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/skycoin/viscript/node/identity"
)

// Defaults of a client.
const (
	DefaultMaxConns    = 4096
	DefaultMaxHalfOpen = 512
	DefaultMeshTimeout = 30 * time.Second // a new route, the exit's resolver and its dial
	DefaultMaxUDP      = 256
	DefaultIdleTimeout = 124 * time.Minute // no byte in either direction (RFC 5382 section 5)
	negotiationTimeout = 10 * time.Second  // from accept to the complete request
)

// ClientLimits bound what programs can hold; zero fields mean the defaults.
type ClientLimits struct {
	MaxConns    int           // established, negotiating and dialing; beyond it connections are reset
	MaxHalfOpen int           // negotiating; beyond it we stop accepting, the kernel's backlog fills
	MeshTimeout time.Duration // of one DialMesh
	IdleTimeout time.Duration // negative: never
	MaxUDP      int           // UDP associations; DefaultMaxUDP
	Each        Allowance     // of each user who has none of his own; without users, of all programs together

	negotiation time.Duration // negotiationTimeout; tests have their own
}

func (l *ClientLimits) setDefaults() {
	l.MaxConns = orDefault(l.MaxConns, DefaultMaxConns)
	l.MaxHalfOpen = orDefault(l.MaxHalfOpen, DefaultMaxHalfOpen)
	l.MeshTimeout = orDefault(l.MeshTimeout, DefaultMeshTimeout)
	l.IdleTimeout = orDefault(l.IdleTimeout, DefaultIdleTimeout)
	l.MaxUDP = orDefault(l.MaxUDP, DefaultMaxUDP)
	l.negotiation = orDefault(l.negotiation, negotiationTimeout)
}

// orDefault returns def for zero.
func orDefault[T int | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

// ClientConfig says where a client listens and how it reaches an exit.
type ClientConfig struct {
	Listen string // HOST:PORT; port 0 picks one. Beyond loopback Users are required
	Users  []User // who may use it; none: everybody who can connect, without authentication
	Dial   Dialer // required
	// Packets opens our way for datagrams; called again after it broke. nil: UDP ASSOCIATE is refused.
	Packets func(ctx context.Context) (Packets, error)
	// EarlyReply answers CONNECT with success before the exit has connected: a program that speaks first gets its answer one round
	// trip sooner, but learns of a failure by a reset only, without the reason.
	EarlyReply bool
	// PeerUID tells the uid that owns the other end of a loopback connection. With it, a
	// loopback connection of another user is closed unheard. nil: no check.
	PeerUID func(net.Conn) (int, error)
	// PacketUID tells the same of who holds a UDP port of a loopback address.
	PacketUID func(from netip.AddrPort) (int, error)
	Limits    ClientLimits
	Log       *slog.Logger // nil: none
}

// Client is the proxy that programs on this machine talk to. Methods are safe for
// concurrent use; Run is called once.
type Client struct {
	cfg      ClientConfig
	log      *slog.Logger
	ln       *net.TCPListener
	table    *table
	halfOpen chan struct{} // a token per negotiation
	users    users
	buffers  buffers
	hub      *hub // nil: no datagrams
	web      *web
	opening  sync.Pool // of *[negotiationBuffer]byte
}

// NewClient checks the configuration and takes the listening address; connections wait in
// the kernel until Run. Who does not call Run calls Close.
func NewClient(cfg ClientConfig) (*Client, error) {
	cfg.Limits.setDefaults()
	if cfg.Dial == nil {
		return nil, errors.New("socks: a client needs a dialer")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	c := &Client{
		cfg: cfg, log: cfg.Log.With("part", "socks"),
		halfOpen: make(chan struct{}, cfg.Limits.MaxHalfOpen),
	}
	c.table = newTable(cfg.Limits.MaxConns, 0, c.allowance)
	c.web = newWeb(c)
	if cfg.Packets != nil {
		c.hub = newHub(cfg.Packets)
	}
	var err error
	if len(cfg.Users) > 0 {
		if c.users, err = newUsers(cfg.Users); err != nil {
			return nil, err
		}
	}
	if c.ln, err = listen(cfg.Listen, c.users != nil); err != nil {
		return nil, err
	}
	return c, nil
}

// allowance is what a user may use.
func (c *Client) allowance(name string) (a Allowance) {
	for i := range c.cfg.Users {
		if c.cfg.Users[i].Name == name {
			a = c.cfg.Users[i].Allowance
		}
	}
	return a.or(c.cfg.Limits.Each)
}

// listen takes the address and refuses one that others can reach when there is no password.
func listen(address string, auth bool) (*net.TCPListener, error) {
	var lc net.ListenConfig
	lc.SetMultipathTCP(false) // programs on this machine; sock_diag looks for plain TCP
	if at, err := netip.ParseAddrPort(address); err == nil && at.Addr().IsLoopback() {
		lc.KeepAlive = -1 // the kernel tells the end of every program here
	}
	ln, err := lc.Listen(context.Background(), "tcp", address) // takes no time: nothing to wait for
	if err != nil {
		return nil, fmt.Errorf("socks: listening on %s: %w", address, err)
	}
	tcp := ln.(*net.TCPListener)
	if !auth && !addrPort(tcp.Addr()).Addr().IsLoopback() {
		tcp.Close()
		return nil, fmt.Errorf("socks: listening on %s: others can reach this address, so it needs a user and password; without, use 127.0.0.1 or [::1]", address)
	}
	return tcp, nil
}

// addrPort returns a TCP address unmapped; with a UDP address, the address of the one with the port of the other.
func addrPort(a net.Addr, udp ...net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := tcp.AddrPort()
	port := ap.Port()
	for _, u := range udp {
		port = u.(*net.UDPAddr).AddrPort().Port()
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), port)
}

// Addr returns the address we listen on.
func (c *Client) Addr() net.Addr { return c.ln.Addr() }

// Close gives the listening address back. Connections in progress end with Run's context.
func (c *Client) Close() error { return c.ln.Close() }

// Stats returns the counters.
func (c *Client) Stats() Stats { return c.table.stats() }

// Connections returns the oldest 1,000 connections, oldest first.
func (c *Client) Connections() []Connection { return c.table.list() }

// Users returns what each user uses, those with most bytes first, at most 1,000.
func (c *Client) Users() []Owner { return c.table.owners() }

// Run serves until ctx ends (nil) or the listener breaks. All connections are then reset and
// all goroutines have returned.
func (c *Client) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	if c.hub != nil {
		defer c.hub.close()
	}
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { c.web.run(ctx) })
	stop := context.AfterFunc(ctx, func() { c.ln.Close() })
	defer stop()
	wg.Go(func() { c.table.keepSweeping(ctx, c.cfg.Limits.IdleTimeout) })
	for {
		select {
		case c.halfOpen <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		conn, err := c.accept(ctx)
		if ctx.Err() != nil {
			if err == nil {
				resetTCP(conn)
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("socks: accepting on %s: %w", c.ln.Addr(), err)
		}
		wg.Go(func() { c.serve(ctx, conn) })
	}
}

// accept waits for a connection; when the machine is short of something it waits and tries again.
func (c *Client) accept(ctx context.Context) (*net.TCPConn, error) {
	const first, most = 5 * time.Millisecond, time.Second
	for pause := first; ; pause = min(2*pause, most) {
		conn, err := c.ln.AcceptTCP()
		if err == nil || !shortage(err) {
			return conn, err
		}
		c.log.Warn("cannot accept for now", "err", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func shortage(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// serve handles one connection from accept to its end; it holds a half-open token at first.
func (c *Client) serve(ctx context.Context, conn *net.TCPConn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	release := sync.OnceFunc(func() { <-c.halfOpen })
	defer release()
	e, ok := c.table.open(identity.PubKey{}, conn.RemoteAddr().String(), cancel)
	if !ok {
		resetTCP(conn)
		return
	}
	defer c.table.close(e)
	n, q, err := c.negotiate(ctx, conn, e)
	release()
	if err == nil {
		err = c.carryOut(ctx, n, q, e)
	}
	c.log.Debug("connection ended", "peer", e.peer, "bytes", e.bytes(), "took", time.Since(e.since), "err", err)
}

// carryOut does what the program asked for and returns when that has ended, and with it the connection.
func (c *Client) carryOut(ctx context.Context, n *negotiation, q request, e *entry) error {
	defer c.giveBack(n)
	switch q.cmd {
	case cmdWeb:
		return c.web.serve(ctx, n, e)
	case cmdAssociate:
		return c.associate(ctx, n, q.target.Port, e)
	case cmdBind:
		return c.bind(ctx, n, q.target, e)
	}
	text := q.target.String()
	e.is(kindConnect, text)
	if done, err := c.carry(ctx, n, text, e); done {
		return err
	}
	stream, err := c.dial(ctx, n, text, e)
	if err != nil {
		return err
	}
	c.giveBack(n)
	c.table.establish(e)
	up, down := e.halves()
	return pipe(ctx, n.conn, stream, up, down, &c.buffers)
}

// checkUser closes the door to programs of other users on this machine.
func (c *Client) checkUser(conn *net.TCPConn) error {
	if c.cfg.PeerUID == nil || !addrPort(conn.RemoteAddr()).Addr().IsLoopback() {
		return nil
	}
	uid, err := c.cfg.PeerUID(conn)
	if err != nil {
		return because(ForeignUser, "asking for the peer's uid: %w", err)
	}
	if uid != os.Geteuid() {
		return because(ForeignUser, "uid %d", uid)
	}
	return nil
}
