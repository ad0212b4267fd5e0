package relay

import (
	"slices"
	"time"

	"github.com/skycoin/viscript/node/identity"
)

// Info is what is known of one client.
type Info struct {
	Key           identity.PubKey
	Addr          string
	Since         time.Time
	SentBytes     uint64 // relayed from it, headers included
	ReceivedBytes uint64 // relayed to it
	Queued        int    // bytes that wait for it
	Dropped       uint64 // how often what waited for it was dropped
}

// Traffic is what a server has done.
type Traffic struct {
	Clients int
	Bytes   uint64 // relayed since the start
	Spans   uint64 // in so many writes
	Opens   uint64 // circuits asked for
	Dropped uint64 // how often what waited for a slow reader was dropped
	Refused uint64 // words and bytes for who is not there, or over quota
	Queued  int
}

// Clients lists the connections, by key.
func (s *Server) Clients() []Info {
	var list []Info
	for _, c := range s.all() {
		i := c.l.Info()
		list = append(list, Info{
			Key: c.key, Addr: i.Addr, Since: c.since, SentBytes: c.sent.Load(), ReceivedBytes: c.received.Load(), Queued: i.Queued, Dropped: c.dropped.Load(),
		})
	}
	slices.SortFunc(list, func(a, b Info) int { return slices.Compare(a.Key[:], b.Key[:]) })
	return list
}

// Connected reports whether a key is connected.
func (s *Server) Connected(key identity.PubKey) bool { return s.client(key[:]) != nil }

// Traffic sums up.
func (s *Server) Traffic() Traffic {
	t := Traffic{Bytes: s.total.bytes.Load(), Spans: s.total.records.Load(), Opens: s.total.opens.Load(), Dropped: s.total.dropped.Load(), Refused: s.total.refused.Load()}
	for _, c := range s.all() {
		t.Clients++
		t.Queued += c.l.Queued()
	}
	return t
}
