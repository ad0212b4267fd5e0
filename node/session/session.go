package session

import (
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
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
	maxWindow  = 4 << 20 // sealed bytes in flight; under link.MaxQueued, so that no relay overflows
	ackEvery   = maxWindow / 16
	ackDelay   = 25 * time.Millisecond // of what is less than ackEvery
	maxStreams = 4096                  // that the peer may have open
	budget     = 16 << 20              // of credit that we grant on all streams together; a stream that finds none left is refused
	// A stream's credit starts at firstCredit, or less when there are many (budgetShare), but never under
	// MaxFirst; it doubles while it is used up.
	firstCredit = 256 << 10
	budgetShare = budget / 8
	maxCredit   = 4 << 20
)

// Timing of one session.
const (
	handshakeTimeout = 10 * time.Second
	pingEvery        = 30 * time.Second
	idleAfter        = 10 * time.Minute // without a stream
)

var (
	errProtocol = errors.New("session: the far end broke the protocol")
	errClosed   = errors.New("session: closed")
)

// end is what a session needs of the end of a route.
type end interface {
	Number() wire.RouteID
	Send(span []byte)
	Close()
}

// Session is one encrypted association with another node. Safe for concurrent use.
// It is the forward.Upper of its route.
type Session struct {
	host      *Host
	remote    identity.PubKey
	key       forward.Key
	initiator bool
	began     time.Time

	end     end
	hello   chan []byte   // handshake messages from the route, to the handshake's goroutine
	ready   chan struct{} // closed when streams may be opened
	isReady sync.Once
	done    chan struct{} // closed by fail
	rtt     atomic.Int64

	// The receiving side belongs to the route's reading goroutine, after keys is set.
	keys    atomic.Pointer[keys]
	inData  uint64 // next sequence number
	inCtl   uint64
	inTotal atomic.Uint64 // sealed bytes of Data records
	inCount atomic.Uint64 // Data records
	told    atomic.Uint64 // inTotal in the last ACK
	ackSoon *time.Timer   // tells the rest after a moment

	sendMu  sync.Mutex // guards the following: sealing and sending happen in the order of sequence numbers
	outData uint64
	outCtl  uint64
	ctlBuf  []byte

	mu      sync.Mutex // guards the following
	room    sync.Cond  // in the window, or the session is over
	sent    uint64     // sealed bytes of Data records sent
	acked   uint64
	streams map[uint32]*Stream
	nextID  uint32
	theirs  int // streams that the peer opened
	granted int // credit that peers hold on all streams
	lastUse time.Time
	err     error
	count   Count
}

// Count is what a session has carried for streams.
type Count struct {
	Opened    uint64 `json:"streams_opened"`
	SentBytes uint64 `json:"sent_bytes"`
	RecvBytes uint64 `json:"received_bytes"`
}

// keys are the six transport keys of a session.
type keys struct {
	sealData, sealCtl *secure.Sealer
	openData, openCtl *secure.Opener
}

func deriveKeys(r secure.Result) (*keys, error) {
	derive := func(k [32]byte, info string) ([32]byte, error) {
		b, err := hkdf.Expand(sha256.New, k[:], info, 32)
		if err != nil {
			return [32]byte{}, fmt.Errorf("session: deriving keys: %w", err)
		}
		return [32]byte(b), nil
	}
	var raw [4][32]byte
	for i, d := range []struct {
		k    [32]byte
		info string
	}{{r.Send, "data"}, {r.Send, "control"}, {r.Recv, "data"}, {r.Recv, "control"}} {
		var err error
		if raw[i], err = derive(d.k, d.info); err != nil {
			return nil, err
		}
	}
	return &keys{
		sealData: secure.NewSealer(raw[0]), sealCtl: secure.NewSealer(raw[1]),
		openData: secure.NewOpener(raw[2]), openCtl: secure.NewOpener(raw[3]),
	}, nil
}

func newSession(h *Host, remote identity.PubKey, key forward.Key, initiator bool) *Session {
	s := &Session{
		host: h, remote: remote, key: key, initiator: initiator, began: time.Now(), lastUse: time.Now(),
		hello: make(chan []byte, 2), ready: make(chan struct{}), done: make(chan struct{}),
		streams: map[uint32]*Stream{}, nextID: 2,
	}
	if initiator {
		s.nextID = 1
	}
	s.room.L = &s.mu
	s.ackSoon = time.AfterFunc(time.Hour, s.ackNow)
	s.ackSoon.Stop()
	return s
}

// Remote returns the key at the other end.
func (s *Session) Remote() identity.PubKey { return s.remote }

// Key returns the name of the session's route.
func (s *Session) Key() forward.Key { return s.key }

// Initiator reports whether the route was laid for us.
func (s *Session) Initiator() bool { return s.initiator }

// Done is closed when the session is over.
func (s *Session) Done() <-chan struct{} { return s.done }

// Down implements forward.Upper.
func (s *Session) Down(r forward.Reason) { s.fail(fmt.Errorf("session: %s", r)) }

// fail ends the session: every stream is reset, the route given back.
func (s *Session) fail(err error) {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return
	}
	s.err = err
	streams := s.streams
	s.streams = map[uint32]*Stream{}
	e := s.end
	close(s.done)
	s.ackSoon.Stop()
	s.room.Broadcast()
	s.mu.Unlock()
	for _, st := range streams {
		st.lost(&wire.Refused{Code: wire.CodeGone, Text: err.Error()})
	}
	if e != nil {
		e.Close()
	}
	s.host.over(s, err)
}

// Close ends the session and its streams.
func (s *Session) Close() { s.fail(errClosed) }

// Err returns why the session is over, nil while it is not.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// attach gives the session its end of the route; false if the session is over already.
func (s *Session) attach(e end) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end = e
	return s.err == nil
}

// keep pings, so that the route is not idle, and ends a session that nobody uses.
func (s *Session) keep() {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		s.sendControl(frame{kind: framePing, a: uint64(time.Since(s.began))})
		select {
		case <-s.done:
			return
		case <-tick.C:
		}
		s.mu.Lock()
		idle := len(s.streams) == 0 && time.Since(s.lastUse) > idleAfter
		s.mu.Unlock()
		if idle {
			s.fail(errors.New("session: idle"))
			return
		}
	}
}
