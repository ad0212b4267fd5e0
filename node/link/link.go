package link

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skycoin/viscript/node/direct"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/wire"
)

// Errors a closed link reports.
var (
	ErrClosed    = errors.New("link: closed")
	ErrReplaced  = errors.New("link: replaced by a newer link to the same neighbour")
	ErrSilent    = errors.New("link: the neighbour is silent")
	ErrMoved     = errors.New("link: this host has lost the link's address")
	ErrRecord    = errors.New("link: the neighbour broke the record format")
	errTableFull = errors.New("link: too many neighbours")
	errBusy      = errors.New("link: too many strangers wait to be admitted")
)

// writeStall is how long a blocked write may move nothing before it ends the link.
const writeStall = 20 * time.Second

// Receiver takes the records of one link, in order, on the link's reading goroutine. It
// must not block: a link that waits for another link can deadlock in a ring of nodes.
type Receiver interface {
	// Record gets a whole opened record: LenLen bytes of length, the header, the payload, and
	// TagLen bytes of room at the end. The receiver may overwrite it and keep it until Flush.
	// Records that arrived back to back lie back to back in memory: cap(rec) tells the distance to the end of
	// the reader's buffer. What lies beyond len(rec) is not the receiver's.
	Record(rec []byte)
	// Flush is called before the memory behind the records is used again.
	Flush()
	// Closed is called once, last, with the reason.
	Closed(err error)
}

// Evicter is a Receiver that wants to know which routes lost what they had queued on this link to make
// room for others. The call comes from whoever sends, without locks of the link; it must not block or send.
type Evicter interface {
	Evicted(route wire.RouteID)
}

// Link is one encrypted record pipe to a neighbour. Send methods are safe for concurrent use.
type Link struct {
	peer     identity.PubKey
	dialer   bool // we dialed
	carrier  string
	relayed  bool                   // through a third party, by Config.Relay
	why      string                 // for people: why it is relayed; set before run
	tried    atomic.Pointer[string] // for people: what was tried to have a direct one; nil: nothing
	punching atomic.Bool            // an attempt is under way
	calls    chan call              // to who punches; nil: nobody does. Never closed; what does not fit is dropped
	passive  bool                   // does not ping: Tend looks after it
	nc       net.Conn
	since    time.Time
	began    time.Time // when it was dialed or accepted: its handshake may have taken long
	recv     Receiver  // guarded by out.mu where others than the reading goroutine ask
	opener   ratchet
	in       reader
	out      sender
	meter    meter

	rtt       atomic.Int64 // smoothed, ns; 0 until measured
	jitter    atomic.Int64 // RFC 3550 section 6.4.1, ns
	lastRTT   time.Duration
	heard     atomic.Int64 // when the last bytes came: ns of now()
	asked     atomic.Int64 // stamp of the ping that waits for its answer; 0: none
	busy      atomic.Bool  // records of routes have crossed since the prober looked
	idle      atomic.Bool  // the prober sleeps long: wake it by kick
	kick      chan struct{}
	probes    chan struct{}
	recvBytes atomic.Uint64
	sentBytes atomic.Uint64

	closing sync.Once
	reason  error         // why it closed; written before done is closed
	done    chan struct{} // closed by the first close
}

// newLink wraps a connection whose handshake is done. run starts it.
func newLink(nc net.Conn, r secure.Result, carrier string, dialer bool) *Link {
	l := &Link{
		peer: r.Remote, dialer: dialer, carrier: carrier, nc: nc,
		since: time.Now(), began: time.Now(), opener: opening(r.Recv), done: make(chan struct{}),
		kick: make(chan struct{}, 1), probes: make(chan struct{}, 1),
	}
	l.out.init(l, sealing(r.Send))
	l.out.raw = direct.Of(nc)
	l.in.init(nc, l.out.raw)
	l.meter.init(l.out.raw)
	return l
}

// now is the time on the link's own clock, which nobody can set.
func (l *Link) now() time.Duration { return time.Since(l.since) }

// Peer returns the neighbour's key.
func (l *Link) Peer() identity.PubKey { return l.peer }

// RTT returns the smoothed round trip to the neighbour, 0 before the first measurement.
func (l *Link) RTT() time.Duration { return time.Duration(l.rtt.Load()) }

// Jitter returns the mean deviation of the round trip from one measurement to the next (RFC 3550 section 6.4.1).
func (l *Link) Jitter() time.Duration { return time.Duration(l.jitter.Load()) }

// Done is closed when the link is.
func (l *Link) Done() <-chan struct{} { return l.done }

// Err returns why the link closed, once Done is closed.
func (l *Link) Err() error {
	select {
	case <-l.done:
		return l.reason
	default:
		return nil
	}
}

// close ends the link for the reason; the first reason stays.
func (l *Link) close(reason error) {
	l.closing.Do(func() {
		l.reason = reason
		close(l.done)
		l.out.stop()
		l.nc.Close()
	})
}

// run reads, writes and pings until the link closes. It returns when all of that has ended.
func (l *Link) run(recv Receiver) {
	l.out.mu.Lock()
	l.recv = recv
	l.out.mu.Unlock()
	if !l.passive {
		l.out.writers.Go(l.out.run)
		l.out.writers.Go(l.probe)
	}
	err := l.read()
	l.recv.Flush()
	l.close(err)
	l.out.writers.Wait()
	l.recv.Closed(l.reason)
}

// read takes records off the connection until it fails.
func (l *Link) read() error {
	defer l.in.release()
	for {
		n, err := l.in.fill()
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
				return ErrClosed
			}
			return fmt.Errorf("link: reading: %w", err)
		}
		l.recvBytes.Add(uint64(n))
		l.heard.Store(int64(l.now()))
		used, err := l.records(l.in.bytes())
		l.recv.Flush()
		if err != nil {
			return err
		}
		l.in.skip(used)
	}
}

// records opens the complete records at the front of b and hands them up; it returns their length.
func (l *Link) records(b []byte) (used int, err error) {
	for len(b)-used >= wire.LenLen {
		rec := b[used:]
		n, ok := wire.Len(rec)
		if !ok {
			return used, ErrRecord
		}
		if len(rec) < wire.LenLen+n {
			break
		}
		rec = rec[:wire.LenLen+n]
		sealed := rec[wire.LenLen:]
		if _, err := l.opener.open(sealed, rec[:wire.LenLen]); err != nil {
			return used, ErrRecord
		}
		used += len(rec)
		l.record(rec)
	}
	return used, nil
}

// record keeps what is for the link itself and hands up the rest.
func (l *Link) record(rec []byte) {
	t, _, route, payload := wire.ParseHeader(rec[wire.LenLen : len(rec)-wire.TagLen])
	if route != 0 {
		l.stir()
		l.recv.Record(rec)
		return
	}
	switch {
	case t == wire.LinkPing && len(payload) == stampLen:
		l.SendControl(wire.LinkPong, 0, payload)
	case t == wire.LinkPong && len(payload) == stampLen:
		l.pong(int64(binary.BigEndian.Uint64(payload)), l.now())
	case t == wire.LinkCall && l.calls != nil:
		if c, ok := parseCall(payload); ok {
			select {
			case l.calls <- c:
			default:
			}
		}
	}
}

// Abort closes the link at once, as if the connection had broken.
func (l *Link) Abort() { l.close(ErrClosed) }
