//go:build !linux

package hostnet

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
)

// Host is one VPN's hold on the network of its host; on this system there is none.
type Host struct{}

// errSystem is what everything here answers.
func errSystem() error {
	return fmt.Errorf("a VPN changes routes, firewall and resolvers of its host, which this program does on Linux only: %w", errors.ErrUnsupported)
}

// Open answers errors.ErrUnsupported.
func Open(Config) (*Host, error) { return nil, errSystem() }

// Client answers errors.ErrUnsupported.
func (*Host) Client(context.Context, Client) error { return errSystem() }

// Server answers errors.ErrUnsupported.
func (*Host) Server(context.Context, Server) error { return errSystem() }

// AddClient answers errors.ErrUnsupported.
func (*Host) AddClient(netip.Addr) error { return errSystem() }

// RemoveClient answers errors.ErrUnsupported.
func (*Host) RemoveClient(netip.Addr) error { return errSystem() }

// Run answers errors.ErrUnsupported.
func (*Host) Run(context.Context, func(Change)) error { return errSystem() }

// Undo answers errors.ErrUnsupported.
func (*Host) Undo() (Report, error) { return Report{}, errSystem() }

// Leave does nothing.
func (*Host) Leave() {}

// Down answers errors.ErrUnsupported.
func Down(Config) (Report, error) { return Report{}, errSystem() }

// Leftovers answers errors.ErrUnsupported.
func Leftovers() ([]string, error) { return nil, errSystem() }

// Sweep answers errors.ErrUnsupported.
func Sweep() (Report, error) { return Report{}, errSystem() }

// Rights answers errors.ErrUnsupported.
func Rights() error { return errSystem() }

// Check answers errors.ErrUnsupported.
func Check(context.Context, Config) ([]Verdict, error) { return nil, errSystem() }

// MayMark answers errors.ErrUnsupported.
func MayMark(int) error { return errSystem() }
