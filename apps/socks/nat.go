package socks

import (
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skycoin/viscript/node/identity"
)

// Limits of one UDP association at an exit.
const (
	udpQueue      = 512             // datagrams that wait to be judged and sent; more are dropped
	udpQueueBytes = 512 << 10       // the same in bytes
	maxMappings   = 512             // peers that may answer at a time; datagrams to more are dropped
	mappingLife   = 5 * time.Minute // since the last datagram to a peer (RFC 4787 section 4.3)
	natEvery      = 30 * time.Second
)

// nat is one UDP association at the exit: a socket for each family, and the peers that datagrams went to lately. Only they may
// answer. Each peer is judged by the policy before the first datagram, and again when its mapping has expired.
type nat struct {
	s    *Server
	e    *entry
	line *line
	id   uint64
	key  identity.PubKey
	port uint16 // where the opener takes its datagrams

	in     chan []byte // closed by nobody
	queued atomic.Int64
	wg     sync.WaitGroup

	// of the goroutine of work
	sockets  [2]*net.UDPConn // IPv4, IPv6; opened when needed
	names    map[string]*naming
	lookups  int
	resolved chan resolution

	mu       sync.Mutex // guards the following
	mappings map[netip.AddrPort]*mapping
}

// mapping lets a peer answer.
type mapping struct {
	sent   time.Time // the last datagram to it
	direct bool      // the policy admits it by its address, not only by the name that led to it
}

// associate serves a UDP association. Errors before Confirm are the caller's to tell.
func (s *Server) associate(ctx context.Context, in Incoming, port uint16, e *entry) error {
	e.is(kindUDP, "")
	if s.hub == nil {
		return because(BadCommand, "no datagrams here")
	}
	release, ok := s.table.claim(e, kindUDP, s.cfg.Limits.MaxUDP, s.cfg.Limits.MaxUDPPerKey)
	if !ok {
		return because(Busy, "too many UDP associations")
	}
	defer release()
	line, err := s.hub.line(ctx)
	if err != nil {
		return &Error{Reason: Internal, Err: err}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var number [associationAt]byte
	crand.Read(number[:])
	n := &nat{
		s: s, e: e, line: line, id: binary.BigEndian.Uint64(number[:]), key: in.Peer(), port: port,
		in: make(chan []byte, udpQueue), resolved: make(chan resolution, maxLookups),
		names: map[string]*naming{}, mappings: map[netip.AddrPort]*mapping{},
	}
	if err := line.add(n.id, &end{peer: n.key, take: n.take, lost: cancel}); err != nil {
		return &Error{Reason: Internal, Err: err}
	}
	defer line.remove(n.id)
	return n.run(ctx, cancel, in)
}

// run confirms the stream and carries datagrams until it ends.
func (n *nat) run(ctx context.Context, cancel context.CancelFunc, in Incoming) error {
	stop := context.AfterFunc(ctx, func() { in.Close() })
	defer stop()
	defer in.Close()
	err := in.Confirm()
	if err == nil {
		said := binary.BigEndian.AppendUint16(nil, n.line.Port())
		_, err = in.Write(binary.BigEndian.AppendUint64(said, n.id))
	}
	if err != nil {
		n.s.table.refuse(Gone)
		in.Reset(Gone.Code())
		return nil
	}
	n.s.table.establish(n.e)
	n.wg.Go(func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, in) // the opener says nothing more; what it sends is its end
	})
	n.work(ctx)
	for _, udp := range n.sockets {
		if udp != nil {
			udp.Close()
		}
	}
	in.Close()
	n.wg.Wait()
	return nil
}

// take queues a datagram from the mesh.
func (n *nat) take(b []byte) {
	if n.queued.Add(int64(len(b))) > udpQueueBytes {
		n.queued.Add(-int64(len(b)))
		n.drop(Busy)
		return
	}
	select {
	case n.in <- append([]byte(nil), b...):
	default:
		n.queued.Add(-int64(len(b)))
		n.drop(Busy)
	}
}

func (n *nat) drop(r Reason) { n.s.table.datagrams.drop(r) }

// work judges and sends until ctx ends.
func (n *nat) work(ctx context.Context) {
	tick := time.NewTicker(natEvery)
	defer tick.Stop()
	for {
		select {
		case b := <-n.in:
			n.queued.Add(-int64(len(b)))
			n.send(ctx, b)
		case r := <-n.resolved:
			n.named(r)
		case now := <-tick.C:
			n.expire(now)
		case <-ctx.Done():
			return
		}
	}
}

// send judges one datagram and sends it.
func (n *nat) send(ctx context.Context, b []byte) {
	t, at, err := parsePlace(b)
	if err != nil {
		n.drop(dropReason(err))
		return
	}
	up, _ := n.e.halves()
	switch {
	case !passes(up.limit, len(b)):
		n.drop(Busy)
	case t.Name != "":
		n.sendNamed(ctx, t, b[at:])
	default:
		n.sendTo(netip.AddrPortFrom(t.Addr, t.Port), b[at:], false)
	}
}

// sendTo sends to an address, judging it unless a name that was judged led there or it was judged lately.
func (n *nat) sendTo(at netip.AddrPort, data []byte, named bool) {
	now := time.Now()
	n.mu.Lock()
	m := n.mappings[at]
	fresh := m != nil && now.Sub(m.sent) < mappingLife
	if fresh && (named || m.direct) {
		m.sent = now
	}
	full := m == nil && len(n.mappings) >= maxMappings
	n.mu.Unlock()
	if full {
		n.expire(now)
	}
	if !named && !(fresh && m.direct) {
		if err := n.s.cfg.Policy.Check("", at); err != nil {
			n.drop(ReasonOf(err))
			return
		}
	}
	udp, err := n.socket(at.Addr())
	if err != nil {
		n.drop(ReasonOf(err))
		return
	}
	if !n.remember(at, now, !named) {
		n.drop(Busy)
		return
	}
	if _, err := udp.WriteToUDPAddrPort(data, at); err != nil {
		n.drop(ReasonOf(err))
		return
	}
	n.e.up.Add(uint64(len(data)))
	n.s.table.datagrams.up.Add(1)
}

// remember lets a peer answer; false: too many may.
func (n *nat) remember(at netip.AddrPort, now time.Time, direct bool) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	m := n.mappings[at]
	if m == nil {
		if len(n.mappings) >= maxMappings {
			return false
		}
		m = &mapping{}
		n.mappings[at] = m
	}
	m.sent, m.direct = now, m.direct || direct
	return true
}

// expire forgets the peers and names of long ago.
func (n *nat) expire(now time.Time) {
	for text, name := range n.names {
		if !name.pending && now.After(name.until) {
			delete(n.names, text)
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for at, m := range n.mappings {
		if now.Sub(m.sent) >= mappingLife {
			delete(n.mappings, at)
		}
	}
}

// socket returns the socket of a family.
func (n *nat) socket(a netip.Addr) (*net.UDPConn, error) {
	network, i := "udp4", 0
	if a.Is6() {
		network, i = "udp6", 1
	}
	if n.sockets[i] != nil {
		return n.sockets[i], nil
	}
	udp, err := net.ListenUDP(network, nil)
	if err != nil {
		return nil, fmt.Errorf("taking a UDP port: %w", err)
	}
	noBroadcast(udp)
	_ = udp.SetReadBuffer(udpBuffer)
	n.sockets[i] = udp
	n.wg.Go(func() { n.answers(udp) })
	return udp, nil
}

// answers sends to the opener what the peers answer, until the socket is closed.
func (n *nat) answers(udp *net.UDPConn) {
	const room = associationAt + maxPlace
	b := make([]byte, room+maxUDP)
	_, down := n.e.halves()
	for {
		size, from, err := udp.ReadFromUDPAddrPort(b[room:])
		if err != nil {
			return
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		switch {
		case !n.mayAnswer(from):
			n.drop(Denied)
			continue
		case !passes(down.limit, size):
			n.drop(Busy)
			continue
		}
		var head [room]byte
		h := appendPlace(binary.BigEndian.AppendUint64(head[:0], n.id), from)
		start := room - len(h)
		copy(b[start:], h)
		if err := n.line.WritePacket(b[start:room+size], n.key, n.port); err != nil { // too long, or the node is gone
			n.drop(Internal)
			continue
		}
		n.e.down.Add(uint64(size))
		n.s.table.datagrams.down.Add(1)
	}
}

// mayAnswer reports whether a datagram went to this address lately.
func (n *nat) mayAnswer(from netip.AddrPort) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	m := n.mappings[from]
	return m != nil && time.Since(m.sent) < mappingLife
}
