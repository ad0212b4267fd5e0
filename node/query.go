package node

import (
	"github.com/skycoin/viscript/node/app"
	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/forward"
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
		Key: n.cfg.Key.Public(), Name: n.cfg.Name, Addrs: *n.addrs.Load(), AppPort: n.cfg.AppPort, Connect: n.cfg.Connect,
		Manager: n.manager.Status(), Links: len(n.links.Links()), Routes: len(n.table.Routes()),
		Sessions: len(n.sessions.Sessions()), Listening: n.apps.Listening(),
	}
}

// Links lists the neighbours.
func (n *Node) Links() []link.Info { return n.links.Links() }

// Sessions lists the sessions that end here.
func (n *Node) Sessions() []session.Info { return n.sessions.Sessions() }

// Routes lists the routes from, to and through this node, oldest first.
func (n *Node) Routes() []forward.Info { return n.table.Routes() }
