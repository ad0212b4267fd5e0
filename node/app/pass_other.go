//go:build !unix

package app

import (
	"net"
	"syscall"
)

func pass(*net.UnixConn, []byte, syscall.Conn) error { return ErrNoRelay }

// Pass fails: descriptors do not travel here.
func Pass(*net.UnixConn, Kind, []byte, int) error { return ErrNoRelay }

func (w *Writer) pass(*net.UnixConn, []byte, int) error { return ErrNoRelay }
