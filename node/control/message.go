package control

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/skycoin/viscript/node/route"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/wire"
)

// Version is the first byte of every message.
const Version = 1

// MaxMessage bounds a message, header included; it is the message limit of node/secure.
const MaxMessage = 64 << 10

const headerLen = 1 + 1 + 4

// Limits of fields, in bytes or elements.
const (
	MaxNameLen    = 253 // a name with its domain, as in DNS
	MaxLabelLen   = 63  // one part of a name; a type of app
	MaxAddrLen    = secure.MaxPeerLen
	MaxAddrs      = 16
	MaxLinks      = 512 // links in one report; a node with more reports the first ones
	MaxVia        = route.MaxNodes
	MaxHops       = route.MaxHops // links in one path
	MaxNeighbours = 8
	MaxApps       = 128 // records in one answer
	MaxKept       = 512 // routes in one keep
	MaxCarrierLen = 16
	MaxTextLen    = 256
)

// Times that both ends rely on.
const (
	MaxSkew       = 5 * time.Minute  // between the clocks of two parties
	RecordLife    = 90 * time.Second // of a node record and an app record, unless its signer says less
	ReportEvery   = 20 * time.Second
	DefaultIdle   = 5 * time.Minute  // of a route's rule at a node
	RouteLife     = 90 * time.Second // of a route at the manager, without a keep of its source
	maxRecordLife = 10 * time.Minute
	maxIdle       = 24 * time.Hour
	maxMillis     = 253402300799999 // the year 9999
)

// Type says what a message asks. Append-only; answers are Type|0x80.
type Type uint8

// The request types, numbered as in the package comment.
const (
	TypeRegister   Type = 1
	TypeReport     Type = 2
	TypeRoute      Type = 3
	TypeCloseRoute Type = 4
	TypeName       Type = 5
	TypeAddress    Type = 6
	TypeApp        Type = 7
	TypeAppBye     Type = 8
	TypeApps       Type = 9
	TypeMember     Type = 10
	TypeKeep       Type = 11
	TypeRecall     Type = 12
	TypeNodeName   Type = 13
	TypeInstall    Type = 16
	TypeRemove     Type = 17
	TypeNeighbours Type = 18
	TypeReroute    Type = 19

	answerBit  Type = 0x80
	maxRequest Type = 126
	typeError  Type = 255
)

func (t Type) isRequest() bool { return t >= 1 && t <= maxRequest }

func (t Type) isAnswer() bool {
	return t == typeError || (t&answerBit != 0 && (t &^ answerBit).isRequest())
}

// appendHeader appends version, type and id.
func appendHeader(dst []byte, t Type, id uint32) []byte {
	dst = append(dst, Version, byte(t))
	return binary.BigEndian.AppendUint32(dst, id)
}

// parseHeader splits a message; the body aliases b.
func parseHeader(b []byte) (t Type, id uint32, body []byte, err error) {
	if len(b) < headerLen {
		return 0, 0, nil, malformed("a message of %d bytes", len(b))
	}
	if b[0] != Version {
		return 0, 0, nil, malformed("version %d", b[0])
	}
	t = Type(b[1])
	if !t.isRequest() && !t.isAnswer() {
		return 0, 0, nil, malformed("message type %d", t)
	}
	return t, binary.BigEndian.Uint32(b[2:headerLen]), b[headerLen:], nil
}

// malformed says what is wrong with foreign bytes; it wraps wire.ErrMalformed.
func malformed(format string, args ...any) error {
	return fmt.Errorf("control: "+format+": %w", append(args, wire.ErrMalformed)...)
}

// appendTime appends milliseconds since 1970, 0 for the zero time.
func appendTime(dst []byte, t time.Time) []byte {
	return binary.BigEndian.AppendUint64(dst, millis(t))
}

func millis(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	ms := t.UnixMilli()
	return uint64(min(max(ms, 0), maxMillis))
}

// readTime reads what appendTime wrote; ok becomes false when the number is no time.
func readTime(r *wire.Reader, ok *bool) time.Time {
	ms := r.U64()
	if ms > maxMillis {
		*ok = false
		return time.Time{}
	}
	return fromMillis(ms)
}

func fromMillis(ms uint64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms))
}

// trimTime drops what the wire does not carry, so that a value equals its parsed self.
func trimTime(t time.Time) time.Time { return fromMillis(millis(t)) }

// parseEmpty checks a body that carries nothing.
func parseEmpty(b []byte) error { return wire.NewReader(b).Done() }
