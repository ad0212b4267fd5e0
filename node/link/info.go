package link

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/skycoin/viscript/node/identity"
)

// Info is what is known of one link.
type Info struct {
	Peer      identity.PubKey `json:"peer"`
	Carrier   string          `json:"carrier"`
	Why       string          `json:"why,omitempty"` // it is relayed: what was tried before, for people
	Addr      string          `json:"addr"`          // the neighbour's
	Local     string          `json:"local"`         // ours
	Dialed    bool            `json:"dialed"`
	Since     time.Time       `json:"since"`
	RTT       time.Duration   `json:"rtt_ns"`                    // smoothed; 0: not measured yet
	Jitter    time.Duration   `json:"jitter_ns"`                 // mean deviation of the round trip (RFC 3550)
	Loss      uint32          `json:"loss_ppm"`                  // of what we sent, per million; 0 where the carrier does not tell
	Capacity  uint64          `json:"capacity_bytes_per_second"` // bytes a second that have been delivered at best of late; 0: unknown
	SentBytes uint64          `json:"sent_bytes"`
	RecvBytes uint64          `json:"received_bytes"`
	Queued    int             `json:"queued_bytes"`
	Waited    uint64          `json:"waited_records"` // records that had to be queued, since the link is up
}

// PeerInfo is what is known of one peer that we keep a link to.
type PeerInfo struct {
	Key   identity.PubKey `json:"key"` // zero: not known yet
	Addrs []string        `json:"addrs"`
	Named bool            `json:"named"` // by the node manager, not by configuration
	Up    bool            `json:"up"`
	Since time.Time       `json:"since"` // up or down since then; zero: never up
	Tries int             `json:"tries"` // since it was last up
	Addr  string          `json:"addr"`  // last dialed
	// LastError is why the last try failed or the last link closed; "" after success.
	LastError string    `json:"last_error"`
	NextTry   time.Time `json:"next_try"` // zero: trying now, or up
}

// Why tells people why there is no link, "" if there is one.
func (p PeerInfo) Why(now time.Time) string {
	switch {
	case p.Up:
		return ""
	case p.NextTry.IsZero() && p.LastError == "":
		return "trying " + p.Addr
	case p.NextTry.IsZero():
		return p.LastError + ", trying again"
	case p.LastError == "":
		return fmt.Sprintf("next try in %s", until(now, p.NextTry))
	}
	return fmt.Sprintf("%s, next try in %s", p.LastError, until(now, p.NextTry))
}

func until(now, t time.Time) time.Duration {
	return max(t.Sub(now), 0).Round(100 * time.Millisecond)
}

func (p *PeerInfo) trying(addr string) {
	p.Addr, p.NextTry = addr, time.Time{}
	p.Tries++
}

func (p *PeerInfo) up() {
	p.Tries, p.LastError, p.NextTry = 0, "", time.Time{}
}

// tried notes how an attempt ended, and that the next one comes after wait.
func (p *PeerInfo) tried(addr string, err error, wait time.Duration) {
	p.Addr, p.NextTry = addr, time.Now().Add(wait)
	if err != nil {
		p.LastError = err.Error()
	}
}

// Links lists the links, by key.
func (n *Neighbours) Links() []Info {
	links := n.all()
	infos := make([]Info, len(links))
	for i, l := range links {
		infos[i] = l.Info()
	}
	slices.SortFunc(infos, func(a, b Info) int { return slices.Compare(a.Peer[:], b.Peer[:]) })
	return infos
}

// Peers lists those that we keep links to, configured ones first, then by key and address.
func (n *Neighbours) Peers() []PeerInfo {
	n.mu.Lock()
	defer n.mu.Unlock()
	infos := make([]PeerInfo, 0, len(n.peers))
	for _, k := range n.peers {
		p := k.state
		if !k.Key.IsZero() {
			p.Key = k.Key
		}
		p.Addrs, p.Named = slices.Clone(k.Addrs), k.named
		if l := n.links[p.Key]; l != nil && l.Err() == nil {
			p.Up, p.Since = true, l.since
			p.up()
		}
		infos = append(infos, p)
	}
	slices.SortFunc(infos, func(a, b PeerInfo) int {
		return cmp.Or(cmp.Compare(bit(a.Named), bit(b.Named)), slices.Compare(a.Key[:], b.Key[:]), slices.Compare(a.Addrs, b.Addrs))
	})
	return infos
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Queued is how many bytes wait for the neighbour.
func (l *Link) Queued() int {
	l.out.mu.Lock()
	defer l.out.mu.Unlock()
	return l.out.q.bytes() + len(l.out.tail)
}

// Info is what is known of the link.
func (l *Link) Info() Info {
	l.out.mu.Lock()
	waited := l.out.q.waited
	l.out.mu.Unlock()
	return Info{
		Peer: l.peer, Carrier: l.carrier, Why: l.why, Addr: l.nc.RemoteAddr().String(), Local: l.nc.LocalAddr().String(),
		Dialed: l.dialer, Since: l.since, RTT: l.RTT(), Jitter: l.Jitter(), Loss: l.meter.loss.Load(),
		Capacity: l.meter.capacity.Load(), SentBytes: l.sentBytes.Load(), RecvBytes: l.recvBytes.Load(),
		Queued: l.Queued(), Waited: waited,
	}
}
