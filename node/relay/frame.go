package relay

import (
	"encoding/binary"
	"fmt"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// Record types of the connection, and the route of requests.
const (
	TypeData     = wire.Data
	TypeWord     = wire.Control
	TypeService  = wire.Handshake
	ServiceRoute = wire.RouteID(1)
	// FirstRoute is the first number that circuits may have.
	FirstRoute = ServiceRoute + 1
)

// Lengths in bytes.
const (
	HeadLen  = identity.PubKeyLen + 4 // key and circuit
	MaxPiece = 64 << 10               // of one Data record
)

// Circuit is the number of a circuit as it travels.
type Circuit uint32

// fromAcceptor is set in what the end that accepted sends.
const fromAcceptor Circuit = 1 << 31

// Other is the number with which the other end speaks of the same circuit.
func (c Circuit) Other() Circuit { return c ^ fromAcceptor }

// Word is what a Control record says.
type Word uint8

// The words. Append-only.
const (
	WordOpen   Word = 1
	WordAccept Word = 2
	WordCredit Word = 3
	WordReset  Word = 4
)

// Reset says why a circuit is over. Append-only.
type Reset uint8

// The reasons. NotHere, Quota and Dropped are the messenger's.
const (
	ResetClosed  Reset = 1 // the other end closed it, or does not know it
	ResetNotHere Reset = 2 // that key is not connected to this messenger
	ResetQuota   Reset = 3 // the sender wants more than it may
	ResetDropped Reset = 4 // the receiver was too slow for what came
	ResetBusy    Reset = 5 // the other end takes no more circuits
	ResetCredit  Reset = 6 // the sender sent more than it had credit for
)

var resetText = map[Reset]string{
	ResetClosed: "closed by the other end", ResetNotHere: "that key is not connected there", ResetQuota: "over quota",
	ResetDropped: "dropped: the reader was too slow", ResetBusy: "the other end is busy", ResetCredit: "sent beyond the credit",
}

// Error implements error.
func (r Reset) Error() string {
	if s := resetText[r]; s != "" {
		return "relay: " + s
	}
	return fmt.Sprintf("relay: reset, code %d", uint8(r))
}

// AppendHead appends what begins the payload of Data and Control.
func AppendHead(dst []byte, key identity.PubKey, c Circuit) []byte {
	return binary.BigEndian.AppendUint32(append(dst, key[:]...), uint32(c))
}

// SplitHead reads it; key and bytes alias b, and key is not checked. ok is false where b is too short.
func SplitHead(b []byte) (key []byte, c Circuit, rest []byte, ok bool) {
	if len(b) < HeadLen {
		return nil, 0, nil, false
	}
	return b[:identity.PubKeyLen], Circuit(binary.BigEndian.Uint32(b[identity.PubKeyLen:])), b[HeadLen:], true
}

// AppendWord appends the payload of a Control record; value is the word's number.
func AppendWord(dst []byte, key identity.PubKey, c Circuit, w Word, value uint64) []byte {
	dst = append(AppendHead(dst, key, c), byte(w))
	switch w {
	case WordOpen, WordAccept:
		return binary.BigEndian.AppendUint32(dst, uint32(value))
	case WordCredit:
		return binary.BigEndian.AppendUint64(dst, value)
	}
	return append(dst, byte(value))
}

// ParseWord reads what follows the head. Errors wrap wire.ErrMalformed.
func ParseWord(b []byte) (w Word, value uint64, err error) {
	r := wire.NewReader(b)
	switch w = Word(r.U8()); w {
	case WordOpen, WordAccept:
		value = uint64(r.U32())
	case WordCredit:
		value = r.U64()
	case WordReset:
		value = uint64(r.U8())
	default:
		return w, 0, malformed("word %d", w)
	}
	return w, value, r.Done()
}

// AppendRecord appends a whole plaintext record for link.Link.Send: length, header, payload, room for the tag.
func AppendRecord(dst []byte, t wire.Type, route wire.RouteID, payload []byte) []byte {
	n := wire.HeaderLen + len(payload) + wire.TagLen
	dst = append(dst, byte(n>>16), byte(n>>8), byte(n), byte(t))
	dst = binary.BigEndian.AppendUint32(dst, uint32(route))
	dst = append(dst, payload...)
	return append(dst, make([]byte, wire.TagLen)...)
}
