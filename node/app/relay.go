package app

import (
	"errors"
	"fmt"
	"net"
	"runtime"
)

// ErrNoRelay says that the node cannot take a descriptor here: the program copies itself. It is errors.ErrUnsupported.
var ErrNoRelay = fmt.Errorf("app: the node takes no descriptors over this connection: %w", errors.ErrUnsupported)

// Relay has the node move the stream's bytes between the mesh and tcp, without a detour through this
// process, until both directions came to their end (nil), the stream breaks (*Refused) or the Conn is closed. Half closes
// and resets pass both ways. It works before the first Read and Write only; progress, if not nil, is told of the bytes moved
// every few seconds and at the end. tcp stays the caller's to close, but not to use. ErrNoRelay: nothing has happened.
func (c *Conn) Relay(tcp *net.TCPConn, progress func(up, down uint64)) error {
	unix, ok := c.nc.(*net.UnixConn)
	if !ok || runtime.GOOS == "windows" {
		return ErrNoRelay
	}
	late := true
	c.beginning.Do(func() {
		late = false
		if err := pass(unix, AppendFrame(nil, Begin, nil), tcp); err != nil {
			c.beginErr = c.lost(err)
		}
	})
	if late {
		return ErrNoRelay
	}
	if c.beginErr != nil {
		return c.beginErr
	}
	for {
		kind, body, err := c.r.Next()
		if err != nil {
			return c.lost(err)
		}
		t, err := ParseTally(body)
		switch {
		case kind == Reset:
			return ParseErr(body)
		case err != nil || kind != Count && kind != Done:
			return ErrFrame
		}
		if progress != nil {
			progress(t.Up, t.Down)
		}
		if kind == Done && t.Code != 0 {
			return &Refused{Code: t.Code}
		}
		if kind == Done {
			return nil
		}
	}
}
