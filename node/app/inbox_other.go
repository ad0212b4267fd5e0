//go:build !unix

package app

import (
	"net"
	"os"
)

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

// TakeFile returns nil.
func (i *Inbox) TakeFile() *os.File { return nil }

// TakeTCP finds none.
func (i *Inbox) TakeTCP() (tcp *TCP, ok bool, err error) { return nil, false, nil }

// TCP is a TCP socket that another process handed over: there are none here.
type TCP struct{ net.Conn }

// CloseWrite does nothing.
func (t *TCP) CloseWrite() error { return nil }

// Reset closes.
func (t *TCP) Reset() { t.Close() }
