package link

import (
	"io"
	"net"
	"syscall"

	"github.com/skycoin/viscript/node/direct"
	"github.com/skycoin/viscript/node/spare"
)

// readBuffer is large enough for several of the largest records, so that one read and one write move many.
const readBuffer = 256 << 10

// readBufs are what links read into. Where the connection is a descriptor, a link that waits for
// its neighbour holds none.
var readBufs = spare.New(2, func() *[]byte { b := make([]byte, readBuffer); return &b })

// reader is the receiving side's memory. Of one goroutine.
type reader struct {
	nc   net.Conn
	raw  syscall.RawConn // nil: no descriptor
	buf  *[]byte         // nil while nothing is held
	have int

	try func(fd uintptr) bool // one attempt to read; made once, so that it costs no allocation
	n   int                   // in and out of try
	err error
}

func (r *reader) init(nc net.Conn, raw syscall.RawConn) {
	r.nc, r.raw = nc, raw
	r.try = r.attempt
}

// bytes is what has been read and not yet skipped.
func (r *reader) bytes() []byte { return (*r.buf)[:r.have] }

// skip lets go of the first n bytes and moves the rest to the front.
func (r *reader) skip(n int) {
	b := r.bytes()
	r.have = copy(b, b[n:])
}

func (r *reader) hold() {
	if r.buf == nil {
		r.buf = readBufs.Get()
	}
}

func (r *reader) release() {
	if r.buf != nil {
		readBufs.Put(r.buf)
		r.buf = nil
	}
}

// fill waits for bytes and appends them. io.EOF: the neighbour closed.
func (r *reader) fill() (n int, err error) {
	if r.raw == nil {
		r.hold()
		n, err = r.nc.Read((*r.buf)[r.have:])
		r.have += n
		if n > 0 {
			err = nil // it comes again
		}
		return n, err
	}
	if err := r.raw.Read(r.try); err != nil {
		return 0, err
	}
	switch {
	case r.err != nil:
		return 0, r.err
	case r.n <= 0:
		return 0, io.EOF
	}
	r.have += r.n
	return r.n, nil
}

// attempt reads once; false: nothing is there.
func (r *reader) attempt(fd uintptr) bool {
	r.hold()
	for {
		r.n, r.err = direct.Read(fd, (*r.buf)[r.have:])
		if r.err != syscall.EINTR {
			break
		}
	}
	if r.err != syscall.EAGAIN {
		return true
	}
	if r.have == 0 {
		r.release()
	}
	return false
}
