//go:build !linux

package portmap

import (
	"errors"
	"net/netip"
)

// ErrNoGateway: this host has no default route, or the system does not tell.
var ErrNoGateway = errors.New("portmap: the default route of this system is not known")

// Gateway knows nothing here.
func Gateway() (netip.Addr, error) { return netip.Addr{}, ErrNoGateway }
