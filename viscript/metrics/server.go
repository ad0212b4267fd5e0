package metrics

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// maxScrapes bounds the answers under way at once; more are refused.
	maxScrapes = 4
	// scrapeTime bounds one answer; a silent app costs two seconds of it.
	scrapeTime = 8 * time.Second
	// maxConnections bounds the connections; a new one waits until another ends.
	maxConnections = 16
)

// Config is what a Server is made of.
type Config struct {
	Addr    string // HOST:PORT on a loopback address; port 0 chooses one
	Host    Host
	Version string
	Log     *slog.Logger // nil: discarded
}

// Server answers GET /metrics.
type Server struct {
	cfg      Config
	listener net.Listener
	http     *http.Server
	scrapes  chan struct{}
}

// CheckAddr tells what is wrong with an address of metrics: only loopback is allowed, since
// whoever can connect is answered.
func CheckAddr(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil || !isLoopback(host) {
		return fmt.Errorf("metrics address %.80q: allowed: HOST:PORT on a loopback address, such as 127.0.0.1:9190", addr)
	}
	return nil
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback() && ip.Zone() == ""
}

// Listen opens the port; it serves nothing yet. Whoever does not call Run calls Close.
func Listen(cfg Config) (*Server, error) {
	if err := CheckAddr(cfg.Addr); err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	host, port, _ := net.SplitHostPort(cfg.Addr) // CheckAddr did
	if strings.EqualFold(host, "localhost") {
		host = "127.0.0.1" // not what a name server says
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, fmt.Errorf("metrics address %s: %w", cfg.Addr, err)
	}
	s := &Server{cfg: cfg, listener: &narrow{Listener: l, slots: make(chan struct{}, maxConnections), closed: make(chan struct{})}, scrapes: make(chan struct{}, maxScrapes)}
	s.http = &http.Server{
		Handler: s, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: scrapeTime + 5*time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 8 << 10,
		ErrorLog: log.New(discard{}, "", 0), // what strangers do to the port is no news
	}
	return s, nil
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// Addr is where it listens, HOST:PORT.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Close gives the port back.
func (s *Server) Close() error { return s.http.Close() }

// Run serves until ctx ends; then the connections are closed.
func (s *Server) Run(ctx context.Context) error {
	s.http.BaseContext = func(net.Listener) context.Context { return ctx }
	stop := context.AfterFunc(ctx, func() { s.http.Close() })
	defer stop()
	defer s.listener.Close()
	err := s.http.Serve(s.listener)
	for range maxScrapes { // answers under way end with ctx
		s.scrapes <- struct{}{}
	}
	if errors.Is(err, http.ErrServerClosed) || ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("serving metrics: %w", err)
}

// ServeHTTP answers one request. The Host header must be a loopback name: a web page whose name
// was made to lead here is refused.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	switch {
	case !isLoopback(strings.Trim(host, "[]")) || r.Header.Get("Origin") != "":
		http.Error(w, "forbidden", http.StatusForbidden)
	case r.URL.Path != "/metrics":
		http.Error(w, "the numbers are at /metrics", http.StatusNotFound)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "GET only", http.StatusMethodNotAllowed)
	default:
		s.answer(w, r)
	}
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	select {
	case s.scrapes <- struct{}{}:
	default:
		http.Error(w, "too many at once", http.StatusServiceUnavailable)
		return
	}
	defer func() { <-s.scrapes }()
	ctx, cancel := context.WithTimeout(r.Context(), scrapeTime)
	defer cancel()
	t, err := s.gather(ctx)
	if err != nil {
		s.cfg.Log.Warn("metrics not gathered", "err", err)
		http.Error(w, "the daemon does not answer", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(t.Bytes()) // who asked may have gone
}

// narrow lets a bounded number of connections in.
type narrow struct {
	net.Listener
	slots  chan struct{}
	closed chan struct{}
	once   sync.Once
}

// Accept waits for a free slot, then for a connection.
func (n *narrow) Accept() (net.Conn, error) {
	select {
	case n.slots <- struct{}{}:
	case <-n.closed:
		return nil, net.ErrClosed
	}
	c, err := n.Listener.Accept()
	if err != nil {
		<-n.slots
		return nil, err
	}
	return &slotConn{Conn: c, free: sync.OnceFunc(func() { <-n.slots })}, nil
}

// Close ends Accept.
func (n *narrow) Close() error {
	n.once.Do(func() { close(n.closed) })
	return n.Listener.Close()
}

// slotConn gives its slot back when it is closed.
type slotConn struct {
	net.Conn
	free func()
}

func (c *slotConn) Close() error {
	defer c.free()
	return c.Conn.Close()
}
