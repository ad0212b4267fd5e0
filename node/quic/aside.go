package quic

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Datagrams beside QUIC, in bytes.
const (
	headLen   = 8
	nonceLen  = 16
	askLen    = 64
	answerLen = headLen + nonceLen + 16 + 2
	punchLen  = headLen + nonceLen
)

// What comes first. Append-only.
const (
	headAsk    = "\x01skyseen"
	headAnswer = "\x02skyseen"
	headPunch  = "\x03skypunc"
	headHit    = "\x04skypunc"
)

// Limits of what is beside QUIC.
const (
	answersPerSecond = 200
	answersAtOnce    = 400
	askAgain         = 250 * time.Millisecond
	maxWaiting       = 256 // questions and punches under way
)

// Nonce is known to the two ends of one attempt to punch.
type Nonce = [nonceLen]byte

// aside is a datagram beside QUIC.
type aside struct {
	head  string
	nonce Nonce
	seen  netip.AddrPort // of an answer
}

// append appends the datagram's bytes.
func (a aside) append(dst []byte) []byte {
	dst = append(append(dst, a.head...), a.nonce[:]...)
	switch a.head {
	case headAsk:
		dst = append(dst, make([]byte, askLen-punchLen)...)
	case headAnswer:
		ip := a.seen.Addr().As16()
		for i := range ip {
			ip[i] ^= a.nonce[i]
		}
		dst = binary.BigEndian.AppendUint16(append(dst, ip[:]...), a.seen.Port()^binary.BigEndian.Uint16(a.nonce[:]))
	}
	return dst
}

// parseAside reads one; false: it is none.
func parseAside(b []byte) (a aside, ok bool) {
	if len(b) < punchLen {
		return a, false
	}
	a.head = string(b[:headLen])
	copy(a.nonce[:], b[headLen:])
	rest := b[punchLen:]
	switch a.head {
	case headAsk:
		return a, len(b) == askLen && bytes.Equal(rest, make([]byte, askLen-punchLen))
	case headPunch, headHit:
		return a, len(b) == punchLen
	case headAnswer:
		if len(b) != answerLen {
			return a, false
		}
		ip := [16]byte(rest)
		for i := range ip {
			ip[i] ^= a.nonce[i]
		}
		port := binary.BigEndian.Uint16(rest[16:]) ^ binary.BigEndian.Uint16(a.nonce[:])
		a.seen = netip.AddrPortFrom(netip.AddrFrom16(ip).Unmap(), port)
		return a, port != 0 && !a.seen.Addr().IsUnspecified()
	}
	return a, false
}

// heard is an aside and where it came from.
type heard struct {
	aside
	from netip.AddrPort
}

// asides are the questions and punches under way.
type asides struct {
	limit *rate.Limiter

	mu      sync.Mutex // guards the following
	waiting map[Nonce]chan heard
}

func (a *asides) init() {
	a.limit, a.waiting = rate.NewLimiter(answersPerSecond, answersAtOnce), map[Nonce]chan heard{}
}

// await has what comes with a nonce sent to the channel, until forget is called; what does not fit is dropped.
func (a *asides) await(nonce Nonce) (<-chan heard, func(), error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.waiting) >= maxWaiting || a.waiting[nonce] != nil {
		return nil, nil, errors.New("quic: too many attempts at once")
	}
	c := make(chan heard, 8) // never closed
	a.waiting[nonce] = c
	return c, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.waiting, nonce)
	}, nil
}

// deliver reports whether somebody waits for h.
func (a *asides) deliver(h heard) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.waiting[h.nonce]
	if c == nil {
		return false
	}
	select {
	case c <- h:
	default:
	}
	return true
}

// readAsides answers questions and hands on the rest, until the port closes.
func (p *port) readAsides() {
	buf := make([]byte, askLen+1)
	for {
		n, from, err := p.tr.ReadNonQUICPacket(p.ctx, buf)
		if err != nil {
			return
		}
		at, ok := from.(*net.UDPAddr)
		a, good := parseAside(buf[:n])
		if ok && good {
			p.aside(heard{a, addrPort(at)})
		}
	}
}

func addrPort(a *net.UDPAddr) netip.AddrPort {
	ap := a.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

func (p *port) aside(h heard) {
	switch h.head {
	case headAsk:
		if p.asides.limit.Allow() {
			p.send(aside{head: headAnswer, nonce: h.nonce, seen: h.from}, h.from)
		}
	case headPunch:
		if p.asides.deliver(h) {
			p.send(aside{head: headHit, nonce: h.nonce}, h.from)
		}
	default:
		p.asides.deliver(h)
	}
}

// send sends an aside; what does not get away is lost like any datagram.
func (p *port) send(a aside, to netip.AddrPort) {
	p.tr.WriteTo(a.append(nil), net.UDPAddrFromAddrPort(to))
}

// Observed asks who listens at HOST:PORT from which address and port the socket's datagrams seem to come. It blocks until the answer
// or ctx ends.
func (s *Socket) Observed(ctx context.Context, hostport string) (netip.AddrPort, error) {
	p, err := s.opened()
	if err != nil {
		return netip.AddrPort{}, err
	}
	to, err := p.resolve(ctx, hostport)
	if err != nil {
		return netip.AddrPort{}, err
	}
	var nonce Nonce
	rand.Read(nonce[:])
	answers, forget, err := p.asides.await(nonce)
	if err != nil {
		return netip.AddrPort{}, err
	}
	defer forget()
	again := time.NewTicker(askAgain)
	defer again.Stop()
	for {
		p.send(aside{head: headAsk, nonce: nonce}, to.AddrPort())
		select {
		case h := <-answers:
			if h.head == headAnswer {
				return h.seen, nil
			}
		case <-again.C:
		case <-ctx.Done():
			return netip.AddrPort{}, ctx.Err()
		case <-p.ctx.Done():
			return netip.AddrPort{}, net.ErrClosed
		}
	}
}
