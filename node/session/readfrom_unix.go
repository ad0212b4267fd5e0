//go:build unix

package session

import (
	"io"
	"syscall"

	"github.com/skycoin/viscript/node/direct"
)

// intake reads a descriptor for a stream. It waits until the descriptor has data and the window room for it, and only then takes a
// buffer and reads: streams that wait for either hold no memory. Of one goroutine.
type intake struct {
	st  *Stream
	raw syscall.RawConn
	try func(fd uintptr) bool // made once, so that it costs no allocation

	n        int // the most that is read; in and out of try
	reserved int // of the window
	full     bool
	sp       *span
	m        int
	err      error
}

func newIntake(st *Stream, raw syscall.RawConn) *intake {
	in := &intake{st: st, raw: raw}
	in.try = in.attempt
	return in
}

// read waits for data and reads up to n bytes of it. A span comes with m > 0 bytes and what is reserved of the
// window for them; nil: err says why.
func (in *intake) read(n int) (sp *span, m, reserved int, err error) {
	in.n, in.reserved, in.sp, in.m, in.err = n, 0, nil, 0, nil
	for {
		in.full = false
		err = in.raw.Read(in.try)
		if err == nil && in.full {
			if err = in.st.s.takeWindow(in.st, sealedLen(in.n)); err == nil {
				in.reserved = sealedLen(in.n)
				continue
			}
		}
		if in.sp != nil {
			return in.sp, in.m, in.reserved, nil
		}
		if in.reserved > 0 {
			in.st.s.giveWindow(in.reserved)
		}
		if err == nil {
			err = in.err
		}
		return nil, 0, 0, err
	}
}

// attempt reads once; false: nothing is there.
func (in *intake) attempt(fd uintptr) bool {
	if in.reserved == 0 {
		piece, ok := in.st.s.tryWindow(in.n)
		if in.n = piece; !ok {
			in.full = true
			return true
		}
		in.reserved = sealedLen(piece)
	}
	in.sp, in.m, in.err = readSpan(fd, in.n)
	if in.err != syscall.EAGAIN {
		return true
	}
	in.st.s.giveWindow(in.reserved)
	in.reserved = 0
	return false
}

// readSpan reads up to n bytes to where they are sealed; nil with an error: nothing came.
func readSpan(fd uintptr, n int) (sp *span, m int, err error) {
	sp = newSpan()
	for {
		m, err = direct.Read(fd, sp.b[dataAt:dataAt+n:cap(sp.b)])
		if err != syscall.EINTR {
			break
		}
	}
	if m > 0 && err == nil {
		return sp, m, nil
	}
	freeSpans(sp)
	if err == nil {
		err = io.EOF
	}
	return nil, 0, err
}
