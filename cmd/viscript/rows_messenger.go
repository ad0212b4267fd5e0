package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/skycoin/viscript/messenger"
	"github.com/skycoin/viscript/node"
	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/relay"
)

// clientRow is a key that is connected to a messenger.
type clientRow struct {
	Client        string          `json:"client"` // short form of key
	Addr          string          `json:"addr"`
	AgeSeconds    float64         `json:"age_seconds"`
	SentBytes     uint64          `json:"sent_bytes"`     // relayed from it
	ReceivedBytes uint64          `json:"received_bytes"` // relayed to it
	QueuedBytes   int             `json:"queued_bytes"`
	Dropped       uint64          `json:"dropped"` // times that what waited for it was dropped: it read too slowly
	Key           identity.PubKey `json:"key"`
}

func clientRows(m *messenger.Messenger) []clientRow {
	rows := []clientRow{}
	for _, c := range m.Clients() {
		rows = append(rows, clientRow{c.Key.Short(), c.Addr, age(c.Since), c.SentBytes, c.ReceivedBytes, c.Queued, c.Dropped, c.Key})
	}
	return rows
}

// recordRow is what a key says of itself at the messengers.
type recordRow struct {
	Node           string          `json:"node"` // short form of key
	Messengers     []string        `json:"messengers"`
	Addrs          []string        `json:"addrs"`
	Services       []string        `json:"services"` // TYPE NAME:PORT
	Attributes     []string        `json:"attributes"`
	ExpiresSeconds float64         `json:"expires_seconds"`
	Key            identity.PubKey `json:"key"`
}

func recordRows(list []relay.Record) []recordRow {
	rows := []recordRow{}
	for _, r := range list {
		row := recordRow{
			Node: r.Key.Short(), Messengers: []string{}, Addrs: append([]string{}, r.Addrs...), Services: []string{}, Attributes: []string{},
			ExpiresSeconds: -age(r.Expires), Key: r.Key,
		}
		for _, h := range r.Homes {
			row.Messengers = append(row.Messengers, h.HostPort)
		}
		for _, s := range r.Services {
			row.Services = append(row.Services, serviceText(s))
		}
		for _, a := range r.Attrs {
			row.Attributes = append(row.Attributes, a.Name+"="+a.Value)
		}
		rows = append(rows, row)
	}
	return rows
}

func serviceText(s relay.Service) string {
	if s.Name == "" {
		return s.Type
	}
	return fmt.Sprintf("%s %s:%d", s.Type, s.Name, s.Port)
}

// trafficRow is what a messenger has done since it started.
type trafficRow struct {
	Clients      int    `json:"clients"`
	Records      int    `json:"records"`
	RelayedBytes uint64 `json:"relayed_bytes"`
	Circuits     uint64 `json:"circuits_asked_for"`
	Dropped      uint64 `json:"dropped"` // times that what waited for a slow reader was dropped
	Refused      uint64 `json:"refused"` // for keys that are not connected, and over quota
	QueuedBytes  int    `json:"queued_bytes"`
}

func trafficOf(m *messenger.Messenger) trafficRow {
	t := m.Traffic()
	return trafficRow{t.Clients, len(m.Records()), t.Bytes, t.Opens, t.Dropped, t.Refused, t.Queued}
}

// homeRow is how a node stands with a messenger.
type homeRow struct {
	Messenger  string  `json:"messenger"` // HOST:PORT
	State      string  `json:"state"`     // up or down
	AgeSeconds float64 `json:"age_seconds"`
	RTTms      float64 `json:"rtt_ms"`
	Links      int     `json:"links"`              // relayed
	Observed   string  `json:"observed,omitempty"` // where the messenger sees this node
	Why        string  `json:"why,omitempty"`      // it is down
	Key        string  `json:"key"`                // empty: not known yet
}

func homeRows(list []relay.Home) []homeRow {
	rows := []homeRow{}
	for _, h := range list {
		row := homeRow{
			Messenger: h.Addr.HostPort, State: "down", AgeSeconds: math.Round(time.Since(h.Since).Seconds()*10) / 10, RTTms: ms(h.RTT),
			Links: h.Circuits, Observed: h.Observed, Why: h.LastError, Key: hexOf(h.Addr.Key),
		}
		if h.Connected {
			row.State = "up"
		}
		rows = append(rows, row)
	}
	return rows
}

// find answers with the record of a key, or with apps of that name and who offers that service; the latter as far as there is
// a messenger.
func find(ctx context.Context, n *node.Node, what string) (any, error) {
	if key, err := identity.ParseHex(what); err == nil {
		rec, err := n.Lookup(ctx, key)
		if err != nil {
			return nil, err
		}
		return recordRows([]relay.Record{rec}), nil
	}
	apps, err := n.Find(ctx, what)
	rows := foundRows(apps)
	if what == "" {
		return rows, err
	}
	records, offersErr := n.Offers(ctx, what)
	for _, r := range records {
		for _, s := range r.Services {
			if s.Type == what {
				rows = append(rows, foundRow{s.Name, s.Type, r.Key.Short(), app.Port(s.Port), r.Key})
			}
		}
	}
	if err != nil && offersErr == nil {
		err = nil
	}
	if errors.Is(offersErr, node.ErrNoMessenger) {
		offersErr = nil
	}
	return rows, errors.Join(err, offersErr)
}
