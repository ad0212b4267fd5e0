//go:build linux

package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"github.com/skycoin/viscript/signal"
)

// Handed is what a daemon passes to the program that takes its place under the same pid: the
// lock, so that no other daemon can slip in, and the listening sockets, so that no client
// is turned away meanwhile. Any of them may be nil.
type Handed struct {
	Lock, Unix, TCP *os.File
}

// Close closes what there is.
func (h Handed) Close() {
	for _, f := range []*os.File{h.Lock, h.Unix, h.TCP} {
		if f != nil {
			f.Close()
		}
	}
}

// Handover ends the server as the end of Run's context does, but stops no app, and returns
// copies of its lock and its sockets. Every app runs on, attached ones too.
func (s *Server) Handover() (Handed, error) {
	var h Handed
	var err error
	if h.Lock, err = duplicate(s.lock); err == nil {
		h.Unix, err = s.unix.File()
	}
	if err == nil && s.tcp != nil {
		h.TCP, err = s.tcp.File()
	}
	if err != nil {
		h.Close()
		return Handed{}, fmt.Errorf("handing over: %w", err)
	}
	s.mu.Lock()
	s.handing = true
	s.mu.Unlock()
	s.end(context.Background()) // nothing is waited for that has no end
	return h, nil
}

func (s *Server) isHanding() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.handing
}

func (s *Server) reexec() error {
	if s.cfg.Reexec == nil {
		return signal.Errorf(signal.CodeUnavailable, "this daemon cannot start itself anew")
	}
	return s.cfg.Reexec()
}

// inherit takes the listener of a program that this one replaces.
func inherit[L net.Listener](f *os.File) (listener L, err error) {
	l, err := net.FileListener(f)
	if err != nil {
		return listener, fmt.Errorf("taking over a socket: %w", err)
	}
	listener, ok := l.(L)
	if !ok {
		l.Close()
		return listener, errors.New("taking over a socket: it is of another kind")
	}
	return listener, nil
}

// duplicate is a second descriptor of an open file, with its lock.
func duplicate(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}
