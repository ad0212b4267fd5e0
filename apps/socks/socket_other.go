//go:build !unix

package socks

import (
	"errors"
	"net"
)

// Socket is a TCP socket that is on its way to another process: none is here.
type Socket struct{}

func dup(*net.TCPConn) (*Socket, error) { return nil, errors.ErrUnsupported }

func dupFD(uintptr) (*Socket, error) { return nil, errors.ErrUnsupported }

func detach(*net.TCPConn) (*Socket, error) { return nil, errors.ErrUnsupported }

func (s *Socket) attach() (*net.TCPConn, error) { return nil, errors.ErrUnsupported }

// Control fails.
func (s *Socket) Control(func(fd uintptr)) error { return errors.ErrUnsupported }

// Close does nothing.
func (s *Socket) Close() {}

// Reset does nothing.
func (s *Socket) Reset() {}
