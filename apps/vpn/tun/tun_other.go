//go:build !linux && !darwin && !windows && !freebsd && !openbsd

package tun

import "errors"

// Open fails: no TUN of this system is known.
func Open(string, bool) (*Device, error) { return nil, errors.ErrUnsupported }
