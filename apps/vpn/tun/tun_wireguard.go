//go:build darwin || windows || freebsd || openbsd

package tun

import (
	"fmt"
	"os"
	"sync"

	"golang.zx2c4.com/wireguard/tun"

	"github.com/skycoin/viscript/node/packet"
)

// Where a packet begins in what is read and written: there is room for the header of package packet before it, and systems
// put one of their own of four bytes there.
const packetAt = 16

// mtu is what the interface begins with; the exit's is set later.
const mtu = 1500

// waitingFrames is how many packets wait to be read; the reading of the interface waits for the rest.
const waitingFrames = 256

// plain is a TUN of a system that gives and takes single packets.
type plain struct {
	d    tun.Device
	in   chan []byte
	wake chan struct{}
	done chan struct{} // closed after err is set
	err  error
	once sync.Once
	wg   sync.WaitGroup
}

// Open makes the TUN of that name; it offers no offload. On macOS the name is utun and a number, "utun" for any.
func Open(name string, _ bool) (*Device, error) {
	d, err := tun.CreateTUN(name, mtu)
	if err != nil {
		return nil, fmt.Errorf("making the TUN %q: %w; it needs the rights of an administrator", name, err)
	}
	if name, err = d.Name(); err != nil {
		d.Close()
		return nil, fmt.Errorf("making a TUN: %w", err)
	}
	p := &plain{d: d, in: make(chan []byte, waitingFrames), wake: make(chan struct{}, 1), done: make(chan struct{})}
	p.wg.Go(p.read)
	p.wg.Go(p.events)
	return &Device{Name: name, Frames: p}, nil
}

// read takes packets off the interface until it is closed.
func (p *plain) read() {
	n := p.d.BatchSize()
	bufs, sizes := make([][]byte, n), make([]int, n)
	for i := range bufs {
		bufs[i] = make([]byte, packetAt+packet.MaxPacket)
	}
	for {
		k, err := p.d.Read(bufs, sizes, packetAt)
		if err != nil {
			p.end(err)
			return
		}
		for i := range k {
			frame := make([]byte, packet.HeaderLen+sizes[i])
			copy(frame[packet.HeaderLen:], bufs[i][packetAt:packetAt+sizes[i]])
			select {
			case p.in <- frame:
			case <-p.done:
				return
			}
		}
	}
}

// events are told to nobody: who set the interface up knows.
func (p *plain) events() {
	for range p.d.Events() {
	}
}

func (p *plain) end(err error) {
	p.once.Do(func() {
		p.err = err
		close(p.done)
	})
}

// Read implements tunnel.Device.
func (p *plain) Read(b []byte, wait bool) (int, error) {
	select {
	case f := <-p.in:
		return copy(b, f), nil
	case <-p.done:
		return 0, p.err
	default:
	}
	if !wait {
		return 0, nil
	}
	select {
	case f := <-p.in:
		return copy(b, f), nil
	case <-p.wake:
		return 0, nil
	case <-p.done:
		return 0, p.err
	}
}

// Wake implements Frames.
func (p *plain) Wake() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Write implements tunnel.Device. The frame's header, which is empty here, makes room for the system's.
func (p *plain) Write(frame []byte) error {
	_, err := p.d.Write([][]byte{frame}, packet.HeaderLen)
	return err
}

// Close implements tunnel.Device.
func (p *plain) Close() error {
	p.end(os.ErrClosed)
	err := p.d.Close()
	p.wg.Wait()
	return err
}

// limit has nothing to limit here.
func limit(*os.File, packet.Offload) error { return nil }
