package mailbox

import (
	"encoding/binary"

	"github.com/skycoin/viscript/messenger/chat/envelope"
	"github.com/skycoin/viscript/messenger/chat/prekey"
	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/wire"
)

// The requests, numbered as in the package comment; append only.
const (
	typePut     control.Type = 1
	typeFetch   control.Type = 2
	typeAck     control.Type = 3
	typePublish control.Type = 4
	typeCards   control.Type = 5
	typeTake    control.Type = 6
)

const (
	maxEnvelope = envelope.MaxBody + envelope.Overhead
	maxAcks     = 512
)

// appendList appends a count and elements, each with its length.
func appendList(dst []byte, list [][]byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(list)))
	for _, b := range list {
		dst = wire.AppendBytes(dst, b)
	}
	return dst
}

// readList reads at most n elements of at most max bytes; they alias the message.
func readList(r *wire.Reader, n, max int) [][]byte {
	list := make([][]byte, r.Count(n, 2))
	for i := range list {
		list[i] = r.Bytes(max)
	}
	return list
}

// putRequest is request 1.
type putRequest struct {
	to        Address
	envelopes [][]byte
}

func (q putRequest) append(dst []byte) []byte { return appendList(q.to.append(dst), q.envelopes) }

func parsePut(b []byte) (q putRequest, err error) {
	r := wire.NewReader(b)
	q.to, q.envelopes = readAddress(r), readList(r, MaxPutCount, maxEnvelope)
	if err := r.Done(); err != nil {
		return q, err
	}
	for _, e := range q.envelopes {
		if !envelope.Fits(len(e)) {
			return q, wire.ErrMalformed
		}
	}
	return q, nil
}

// ackRequest is request 3.
type ackRequest struct {
	device uint32
	ids    []ID
}

func (q ackRequest) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint32(dst, q.device), uint16(len(q.ids)))
	for _, id := range q.ids {
		dst = append(dst, id[:]...)
	}
	return dst
}

func parseAck(b []byte) (q ackRequest, err error) {
	r := wire.NewReader(b)
	q.device = r.U32()
	q.ids = make([]ID, r.Count(maxAcks, len(ID{})))
	for i := range q.ids {
		r.Fixed(q.ids[i][:])
	}
	return q, r.Done()
}

// append and parseBundle are request 4.
func (b Bundle) append(dst []byte) []byte {
	return appendList(wire.AppendBytes(dst, b.Card), b.Prekeys)
}

func parseBundle(b []byte) (q Bundle, err error) {
	r := wire.NewReader(b)
	q.Card, q.Prekeys = r.Bytes(MaxCard), readList(r, MaxPrekeys, prekey.Len)
	return q, r.Done()
}

// parseList reads an answer that is a list.
func parseList(b []byte, n, max int) ([][]byte, error) {
	r := wire.NewReader(b)
	list := readList(r, n, max)
	return list, r.Done()
}

func parseAddress(b []byte) (Address, error) {
	r := wire.NewReader(b)
	a := readAddress(r)
	return a, r.Done()
}

func parseDevice(b []byte) (uint32, error) {
	r := wire.NewReader(b)
	d := r.U32()
	return d, r.Done()
}
