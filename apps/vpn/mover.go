package vpn

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"

	"github.com/skycoin/viscript/apps/vpn/tun"
	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/packet"
	"github.com/skycoin/viscript/node/tunnel"
)

// OpenMover has the node behind c move the packets of a TUN, at a mesh port; 0: any. Where a descriptor cannot be handed over, this
// process moves them itself, over the app socket. The TUN stays the caller's; the Mover does not close it.
func OpenMover(ctx context.Context, c *app.Client, d *tun.Device, port uint16) (Mover, error) {
	if d.File != nil {
		t, err := c.OpenTun(ctx, app.Port(port), d.File, d.Offload)
		if err == nil {
			return handed{t}, nil
		}
		if !errors.Is(err, app.ErrNoRelay) {
			return nil, err
		}
	}
	if d.Frames == nil {
		return nil, Fatal(fmt.Errorf("the node's app socket takes no descriptors: %w", errors.ErrUnsupported))
	}
	conn, err := c.ListenPacket(ctx, app.Port(port))
	if err != nil {
		return nil, err
	}
	return newCarried(conn, d), nil
}

// handed is a TUN that the node has.
type handed struct{ *app.Tun }

// Port implements Mover.
func (h handed) Port() uint16 { return uint16(h.Addr().Port) }

// carried is a TUN that this process reads and writes; its datagrams cross the app socket.
type carried struct {
	*tunnel.Tunnel
	conn   *app.PacketConn
	device *borrowed
	done   chan struct{} // closed after err is set
	err    error
	once   sync.Once
	wg     sync.WaitGroup
}

func newCarried(conn *app.PacketConn, d *tun.Device) *carried {
	c := &carried{conn: conn, device: &borrowed{Frames: d.Frames, done: make(chan struct{})}, done: make(chan struct{})}
	c.Tunnel = tunnel.New(tunnel.Config{Device: c.device, Offload: d.Offload, Send: c.send})
	c.wg.Go(func() { c.end(c.Run()) })
	c.wg.Go(func() { c.end(c.receive()) })
	return c
}

// send implements tunnel.Config.Send.
func (c *carried) send(to tunnel.PeerID, rec []byte) {
	if len(rec) <= app.MaxDatagram {
		_, _ = c.conn.WriteTo(rec, app.Addr{Key: to.Key, Port: app.Port(to.Port)}) // lost, as a datagram may be
	}
}

func (c *carried) receive() error {
	buf := make([]byte, app.MaxDatagram)
	for {
		n, from, err := c.conn.ReadFrom(buf)
		if err != nil {
			return err
		}
		a := from.(app.Addr)
		c.Receive(tunnel.PeerID{Key: a.Key, Port: uint16(a.Port)}, buf[:n])
	}
}

func (c *carried) end(err error) {
	c.once.Do(func() {
		c.err = err
		close(c.done)
		c.device.Close()
		c.conn.Close()
	})
}

// Port implements Mover.
func (c *carried) Port() uint16 { return uint16(c.conn.LocalAddr().(app.Addr).Port) }

// SetRules implements Mover.
func (c *carried) SetRules(r packet.Rules) error {
	c.Tunnel.SetRules(r)
	return nil
}

// Counts implements Mover.
func (c *carried) Counts() (tunnel.Total, []tunnel.PeerCount, error) {
	total, peers := c.Tunnel.Counts()
	return total, peers, nil
}

// Done implements Mover.
func (c *carried) Done() <-chan struct{} { return c.done }

// Err implements Mover.
func (c *carried) Err() error {
	select {
	case <-c.done:
		return c.err
	default:
		return nil
	}
}

// Close implements Mover.
func (c *carried) Close() error {
	c.end(net.ErrClosed)
	c.wg.Wait()
	return nil
}

// borrowed is a device that is given back instead of closed.
type borrowed struct {
	tun.Frames
	done chan struct{}
	once sync.Once
}

// Read implements tunnel.Device.
func (b *borrowed) Read(p []byte, wait bool) (int, error) {
	n, err := b.Frames.Read(p, wait)
	select {
	case <-b.done:
		return 0, os.ErrClosed
	default:
		return n, err
	}
}

// Close implements tunnel.Device.
func (b *borrowed) Close() error {
	b.once.Do(func() { close(b.done) })
	b.Wake()
	return nil
}
