// Package tun opens the TUN of this host whose frames package packet describes. [Memory] is one without a kernel, for tests.
package tun

import (
	"os"

	"github.com/skycoin/viscript/node/packet"
	"github.com/skycoin/viscript/node/tunnel"
)

// Device is an open TUN. It is gone from the system when every descriptor of it is closed.
type Device struct {
	Name    string         // of the interface
	Offload packet.Offload // what it takes unfinished
	// File can be given to another process; nil where that does not work. Then Frames is what is read and written.
	File   *os.File
	Frames Frames
}

// Limit makes the TUN give nothing unfinished but what the other ends take too. What it takes stays.
func (d *Device) Limit(o packet.Offload) error {
	if d.File == nil {
		return nil // it gives single packets
	}
	return limit(d.File, d.Offload&o)
}

// Frames is a TUN that this process reads and writes itself.
type Frames interface {
	tunnel.Device
	// Wake makes the Read that waits, or the next one that would, return nothing.
	Wake()
}

// Close lets the TUN go.
func (d *Device) Close() error {
	if d.File != nil {
		return d.File.Close()
	}
	return d.Frames.Close()
}
