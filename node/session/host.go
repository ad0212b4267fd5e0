package session

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/forward"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// maxSessions bounds the sessions of one node, and so their memory.
const maxSessions = 4096

// ErrFull is the refusal of a session beyond the limit.
var ErrFull = errors.New("session: too many sessions")

// Config tells a Host who it is and who it works with.
type Config struct {
	Key     *identity.Key
	Network string
	// Lay has a route to a node laid and returns the session that was made for it with
	// Host.New and attached to its end.
	Lay func(ctx context.Context, dst identity.PubKey) (*Session, error)
	// Accept takes a stream that a peer opened. It is called on a reading goroutine and must not block: it
	// arranges that somebody calls Confirm, or Reset.
	Accept func(*Stream)
	// Over is told of every session over a route that ended, once; nil: nobody. It must not block.
	Over func(*Session)
	Log  *slog.Logger
}

// Host holds the sessions of one node. Safe for concurrent use.
type Host struct {
	cfg Config
	log *slog.Logger

	mu     sync.Mutex // guards the following
	all    map[forward.Key]*Session
	byPeer map[identity.PubKey]*Session // ready ones
	laying map[identity.PubKey]*laying
	closed bool
	wg     sync.WaitGroup // of handshakes and keepalives
}

// laying is a session on its way, for everybody who waits for it.
type laying struct {
	done chan struct{} // closed when s or err is set
	s    *Session
	err  error
}

// NewHost makes a host without sessions.
func NewHost(cfg Config) *Host {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Host{
		cfg: cfg, log: cfg.Log,
		all: map[forward.Key]*Session{}, byPeer: map[identity.PubKey]*Session{}, laying: map[identity.PubKey]*laying{},
	}
}

// New makes the session for a route that is about to be installed with it as Upper. Attach or
// Abandon must follow.
func (h *Host) New(remote identity.PubKey, key forward.Key, initiator bool) (*Session, error) {
	s := newSession(h, remote, key, initiator)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || len(h.all) >= maxSessions || h.all[key] != nil {
		return nil, ErrFull
	}
	h.all[key] = s
	return s, nil
}

// Find returns the session of a route, nil if there is none.
func (h *Host) Find(key forward.Key) *Session {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all[key]
}

// Attach gives s its end of the route. A responder then waits for the handshake; an initiator begins it
// with the first Dial.
func (h *Host) Attach(ctx context.Context, s *Session, e *forward.End) {
	if !s.attach(e) {
		e.Close()
		return
	}
	if !s.initiator {
		h.start(ctx, s)
	}
}

// Abandon drops a session whose route could not be installed.
func (h *Host) Abandon(s *Session) { s.fail(errClosed) }

// start runs a session's handshake and then its keepalive, until the session is over.
func (h *Host) start(ctx context.Context, s *Session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.wg.Go(func() { s.begin(context.WithoutCancel(ctx)) })
	}
}

// readied makes s the session to use for its peer.
func (h *Host) readied(s *Session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if old := h.byPeer[s.remote]; s.Err() == nil && (old == nil || s.initiator) {
		h.byPeer[s.remote] = s
	}
}

// over forgets a session that ended.
func (h *Host) over(s *Session, err error) {
	h.mu.Lock()
	delete(h.all, s.key)
	if h.byPeer[s.remote] == s {
		delete(h.byPeer, s.remote)
	}
	h.mu.Unlock()
	if !errors.Is(err, errClosed) {
		h.log.Info("session down", "peer", s.remote.Short(), "err", err)
	}
	if h.cfg.Over != nil && s.remote != h.cfg.Key.Public() {
		h.cfg.Over(s)
	}
}

// Dial opens a stream to an app at another node, over the standing session or a new one.
// Errors: *wire.Refused, or what Config.Lay or ctx say.
func (h *Host) Dial(ctx context.Context, dst identity.PubKey, port uint16, target string, first []byte) (*Stream, error) {
	for try := 0; ; try++ {
		s, err := h.session(ctx, dst)
		if err != nil {
			return nil, err
		}
		st, err := s.Open(ctx, port, target, first)
		if err != nil && s.Err() != nil && try == 0 {
			continue // the session died under us; a new one may live
		}
		return st, err
	}
}

// session returns a ready session to dst, laying a route if there is none.
func (h *Host) session(ctx context.Context, dst identity.PubKey) (*Session, error) {
	h.mu.Lock()
	if s := h.byPeer[dst]; s != nil && s.Err() == nil {
		h.mu.Unlock()
		return s, nil
	}
	w := h.laying[dst]
	if w == nil && !h.closed {
		w = &laying{done: make(chan struct{})}
		h.laying[dst] = w
		h.wg.Go(func() { h.lay(context.WithoutCancel(ctx), dst, w) })
	}
	h.mu.Unlock()
	if w == nil {
		return nil, &wire.Refused{Code: wire.CodeGone, Text: "the node is stopping"}
	}
	select {
	case <-w.done:
		return w.s, w.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// lay makes a session for everybody who waits for w, on the time of nobody in particular.
func (h *Host) lay(ctx context.Context, dst identity.PubKey, w *laying) {
	ctx, cancel := context.WithTimeout(ctx, 2*handshakeTimeout)
	defer cancel()
	lay := h.cfg.Lay
	if dst == h.cfg.Key.Public() {
		lay = func(ctx context.Context, _ identity.PubKey) (*Session, error) { return h.loopback(ctx) }
	}
	s, err := lay(ctx, dst)
	if err == nil {
		h.start(ctx, s)
		select {
		case <-s.ready:
		case <-s.done:
			err = &wire.Refused{Code: wire.CodeGone, Text: s.Err().Error()}
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	h.mu.Lock()
	w.s, w.err = s, err
	delete(h.laying, dst)
	h.mu.Unlock()
	close(w.done)
}

// Close ends every session and returns when their goroutines have.
func (h *Host) Close() {
	h.mu.Lock()
	h.closed = true
	all := make([]*Session, 0, len(h.all))
	for _, s := range h.all {
		all = append(all, s)
	}
	h.mu.Unlock()
	for _, s := range all {
		s.Close()
	}
	h.wg.Wait()
}

// Info is what is known of one session.
type Info struct {
	Peer      identity.PubKey `json:"peer"`
	Route     forward.Key     `json:"-"`
	Initiator bool            `json:"initiator"`
	Ready     bool            `json:"ready"`
	Began     time.Time       `json:"began"`
	RTT       time.Duration   `json:"rtt_ns"`
	Streams   int             `json:"streams"`
	InFlight  uint64          `json:"in_flight_bytes"`
	Count
}

// Sessions lists the sessions, oldest first.
func (h *Host) Sessions() []Info {
	h.mu.Lock()
	all := make([]*Session, 0, len(h.all))
	for _, s := range h.all {
		all = append(all, s)
	}
	h.mu.Unlock()
	infos := make([]Info, len(all))
	for i, s := range all {
		infos[i] = s.info()
	}
	slices.SortFunc(infos, func(a, b Info) int { return cmp.Or(a.Began.Compare(b.Began), slices.Compare(a.Route[:], b.Route[:])) })
	return infos
}

func (s *Session) info() Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	ready := false
	select {
	case <-s.ready:
		ready = true
	default:
	}
	return Info{
		Peer: s.remote, Route: s.key, Initiator: s.initiator, Ready: ready, Began: s.began,
		RTT: time.Duration(s.rtt.Load()), Streams: len(s.streams), InFlight: s.sent - s.acked, Count: s.count,
	}
}
