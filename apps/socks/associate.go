package socks

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/identity"
)

// associationLen is what an exit says on the stream of an association that it has confirmed: the mesh port that takes its
// datagrams, and its number.
const associationLen = 2 + associationAt

const (
	exitTimeout = 10 * time.Second // for an exit's first words on a stream that it confirmed
	uidRecheck  = time.Second      // how long the answer to who holds a program's UDP port is good for
)

// peered is a stream that knows whom it leads to.
type peered interface{ Peer() identity.PubKey }

// association is a program's UDP ASSOCIATE at the client (RFC 1928 section 7). It lives as long as the program's TCP connection
// and the stream to the exit. The datagrams cross the mesh as datagrams; the stream carries none.
type association struct {
	c     *Client
	e     *entry
	conn  *net.TCPConn
	udp   *net.UDPConn
	mesh  Stream
	line  *line
	exit  identity.PubKey
	id    uint64
	port  uint16 // of the exit's datagrams
	close func() // ends it

	mu      sync.Mutex     // guards the following
	program netip.AddrPort // whom we talk to: who sent the first datagram, its port being what the request named, if it did
	checked time.Time      // when the kernel last said that the port is our user's
}

// associate opens an association and carries it to its end. expected is the port that the program named, 0: none.
func (c *Client) associate(ctx context.Context, n *negotiation, expected uint16, e *entry) error {
	e.is(kindUDP, "")
	a, err := c.openAssociation(ctx, n, expected, e)
	if err != nil {
		c.refuse(n, err)
		return err
	}
	defer a.udp.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a.close = cancel
	if err := a.line.add(a.id, &end{peer: a.exit, take: a.toProgram, lost: cancel}); err != nil {
		a.mesh.Reset(Gone.Code())
		c.refuse(n, err)
		return err
	}
	defer a.line.remove(a.id)
	if _, err := n.conn.Write(n.granted(addrPort(n.conn.LocalAddr(), a.udp.LocalAddr()))); err != nil {
		return c.left(n, a.mesh, err)
	}
	_ = n.conn.SetDeadline(time.Time{})
	c.giveBack(n)
	c.table.establish(e)
	return a.run(ctx)
}

// openAssociation does all that can fail before the program hears of it.
func (c *Client) openAssociation(ctx context.Context, n *negotiation, expected uint16, e *entry) (a *association, err error) {
	if c.hub == nil {
		return nil, because(BadCommand, "no datagrams here")
	}
	release, ok := c.table.claim(e, kindUDP, c.cfg.Limits.MaxUDP, 0)
	if !ok {
		return nil, because(Busy, "%d UDP associations are open", c.cfg.Limits.MaxUDP)
	}
	context.AfterFunc(ctx, release) // the connection's own context: it ends with the connection
	a = &association{c: c, e: e, conn: n.conn}
	from := addrPort(n.conn.RemoteAddr())
	a.program = netip.AddrPortFrom(from.Addr(), expected)
	if a.line, err = c.hub.line(ctx); err != nil {
		return nil, &Error{Reason: Internal, Err: err}
	}
	if a.mesh, err = c.dialMesh(ctx, errand{kind: kindUDP, port: a.line.Port()}.String(), nil); err != nil {
		return nil, err
	}
	if err = a.hear(); err == nil {
		a.udp, err = listenUDP(addrPort(n.conn.LocalAddr()).Addr())
	}
	if err != nil {
		a.mesh.Reset(Gone.Code())
		a.mesh.Close()
		return nil, err
	}
	return a, nil
}

// hear reads what the exit says of the association.
func (a *association) hear() error {
	to, ok := a.mesh.(peered)
	if !ok {
		return because(Internal, "a stream that does not know its far end")
	}
	_ = a.mesh.SetReadDeadline(time.Now().Add(exitTimeout))
	var b [associationLen]byte
	if _, err := io.ReadFull(a.mesh, b[:]); err != nil {
		return &Error{Reason: meshReason(context.Background(), err), Err: fmt.Errorf("hearing from the exit: %w", err)}
	}
	_ = a.mesh.SetReadDeadline(time.Time{})
	a.exit, a.port, a.id = to.Peer(), binary.BigEndian.Uint16(b[:]), binary.BigEndian.Uint64(b[2:])
	return nil
}

// listenUDP takes a port of an address of ours for one program.
func listenUDP(at netip.Addr) (*net.UDPConn, error) {
	udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 0)))
	if err != nil {
		return nil, fmt.Errorf("socks: taking a UDP port: %w", err)
	}
	_ = udp.SetReadBuffer(udpBuffer) // less where the kernel allows less
	return udp, nil
}

// run carries datagrams until the program or the exit hangs up or ctx ends. All is closed on return.
func (a *association) run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		a.udp.Close()
		a.mesh.Close()
		a.conn.Close()
	})
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() {
		defer a.close()
		_, _ = io.Copy(io.Discard, a.mesh) // the exit says nothing more; what it sends is its end
	})
	wg.Go(func() {
		defer a.close()
		_, _ = io.Copy(io.Discard, onlyReader{a.conn}) // RFC 1928 section 7: the association ends with the connection
	})
	a.fromProgram()
	a.close()
	wg.Wait()
	return context.Cause(ctx)
}

// onlyReader hides that a connection could be spliced.
type onlyReader struct{ io.Reader }

// fromProgram sends on what the program sends, until the socket is closed.
func (a *association) fromProgram() {
	room := associationAt - udpHead // the number is longer than what it takes the place of
	b := make([]byte, room+maxUDP)
	up, _ := a.e.halves()
	for {
		n, from, err := a.udp.ReadFromUDPAddrPort(b[room:])
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil || !a.isProgram(from) {
			continue
		}
		t, data, err := parseUDP(b[room : room+n])
		if err == nil && t.onMesh() {
			err = because(NoSuchName, "datagrams to %s", t)
		}
		if err == nil && !passes(up.limit, n) {
			err = because(Busy, "faster than the user may")
		}
		if err != nil {
			a.c.table.datagrams.drop(dropReason(err))
			continue
		}
		binary.BigEndian.PutUint64(b, a.id)
		if err := a.line.WritePacket(b[:room+n], a.exit, a.port); err != nil { // too long, or the node is gone
			a.c.table.datagrams.drop(Internal)
			continue
		}
		up.count.Add(uint64(n - data))
		a.c.table.datagrams.up.Add(1)
	}
}

// dropReason is ReasonOf, a datagram cut short being malformed.
func dropReason(err error) Reason {
	if errors.Is(err, errShort) {
		return Malformed
	}
	return ReasonOf(err)
}

// isProgram reports whether a datagram is the program's; the first one decides.
func (a *association) isProgram(from netip.AddrPort) bool {
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	a.mu.Lock()
	defer a.mu.Unlock()
	if from.Addr() != a.program.Addr() || a.program.Port() != 0 && a.program.Port() != from.Port() {
		a.c.table.datagrams.drop(Denied)
		return false
	}
	if now := time.Now(); a.c.cfg.PacketUID != nil && from.Addr().IsLoopback() && now.Sub(a.checked) > uidRecheck {
		if uid, err := a.c.cfg.PacketUID(from); err != nil || uid != os.Geteuid() {
			a.c.table.datagrams.drop(ForeignUser)
			return false
		}
		a.checked = now
	}
	a.program = from
	return true
}

// toProgram hands the program what came from the exit.
func (a *association) toProgram(b []byte) {
	a.mu.Lock()
	to := a.program
	a.mu.Unlock()
	t, n, err := parsePlace(b)
	if err != nil || t.Name != "" {
		a.c.table.datagrams.drop(Malformed)
		return
	}
	_, down := a.e.halves()
	if to.Port() == 0 || !passes(down.limit, len(b)) {
		a.c.table.datagrams.drop(Busy)
		return
	}
	packet := make([]byte, udpHead, udpHead+len(b))
	if _, err := a.udp.WriteToUDPAddrPort(append(packet, b...), to); err == nil {
		down.count.Add(uint64(len(b) - n))
		a.c.table.datagrams.down.Add(1)
	}
}
