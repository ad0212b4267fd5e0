package app

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/skycoin/viscript/node/packet"
	"github.com/skycoin/viscript/node/tunnel"
	"github.com/skycoin/viscript/node/wire"
)

// countsPerFrame is how many peers one TUNNELCOUNTS tells of.
const countsPerFrame = 500

// tunnelPatience bounds an answer of the node, which is on this host.
const tunnelPatience = 10 * time.Second

// Tun is a TUN that the node reads and writes for us: see package tunnel. Safe for concurrent use.
type Tun struct {
	nc   *answered
	addr Addr

	answers chan answer
	done    chan struct{} // closed after err is set
	err     error
	once    sync.Once

	asking sync.Mutex // held by who waits for an answer
	asked  atomic.Bool
	w      *Writer
}

type answer struct {
	kind Kind
	body []byte
}

// OpenTun gives the node a TUN, whose frames carry the header of package packet, for datagrams at a port; 0: the node picks one. The
// node keeps it until the Tun is closed; the descriptor stays the caller's too, but is not to be read. ErrNoRelay: descriptors
// do not pass here, nothing has happened. Errors: *Refused, what ctx says, or that our own node is not there.
func (c *Client) OpenTun(ctx context.Context, port Port, device syscall.Conn, takes packet.Offload) (*Tun, error) {
	nc, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	unix, ok := nc.(*net.UnixConn)
	if !ok || runtime.GOOS == "windows" {
		nc.Close()
		return nil, ErrNoRelay
	}
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	q := Request{Kind: Tunnel, Port: port, Bits: uint8(takes)}
	in := NewInbox(nc)
	r := NewReader(in)
	var body []byte
	if err = pass(unix, AppendFrame(nil, q.Kind, q.AppendBody(nil)), device); err == nil {
		body, err = readAnswer(r)
	}
	if !stop() {
		err = ctx.Err()
	}
	self, bad := ParsePacket(body)
	if err == nil && (bad != nil || len(self.Data) > 0) {
		err = ErrFrame
	}
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("app: giving the node a TUN: %w", err)
	}
	t := &Tun{
		nc: &answered{nc, in, r}, addr: Addr{Key: self.Key, Port: self.Port}, answers: make(chan answer),
		done: make(chan struct{}), w: NewWriter(nc),
	}
	go t.read()
	return t, nil
}

// read takes what the node says; it ends with the connection.
func (t *Tun) read() {
	defer t.nc.in.Close()
	for {
		kind, body, err := t.nc.r.Next()
		if err != nil {
			t.end(fmt.Errorf("app: the node is gone: %w", err))
			return
		}
		if !t.asked.Load() {
			if err = ErrFrame; kind == Err {
				err = ParseErr(body)
			}
			t.end(err)
			return
		}
		select {
		case t.answers <- answer{kind, append([]byte(nil), body...)}:
		case <-t.done:
			return
		}
	}
}

func (t *Tun) end(err error) {
	t.once.Do(func() {
		t.err = err
		close(t.done)
		t.nc.Close()
	})
}

// Addr is our node's key and the port for datagrams.
func (t *Tun) Addr() Addr { return t.addr }

// Done is closed when the node moves nothing any more; Err says why.
func (t *Tun) Done() <-chan struct{} { return t.done }

// Err returns why it ended, nil while it has not.
func (t *Tun) Err() error {
	select {
	case <-t.done:
		return t.err
	default:
		return nil
	}
}

// Close takes the TUN back.
func (t *Tun) Close() error {
	t.end(net.ErrClosed)
	return nil
}

// SetRules is tunnel.Tunnel's.
func (t *Tun) SetRules(r packet.Rules) error {
	return t.ask(TunnelRules, AppendRules(nil, r), nil)
}

// SetPeer is tunnel.Tunnel's.
func (t *Tun) SetPeer(p tunnel.Peer) error {
	return t.ask(TunnelPeer, AppendPeer(nil, p), nil)
}

// Counts is tunnel.Tunnel's.
func (t *Tun) Counts() (total tunnel.Total, peers []tunnel.PeerCount, err error) {
	err = t.ask(TunnelAsk, nil, func(body []byte) (more bool, err error) {
		var list []tunnel.PeerCount
		total, list, more, err = ParseCounts(body)
		peers = append(peers, list...)
		if len(peers) > tunnel.MaxPeers {
			err = ErrFrame
		}
		return more, err
	})
	return total, peers, err
}

// ask says something and waits for the answers: TUNNELDONE, or what take takes until it wants no more.
func (t *Tun) ask(k Kind, body []byte, take func([]byte) (more bool, err error)) error {
	if len(body) > MaxBody {
		return tunnel.ErrFull
	}
	t.asking.Lock()
	defer t.asking.Unlock()
	t.asked.Store(true)
	defer t.asked.Store(false)
	if err := t.w.Frame(k, body); err != nil {
		return t.broken(err)
	}
	late := time.NewTimer(tunnelPatience)
	defer late.Stop()
	for {
		select {
		case a := <-t.answers:
			more, err := taken(a, take)
			if !more {
				return err
			}
		case <-t.done:
			return t.err
		case <-late.C:
			return t.broken(errors.New("app: the node does not answer"))
		}
	}
}

// broken ends the connection, whose order of answers is lost.
func (t *Tun) broken(err error) error {
	t.end(err)
	return t.err
}

func taken(a answer, take func([]byte) (bool, error)) (more bool, err error) {
	switch {
	case a.kind == Err:
		return false, ParseErr(a.body)
	case take == nil && a.kind == TunnelDone && len(a.body) == 0:
		return false, nil
	case take != nil && a.kind == TunnelCounts:
		return take(a.body)
	}
	return false, ErrFrame
}

// AppendPrefixes and readPrefixes are a list of prefixes, at most tunnel.MaxPrefixes.
func appendPrefixes(b []byte, list []netip.Prefix) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(list)))
	for _, p := range list {
		b = wire.AppendBytes(append(b, byte(p.Bits())), p.Addr().AsSlice())
	}
	return b
}

func readPrefixes(r *wire.Reader) (list []netip.Prefix, ok bool) {
	for range r.Count(tunnel.MaxPrefixes, 1+2+4) {
		bits := int(r.U8())
		a, ok := netip.AddrFromSlice(r.Bytes(16))
		p := netip.PrefixFrom(a, bits)
		if !ok || !p.IsValid() || p.Masked() != p {
			return nil, false
		}
		list = append(list, p)
	}
	return list, true
}

// AppendRules and ParseRules are the body of TUNNELRULES.
func AppendRules(b []byte, r packet.Rules) []byte {
	return appendPrefixes(appendPrefixes(b, r.Accept), r.Refuse)
}

// ParseRules is the inverse of AppendRules. Error: ErrFrame.
func ParseRules(body []byte) (rules packet.Rules, err error) {
	r := wire.NewReader(body)
	var ok [2]bool
	rules.Accept, ok[0] = readPrefixes(r)
	rules.Refuse, ok[1] = readPrefixes(r)
	if r.Done() != nil || !ok[0] || !ok[1] {
		return packet.Rules{}, ErrFrame
	}
	return rules, nil
}

// AppendPeer and ParsePeer are the body of TUNNELPEER.
func AppendPeer(b []byte, p tunnel.Peer) []byte {
	b = append(b, p.Key[:]...)
	b = binary.BigEndian.AppendUint16(b, p.Port)
	return appendPrefixes(binary.BigEndian.AppendUint64(b, p.Rate), p.Prefixes)
}

// ParsePeer is the inverse of AppendPeer. Error: ErrFrame.
func ParsePeer(body []byte) (p tunnel.Peer, err error) {
	r := wire.NewReader(body)
	p.Key, p.Port, p.Rate = r.Key(), r.U16(), r.U64()
	list, ok := readPrefixes(r)
	if r.Done() != nil || !ok {
		return tunnel.Peer{}, ErrFrame
	}
	p.Prefixes = list
	return p, nil
}

// AppendCounts appends the body of one TUNNELCOUNTS and returns the peers that are left for the next one.
func AppendCounts(b []byte, total tunnel.Total, peers []tunnel.PeerCount) (body []byte, rest []tunnel.PeerCount) {
	now := peers[:min(len(peers), countsPerFrame)]
	rest = peers[len(now):]
	more := byte(0)
	if len(rest) > 0 {
		more = 1
	}
	b = append(b, more)
	for _, x := range []uint64{total.Malformed, total.Unrouted, total.Unknown, total.Refused} {
		b = binary.BigEndian.AppendUint64(b, x)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(now)))
	for _, p := range now {
		b = append(b, p.Key[:]...)
		b = binary.BigEndian.AppendUint16(b, p.Port)
		for _, x := range []uint64{
			p.Sent.Packets, p.Sent.Bytes, p.Received.Packets, p.Received.Bytes, p.Malformed, p.Spoofed, p.Unwelcome, p.Limited,
		} {
			b = binary.BigEndian.AppendUint64(b, x)
		}
	}
	return b, rest
}

// ParseCounts reads one TUNNELCOUNTS. Error: ErrFrame.
func ParseCounts(body []byte) (total tunnel.Total, peers []tunnel.PeerCount, more bool, err error) {
	r := wire.NewReader(body)
	m := r.U8()
	total = tunnel.Total{Malformed: r.U64(), Unrouted: r.U64(), Unknown: r.U64(), Refused: r.U64()}
	for range r.Count(countsPerFrame, 33+2+8*8) {
		p := tunnel.PeerCount{PeerID: tunnel.PeerID{Key: r.Key(), Port: r.U16()}}
		p.Sent = tunnel.Traffic{Packets: r.U64(), Bytes: r.U64()}
		p.Received = tunnel.Traffic{Packets: r.U64(), Bytes: r.U64()}
		p.Malformed, p.Spoofed, p.Unwelcome, p.Limited = r.U64(), r.U64(), r.U64(), r.U64()
		peers = append(peers, p)
	}
	if r.Done() != nil || m > 1 || m == 1 && len(peers) == 0 {
		return total, nil, false, ErrFrame
	}
	return total, peers, m == 1, nil
}
