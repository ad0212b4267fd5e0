package link

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/wire"
)

// Errors a closed link reports.
var (
	ErrClosed    = errors.New("link: closed")
	ErrReplaced  = errors.New("link: replaced by a newer link to the same neighbour")
	ErrSilent    = errors.New("link: the neighbour is silent")
	ErrRecord    = errors.New("link: the neighbour broke the record format")
	errTableFull = errors.New("link: too many neighbours")
)

// Timing of one link.
const (
	pingEvery   = 5 * time.Second
	silentAfter = 3*pingEvery + time.Second // a neighbour answers pings, so it is never silent that long
	writeStall  = 20 * time.Second          // a blocked write that moves nothing for so long ends the link
)

// readBuffer is the reader's buffer: large enough for several of the largest records,
// so that one read and one write move many.
const readBuffer = 256 << 10

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

// Link is one encrypted record pipe to a neighbour. Send methods are safe for concurrent use.
type Link struct {
	peer    identity.PubKey
	dialer  bool // we dialed
	carrier string
	nc      net.Conn
	since   time.Time
	recv    Receiver
	opener  ratchet
	out     sender

	rtt       atomic.Int64 // smoothed, ns; 0 until measured
	heard     atomic.Int64 // unix ns of the last bytes
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
		since: time.Now(), opener: newRatchet(r.Recv), done: make(chan struct{}),
	}
	l.heard.Store(l.since.UnixNano())
	l.out.init(l, newRatchet(r.Send))
	if sc, ok := nc.(syscall.Conn); ok {
		l.out.raw, _ = sc.SyscallConn()
	}
	return l
}

// Peer returns the neighbour's key.
func (l *Link) Peer() identity.PubKey { return l.peer }

// RTT returns the smoothed round trip to the neighbour, 0 before the first measurement.
func (l *Link) RTT() time.Duration { return time.Duration(l.rtt.Load()) }

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
	l.recv = recv
	var wg sync.WaitGroup
	wg.Go(l.out.run)
	wg.Go(l.ping)
	err := l.read()
	recv.Flush()
	l.close(err)
	wg.Wait()
	recv.Closed(l.reason)
}

// read takes records off the connection until it fails.
func (l *Link) read() error {
	buf := make([]byte, readBuffer)
	have := 0
	for {
		n, err := l.nc.Read(buf[have:])
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
				return ErrClosed
			}
			return fmt.Errorf("link: reading: %w", err)
		}
		have += n
		l.recvBytes.Add(uint64(n))
		l.heard.Store(time.Now().UnixNano())
		used, err := l.records(buf[:have])
		l.recv.Flush()
		if err != nil {
			return err
		}
		have = copy(buf, buf[used:have])
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
		l.recv.Record(rec)
		return
	}
	switch {
	case t == wire.LinkPing && len(payload) == 8:
		l.SendControl(wire.LinkPong, 0, payload)
	case t == wire.LinkPong && len(payload) == 8:
		l.pong(time.Duration(binary.BigEndian.Uint64(payload)))
	}
}

// ping measures the round trip and ends a link whose neighbour went silent.
func (l *Link) ping() {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], uint64(time.Since(l.since)))
		l.SendControl(wire.LinkPing, 0, b[:])
		select {
		case <-l.done:
			return
		case <-tick.C:
		}
		if time.Since(time.Unix(0, l.heard.Load())) > silentAfter {
			l.close(ErrSilent)
			return
		}
	}
}

// pong folds one measurement into the smoothed round trip (RFC 6298's gain of 1/8). A neighbour that
// answers what was not asked can only spoil its own figure.
func (l *Link) pong(sent time.Duration) {
	d := time.Since(l.since) - sent
	if sent < 0 || d < 0 {
		return
	}
	if old := l.RTT(); old != 0 {
		d = old + (d-old)/8
	}
	l.rtt.Store(int64(max(d, 1)))
}

// Abort closes the link at once, as if the connection had broken.
func (l *Link) Abort() { l.close(ErrClosed) }
