package app

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// Version is the first byte of every request.
const Version = 1

// Limits in bytes and entries.
const (
	HeaderLen = 4
	MaxBody   = 64 << 10
	MaxTarget = 512
	MaxFirst  = 16 << 10
	MaxName   = 64
	MaxHello  = 512
	MaxText   = 512
	MaxApps   = 500
)

// Kind is the type of a frame. Append-only.
type Kind uint8

// The kinds, as the package comment lists them.
const (
	Dial         Kind = 1
	Listen       Kind = 2
	Accept       Kind = 3
	Find         Kind = 4
	Info         Kind = 5
	Resolve      Kind = 6
	ListenPacket Kind = 7
	Tunnel       Kind = 8
	Over         Kind = 9
	Carry        Kind = 10
	ListenCarry  Kind = 11
	OK           Kind = 16
	Err          Kind = 17
	Apps         Kind = 18
	Node         Kind = 19
	Data         Kind = 32
	Fin          Kind = 33
	Reset        Kind = 34
	Confirm      Kind = 35
	Begin        Kind = 36
	Count        Kind = 37
	Done         Kind = 38
	Incoming     Kind = 48
	Datagram     Kind = 49
	TunnelRules  Kind = 50
	TunnelPeer   Kind = 51
	TunnelDone   Kind = 52
	TunnelAsk    Kind = 53
	TunnelCounts Kind = 54
	CarryDial    Kind = 55
	CarryOn      Kind = 56
	CarryEnd     Kind = 57
	Carrying     Kind = 58
	CarryCount   Kind = 59
	CarryDone    Kind = 60
)

// ErrFrame is the error of bytes that break the protocol.
var ErrFrame = errors.New("app: malformed frame on the app socket")

// Port numbers an app on its node; 0 stands for any.
type Port uint16

// Code, Refused: see package wire.
type (
	Code    = wire.Code
	Refused = wire.Refused
)

// The codes that apps meet and give; package wire has them all.
const (
	CodeTimeout    = wire.CodeTimeout
	CodeDenied     = wire.CodeDenied
	CodeNoListener = wire.CodeNoListener
	CodeNoRoute    = wire.CodeNoRoute
	CodeNoName     = wire.CodeNoName
	CodeBusy       = wire.CodeBusy
	CodeInternal   = wire.CodeInternal
	CodeGone       = wire.CodeGone
	CodeCancelled  = wire.CodeCancelled
	CodeBadRequest = wire.CodeBadRequest
)

// Reader takes frames off a connection. One goroutine at a time.
type Reader struct {
	r        io.Reader
	buf      []byte
	from, to int
}

// NewReader reads frames from r through a buffer that holds one largest frame.
func NewReader(r io.Reader) *Reader { return &Reader{r: r} }

// Next returns the next frame; body is valid until the following call. io.EOF only between frames.
func (r *Reader) Next() (k Kind, body []byte, err error) {
	if err := r.fill(HeaderLen); err != nil {
		return 0, nil, err
	}
	h := r.buf[r.from:]
	n := int(h[1])<<16 | int(h[2])<<8 | int(h[3])
	if n > MaxBody {
		return 0, nil, fmt.Errorf("%w: %d bytes", ErrFrame, n)
	}
	k = Kind(h[0])
	if err := r.fill(HeaderLen + n); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	body = r.buf[r.from+HeaderLen : r.from+HeaderLen+n]
	r.from += HeaderLen + n
	return k, body, nil
}

// Sizes of a Reader's buffer: small until the peer sends much.
const (
	firstBuffer = 512 // enough for the words around a descriptor that is handed over
	smallBuffer = 4 << 10
	largeBuffer = HeaderLen + MaxBody
)

// fill makes at least n unread bytes available.
func (r *Reader) fill(n int) error {
	if r.to-r.from >= n {
		return nil
	}
	r.makeRoom(n)
	for r.to-r.from < n {
		m, err := r.r.Read(r.buf[r.to:])
		r.to += m
		if err != nil && r.to-r.from < n {
			if err == io.EOF && r.to > r.from {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// makeRoom moves the unread bytes to the front, of a larger buffer if n needs it.
func (r *Reader) makeRoom(n int) {
	old := r.buf[r.from:r.to]
	if n > len(r.buf) {
		size := largeBuffer
		switch {
		case n <= firstBuffer && len(r.buf) == 0:
			size = firstBuffer
		case n <= smallBuffer:
			size = smallBuffer
		}
		r.buf = make([]byte, size)
	}
	r.from, r.to = 0, copy(r.buf, old)
}

// PutHeader writes a frame's header to b[:HeaderLen].
func PutHeader(b []byte, k Kind, n int) {
	b[0], b[1], b[2], b[3] = byte(k), byte(n>>16), byte(n>>8), byte(n)
}

// AppendFrame appends a whole frame; body is at most MaxBody.
func AppendFrame(b []byte, k Kind, body []byte) []byte {
	b = append(b, byte(k), byte(len(body)>>16), byte(len(body)>>8), byte(len(body)))
	return append(b, body...)
}

// ParseErr reads the body of ERR or RESET.
func ParseErr(body []byte) *Refused {
	r := wire.NewReader(body)
	e := &Refused{Code: Code(r.U16())}
	if r.Len() > 0 {
		e.Text = r.String(MaxText)
	}
	if r.Done() != nil {
		return &Refused{Code: wire.CodeInternal, Text: "the node's answer was malformed"}
	}
	return e
}

// Tally is the body of COUNT and DONE: bytes that the node has moved for a descriptor.
type Tally struct {
	Up, Down uint64 // to the mesh, from the mesh
	Code     Code   // of DONE: 0 when both directions came to their end
}

// AppendTally and ParseTally are the body of COUNT and DONE.
func AppendTally(b []byte, t Tally) []byte {
	b = binary.BigEndian.AppendUint64(b, t.Up)
	b = binary.BigEndian.AppendUint64(b, t.Down)
	return binary.BigEndian.AppendUint16(b, uint16(t.Code))
}

// ParseTally is the inverse of AppendTally.
func ParseTally(body []byte) (Tally, error) {
	r := wire.NewReader(body)
	t := Tally{Up: r.U64(), Down: r.U64(), Code: Code(r.U16())}
	return t, r.Done()
}

// App is what the tracker knows of one app.
type App struct {
	Name string          `json:"name"`
	Type string          `json:"type"`
	Node identity.PubKey `json:"node"`
	Port Port            `json:"port"`
}

// AppendApps and ParseApps are the body of APPS.
func AppendApps(b []byte, apps []App) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(apps)))
	for _, a := range apps {
		b = wire.AppendString(wire.AppendString(b, a.Name), a.Type)
		b = append(b, a.Node[:]...)
		b = binary.BigEndian.AppendUint16(b, uint16(a.Port))
	}
	return b
}

// ParseApps is the inverse of AppendApps.
func ParseApps(body []byte) ([]App, error) {
	r := wire.NewReader(body)
	apps := make([]App, r.Count(MaxApps, 2+2+identity.PubKeyLen+2))
	for i := range apps {
		apps[i] = App{Name: r.String(MaxName), Type: r.String(MaxName), Node: r.Key(), Port: Port(r.U16())}
	}
	return apps, r.Done()
}
