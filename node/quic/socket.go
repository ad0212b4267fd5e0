package quic

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	quicgo "github.com/quic-go/quic-go"

	"github.com/skycoin/viscript/node/mark"
	"github.com/skycoin/viscript/node/secure"
)

// Scheme begins the addresses of this carrier: quic:HOST:PORT.
const Scheme = "quic:"

const (
	alpn = "skymesh/1"
	// What one connection may hold of what was not read, at first (all that a stranger gets) and at most.
	firstWindow = 64 << 10
	maxWindow   = 8 << 20
	// idleTimeout ends connections of which nothing is heard; links ping every 5 s.
	idleTimeout   = 20 * time.Second
	greetTimeout  = 3 * time.Second
	streamTimeout = 5 * time.Second // from a stranger's connection to its stream
	maxAccepted   = 64              // connections that wait for Accept; more are closed
	linger        = 300 * time.Millisecond
)

// Config is what a Socket is told.
type Config struct {
	Guard *secure.Guard // of strangers who want a connection, before TLS; nil: a guard of its own
	Log   *slog.Logger  // nil: nothing is logged
}

// Socket is one UDP port for links: it listens, dials, is told how others see it, and punches. It is a link.Carrier. The
// port is opened by Listen and closed with its listener, once. Safe for concurrent use.
type Socket struct {
	cfg   Config
	conf  *quicgo.Config
	after func(time.Duration) <-chan time.Time // time.After; a test's own clock

	mu     sync.Mutex // guards the following
	port   *port      // nil: not open yet
	closed bool
}

// New makes a Socket, and opens nothing.
func New(cfg Config) *Socket {
	if cfg.Guard == nil {
		cfg.Guard = secure.NewGuard(secure.GuardConfig{})
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Socket{cfg: cfg, after: time.After, conf: &quicgo.Config{
		HandshakeIdleTimeout: greetTimeout, MaxIdleTimeout: idleTimeout,
		InitialStreamReceiveWindow: firstWindow, InitialConnectionReceiveWindow: firstWindow,
		MaxStreamReceiveWindow: maxWindow, MaxConnectionReceiveWindow: maxWindow,
		MaxIncomingStreams: 1, MaxIncomingUniStreams: -1,
	}}
}

// Name implements link.Carrier.
func (*Socket) Name() string { return "quic" }

// port is an open UDP port.
type port struct {
	s        *Socket
	udp      *net.UDPConn
	tr       *quicgo.Transport
	ln       *quicgo.Listener
	client   *tls.Config
	accepted chan net.Conn // never closed
	ctx      context.Context
	cancel   context.CancelFunc
	wg       sync.WaitGroup // of all goroutines
	asides   asides
	once     sync.Once

	mu    sync.Mutex // guards the following
	conns map[*conn]struct{}
	done  bool
}

// Listen implements link.Carrier: it opens the UDP port HOST:PORT, over which Dial, Observed and Punch go from now on. The end of
// its listener ends the connections, too; they have a third of a second to deliver what was written.
func (s *Socket) Listen(ctx context.Context, hostport string) (net.Listener, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.port != nil || s.closed {
		return nil, errors.New("quic: the socket was opened before")
	}
	lc := net.ListenConfig{Control: mark.Control} // a VPN over the mesh must not carry it
	pc, err := lc.ListenPacket(ctx, "udp", strings.TrimPrefix(hostport, Scheme))
	if err != nil {
		return nil, err
	}
	p, err := s.open(pc.(*net.UDPConn))
	if err != nil {
		pc.Close()
		return nil, err
	}
	s.port = p
	return p, nil
}

// open starts the transport.
func (s *Socket) open(udp *net.UDPConn) (*port, error) {
	cert, err := secure.Throwaway()
	if err != nil {
		return nil, err
	}
	p := &port{s: s, udp: udp, accepted: make(chan net.Conn, maxAccepted), conns: map[*conn]struct{}{}}
	p.asides.init()
	p.ctx, p.cancel = context.WithCancel(context.Background()) // ends with Close
	p.client = &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{alpn},
		InsecureSkipVerify: true, // the handshake inside says who is there
	}
	p.tr = &quicgo.Transport{
		Conn: udp, DisableVersionNegotiationPackets: true,
		VerifySourceAddress: func(net.Addr) bool { return true }, // a round trip more, and nobody spends for others
		ConnContext:         p.admit,
	}
	p.ln, err = p.tr.Listen(&tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{alpn}, Certificates: []tls.Certificate{cert}}, s.conf)
	if err != nil {
		p.cancel()
		return nil, err
	}
	p.wg.Go(p.listen)
	p.wg.Go(p.readAsides)
	return p, nil
}

// Addr is where the socket is, nil while it is not open.
func (s *Socket) Addr() net.Addr {
	p, err := s.opened()
	if err != nil {
		return nil
	}
	return p.Addr()
}

// opened is the open port.
func (s *Socket) opened() (*port, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.port == nil || s.closed {
		return nil, fmt.Errorf("quic: the socket is not open: %w", net.ErrClosed)
	}
	return s.port, nil
}

// Dial implements link.Carrier: it connects to quic:HOST:PORT, or HOST:PORT.
func (s *Socket) Dial(ctx context.Context, hostport string) (net.Conn, error) {
	p, err := s.opened()
	if err != nil {
		return nil, err
	}
	to, err := p.resolve(ctx, strings.TrimPrefix(hostport, Scheme))
	if err != nil {
		return nil, err
	}
	return p.dial(ctx, to)
}

func (p *port) dial(ctx context.Context, to *net.UDPAddr) (net.Conn, error) {
	c, err := p.tr.Dial(ctx, to, p.client, p.s.conf)
	if err != nil {
		return nil, err
	}
	st, err := c.OpenStreamSync(ctx)
	if err == nil {
		var nc *conn
		if nc, err = p.newConn(c, st); err == nil {
			return nc, nil
		}
	}
	c.CloseWithError(0, "")
	return nil, err
}

// resolve finds the address of HOST:PORT, of a family that the port can send to.
func (p *port) resolve(ctx context.Context, hostport string) (*net.UDPAddr, error) {
	host, service, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, err
	}
	number, err := net.DefaultResolver.LookupPort(ctx, "udp", service)
	if err != nil {
		return nil, err
	}
	network := "ip"
	if at := p.udp.LocalAddr().(*net.UDPAddr); at.IP.To4() != nil {
		network = "ip4"
	}
	ips, err := net.DefaultResolver.LookupIP(ctx, network, host)
	if err != nil {
		return nil, err
	}
	return &net.UDPAddr{IP: ips[0], Port: number}, nil
}

// admit is asked before TLS begins with somebody who proved his address.
func (p *port) admit(ctx context.Context, c *quicgo.ClientInfo) (context.Context, error) {
	leave, err := p.s.cfg.Guard.Admit(c.RemoteAddr)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, leave)
	return context.WithValue(ctx, admitted{}, leave), nil
}

// admitted is the key, in a connection's context, of what ends its being half open.
type admitted struct{}

// listen takes connections until the port closes.
func (p *port) listen() {
	for {
		c, err := p.ln.Accept(p.ctx)
		if err != nil {
			return
		}
		p.wg.Go(func() { p.greet(c) })
	}
}

// greet waits for the one stream of a connection.
func (p *port) greet(c *quicgo.Conn) {
	ctx, cancel := context.WithTimeout(p.ctx, streamTimeout)
	st, err := c.AcceptStream(ctx)
	cancel()
	if leave, ok := c.Context().Value(admitted{}).(func()); ok {
		leave()
	}
	if err != nil {
		c.CloseWithError(0, "")
		return
	}
	nc, err := p.newConn(c, st)
	if err != nil {
		c.CloseWithError(0, "")
		return
	}
	select {
	case p.accepted <- nc:
	default:
		nc.Close()
	}
}

// Accept implements net.Listener.
func (p *port) Accept() (net.Conn, error) {
	select {
	case <-p.ctx.Done():
		return nil, net.ErrClosed
	default:
	}
	select {
	case nc := <-p.accepted:
		return nc, nil
	case <-p.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Addr implements net.Listener.
func (p *port) Addr() net.Addr { return p.udp.LocalAddr() }

// Close implements net.Listener: it waits until all connections are closed.
func (p *port) Close() error {
	p.once.Do(func() {
		p.s.mu.Lock()
		p.s.closed = true
		p.s.mu.Unlock()
		p.cancel()
		p.ln.Close()
		p.mu.Lock()
		p.done = true
		open := make([]*conn, 0, len(p.conns))
		for c := range p.conns {
			open = append(open, c)
		}
		p.mu.Unlock()
		for _, c := range open {
			c.Close()
		}
		p.wg.Wait()
		p.tr.Close()
		p.udp.Close()
	})
	return nil
}
