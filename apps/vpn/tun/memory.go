package tun

import (
	"io"
	"os"
	"slices"
	"sync"

	"github.com/skycoin/viscript/node/packet"
)

// memoryFrames is how many frames wait in a Memory for either side; more are dropped, as by a kernel.
const memoryFrames = 512

// Memory is a TUN without a kernel: Inject is what a kernel would send into it, Extract what it would be given.
type Memory struct {
	in, out chan []byte
	wake    chan struct{} // holds one
	done    chan struct{}
	once    sync.Once
}

// NewMemory makes one, with all offloads.
func NewMemory() (*Device, *Memory) {
	m := &Memory{in: make(chan []byte, memoryFrames), out: make(chan []byte, memoryFrames), done: make(chan struct{}), wake: make(chan struct{}, 1)}
	return &Device{Name: "memory", Offload: packet.All, Frames: m}, m
}

// Inject puts a frame, header included, on its way to peers; false when too many wait.
func (m *Memory) Inject(frame []byte) bool {
	select {
	case m.in <- slices.Clone(frame):
		return true
	default:
		return false
	}
}

// Extract is where frames from peers come out.
func (m *Memory) Extract() <-chan []byte { return m.out }

// Read implements tunnel.Device.
func (m *Memory) Read(p []byte, wait bool) (int, error) {
	select {
	case f := <-m.in:
		return copy(p, f), nil
	case <-m.done:
		return 0, os.ErrClosed
	default:
	}
	if !wait {
		return 0, nil
	}
	select {
	case f := <-m.in:
		return copy(p, f), nil
	case <-m.wake:
		return 0, nil
	case <-m.done:
		return 0, os.ErrClosed
	}
}

// Wake implements Frames.
func (m *Memory) Wake() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Write implements tunnel.Device.
func (m *Memory) Write(frame []byte) error {
	select {
	case m.out <- slices.Clone(frame):
		return nil
	default:
		return io.ErrShortWrite
	}
}

// Close implements tunnel.Device.
func (m *Memory) Close() error {
	m.once.Do(func() { close(m.done) })
	return nil
}
