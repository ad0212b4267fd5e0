package socks

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"

	"github.com/skycoin/viscript/node/identity"
)

// Packets carries datagrams across the mesh. They may be lost and overtake each other, but are not altered; the sender's key is
// proven, its port is its word. Safe for concurrent use.
type Packets interface {
	Port() uint16 // ours
	// ReadPacket waits for a datagram; what does not fit b is lost. An error is for good.
	ReadPacket(b []byte) (n int, from identity.PubKey, err error)
	// WritePacket sends one and does not keep b. It does not wait for the far end.
	WritePacket(b []byte, to identity.PubKey, port uint16) error
	Close() error // wakes ReadPacket
}

var errNoPackets = errors.New("socks: the node carries no datagrams for us any more")

// hub shares one Packets among all associations. It is opened for the first one, and again after it broke.
type hub struct {
	open func(context.Context) (Packets, error)

	turn chan struct{} // a token for who opens
	wg   sync.WaitGroup

	mu   sync.Mutex // guards the following
	last *line
	shut bool
}

func newHub(open func(context.Context) (Packets, error)) *hub {
	return &hub{open: open, turn: make(chan struct{}, 1)}
}

// line is one Packets with the associations on it.
type line struct {
	Packets

	mu   sync.Mutex // guards the following
	ends map[uint64]*end
	over bool
}

// end is our end of an association.
type end struct {
	peer identity.PubKey
	take func(b []byte) // what came behind the association's number; does not block, does not keep b
	lost func()         // no more will come
}

// line returns a Packets that works, as far as we know.
func (h *hub) line(ctx context.Context) (*line, error) {
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	h.mu.Lock()
	l, shut := h.last, h.shut
	h.mu.Unlock()
	if l != nil && l.works() {
		return l, nil
	}
	if shut {
		return nil, errNoPackets
	}
	p, err := h.open(ctx)
	if err != nil {
		return nil, err
	}
	l = &line{Packets: p, ends: map[uint64]*end{}}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.shut {
		p.Close()
		return nil, errNoPackets
	}
	h.last = l
	h.wg.Go(l.read)
	return l, nil
}

// close ends all associations and waits for what was started.
func (h *hub) close() {
	h.mu.Lock()
	h.shut = true
	l := h.last
	h.mu.Unlock()
	if l != nil {
		l.Close()
	}
	h.wg.Wait()
}

func (l *line) works() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.over
}

// add enters an association; it fails when the line broke or the number is taken.
func (l *line) add(id uint64, e *end) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over || l.ends[id] != nil {
		return errNoPackets
	}
	l.ends[id] = e
	return nil
}

func (l *line) remove(id uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.ends, id)
}

// read hands out what comes.
func (l *line) read() {
	defer l.finish()
	b := make([]byte, associationAt+maxUDP)
	for {
		n, from, err := l.ReadPacket(b)
		if err != nil {
			return
		}
		if n < associationAt {
			continue
		}
		l.mu.Lock()
		e := l.ends[binary.BigEndian.Uint64(b)]
		l.mu.Unlock()
		if e != nil && e.peer == from { // the number alone opens nothing
			e.take(b[associationAt:n])
		}
	}
}

func (l *line) finish() {
	l.Close()
	l.mu.Lock()
	l.over = true
	ends := l.ends
	l.ends = map[uint64]*end{}
	l.mu.Unlock()
	for _, e := range ends {
		e.lost()
	}
}
