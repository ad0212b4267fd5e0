package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/skycoin/viscript/node"
	"github.com/skycoin/viscript/node/forward"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/link"
	"github.com/skycoin/viscript/node/route"
	"github.com/skycoin/viscript/node/session"
)

// called is what nodes are called in tables: their names, or the short forms of their keys.
type called map[identity.PubKey]string

func (c called) of(k identity.PubKey) string {
	if k.IsZero() {
		return ""
	}
	return nameOr(c[k], k)
}

func (c called) all(keys []identity.PubKey) []string {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = c.of(k)
	}
	return names
}

// linkRow is a neighbour. One without a link has no figures, and says why.
type linkRow struct {
	Peer    string `json:"peer"`  // name, or short form of key
	State   string `json:"state"` // up or down
	Carrier string `json:"carrier"`
	Addr    string `json:"addr"`
	*linkFigures
	Why     string `json:"why,omitempty"` // there is no link, or it is relayed
	Tries   int    `json:"tries,omitempty"`
	NextTry string `json:"next_try,omitempty"` // how soon, "now" while it is tried
	Key     string `json:"key"`                // empty: not known yet
}

type linkFigures struct {
	Dialed        bool    `json:"dialed"` // by us; else we accepted it
	AgeSeconds    float64 `json:"age_seconds"`
	RTTms         float64 `json:"rtt_ms"`
	JitterMs      float64 `json:"jitter_ms"`
	LossPercent   float64 `json:"loss_percent"`
	Capacity      uint64  `json:"capacity_bytes_per_second"` // 0: not known
	SentBytes     uint64  `json:"sent_bytes"`
	ReceivedBytes uint64  `json:"received_bytes"`
	QueuedBytes   int     `json:"queued_bytes"`
}

func linkRows(ctx context.Context, n *node.Node) []linkRow {
	links, peers := n.Links(), n.Peers()
	var keys []identity.PubKey
	for _, l := range links {
		keys = append(keys, l.Peer)
	}
	for _, p := range peers {
		keys = append(keys, p.Key)
	}
	return linkTable(links, peers, n.Names(ctx, keys), time.Now())
}

func linkTable(links []link.Info, peers []link.PeerInfo, names called, now time.Time) []linkRow {
	rows := []linkRow{}
	for _, l := range links {
		rows = append(rows, linkRow{
			Peer: names.of(l.Peer), State: "up", Carrier: l.Carrier, Addr: l.Addr, Why: l.Why, Key: l.Peer.String(),
			linkFigures: &linkFigures{
				Dialed: l.Dialed, AgeSeconds: seconds(now.Sub(l.Since)), RTTms: ms(l.RTT), JitterMs: ms(l.Jitter),
				LossPercent: float64(l.Loss) / 10_000, Capacity: l.Capacity,
				SentBytes: l.SentBytes, ReceivedBytes: l.RecvBytes, QueuedBytes: l.Queued,
			},
		})
	}
	for _, p := range peers {
		if p.Up {
			continue
		}
		row := linkRow{Peer: names.of(p.Key), State: "down", Addr: p.Addr, Why: p.LastError, Tries: p.Tries, NextTry: "now"}
		if row.Addr == "" {
			row.Addr = strings.Join(p.Addrs, " ")
		}
		if row.Why == "" {
			row.Why = "not tried yet"
		}
		if p.NextTry.After(now) {
			row.NextTry = "in " + p.NextTry.Sub(now).Round(100*time.Millisecond).String()
		}
		if !p.Key.IsZero() {
			row.Key = p.Key.String()
		}
		rows = append(rows, row)
	}
	return rows
}

type routeRow struct {
	Route          string  `json:"route"` // the first 8 hex digits of its name
	Role           string  `json:"role"`  // source, transit or destination
	Src            string  `json:"src"`   // who asked for it; nodes are named, or short forms of their keys
	Dst            string  `json:"dst"`
	Prev           string  `json:"prev"` // neighbours; empty at an end
	Next           string  `json:"next"`
	AgeSeconds     float64 `json:"age_seconds"`
	IdleSeconds    float64 `json:"idle_seconds"`    // to within 5 s
	ForwardRecords uint64  `json:"forward_records"` // from src to dst
	ForwardBytes   uint64  `json:"forward_bytes"`
	BackRecords    uint64  `json:"back_records"`
	BackBytes      uint64  `json:"back_bytes"`
	Marked         uint64  `json:"marked_records"`  // with congestion by this node, both ways
	Dropped        uint64  `json:"dropped_records"` // by this node, both ways
	Terms          string  `json:"terms,omitempty"` // what it must meet, where it is one of ours
	SrcKey         string  `json:"src_key"`
	DstKey         string  `json:"dst_key"`
	PrevKey        string  `json:"prev_key"`
	NextKey        string  `json:"next_key"`
}

func routeRows(ctx context.Context, n *node.Node) []routeRow {
	routes := n.Routes()
	var keys []identity.PubKey
	for _, r := range routes {
		keys = append(keys, r.Src, r.Dst, peerOf(r.Prev), peerOf(r.Next))
	}
	terms := map[string]session.Terms{}
	for _, s := range n.Sessions() {
		for _, p := range s.Paths {
			terms[p.Route] = s.Terms
		}
		keys = append(keys, nodesOf(s.Terms)...)
	}
	return routeTable(routes, terms, n.Names(ctx, keys), time.Now())
}

// nodesOf are the nodes that terms name.
func nodesOf(t session.Terms) []identity.PubKey {
	terms, err := route.Parse(string(t))
	if err != nil {
		return nil
	}
	return append(terms.Via, terms.Avoid...)
}

// termsText are terms with nodes by their names.
func termsText(t session.Terms, names called) string {
	terms, err := route.Parse(string(t))
	if err != nil {
		return string(t)
	}
	return terms.Brief(names.of)
}

func routeTable(routes []forward.Info, terms map[string]session.Terms, names called, now time.Time) []routeRow {
	rows := []routeRow{}
	for _, r := range routes {
		prev, next := peerOf(r.Prev), peerOf(r.Next)
		row := routeRow{
			Route: hex.EncodeToString(r.Key[:4]), Role: "transit", Src: names.of(r.Src), Dst: names.of(r.Dst), Prev: names.of(prev), Next: names.of(next),
			AgeSeconds: seconds(now.Sub(r.Began)), IdleSeconds: seconds(min(max(now.Sub(r.Used), 0), now.Sub(r.Began))),
			ForwardRecords: r.Forward.Records, ForwardBytes: r.Forward.Bytes, BackRecords: r.Back.Records, BackBytes: r.Back.Bytes,
			Marked: r.Forward.Marked + r.Back.Marked, Dropped: r.Forward.Dropped + r.Back.Dropped,
			SrcKey: hexOf(r.Src), DstKey: hexOf(r.Dst), PrevKey: hexOf(prev), NextKey: hexOf(next),
		}
		row.Terms = termsText(terms[row.Route], names)
		switch {
		case prev.IsZero():
			row.Role = "source"
		case next.IsZero():
			row.Role = "destination"
		}
		rows = append(rows, row)
	}
	return rows
}

func peerOf(l *link.Link) identity.PubKey {
	if l == nil {
		return identity.PubKey{}
	}
	return l.Peer()
}

// hexOf is a key in full, nothing for none.
func hexOf(k identity.PubKey) string {
	if k.IsZero() {
		return ""
	}
	return k.String()
}

type sessionRow struct {
	Peer          string          `json:"peer"`
	State         string          `json:"state"`           // ready, greeting, or outage while no route answers
	Initiator     bool            `json:"initiator"`       // we asked for it
	Terms         string          `json:"terms,omitempty"` // what its routes meet
	AgeSeconds    float64         `json:"age_seconds"`
	RTTms         float64         `json:"rtt_ms"`
	Paths         []string        `json:"paths"` // state, round trip and nodes of each
	Streams       int             `json:"streams"`
	StreamsOpened uint64          `json:"streams_opened"`
	SentBytes     uint64          `json:"sent_bytes"`
	ReceivedBytes uint64          `json:"received_bytes"`
	WindowBytes   uint64          `json:"window_bytes"`
	InFlightBytes uint64          `json:"in_flight_bytes"`
	RetainedBytes int             `json:"retained_bytes"` // memory that holds what is in flight
	ResentRecords uint64          `json:"resent_records"`
	Switches      uint64          `json:"switches"`              // from one path to another
	LastSwitch    string          `json:"last_switch,omitempty"` // why, and how long ago
	Outage        string          `json:"outage,omitempty"`
	Key           identity.PubKey `json:"key"`
}

func sessionRows(ctx context.Context, n *node.Node) []sessionRow {
	sessions := n.Sessions()
	var keys []identity.PubKey
	for _, s := range sessions {
		keys = append(append(keys, s.Peer), nodesOf(s.Terms)...)
		for _, p := range s.Paths {
			keys = append(keys, p.Nodes...)
		}
	}
	return sessionTable(sessions, n.Names(ctx, keys), time.Now())
}

func sessionTable(sessions []session.Info, names called, now time.Time) []sessionRow {
	rows := []sessionRow{}
	for _, s := range sessions {
		row := sessionRow{
			Peer: names.of(s.Peer), State: sessionState(s), Initiator: s.Initiator, AgeSeconds: seconds(now.Sub(s.Began)), RTTms: ms(s.RTT),
			Paths: pathTexts(s, names), Streams: s.Streams, StreamsOpened: s.Opened, SentBytes: s.SentBytes, ReceivedBytes: s.RecvBytes,
			WindowBytes: s.Window, InFlightBytes: s.InFlight, RetainedBytes: s.Retained, ResentRecords: s.Resent, Switches: s.Switches,
			Outage: s.Outage, Terms: sessionTerms(s, names), Key: s.Peer,
		}
		if s.Switches > 0 {
			row.LastSwitch = fmt.Sprintf("%s, %s ago", s.WhyMoved, now.Sub(s.Moved).Round(time.Second))
		}
		rows = append(rows, row)
	}
	return rows
}

// sessionTerms are what a session's routes meet; what the far end asks for is known there.
func sessionTerms(s session.Info, names called) string {
	if s.Apart && !s.Initiator {
		return "those of the far end"
	}
	return termsText(s.Terms, names)
}

func sessionState(s session.Info) string {
	switch {
	case s.Outage != "":
		return "outage"
	case !s.Ready:
		return "greeting"
	}
	return "ready"
}

// pathTexts are the paths of a session, such as "active 1.2ms node0 > node1 > node2".
func pathTexts(s session.Info, names called) []string {
	texts := []string{}
	for _, p := range s.Paths {
		text := p.State
		if p.RTT > 0 {
			text += " " + p.RTT.Round(10*time.Microsecond).String()
		}
		if len(p.Nodes) > 0 {
			text += " " + strings.Join(names.all(p.Nodes), " > ")
		} else {
			text += " (its nodes are known at the far end)"
		}
		texts = append(texts, text)
	}
	return texts
}

// findingTexts are the nodes to whom a route is being found, such as "node2 (2 s)".
func findingTexts(n *node.Node) []string {
	finding := n.Finding()
	keys := slices.SortedFunc(maps.Keys(finding), func(a, b identity.PubKey) int { return slices.Compare(a[:], b[:]) })
	var texts []string
	for _, k := range keys {
		texts = append(texts, fmt.Sprintf("%s (%d s)", k.Short(), int(time.Since(finding[k]).Seconds())))
	}
	return texts
}

// findingText says which route has been looked for longest, if that is long: "finding a route to 01020304 (2 s)". The
// seconds double, so that it does not change all the time.
func findingText(finding map[identity.PubKey]time.Time, now time.Time) string {
	to, since := identity.PubKey{}, now
	for k, t := range finding {
		if t.Before(since) {
			to, since = k, t
		}
	}
	if now.Sub(since) < waitShown {
		return ""
	}
	return fmt.Sprintf("finding a route to %s (%s)", to.Short(), doubling(now.Sub(since)))
}

// doubling is a time in seconds, rounded down to 1, 2, 4, 8...
func doubling(d time.Duration) string {
	n := bits.Len(uint(max(d, 0) / time.Second))
	return fmt.Sprintf("%d s", 1<<n>>1)
}

// seconds is d with one decimal.
func seconds(d time.Duration) float64 {
	return float64(d.Round(100*time.Millisecond)) / float64(time.Second)
}
