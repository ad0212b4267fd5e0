package main

import (
	"encoding/hex"
	"fmt"
	"math"
	"time"

	"github.com/skycoin/viscript/node"
	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
)

// What `tell` answers: the rooms' facts with units in the names, times as ages in seconds,
// and keys in full, last, because scripts need them and people's eyes do not.

type infoRow struct {
	Name       string          `json:"name"`
	Key        identity.PubKey `json:"key"`
	Addrs      []string        `json:"addrs"`
	AppPort    app.Port        `json:"app_port"`
	Connect    bool            `json:"connect"`
	Registered bool            `json:"registered"`        // with the node manager, now
	Manager    string          `json:"manager,omitempty"` // its key
	Trouble    string          `json:"trouble,omitempty"` // why not
	Links      int             `json:"links"`
	Routes     int             `json:"routes"`
	Sessions   int             `json:"sessions"`
	Apps       []string        `json:"apps"` // that listen here, as NAME:PORT
}

func infoOf(n *node.Node) infoRow {
	i := n.Info()
	row := infoRow{
		Name: i.Name, Key: i.Key, Addrs: i.Addrs, AppPort: i.AppPort, Connect: i.Connect, Registered: i.Manager.Connected,
		Links: i.Links, Routes: i.Routes, Sessions: i.Sessions, Apps: []string{},
	}
	if !i.Manager.Connected {
		row.Trouble = i.Manager.LastError
	}
	if !i.Manager.Manager.IsZero() {
		row.Manager = i.Manager.Manager.String()
	}
	for _, a := range i.Listening {
		row.Apps = append(row.Apps, fmt.Sprintf("%s:%d", a.Name, a.Port))
	}
	return row
}

type foundRow struct {
	Name string          `json:"name"`
	Type string          `json:"type"`
	Node string          `json:"node"` // short form of key
	Port app.Port        `json:"port"`
	Key  identity.PubKey `json:"key"`
}

func foundRows(list []app.App) []foundRow {
	rows := []foundRow{}
	for _, a := range list {
		rows = append(rows, foundRow{a.Name, a.Type, a.Node.Short(), a.Port, a.Node})
	}
	return rows
}

type linkRow struct {
	Peer          string          `json:"peer"` // short form of key
	Carrier       string          `json:"carrier"`
	Addr          string          `json:"addr"`
	Dialed        bool            `json:"dialed"` // by us
	AgeSeconds    float64         `json:"age_seconds"`
	RTTms         float64         `json:"rtt_ms"`
	SentBytes     uint64          `json:"sent_bytes"`
	ReceivedBytes uint64          `json:"received_bytes"`
	QueuedBytes   int             `json:"queued_bytes"`
	Key           identity.PubKey `json:"key"`
}

func linkRows(n *node.Node) []linkRow {
	rows := []linkRow{}
	for _, l := range n.Links() {
		rows = append(rows, linkRow{
			Peer: l.Peer.Short(), Carrier: l.Carrier, Addr: l.Addr, Dialed: l.Dialed, AgeSeconds: age(l.Since), RTTms: ms(l.RTT),
			SentBytes: l.SentBytes, ReceivedBytes: l.RecvBytes, QueuedBytes: l.Queued, Key: l.Peer,
		})
	}
	return rows
}

type routeRow struct {
	Route          string  `json:"route"` // the first 8 hex digits of its name
	Role           string  `json:"role"`  // source, transit or destination
	Prev           string  `json:"prev"`  // neighbours, short; empty at an end
	Next           string  `json:"next"`
	AgeSeconds     float64 `json:"age_seconds"`
	ForwardRecords uint64  `json:"forward_records"` // away from the node that asked for the route
	ForwardBytes   uint64  `json:"forward_bytes"`
	BackRecords    uint64  `json:"back_records"`
	BackBytes      uint64  `json:"back_bytes"`
}

func routeRows(n *node.Node) []routeRow {
	rows := []routeRow{}
	for _, r := range n.Routes() {
		row := routeRow{
			Route: hex.EncodeToString(r.Key[:4]), Role: "transit", AgeSeconds: age(r.Began),
			ForwardRecords: r.Forward.Records, ForwardBytes: r.Forward.Bytes, BackRecords: r.Back.Records, BackBytes: r.Back.Bytes,
		}
		if r.Prev != nil {
			row.Prev = r.Prev.Peer().Short()
		} else {
			row.Role = "source"
		}
		if r.Next != nil {
			row.Next = r.Next.Peer().Short()
		} else {
			row.Role = "destination"
		}
		rows = append(rows, row)
	}
	return rows
}

type sessionRow struct {
	Peer          string          `json:"peer"`
	Initiator     bool            `json:"initiator"`
	Ready         bool            `json:"ready"`
	AgeSeconds    float64         `json:"age_seconds"`
	RTTms         float64         `json:"rtt_ms"`
	Streams       int             `json:"streams"`
	StreamsOpened uint64          `json:"streams_opened"`
	SentBytes     uint64          `json:"sent_bytes"`
	ReceivedBytes uint64          `json:"received_bytes"`
	InFlightBytes uint64          `json:"in_flight_bytes"`
	Key           identity.PubKey `json:"key"`
}

func sessionRows(n *node.Node) []sessionRow {
	rows := []sessionRow{}
	for _, s := range n.Sessions() {
		rows = append(rows, sessionRow{
			Peer: s.Peer.Short(), Initiator: s.Initiator, Ready: s.Ready, AgeSeconds: age(s.Began), RTTms: ms(s.RTT),
			Streams: s.Streams, StreamsOpened: s.Opened, SentBytes: s.SentBytes, ReceivedBytes: s.RecvBytes,
			InFlightBytes: s.InFlight, Key: s.Peer,
		})
	}
	return rows
}

type appRow struct {
	Name           string          `json:"name"`
	Type           string          `json:"type"`
	Node           string          `json:"node"` // short form of key
	Port           uint16          `json:"port"`
	ExpiresSeconds float64         `json:"expires_seconds"`
	Key            identity.PubKey `json:"key"`
}

func appRows(list []control.AppRecord) []appRow {
	rows := []appRow{}
	for _, a := range list {
		rows = append(rows, appRow{
			Name: a.Name, Type: a.Type, Node: a.Node.Short(), Port: a.Port, ExpiresSeconds: -age(a.Expires), Key: a.Node,
		})
	}
	return rows
}

func nameOr(name string, k identity.PubKey) string {
	if name == "" {
		return k.Short()
	}
	return name
}

// age is how long ago t was, in seconds with one decimal.
func age(t time.Time) float64 { return math.Round(time.Since(t).Seconds()*10) / 10 }

// ms is d in milliseconds with two decimals.
func ms(d time.Duration) float64 { return math.Round(d.Seconds()*1e5) / 100 }
