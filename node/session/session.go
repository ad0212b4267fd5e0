package session

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skycoin/viscript/node/forward"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/wire"
)

// Limits of one session.
const (
	ackEvery   = maxWindow / 16        // bytes after which an ACK is sent unasked
	ackDelay   = 25 * time.Millisecond // of what is less than that
	maxStreams = 4096                  // that the peer may have open
	maxResets  = 2 * maxStreams        // that the peer has not acknowledged
	budget     = 16 << 20              // of credit that we grant on all streams together; a stream that finds none left is refused
	// A stream's credit starts at firstCredit, or less when there are many (budgetShare), but never under
	// MaxFirst; it doubles while it is used up.
	firstCredit = 256 << 10
	nearCredit  = 64 << 10             // instead, on a path
	nearPath    = 5 * time.Millisecond // whose round trip is less than that
	budgetShare = budget / 8
	maxCredit   = 4 << 20
	wideBudget  = maxCredit + firstCredit // what streams that want more may have together
	readerPause = 2 * time.Millisecond    // that an app may make without emptying its stream's credit
	// maxPaths is how many paths a peer may join: one in use, one that stands by, one that takes over, and one
	// whose end has not come through yet.
	maxPaths = 4
	// Words of 64 numbers that may come out of order: control records over two paths, and datagrams.
	controlWords  = 16
	datagramWords = 1024
)

var (
	errProtocol = errors.New("session: the far end broke the protocol")
	errClosed   = errors.New("session: closed")
	errBye      = errors.New("session: the far end closed it")
)

// Session is one encrypted association with another node, over one or two routes. Safe for concurrent use.
//
// Lock order: recvMu or gramMu, sendMu, mu, a Stream's mu last of all but never with mu. A Path's Down may come
// while sendMu is held, so it only leaves word for the steward.
type Session struct {
	host      *Host
	remote    identity.PubKey
	id        forward.Key // of the first route
	initiator bool
	local     bool  // with ourselves: in memory, without routes
	terms     Terms // of the routes, where we have them laid
	began     time.Time

	hello   chan []byte   // handshake messages from the first route, to the handshake's goroutine
	ready   chan struct{} // closed when streams may be opened
	isReady sync.Once
	done    chan struct{} // closed by fail
	kick    chan struct{} // holds one: work for the steward
	lanes   atomic.Pointer[lanes]
	rtt     atomic.Int64  // of the path in use
	base    atomic.Int64  // of the path in use without load, 0: not known
	inNext  atomic.Uint64 // in.records
	gramAt  atomic.Int64  // Host.now of the last datagram, either way
	apart   atomic.Bool   // the far end knows that it is kept apart for its terms, or told us so
	replies atomic.Uint32 // 1 + the port of the peer that was bound to it last; 0: not known
	bound   int           // ports in Host.answers; guarded by Host.mu

	recvMu  sync.Mutex // guards the following, and the opening lanes of Data and Control
	inCtl   replay
	in      mark   // Data records taken
	inCE    uint64 // their bytes that came marked
	told    uint64 // in.bytes in the last ACK
	ackSoon *time.Timer
	gapAt   time.Duration // when we last asked for what is missing

	gramMu sync.Mutex // guards the following, and the opening lane of datagrams
	inGram replay

	sendMu    sync.Mutex // guards the following and the sealing lanes: sealing and sending happen in the order of numbers
	ctlBuf    []byte
	gramBuf   []byte
	unflagged uint64 // bytes sent since the last record that asked for an ACK
	counted   uint64 // kept.sent.bytes in unflagged

	mu       sync.Mutex // guards the following
	kept     retained
	win      window
	reserved uint64 // bytes of the window taken and not yet sealed
	waiting  queue
	probe    probe
	asked    map[uint64]chan<- time.Duration // PINGs of Ping, by what they carry; at most maxAsked
	paths    []*Path                         // live ones, oldest first
	active   *Path                           // where we send Data; changes under sendMu as well
	gen      uint64                          // of the newest switch, ours or theirs
	alone    time.Duration                   // Host.now since when there is no path that answers; 0: there is one
	whyDown  string
	ackAt    time.Duration // Host.now of the last ACK with news, or the last switch
	resetAt  time.Duration // Host.now of the last repetition of resets
	moves    moves
	laying   laying
	streams  map[uint32]*Stream
	resets   map[uint32]wire.Code // not yet acknowledged
	early    map[uint32]struct{}  // of streams whose OPEN is still to come
	nextID   uint32
	lastID   uint32 // the highest that the peer opened
	theirs   int    // streams that the peer opened
	granted  int    // credit that peers hold on all streams
	lastUse  time.Time
	err      error
	fatal    error // what the steward is to end the session with
	resent   uint64
	count    Count
}

// probe is a record on its way that measures the round trip.
type probe struct {
	path    *Path // nil: none
	records uint64
	at      time.Duration
}

// moves is the history of switches.
type moves struct {
	n    uint64
	why  string
	when time.Time
}

// Count is what a session has carried for streams.
type Count struct {
	Opened    uint64 `json:"streams_opened"`
	SentBytes uint64 `json:"sent_bytes"`
	RecvBytes uint64 `json:"received_bytes"`
}

func newSession(h *Host, remote identity.PubKey, id forward.Key, initiator bool) *Session {
	s := &Session{
		host: h, remote: remote, id: id, initiator: initiator, began: time.Now(), lastUse: time.Now(),
		hello: make(chan []byte, 2), ready: make(chan struct{}), done: make(chan struct{}), kick: make(chan struct{}, 1),
		inCtl: newReplay(controlWords), streams: map[uint32]*Stream{}, resets: map[uint32]wire.Code{}, early: map[uint32]struct{}{}, nextID: 2,
	}
	if initiator {
		s.nextID = 1
	}
	s.win.start(firstWindow)
	s.ackSoon = time.AfterFunc(time.Hour, s.ackNow)
	s.ackSoon.Stop()
	return s
}

// install takes the keys of a finished handshake.
func (s *Session) install(r secure.Result) error {
	k, err := deriveLanes(r, time.Now())
	if err == nil {
		s.lanes.Store(k)
	}
	return err
}

// Remote returns the key at the other end.
func (s *Session) Remote() identity.PubKey { return s.remote }

// ID names the session: the key of its first route.
func (s *Session) ID() forward.Key { return s.id }

// Initiator reports whether we asked for the session.
func (s *Session) Initiator() bool { return s.initiator }

// Done is closed when the session is over.
func (s *Session) Done() <-chan struct{} { return s.done }

// Close ends the session and its streams.
func (s *Session) Close() { s.fail(errClosed) }

// Err returns why the session is over, nil while it is not.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// fail ends the session: the peer is told, every stream is reset, the routes are given back. The caller holds no lock
// but recvMu.
func (s *Session) fail(err error) {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return
	}
	s.err = err
	streams, paths := s.streams, s.paths
	s.streams, s.paths = map[uint32]*Stream{}, nil
	s.resets, s.early = map[uint32]wire.Code{}, map[uint32]struct{}{}
	close(s.done)
	s.ackSoon.Stop()
	s.mu.Unlock()
	if len(streams) > 0 {
		s.host.busy.Add(-1)
	}
	for _, st := range streams {
		st.lost(&wire.Refused{Code: wire.CodeGone, Text: err.Error()})
	}
	for _, p := range paths {
		if err != errBye {
			s.sendControl(p, frame{kind: frameClose, code: wire.CodeGone})
		}
		p.close()
	}
	s.host.over(s, err)
	s.letAllGo()
}

// letAllGo gives back what was kept.
func (s *Session) letAllGo() {
	s.sendMu.Lock() // nobody builds in a span
	defer s.sendMu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active = nil
	freeSpans(s.kept.head)
	s.kept = retained{acked: s.kept.sealed, sent: s.kept.sealed, sealed: s.kept.sealed}
}

// failSoon has the steward end the session: for those who hold locks.
func (s *Session) failSoon(err error) {
	s.mu.Lock()
	s.failSoonLocked(err)
	s.mu.Unlock()
}

func (s *Session) failSoonLocked(err error) {
	if s.fatal == nil {
		s.fatal = err
	}
	s.kickSteward()
}

func (s *Session) kickSteward() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

func (s *Session) becomeReady() { s.isReady.Do(func() { close(s.ready) }) }
