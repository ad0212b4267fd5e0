//go:build linux

package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/signal/process"
	"golang.org/x/time/rate"
)

// Server is a signal server. Its methods may be called from several goroutines, from New
// until Run has returned.
type Server struct {
	cfg      Config
	log      *slog.Logger
	lock     *os.File
	unix     *net.UnixListener
	tcp      *net.TCPListener // nil without TCP
	ids      *counter
	events   *journal
	procs    process.Reader
	cgroups  *process.Cgroups // nil: none is delegated
	gate     gate
	refusals *rate.Limiter // of events and log lines about refused registrations

	hurried   chan struct{} // closed by Hurry
	hurryOnce sync.Once
	over      chan struct{} // closed when the children are stopped and connections go
	endOnce   sync.Once
	accepting atomic.Int32   // listeners from which connections may still come
	owed      atomic.Int32   // answers to operators that are not written yet
	work      sync.WaitGroup // every goroutine; after New only by spawn, or from one it has

	mu       sync.Mutex // guards the following and what app says it guards
	apps     map[signal.ID]*app
	births   map[signal.ID]chan struct{} // from the start of a process to its entry in the table; then closed
	stopping bool                        // no more starts
	handing  bool                        // another program takes over: apps and sockets stay
	closed   bool                        // no more goroutines
}

// New takes the state folder, finds the apps that earlier servers left running, and opens the
// sockets; it starts no app. The errors name
// what is wrong and which flag helps: ErrLocked is in the chain when another daemon uses
// the folder, syscall.EADDRINUSE when the TCP address is taken. Whoever does not call Run
// calls Close.
func New(cfg Config) (*Server, error) {
	cfg.setDefaults()
	s := &Server{
		cfg:     cfg,
		log:     cfg.Log,
		hurried: make(chan struct{}),
		over:    make(chan struct{}),
		apps:    make(map[signal.ID]*app),
		births:  make(map[signal.ID]chan struct{}),
	}
	s.gate.limits = cfg.Limits
	s.refusals = rate.NewLimiter(refusedPerSecond, refusedAtOnce)
	if err := s.open(); err != nil {
		s.letGo()
		s.work.Wait()
		s.closeFiles()
		return nil, err
	}
	return s, nil
}

func (s *Server) open() (err error) {
	if s.lock, err = openFolder(s.cfg.Dir, s.cfg.Inherited.Lock); err != nil {
		return err
	}
	switch {
	case s.cfg.Inherited.TCP != nil:
		s.tcp, err = inherit[*net.TCPListener](s.cfg.Inherited.TCP)
	case s.cfg.TCPAddr != "":
		s.tcp, err = listenTCP(s.cfg.TCPAddr)
	}
	if err != nil {
		return err
	}
	if s.events, err = openJournal(s.cfg.Dir, s.log); err != nil {
		return err
	}
	if s.cfg.Cgroup != "" {
		if s.cgroups, err = process.OpenCgroups(s.cfg.Cgroup); err != nil {
			s.log.Warn("limits are not held by cgroups", "err", err)
		}
	}
	if s.ids, err = openCounter(s.cfg.Dir, s.log, s.knownIDs); err != nil {
		return err
	}
	// Before anybody can connect: an app that is not in the table is refused for good.
	if err = s.adoptAll(); err != nil {
		return err
	}
	if s.cfg.Inherited.Unix != nil {
		s.unix, err = inherit[*net.UnixListener](s.cfg.Inherited.Unix)
	} else {
		s.unix, err = listenUnix(s.cfg.Dir)
	}
	if err == nil {
		s.unix.SetUnlinkOnClose(false)
	}
	return err
}

// Socket is the path of the Unix socket.
func (s *Server) Socket() string { return filepath.Join(s.cfg.Dir, socketName) }

// TCPAddr is the address apps may connect to, HOST:PORT; empty without TCP.
func (s *Server) TCPAddr() string {
	if s.tcp == nil {
		return ""
	}
	return s.tcp.Addr().String()
}

// Run serves until ctx ends. Then it takes no more starts, stops by the ladder, all at once,
// every app that was not started as a daemon, closes the connections and returns, always
// nil, when no goroutine is left. The others run on: New finds them again. After Handover
// it returns too.
func (s *Server) Run(ctx context.Context) error {
	serving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	for _, l := range s.listeners() {
		s.spawn(func() { s.accept(serving, l) })
	}
	select {
	case <-ctx.Done():
	case <-s.over:
	}
	s.end(serving)
	return nil
}

func (s *Server) listeners() []net.Listener {
	if s.tcp == nil {
		return []net.Listener{s.unix}
	}
	return []net.Listener{s.unix, s.tcp}
}

// spawn starts a goroutine that end waits for; false when that has begun to wait.
func (s *Server) spawn(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.work.Go(f)
	return true
}

// Hurry makes every stop under way, and every later one, go to SIGKILL at once.
func (s *Server) Hurry() { s.hurryOnce.Do(func() { close(s.hurried) }) }

// Close is for a server whose Run was never called, or to be sure: it stops what runs, as
// Run does at its end, and gives the folder back. Idempotent.
func (s *Server) Close() error {
	s.end(context.Background()) // nothing of a caller's bounds it
	return nil
}

// end stops the apps, then the connections, and waits for every goroutine. Run and Close
// both wait for it.
func (s *Server) end(ctx context.Context) {
	s.endOnce.Do(func() {
		s.stopAll(ctx)
		s.letGo()
		close(s.over)
		s.closeListeners()
		s.payOwed()
		s.gate.closeAll()
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		s.work.Wait()
		s.closeFiles()
	})
}

func (s *Server) closeListeners() {
	if s.unix != nil {
		if !s.isHanding() {
			_ = os.Remove(s.Socket())
		}
		s.unix.Close()
	}
	if s.tcp != nil {
		s.tcp.Close()
	}
}

// closeFiles gives the lock back last.
func (s *Server) closeFiles() {
	if s.unix != nil {
		s.unix.Close()
	}
	if s.tcp != nil {
		s.tcp.Close()
	}
	if s.ids != nil {
		s.ids.close()
	}
	if s.events != nil {
		s.events.close()
	}
	if s.lock != nil {
		s.lock.Close()
	}
}

// accept lets connections in until the listener is closed.
func (s *Server) accept(ctx context.Context, l net.Listener) {
	s.accepting.Add(1)
	defer s.accepting.Add(-1)
	pause := firstPause
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			pause = firstPause
			s.admit(ctx, nc)
		case errors.Is(err, net.ErrClosed):
			return
		default: // out of descriptors, say: existing connections go on
			s.log.Warn("no connection accepted", "addr", l.Addr().String(), "err", err)
			select {
			case <-time.After(pause):
			case <-s.over:
				return
			}
			pause = min(2*pause, longestPause)
		}
	}
}

// Pauses after a failed Accept.
const (
	firstPause   = 10 * time.Millisecond
	longestPause = time.Second
)

func noApp(id signal.ID) error { return signal.Errorf(signal.CodeNoApp, "no app has id %d", id) }

func notRunning(v signal.App) error {
	return signal.Errorf(signal.CodeNotRunning, "app %d (%s) does not run: %s", v.ID, nameOf(v.Member, v.App), endText(v))
}

// endText says in words how an app ended.
func endText(v signal.App) string {
	if v.Reason != "" {
		return v.Reason
	}
	if v.ExitCode != nil {
		return fmt.Sprintf("exited with code %d", *v.ExitCode)
	}
	return string(v.State)
}
