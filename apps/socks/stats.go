package socks

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"
)

// Stats are the counters of a client or server since it began. Up is from program to
// target, down the other way.
type Stats struct {
	Active    int               `json:"active"`
	Total     uint64            `json:"total"`           // established, active ones included
	Kinds     map[string]int    `json:"kinds,omitempty"` // of the active ones: connect, udp, bind, http
	Refused   map[string]uint64 `json:"refused,omitempty"`
	BytesUp   uint64            `json:"bytes_up"`
	BytesDown uint64            `json:"bytes_down"`
	Datagrams *DatagramStats    `json:"datagrams,omitempty"` // nil: there were none
}

// DatagramStats count datagrams; Dropped by reason, both ways.
type DatagramStats struct {
	Up      uint64            `json:"up"`
	Down    uint64            `json:"down"`
	Dropped map[string]uint64 `json:"dropped,omitempty"`
}

// Connection is one row of the list of connections.
type Connection struct {
	Peer       string  `json:"peer,omitempty"` // key of the node, or address of the program
	User       string  `json:"user,omitempty"` // at a client that asks for it
	Kind       string  `json:"kind"`           // connect, udp, bind, http
	Target     string  `json:"target,omitempty"`
	AgeSeconds float64 `json:"age_seconds"`
	BytesUp    uint64  `json:"bytes_up"`
	BytesDown  uint64  `json:"bytes_down"`
	Connected  bool    `json:"connected"` // false while it negotiates or dials
}

// Owner is what one user of a client, or one node at an exit, uses and may use.
type Owner struct {
	Name        string `json:"name"` // "" at a client without users
	Active      int    `json:"active"`
	Connections int    `json:"max_connections,omitempty"` // 0: no limit of its own
	Rate        int64  `json:"rate_bytes,omitempty"`      // per second, each way; 0: none
	Total       uint64 `json:"total"`
	Refused     uint64 `json:"refused"` // for having too many connections
	BytesUp     uint64 `json:"bytes_up"`
	BytesDown   uint64 `json:"bytes_down"`
}

// datagramCounters count what crossed and what did not.
type datagramCounters struct {
	up, down atomic.Uint64
	dropped  [numReasons]atomic.Uint64
}

func (c *datagramCounters) drop(r Reason) { c.dropped[r].Add(1) }

func (c *datagramCounters) stats() *DatagramStats {
	s := &DatagramStats{Up: c.up.Load(), Down: c.down.Load(), Dropped: byReason(&c.dropped)}
	if s.Up == 0 && s.Down == 0 && s.Dropped == nil {
		return nil
	}
	return s
}

// byReason names the counters that are not 0; nil when there are none.
func byReason(counters *[numReasons]atomic.Uint64) (m map[string]uint64) {
	for r := range counters {
		if n := counters[r].Load(); n > 0 {
			if m == nil {
				m = map[string]uint64{}
			}
			m[Reason(r).String()] = n
		}
	}
	return m
}

// stats sums up.
func (t *table) stats() Stats {
	t.mu.Lock()
	s := Stats{Active: len(t.conns), Total: t.total, BytesUp: t.endedUp, BytesDown: t.endedDown}
	for e := range t.conns {
		s.BytesUp += e.up.Load()
		s.BytesDown += e.down.Load()
		if e.target.Load() != nil {
			if s.Kinds == nil {
				s.Kinds = map[string]int{}
			}
			s.Kinds[kind(e.kind.Load()).String()]++
		}
	}
	t.mu.Unlock()
	s.Refused, s.Datagrams = byReason(&t.refused), t.datagrams.stats()
	return s
}

// owners lists who used it lately, those with most bytes first, at most maxListed.
func (t *table) owners() []Owner {
	t.mu.Lock()
	live := map[*share]*Owner{}
	rows := make([]*Owner, 0, len(t.shares))
	for _, s := range t.shares {
		o := &Owner{Name: s.owner, Active: s.conns, Connections: s.allow.Conns, Rate: s.allow.Rate, Total: s.total, Refused: s.refused, BytesUp: s.up, BytesDown: s.down}
		live[s] = o
		rows = append(rows, o)
	}
	for e := range t.conns {
		if o := live[e.share.Load()]; o != nil {
			o.BytesUp += e.up.Load()
			o.BytesDown += e.down.Load()
		}
	}
	t.mu.Unlock()
	slices.SortFunc(rows, func(a, b *Owner) int {
		return cmp.Or(cmp.Compare(b.BytesUp+b.BytesDown, a.BytesUp+a.BytesDown), cmp.Compare(a.Name, b.Name))
	})
	out := make([]Owner, 0, min(len(rows), maxListed))
	for _, o := range rows[:min(len(rows), maxListed)] {
		out = append(out, *o)
	}
	return out
}

// row is the connection in the list.
func (e *entry) row(now time.Time) Connection {
	row := Connection{
		Peer: e.peer, Kind: kind(e.kind.Load()).String(), AgeSeconds: now.Sub(e.since).Seconds(),
		BytesUp: e.up.Load(), BytesDown: e.down.Load(), Connected: e.connected.Load(),
	}
	if target := e.target.Load(); target != nil {
		row.Target = *target
	}
	if s := e.share.Load(); s != nil && e.key.IsZero() {
		row.User = s.owner
	}
	return row
}
