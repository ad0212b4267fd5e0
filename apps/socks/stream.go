package socks

import (
	"context"
	"net"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// MaxFirst is the most early data that travels with a stream's opening, in bytes.
const MaxFirst = 16 << 10

// Stream is one stream across the mesh: ordered, reliable, with flow control. Read returns
// io.EOF only after the far end closed its writing half; a reset or a lost session is any
// other error. Write does not keep the slice. A stream that is an io.WriterTo or io.ReaderFrom
// is used as such where that saves copies.
type Stream interface {
	net.Conn
	// CloseWrite ends our half: the far end reads what was written and then io.EOF.
	CloseWrite() error
	// Reset breaks the stream in both directions, discards what was not yet sent and tells
	// the far end why. It unblocks Read and Write, may follow anything and may be called twice.
	Reset(wire.Code)
}

// Relayer is a Stream that can move bytes between the mesh and a TCP connection by itself,
// which spares the way through this process. Half closes and resets pass both ways; it returns nil when both directions
// came to their end. progress is told now and then, and at the end, of the bytes moved to the mesh and from it. An error
// that is errors.ErrUnsupported says that nothing has happened.
type Relayer interface {
	Relay(tcp *net.TCPConn, progress func(toMesh, fromMesh uint64)) error
}

// Dialer opens streams to an exit.
type Dialer interface {
	// DialMesh opens a stream to target (the text of a Target) and returns after the exit
	// has connected. first, at most MaxFirst bytes, is the beginning of what we send; it is
	// not kept after the return. An error has a *wire.Refused or *Error in its chain where the
	// reason is known. It returns soon after ctx ends. Safe for concurrent use.
	DialMesh(ctx context.Context, target string, first []byte) (Stream, error)
}

// DialerFunc is a function as a Dialer.
type DialerFunc func(ctx context.Context, target string, first []byte) (Stream, error)

// DialMesh implements Dialer.
func (f DialerFunc) DialMesh(ctx context.Context, target string, first []byte) (Stream, error) {
	return f(ctx, target, first)
}

// Incoming is a stream that somebody opened to us and that waits for our word: exactly one
// of Confirm and Reject is called, and Close after Confirm.
type Incoming interface {
	Stream
	Peer() identity.PubKey // the node it comes from, proven by the session's handshake
	Target() string        // as the opener wrote it: foreign text
	Confirm() error        // we are connected; data may flow
	Reject(wire.Code)      // we are not; ends the stream
}
