package web

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"github.com/skycoin/viscript/messenger/chat"
)

// Limits of the server.
const (
	maxConns    = 128              // beyond it connections wait in the kernel's backlog
	maxHead     = 16 << 10         // bytes
	maxBody     = 256 << 10        // bytes of a request; a text of chat.MaxText with every byte escaped fits
	headTimeout = 5 * time.Second  // from accept to the end of the head
	bodyTimeout = 30 * time.Second // for a request's body, and for an answer that is not a file or a stream
	idleTimeout = 2 * time.Minute
	stopTimeout = time.Second // for requests in progress at the end
)

// Config says what the page shows and where.
type Config struct {
	Listen string       // HOST:PORT on loopback; port 0 picks one
	Name   string       // what the person is called on this machine
	Engine *chat.Engine // required; not closed
	// PeerUID tells who holds the other end of a connection; others than our own user get nothing. nil: not asked.
	PeerUID func(net.Conn) (int, error)
	// Export writes an export of the history, as package chat describes it, with the person's key if key is set; nil: the page offers none.
	Export func(w io.Writer, passphrase string, key bool) error
	Dir    string // where exports are written until they are taken; "": the system's folder for such files
	// LinkUsed is called when a link has been used or has run out; must not block. nil: not.
	LinkUsed func()
	Log      *slog.Logger // nil: none
	Now      func() time.Time
}

// Server is the page's server. Run is called once.
type Server struct {
	cfg     Config
	e       *chat.Engine
	log     *slog.Logger
	ln      net.Listener
	host    string // the only Host that is answered
	doors   *doors
	hub     *hub
	uploads *uploads
	exports *exports
	heard   heard
	timeout timeouts
	files   chan struct{} // a token per file that is being answered
	// searches has a token per search that goes on.
	searches chan struct{}
}

// timeouts are those that tests shorten.
type timeouts struct{ head, body time.Duration }

// New takes the listening address and makes the first link; connections wait in the kernel until Run. Who does not call Run calls Close.
func New(cfg Config) (*Server, error) {
	host, _, err := net.SplitHostPort(cfg.Listen)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("web: the page at %q: want a loopback address and a port, such as 127.0.0.1:8090", cfg.Listen)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.LinkUsed == nil {
		cfg.LinkUsed = func() {}
	}
	ln, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("web: listening on %s: %w", cfg.Listen, err)
	}
	s := &Server{
		cfg: cfg, e: cfg.Engine, log: cfg.Log.With("part", "web"), ln: ln,
		host:  hostName() + ":" + strconv.Itoa(ln.Addr().(*net.TCPAddr).Port),
		doors: newDoors(cfg.Now, cfg.LinkUsed), files: make(chan struct{}, maxFiles), searches: make(chan struct{}, maxSearch), timeout: timeouts{headTimeout, bodyTimeout},
	}
	s.hub = newHub(s.doors.valid)
	s.uploads, s.exports = newUploads(s.e), newExports()
	return s, nil
}

// hostName is a name that leads to this machine in a browser (RFC 6761 section 6.3) and that nobody else knows: 80 random bits. Its
// cookies go to no other server on this machine.
func hostName() string {
	var b [10]byte
	rand.Read(b[:]) // never fails
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:])) + ".localhost"
}

// Addr is where it listens.
func (s *Server) Addr() net.Addr { return s.ln.Addr() }

// Link is a new address to open in a browser, once and within TokenLife. The one before is worth nothing then.
func (s *Server) Link() string { return s.linkOf(s.doors.newToken()) }

// Waiting is the link that was made last, if it can still be used; otherwise "".
func (s *Server) Waiting() string {
	if t := s.doors.waiting(); t != "" {
		return s.linkOf(t)
	}
	return ""
}

func (s *Server) linkOf(token string) string { return "http://" + s.host + "/start/" + token }

// Close gives the address back. For a Server that does not run.
func (s *Server) Close() error {
	s.doors.close()
	return s.ln.Close()
}

// Run serves until ctx ends; nil then.
func (s *Server) Run(ctx context.Context) error {
	if err := s.heard.load(s.e); err != nil {
		s.log.Warn("when people were last heard of", "err", err)
	}
	var open sync.WaitGroup
	hs := &http.Server{
		Handler: s.guard(s.routes()), ReadHeaderTimeout: s.timeout.head, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHead,
		ErrorLog:    slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return ctx },
		ConnState:   func(_ net.Conn, c http.ConnState) { count(&open, c) },
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		s.hub.close()
		s.uploads.close()
		if hs.Shutdown(grace) != nil {
			hs.Close()
		}
	})
	err := hs.Serve(netutil.LimitListener(&ours{Listener: s.ln, uid: s.cfg.PeerUID}, maxConns))
	if stop() { // the listener broke
		s.hub.close()
		s.uploads.close()
		err = errors.Join(err, hs.Close())
	} else {
		<-ended
	}
	open.Wait()
	s.doors.close()
	s.exports.close()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("web: serving the page: %w", err)
}

// count notes which connections the server holds: their handlers have returned when none is left.
func count(open *sync.WaitGroup, c http.ConnState) {
	switch c {
	case http.StateNew:
		open.Add(1)
	case http.StateClosed, http.StateHijacked:
		open.Done()
	}
}

// ours are the connections of our own user.
type ours struct {
	net.Listener
	uid func(net.Conn) (int, error)
}

// Accept implements net.Listener.
func (o *ours) Accept() (net.Conn, error) {
	for {
		nc, err := o.Listener.Accept()
		if err != nil || o.isOurs(nc) {
			return nc, err
		}
		nc.Close()
	}
}

func (o *ours) isOurs(nc net.Conn) bool {
	if o.uid == nil {
		return true
	}
	uid, err := o.uid(nc)
	return err == nil && uid == os.Getuid()
}
