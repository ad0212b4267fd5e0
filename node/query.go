package node

import (
	"encoding/hex"
	"time"

	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/link"
	"github.com/skycoin/viscript/node/session"
)

// Info is what a node says of itself.
type Info struct {
	Key       identity.PubKey `json:"key"`
	Name      string          `json:"name"`
	Addrs     []string        `json:"addrs"`
	AppPort   app.Port        `json:"app_port"`
	Connect   bool            `json:"connect"`
	Manager   control.Status  `json:"manager"`
	Links     int             `json:"links"`
	Routes    int             `json:"routes"`
	Sessions  int             `json:"sessions"`
	Listening []app.App       `json:"listening"`
}

// Info returns a summary.
func (n *Node) Info() Info {
	return Info{
		Key: n.cfg.Key.Public(), Name: n.cfg.Name, Addrs: n.addrs, AppPort: n.cfg.AppPort, Connect: n.cfg.Connect,
		Manager: n.manager.Status(), Links: len(n.links.Links()), Routes: len(n.table.Routes()),
		Sessions: len(n.sessions.Sessions()), Listening: n.apps.Listening(),
	}
}

// Links lists the neighbours.
func (n *Node) Links() []link.Info { return n.links.Links() }

// Sessions lists the sessions that end here.
func (n *Node) Sessions() []session.Info { return n.sessions.Sessions() }

// Route is one route through or to this node. Forward is the direction away from the node that asked for it.
type Route struct {
	Route          string    `json:"route"` // the first 8 hex digits of its name
	Role           string    `json:"role"`  // source, transit, destination
	Prev           string    `json:"prev"`  // keys, short; empty at an end
	Next           string    `json:"next"`
	Since          time.Time `json:"since"`
	ForwardRecords uint64    `json:"forward_records"`
	ForwardBytes   uint64    `json:"forward_bytes"`
	BackRecords    uint64    `json:"back_records"`
	BackBytes      uint64    `json:"back_bytes"`
}

// Routes lists the routes, oldest first.
func (n *Node) Routes() []Route {
	infos := n.table.Routes()
	routes := make([]Route, len(infos))
	for i, r := range infos {
		routes[i] = Route{
			Route: hex.EncodeToString(r.Key[:4]), Role: "transit", Since: r.Began,
			ForwardRecords: r.Forward.Records, ForwardBytes: r.Forward.Bytes,
			BackRecords: r.Back.Records, BackBytes: r.Back.Bytes,
		}
		if r.Prev != nil {
			routes[i].Prev = r.Prev.Peer().Short()
		} else {
			routes[i].Role = "source"
		}
		if r.Next != nil {
			routes[i].Next = r.Next.Peer().Short()
		} else {
			routes[i].Role = "destination"
		}
	}
	return routes
}
