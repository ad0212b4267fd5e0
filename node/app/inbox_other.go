//go:build !unix

package app

import "net"

// Inbox reads one end of an app socket; no descriptors come along here.
type Inbox struct{ nc net.Conn }

// NewInbox reads from nc.
func NewInbox(nc net.Conn) *Inbox { return &Inbox{nc: nc} }

// Read implements io.Reader.
func (i *Inbox) Read(p []byte) (int, error) { return i.nc.Read(p) }

// Close does nothing.
func (i *Inbox) Close() error { return nil }

// TakeConn returns nil.
func (i *Inbox) TakeConn() net.Conn { return nil }
