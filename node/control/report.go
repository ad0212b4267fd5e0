package control

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// LinkReport is one end's word on a link.
type LinkReport struct {
	Peer      identity.PubKey
	RTT       time.Duration // to the microsecond, at most 71 minutes; 0: not measured yet
	Jitter    time.Duration // mean difference of round trips that follow each other; as RTT
	Loss      uint32        // records or segments that had to be sent again, per million
	Capacity  uint64        // bytes a second that the link carries; 0: not known
	Up        time.Time     // since when
	SentBytes uint64
	RecvBytes uint64
	Carrier   string // such as "tcp"; at most MaxCarrierLen bytes
}

const minLink = identity.PubKeyLen + 3*4 + 4*8 + 2

// Report refreshes a node's record and says all its links.
type Report struct {
	Node  NodeRecord
	Links []LinkReport // at most MaxLinks, one per peer
}

// Append appends the body of the message.
func (m Report) Append(dst []byte) []byte {
	dst = m.Node.Append(dst)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(m.Links)))
	for _, l := range m.Links {
		dst = l.append(dst)
	}
	return dst
}

func (l LinkReport) append(dst []byte) []byte {
	dst = append(dst, l.Peer[:]...)
	dst = appendMicros(dst, l.RTT)
	dst = appendMicros(dst, l.Jitter)
	dst = binary.BigEndian.AppendUint32(dst, min(l.Loss, maxLoss))
	dst = binary.BigEndian.AppendUint64(dst, l.Capacity)
	dst = appendTime(dst, l.Up)
	dst = binary.BigEndian.AppendUint64(dst, l.SentBytes)
	dst = binary.BigEndian.AppendUint64(dst, l.RecvBytes)
	return wire.AppendString(dst, l.Carrier)
}

func appendMicros(dst []byte, d time.Duration) []byte {
	return binary.BigEndian.AppendUint32(dst, uint32(min(max(d.Microseconds(), 0), math.MaxUint32)))
}

func readMicros(r *wire.Reader) time.Duration { return time.Duration(r.U32()) * time.Microsecond }

// ParseReport reads the body of the message; the record's signature is not verified.
func ParseReport(b []byte) (Report, error) { return (*Keys)(nil).ParseReport(b) }

// ParseReport is the function of that name, for a reader of many reports.
func (k *Keys) ParseReport(b []byte) (Report, error) {
	r := wire.NewReader(b)
	ok := true
	m := Report{Node: readNode(r, &ok)}
	if n := r.Count(MaxLinks, minLink); n > 0 {
		m.Links = make([]LinkReport, n)
	}
	for i := range m.Links {
		m.Links[i] = readLink(r, k, &ok)
	}
	return m, finish(r, ok, m.check)
}

func readLink(r *wire.Reader, keys *Keys, ok *bool) LinkReport {
	return LinkReport{
		Peer:      keys.read(r, ok),
		RTT:       readMicros(r),
		Jitter:    readMicros(r),
		Loss:      readLoss(r, ok),
		Capacity:  r.U64(),
		Up:        readTime(r, ok),
		SentBytes: r.U64(),
		RecvBytes: r.U64(),
		Carrier:   r.String(MaxCarrierLen),
	}
}

const maxLoss = 1_000_000

func readLoss(r *wire.Reader, ok *bool) uint32 {
	n := r.U32()
	if n > maxLoss {
		*ok = false
	}
	return n
}

func (m Report) check() error {
	if err := m.Node.check(); err != nil {
		return err
	}
	seen := make(map[identity.PubKey]bool, len(m.Links))
	for _, l := range m.Links {
		if l.Peer == m.Node.Key || seen[l.Peer] {
			return malformed("a link to itself, or one twice")
		}
		seen[l.Peer] = true
		if l.Carrier != "" {
			if err := CheckLabel(l.Carrier); err != nil {
				return err
			}
		}
	}
	return nil
}

// Neighbour is a node that the manager proposes for a link.
type Neighbour struct {
	Key   identity.PubKey
	Addrs []string // HOST:PORT, canonical
}

const minNeighbour = identity.PubKeyLen + 2

// AppendNeighbours appends the body of the message, at most MaxNeighbours.
func AppendNeighbours(dst []byte, list []Neighbour) []byte {
	list = list[:min(len(list), MaxNeighbours)]
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(list)))
	for _, n := range list {
		dst = appendStrings(append(dst, n.Key[:]...), n.Addrs)
	}
	return dst
}

// ParseNeighbours reads the body of the message.
func ParseNeighbours(b []byte) ([]Neighbour, error) {
	r := wire.NewReader(b)
	list := make([]Neighbour, r.Count(MaxNeighbours, minNeighbour))
	for i := range list {
		list[i] = Neighbour{Key: r.Key(), Addrs: readAddrs(r)}
	}
	return list, finish(r, true, func() error {
		for _, n := range list {
			if err := checkAddrs(n.Addrs); err != nil {
				return err
			}
		}
		return nil
	})
}
