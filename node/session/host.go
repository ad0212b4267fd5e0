package session

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skycoin/viscript/node/forward"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// maxSessions bounds the sessions of one node, and so their memory.
const maxSessions = 4096

// maxGreets is how many routes a session that is laid tries; each but the last has timing.greet.
const maxGreets = 3

// ErrFull is the refusal of a session beyond the limit.
var ErrFull = errors.New("session: too many sessions")

// hostWindow bounds the windows of all sessions that have streams together, and so what their senders keep; each
// has firstWindow at least.
const hostWindow = 2 * maxWindow

// hostBudget bounds the credit of all sessions together, as far as it is given to streams that want more.
const hostBudget = 2 * wideBudget

// Config tells a Host who it is and who it works with.
type Config struct {
	Key     *identity.Key
	Network string
	// Lay has a route laid and returns its path here, which was made with Host.New and attached to its end. It
	// blocks for the node manager until ctx ends.
	Lay func(ctx context.Context, want Want) (Laid, error)
	// Accept takes a stream that a peer opened. It is called on a reading goroutine and must not block: it
	// arranges that somebody calls Confirm, or Reset.
	Accept func(*Stream)
	// Datagram takes a datagram from a peer's port to one of ours; nil: they are dropped. It is called on reading
	// goroutines, several at once, and must not block. b is valid during the call only.
	// Terms are those of the session that it came on, "" if the far node began that.
	Datagram func(remote identity.PubKey, port, from uint16, terms Terms, b []byte)
	// Over is told of every route that ended here, once; nil: nobody. It must not block.
	Over func(key forward.Key, initiator bool)
	// Outage is how long a session lives without a route; 0: a minute.
	Outage time.Duration
	Log    *slog.Logger
}

// Host holds the sessions of one node. Safe for concurrent use.
type Host struct {
	cfg    Config
	log    *slog.Logger
	timing timing
	made   time.Time
	busy   atomic.Int64 // sessions that have streams
	credit atomic.Int64 // granted on all streams
	bound  atomic.Int64 // len(answers)

	mu      sync.Mutex               // guards the following; a Session's mu may be taken with it, never the other way round
	all     map[forward.Key]*Session // by ID
	paths   map[forward.Key]*Path
	byPeer  map[whom]*Session // ready ones
	dialing map[whom]*dialing
	past    map[whom]ending      // how the last session ended or failed to begin; at most maxPast
	answers map[replyTo]*Session // which of those that a peer keeps apart answers to a port, nil: it is over; at most maxBound
	closed  bool
	wg      sync.WaitGroup // of handshakes, stewards and errands
}

// dialing is a session on its way, for everybody who waits for it.
type dialing struct {
	began time.Time
	done  chan struct{} // closed when s or err is set
	s     *Session
	err   error
}

// NewHost makes a host without sessions.
func NewHost(cfg Config) *Host {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	h := &Host{
		cfg: cfg, log: cfg.Log, timing: defaultTiming, made: time.Now(),
		all: map[forward.Key]*Session{}, paths: map[forward.Key]*Path{}, byPeer: map[whom]*Session{},
		dialing: map[whom]*dialing{}, past: map[whom]ending{}, answers: map[replyTo]*Session{},
	}
	if cfg.Outage > 0 {
		h.timing.outage = cfg.Outage
	}
	return h
}

// now is the host's clock: monotonic, never 0.
func (h *Host) now() time.Duration { return max(time.Since(h.made), 1) }

// windowLimit is the largest window of one session.
func (h *Host) windowLimit() uint64 {
	return max(firstWindow, min(maxWindow, hostWindow/uint64(max(h.busy.Load(), 1))))
}

// New makes the path for a route that is about to be installed with it as Upper. Attach or Abandon must follow.
func (h *Host) New(remote identity.PubKey, key forward.Key, initiator bool) (*Path, error) {
	p := &Path{host: h, remote: remote, key: key, initiator: initiator}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || len(h.paths) >= maxPaths*maxSessions || h.paths[key] != nil {
		return nil, ErrFull
	}
	p.expire = time.AfterFunc(h.timing.claim, func() {
		if p.session.Load() == nil {
			p.close()
		}
	})
	h.paths[key] = p
	return p, nil
}

// Path returns the path of a route, nil if there is none.
func (h *Host) Path(key forward.Key) *Path {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.paths[key]
}

// Attach gives p its end of the route. At the responder the first record says what the path is for; at the initiator it
// is for who had it laid. A path that nobody claims within ten seconds is closed. What begins on it keeps ctx's values.
func (h *Host) Attach(ctx context.Context, p *Path, e *forward.End) { h.attach(ctx, p, e) }

func (h *Host) attach(ctx context.Context, p *Path, e end) {
	p.end = e
	p.start = func(s *Session) { h.spawn(func() { s.begin(context.WithoutCancel(ctx), p) }) }
	p.open.Store(true)
	if p.gone.Load() != 0 { // its link closed meanwhile
		e.Close()
		h.tellOver(p)
	}
}

// Abandon drops a path whose route could not be installed.
func (h *Host) Abandon(p *Path) { p.close() }

// claim gives a path to a session; false if it is gone or taken.
func (h *Host) claim(p *Path, s *Session) bool {
	if !p.open.Load() || !p.session.CompareAndSwap(nil, s) {
		return false
	}
	p.expire.Stop()
	return p.gone.Load() == 0
}

// pathOver forgets a path.
func (h *Host) pathOver(p *Path) {
	h.mu.Lock()
	if h.paths[p.key] == p {
		delete(h.paths, p.key)
	}
	h.mu.Unlock()
	h.tellOver(p)
}

// tellOver says, once, that a path is gone which had its end of the route; pathOver and attach may come at the same time.
func (h *Host) tellOver(p *Path) {
	if h.cfg.Over != nil && p.open.Load() && p.remote != h.cfg.Key.Public() && p.told.CompareAndSwap(false, true) {
		h.cfg.Over(p.key, p.initiator)
	}
}

// found makes the session that begins on a path.
func (h *Host) found(p *Path, terms Terms) (*Session, error) {
	s := newSession(h, p.remote, p.key, p.initiator)
	s.terms = terms
	h.mu.Lock()
	full := h.closed || len(h.all) >= maxSessions || h.all[s.id] != nil
	if !full {
		h.all[s.id] = s
	}
	h.mu.Unlock()
	if full {
		return nil, ErrFull
	}
	s.mu.Lock()
	s.active = p
	s.mu.Unlock()
	if !s.addPath(p, false) {
		s.fail(errors.New("session: " + p.reason()))
		return nil, s.Err()
	}
	return s, nil
}

// greeted begins a session with the first message of a handshake.
func (h *Host) greeted(p *Path, msg []byte) {
	s, err := h.found(p, "")
	if err != nil {
		p.close()
		return
	}
	s.receive(p, wire.Handshake, 0, msg)
	p.start(s)
}

// joined gives a path to the session that the payload names and proves.
func (h *Host) joined(p *Path, payload []byte) {
	var id forward.Key
	n := copy(id[:], payload)
	h.mu.Lock()
	s := h.all[id]
	h.mu.Unlock()
	if s == nil || s.remote != p.remote || s.initiator || !s.join(p, payload[n:]) {
		p.close() // which tells the initiator
	}
}

// spawn runs f on a goroutine that Close waits for; not after Close.
func (h *Host) spawn(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.wg.Go(f)
	}
}

// readied makes s the session to use for its peer, and for what asks for its terms.
func (h *Host) readied(s *Session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := whom{s.remote, s.terms}
	if s.Err() == nil && s.serves() && (s.initiator || s.replaces(h.byPeer[w])) {
		h.byPeer[w] = s
	}
}

// over forgets a session that ended.
func (h *Host) over(s *Session, err error) {
	h.mu.Lock()
	if h.all[s.id] == s {
		delete(h.all, s.id)
	}
	h.answeredLocked(s)
	w := whom{s.remote, s.terms}
	if h.byPeer[w] == s {
		delete(h.byPeer, w)
	}
	h.endedLocked(w, err)
	h.mu.Unlock()
	if !errors.Is(err, errClosed) {
		h.log.Info("session down", "peer", s.remote.Short(), "err", err)
	}
}

// Improve asks for a better route than the one named: the node manager says that there may be one. At the end that
// did not ask for the route it does nothing.
func (h *Host) Improve(key forward.Key) {
	if p := h.Path(key); p != nil && p.initiator {
		if s := p.session.Load(); s != nil {
			s.improve()
		}
	}
}

// Retry makes sessions that lack a route ask again soon: the network has changed.
func (h *Host) Retry() {
	for _, s := range h.sessions() {
		if s.initiator {
			s.retry()
		}
	}
}

func (h *Host) sessions() []*Session {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]*Session, 0, len(h.all))
	for _, s := range h.all {
		all = append(all, s)
	}
	return all
}

// Dial opens a stream to an app at another node, over the standing session of those terms or a new one.
// Errors: *wire.Refused, or what Config.Lay or ctx say.
func (h *Host) Dial(ctx context.Context, dst identity.PubKey, terms Terms, port uint16, target string, first []byte) (*Stream, error) {
	for try := 0; ; try++ {
		s, err := h.Connect(ctx, dst, terms, false)
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

// Standing returns the ready session to dst of those terms, nil when there is none.
func (h *Host) Standing(dst identity.PubKey, terms Terms) *Session {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.byPeer[h.whom(dst, terms)]; s != nil && s.Err() == nil {
		if s.stranded() {
			return h.otherLocked(s)
		}
		return s
	}
	return nil
}

// Connect returns a ready session to dst of those terms, making one if there is none; with own, also if the far node asked for the
// one there is: only who asked for a route knows its nodes. Errors are those of Dial; With tells more of them.
func (h *Host) Connect(ctx context.Context, dst identity.PubKey, terms Terms, own bool) (*Session, error) {
	to := h.whom(dst, terms)
	h.mu.Lock()
	if s := h.byPeer[to]; s != nil && s.Err() == nil && (s.initiator || !own) {
		h.mu.Unlock()
		return s, nil
	}
	w := h.dialing[to]
	if w == nil && !h.closed {
		unused, err := h.roomLocked(to)
		if err != nil {
			h.mu.Unlock()
			return nil, err
		}
		w = &dialing{began: time.Now(), done: make(chan struct{})}
		h.dialing[to] = w
		h.wg.Go(func() {
			if unused != nil {
				unused.Close()
			}
			h.lay(context.WithoutCancel(ctx), to, w)
		})
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

// lay makes a session for everybody who waits for w, on the time of nobody in particular. A route that breaks or stays
// silent before the session is ready is not the last one that is tried.
func (h *Host) lay(ctx context.Context, to whom, w *dialing) {
	ctx, cancel := context.WithTimeout(ctx, 2*h.timing.handshake)
	defer cancel()
	var s *Session
	var err error
	var avoid []identity.PubKey
	for try := 1; ; try++ {
		s, err = h.establish(ctx, to, avoid)
		if err != nil && avoid != nil && ctx.Err() == nil { // perhaps there is no such route
			s, err = h.establish(ctx, to, nil)
		}
		if err == nil {
			if err = h.awaitReady(ctx, s, try < maxGreets); err != nil {
				avoid = s.innerNodes()
				s.fail(err)
			}
		} else if !errors.Is(err, errRouteGone) {
			break
		}
		if err == nil || try == maxGreets || ctx.Err() != nil {
			break
		}
	}
	why := err
	if s != nil && s.Err() != nil {
		why = s.Err()
	}
	h.mu.Lock()
	if why != nil { // known to who hears of it through w; a session that ended says so itself, but maybe later
		h.endedLocked(to, why)
	}
	w.s, w.err = s, err
	delete(h.dialing, to)
	h.mu.Unlock()
	close(w.done)
}

// awaitReady waits until s is ready; no longer than timing.greet if there is another way.
func (h *Host) awaitReady(ctx context.Context, s *Session, another bool) error {
	wait := ctx
	if another {
		var cancel context.CancelFunc
		wait, cancel = context.WithTimeout(ctx, h.timing.greet)
		defer cancel()
	}
	var err error
	select {
	case <-s.ready:
		if s.terms != "" {
			err = s.setApart(wait)
		}
	case <-s.done:
		err = &wire.Refused{Code: wire.CodeGone, Text: s.Err().Error()}
	case <-wait.Done():
		err = wait.Err()
	}
	switch {
	case err == nil:
		h.readied(s) // before anybody asks again, who would get another
		return nil
	case errors.As(err, new(*wire.Refused)) || ctx.Err() != nil:
		return err
	}
	return &wire.Refused{Code: wire.CodeTimeout, Text: "the route to the far node is silent"}
}

// innerNodes are the nodes between the ends of the session's first route.
func (s *Session) innerNodes() []identity.PubKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.paths {
		if len(p.nodes) > 2 {
			return slices.Clone(p.nodes[1:min(len(p.nodes)-1, 1+maxAvoid)])
		}
	}
	return nil
}

// errRouteGone matches refusals because a route ended while it was laid.
var errRouteGone = &wire.Refused{Code: wire.CodeGone}

// establish has a route laid and begins a session on it.
func (h *Host) establish(ctx context.Context, to whom, avoid []identity.PubKey) (*Session, error) {
	if to.peer == h.cfg.Key.Public() {
		return h.loopback(ctx)
	}
	laid, err := h.cfg.Lay(ctx, Want{Dst: to.peer, Terms: to.terms, Avoid: avoid})
	if err != nil {
		return nil, err
	}
	p := laid.Path
	p.nodes = laid.Nodes
	s, err := h.found(p, to.terms)
	if err != nil {
		p.close()
		return nil, &wire.Refused{Code: wire.CodeGone, Text: err.Error()}
	}
	p.start(s)
	return s, nil
}

// Close ends every session and returns when their goroutines have.
func (h *Host) Close() {
	h.mu.Lock()
	h.closed = true
	paths := make([]*Path, 0, len(h.paths))
	for _, p := range h.paths {
		paths = append(paths, p)
	}
	h.mu.Unlock()
	for _, s := range h.sessions() {
		s.Close()
	}
	for _, p := range paths {
		p.close()
	}
	h.wg.Wait()
}
