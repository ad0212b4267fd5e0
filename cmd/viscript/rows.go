package main

import (
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
	Finding    []string        `json:"finding,omitempty"` // nodes to whom a route and a session are being made
	Apps       []string        `json:"apps"`              // that listen here, as NAME:PORT
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
	row.Finding = findingTexts(n)
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
