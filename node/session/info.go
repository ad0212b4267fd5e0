package session

import (
	"cmp"
	"encoding/hex"
	"slices"
	"time"

	"github.com/skycoin/viscript/node/forward"
	"github.com/skycoin/viscript/node/identity"
)

// Info is what is known of one session.
type Info struct {
	Peer      identity.PubKey `json:"peer"`
	Route     forward.Key     `json:"-"` // of the session's first route, its name
	Initiator bool            `json:"initiator"`
	Terms     Terms           `json:"terms,omitempty"` // what its routes meet, where they are ours
	Apart     bool            `json:"apart,omitempty"` // it is kept for what its initiator asks for, with Terms that he knows
	Ready     bool            `json:"ready"`
	Began     time.Time       `json:"began"`
	RTT       time.Duration   `json:"rtt_ns"` // of the path in use
	Streams   int             `json:"streams"`
	InFlight  uint64          `json:"in_flight_bytes"` // sealed and not acknowledged
	Window    uint64          `json:"window_bytes"`
	Retained  int             `json:"retained_bytes"` // memory that holds what is in flight
	Resent    uint64          `json:"resent_records"`
	Paths     []PathInfo      `json:"paths"`
	Switches  uint64          `json:"switches"`
	Moved     time.Time       `json:"moved,omitzero"`      // the last switch
	WhyMoved  string          `json:"why_moved,omitempty"` // its reason
	Outage    string          `json:"outage,omitempty"`    // why there is no path that answers
	Count
}

// PathInfo is what is known of one route of a session.
type PathInfo struct {
	Route  string            `json:"route"`
	Nodes  []identity.PubKey `json:"nodes,omitempty"` // where we had it laid
	State  string            `json:"state"`           // active, standby, joining, silent, leaving
	RTT    time.Duration     `json:"rtt_ns"`          // 0: not measured
	Since  time.Time         `json:"since"`
	HeardS float64           `json:"heard_seconds_ago"`
}

// Sessions lists the sessions, oldest first.
func (h *Host) Sessions() []Info {
	all := h.sessions()
	infos := make([]Info, len(all))
	for i, s := range all {
		infos[i] = s.info()
	}
	slices.SortFunc(infos, func(a, b Info) int { return cmp.Or(a.Began.Compare(b.Began), slices.Compare(a.Route[:], b.Route[:])) })
	return infos
}

func (s *Session) info() Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	ready := false
	select {
	case <-s.ready:
		ready = true
	default:
	}
	i := Info{
		Peer: s.remote, Route: s.id, Initiator: s.initiator, Terms: s.terms, Apart: s.apart.Load(), Ready: ready, Began: s.began,
		RTT: time.Duration(s.rtt.Load()), Streams: len(s.streams), InFlight: s.kept.sealed.bytes - s.kept.acked.bytes,
		Window: s.win.size, Retained: s.kept.memory(), Resent: s.resent, Switches: s.moves.n, Moved: s.moves.when, WhyMoved: s.moves.why,
		Count: s.count,
	}
	if s.alone != 0 {
		i.Outage = s.whyDown
	}
	for _, p := range s.paths {
		i.Paths = append(i.Paths, s.pathInfoLocked(p))
	}
	return i
}

func (s *Session) pathInfoLocked(p *Path) PathInfo {
	state := "standby"
	switch {
	case p.silent:
		state = "silent"
	case p == s.active:
		state = "active"
	case p.retire != 0:
		state = "leaving"
	case !p.confirmed:
		state = "joining"
	}
	heard := s.host.now() - time.Duration(p.heard.Load())
	return PathInfo{
		Route: hex.EncodeToString(p.key[:4]), Nodes: slices.Clone(p.nodes), State: state, RTT: p.srtt,
		Since: s.host.made.Add(p.since), HeardS: heard.Seconds(),
	}
}
