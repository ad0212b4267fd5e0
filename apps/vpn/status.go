package vpn

import (
	"net/netip"
	"slices"
	"time"

	"github.com/skycoin/viscript/node/tunnel"
)

// State is how far a client has come.
type State string

// The states of a client.
const (
	StateStarting   State = "starting"
	StateFinding    State = "finding an exit"
	StateConnecting State = "connecting"
	StateProbing    State = "probing" // everything is set, but nothing has come back yet
	StateConnected  State = "connected"
	StateWaiting    State = "reconnecting"
	StateStopped    State = "stopped"
)

// Status is what a client says of itself.
type Status struct {
	State      State         `json:"state"`
	Since      time.Time     `json:"since"` // of being connected; before that of the start
	Exit       string        `json:"exit,omitempty"`
	ExitKey    string        `json:"exit_key,omitempty"`
	Terms      string        `json:"terms,omitempty"` // what the routes to it meet
	Addrs      []string      `json:"addresses,omitempty"`
	DNS        []string      `json:"dns,omitempty"`
	MTU        int           `json:"mtu,omitempty"`
	RTT        time.Duration `json:"rtt_ns,omitempty"`         // through the tunnel
	ControlRTT time.Duration `json:"control_rtt_ns,omitempty"` // of the control stream
	Trouble    string        `json:"trouble,omitempty"`        // why there was none, last
	Reconnects int           `json:"reconnects"`
}

// say changes the status.
func (c *Client) say(f func(*Status)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.status)
}

// lost notes that a tunnel has ended or not begun, and reports whether it had been up.
func (c *Client) lost(err error) (up bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	up = c.status.State == StateConnected
	if up {
		c.status.Reconnects++
	}
	c.status.State, c.status.Trouble = StateWaiting, err.Error()
	c.log.Warn("no tunnel", "err", err)
	return up
}

// Status returns what there is to say now.
func (c *Client) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.status
	s.Terms = c.cfg.Terms
	s.Addrs, s.DNS = slices.Clone(s.Addrs), slices.Clone(s.DNS)
	return s
}

// Stats are a tunnel's counters and its rates since they were asked for last.
type Stats struct {
	Sent       tunnel.Traffic `json:"sent"`
	Received   tunnel.Traffic `json:"received"`
	SentRate   float64        `json:"sent_bytes_per_s"`
	RecvRate   float64        `json:"received_bytes_per_s"`
	Total      tunnel.Total   `json:"dropped"`
	Unwelcome  uint64         `json:"unwelcome"` // packets that were not for us
	Malformed  uint64         `json:"malformed"`
	RateWindow time.Duration  `json:"rate_window_ns"`
}

// sum adds up what a mover counted of its peers.
func sum(total tunnel.Total, peers []tunnel.PeerCount, err error) (Stats, error) {
	s := Stats{Total: total}
	for _, p := range peers {
		s.Sent.Packets += p.Sent.Packets
		s.Sent.Bytes += p.Sent.Bytes
		s.Received.Packets += p.Received.Packets
		s.Received.Bytes += p.Received.Bytes
		s.Unwelcome += p.Unwelcome + p.Spoofed
		s.Malformed += p.Malformed
	}
	return s, err
}

// meter makes rates of counters.
type meter struct {
	at         time.Time
	sent, recv uint64
}

// Stats asks the node.
func (c *Client) Stats() (Stats, error) {
	c.mu.Lock()
	m := c.mover
	c.mu.Unlock()
	if m == nil {
		return Stats{}, nil
	}
	s, err := sum(m.Counts())
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if r := c.rate; !r.at.IsZero() && now.After(r.at) && s.Sent.Bytes >= r.sent && s.Received.Bytes >= r.recv {
		s.RateWindow = now.Sub(r.at)
		s.SentRate = float64(s.Sent.Bytes-r.sent) / s.RateWindow.Seconds()
		s.RecvRate = float64(s.Received.Bytes-r.recv) / s.RateWindow.Seconds()
	}
	c.rate = meter{now, s.Sent.Bytes, s.Received.Bytes}
	return s, err
}

// ServerStatus is what a server says of itself.
type ServerStatus struct {
	Up       time.Duration `json:"up_ns"`
	Node     bool          `json:"node"` // the node moves our packets
	Subnets  []string      `json:"subnets"`
	Clients  int           `json:"clients"`
	Served   uint64        `json:"served"`
	Refused  uint64        `json:"refused"`
	Remember int           `json:"remembered"` // clients whose address is kept
}

// Status returns what there is to say now.
func (s *Server) Status() ServerStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return ServerStatus{
		Up: time.Since(s.began), Node: s.mover != nil, Subnets: addrTexts(s.pool.gateways()), Clients: len(s.clients),
		Served: s.served, Refused: s.refused, Remember: len(s.pool.byKey),
	}
}

// ClientRow is one client of a server.
type ClientRow struct {
	Key   string        `json:"key"`
	Addrs []string      `json:"addresses"`
	Since time.Duration `json:"since_ns"`
	tunnel.Count
}

// Clients lists the clients with what the node counted, longest first.
func (s *Server) Clients() ([]ClientRow, error) {
	s.mu.Lock()
	m := s.mover
	s.mu.Unlock()
	counts := map[tunnel.PeerID]tunnel.Count{}
	var err error
	if m != nil {
		var list []tunnel.PeerCount
		_, list, err = m.Counts()
		for _, p := range list {
			counts[p.PeerID] = p.Count
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	rows := make([]ClientRow, 0, len(s.clients))
	for _, c := range s.clients {
		rows = append(rows, ClientRow{Key: c.key.String(), Addrs: addrTexts(c.addrs), Since: time.Since(c.since), Count: counts[c.id]})
	}
	slices.SortFunc(rows, func(a, b ClientRow) int { return int(b.Since - a.Since) })
	return rows, err
}

// Stats are the counters of all clients together.
func (s *Server) Stats() (Stats, error) {
	s.mu.Lock()
	m := s.mover
	s.mu.Unlock()
	if m == nil {
		return Stats{}, nil
	}
	return sum(m.Counts())
}

func addrTexts(list []netip.Prefix) []string {
	out := make([]string, len(list))
	for i, p := range list {
		if out[i] = p.String(); p.IsSingleIP() {
			out[i] = p.Addr().String()
		}
	}
	return out
}

func texts(list []netip.Addr) []string {
	out := make([]string, len(list))
	for i, a := range list {
		out[i] = a.String()
	}
	return out
}
