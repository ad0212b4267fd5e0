package nameserver

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Config is what a Server needs.
type Config struct {
	Addrs    []netip.Addr     // ours in the tunnel; they exist already
	Dev      string           // the TUN interface; "": any, for tests
	Port     uint16           // 0: 53
	From     []netip.Prefix   // who may ask
	Upstream []netip.AddrPort // resolvers to ask in this order, 3 at most; none: those of the host, which may change
	Log      *slog.Logger     // nil: none
}

// Server passes questions on. Listen makes it.
type Server struct {
	cfg   Config
	udp   []*net.UDPConn
	tcp   []*net.TCPListener
	hosts hostResolvers
	load  load
	conns load
	work  sync.WaitGroup
	try   time.Duration // tryTime; tests have their own

	asked, answered, failed, dropped atomic.Uint64
}

// Stats are counters since the start.
type Stats struct {
	Asked    uint64 `json:"asked"`
	Answered uint64 `json:"answered"`
	Failed   uint64 `json:"failed"`  // no resolver answered, or the question was refused
	Dropped  uint64 `json:"dropped"` // from elsewhere, malformed, or too many at once
}

// Listen opens the ports. Run closes them; without Run, Close does.
func Listen(ctx context.Context, cfg Config) (*Server, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.Log = cfg.Log.With("part", "nameserver")
	if len(cfg.Upstream) > maxUpstreams {
		return nil, fmt.Errorf("nameserver: %d resolvers: %d at most", len(cfg.Upstream), maxUpstreams)
	}
	if cfg.Port == 0 {
		cfg.Port = Port
	}
	s := &Server{cfg: cfg, try: tryTime, load: load{all: maxBusy, each: maxBusyClient}, conns: load{all: maxConns, each: maxConnsClient}}
	lc := net.ListenConfig{Control: bindTo(cfg.Dev)}
	for _, a := range cfg.Addrs {
		at := netip.AddrPortFrom(a, cfg.Port).String()
		pc, err := lc.ListenPacket(ctx, "udp", at)
		if err == nil {
			s.udp = append(s.udp, pc.(*net.UDPConn))
			var ln net.Listener
			if ln, err = lc.Listen(ctx, "tcp", at); err == nil {
				s.tcp = append(s.tcp, ln.(*net.TCPListener))
			}
		}
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("nameserver: %w", err)
		}
	}
	return s, nil
}

// Close closes the ports. Idempotent.
func (s *Server) Close() {
	for _, c := range s.udp {
		c.Close()
	}
	for _, l := range s.tcp {
		l.Close()
	}
}

// Stats returns the counters.
func (s *Server) Stats() Stats {
	return Stats{s.asked.Load(), s.answered.Load(), s.failed.Load(), s.dropped.Load()}
}

// Run answers until ctx ends, and closes the ports.
func (s *Server) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, s.Close)
	defer stop()
	errs := make(chan error, len(s.udp)+len(s.tcp))
	for _, c := range s.udp {
		go func() { errs <- s.serveUDP(ctx, c) }()
	}
	for _, l := range s.tcp {
		go func() { errs <- s.serveTCP(ctx, l) }()
	}
	var first error
	for range cap(errs) {
		if err := <-errs; err != nil && ctx.Err() == nil && first == nil {
			first = err
			cancel()
		}
	}
	s.work.Wait()
	return first
}

// pauseAfter keeps a failing socket from taking a core.
const pauseAfter = 50 * time.Millisecond

func (s *Server) serveUDP(ctx context.Context, c *net.UDPConn) error {
	buf := make([]byte, maxQuery+1)
	for {
		n, from, err := c.ReadFromUDPAddrPort(buf)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return err
			}
			if !pause(ctx, pauseAfter) {
				return ctx.Err()
			}
			continue
		}
		client := from.Addr().Unmap()
		if n > maxQuery || !s.admits(client) || !s.load.take(client) {
			s.dropped.Add(1)
			continue
		}
		message := slices.Clone(buf[:n])
		s.work.Go(func() {
			defer s.load.release(client)
			if answer := s.answer(ctx, message, "udp"); answer != nil {
				_, _ = c.WriteToUDPAddrPort(answer, from) // as good as lost on the way
			}
		})
	}
}

func (s *Server) serveTCP(ctx context.Context, l *net.TCPListener) error {
	for {
		c, err := l.AcceptTCP()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return err
			}
			if !pause(ctx, pauseAfter) {
				return ctx.Err()
			}
			continue
		}
		from, _ := netip.ParseAddrPort(c.RemoteAddr().String())
		client := from.Addr().Unmap()
		if !s.admits(client) || !s.conns.take(client) {
			s.dropped.Add(1)
			c.Close()
			continue
		}
		s.work.Go(func() {
			defer s.conns.release(client)
			stop := context.AfterFunc(ctx, func() { c.Close() })
			defer stop()
			defer c.Close()
			s.converse(ctx, c)
		})
	}
}

// converse answers the questions of one connection, one after the other.
func (s *Server) converse(ctx context.Context, c net.Conn) {
	for {
		_ = c.SetDeadline(time.Now().Add(idleTime))
		message, err := readFramed(c)
		if err != nil {
			return
		}
		answer := s.answer(ctx, message, "tcp")
		if answer == nil {
			return
		}
		_ = c.SetDeadline(time.Now().Add(idleTime))
		if writeFramed(c, answer) != nil {
			return
		}
	}
}

// answer finds what to say to a message; nil: nothing.
func (s *Server) answer(ctx context.Context, message []byte, network string) []byte {
	q, err := parseQuestion(message)
	switch {
	case errors.Is(err, errRefused):
		s.failed.Add(1)
		return q.failure(dnsmessage.RCodeRefused)
	case err != nil:
		s.dropped.Add(1)
		return nil
	}
	s.asked.Add(1)
	for _, up := range s.upstreams() {
		answer, err := s.ask(ctx, up, network, q)
		if err == nil {
			s.answered.Add(1)
			copy(answer, message[:idLen])
			return answer
		}
		s.cfg.Log.Debug("resolver did not answer", "peer", up, "err", err)
	}
	s.failed.Add(1)
	return q.failure(dnsmessage.RCodeServerFailure)
}

// admits tells whether a may ask.
func (s *Server) admits(a netip.Addr) bool {
	return slices.ContainsFunc(s.cfg.From, func(p netip.Prefix) bool { return p.Contains(a) })
}

// upstreams are the resolvers to ask, ourselves excepted.
func (s *Server) upstreams() []netip.AddrPort {
	list := s.cfg.Upstream
	if len(list) == 0 {
		list = s.hosts.list()
	}
	return slices.DeleteFunc(slices.Clone(list), func(up netip.AddrPort) bool {
		return up.Port() == s.cfg.Port && slices.Contains(s.cfg.Addrs, up.Addr())
	})
}

func readFramed(r io.Reader) ([]byte, error) {
	var n [2]byte
	if _, err := io.ReadFull(r, n[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint16(n[:]))
	_, err := io.ReadFull(r, b)
	return b, err
}

func writeFramed(w io.Writer, b []byte) error {
	if len(b) > maxAnswer {
		return io.ErrShortWrite
	}
	_, err := w.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...))
	return err
}

// pause waits for d, or until ctx ends: then false.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
