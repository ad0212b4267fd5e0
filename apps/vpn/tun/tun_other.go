//go:build !linux && !darwin && !windows && !freebsd && !openbsd

package tun

import (
	"errors"
	"os"

	"github.com/skycoin/viscript/node/packet"
)

// Open fails: no TUN of this system is known.
func Open(string, bool) (*Device, error) { return nil, errors.ErrUnsupported }

// limit has nothing to limit here.
func limit(*os.File, packet.Offload) error { return nil }
