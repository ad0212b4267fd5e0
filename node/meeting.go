package node

import (
	"context"
	"errors"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/link"
	"github.com/skycoin/viscript/node/relay"
	"github.com/skycoin/viscript/node/secure"
)

// findTime is how long a messenger may take to say where a peer is, before a link to it is tried otherwise.
const findTime = time.Second

// ErrNoMessenger: the node was given no messenger.
var ErrNoMessenger = errors.New("this node has no messenger: start it with --messenger [KEY@]HOST:PORT")

// newRelay makes the connection to the messengers; Run runs it.
func (n *Node) newRelay() (*relay.Client, error) {
	cfg := relay.Config{
		Key: n.cfg.Key, Network: n.cfg.Network, Messengers: n.cfg.Messengers, Pins: n.cfg.Pins, Self: n.presence, Changed: n.appeared,
		Log: n.cfg.Log,
	}
	if n.cfg.Net != nil {
		cfg.Dial = n.cfg.Net.Dial
	}
	return relay.NewClient(cfg)
}

// presence is what our public record says: where links are taken, unless that is nobody's business, and the apps that listen.
func (n *Node) presence() (r relay.Record) {
	if n.cfg.Connect && !n.cfg.Unlisted {
		for _, a := range *n.addrs.Load() {
			if at, err := secure.ParseAddr(a); err == nil {
				r.Addrs = append(r.Addrs, at.HostPort)
			}
		}
	}
	for _, a := range n.apps.Listening() {
		if s := (relay.Service{Type: a.Type, Name: a.Name, Port: uint16(a.Port)}); s.Valid() && len(r.Services) < relay.MaxServices {
			r.Services = append(r.Services, s)
		}
	}
	return r
}

// appeared is told of a new record of a peer: it may be reached now.
func (n *Node) appeared(rec relay.Record) { n.links.Again(rec.Key) }

// watchPeers has the messengers tell of the peers that we want links to: the configured ones, and those that the manager names.
func (n *Node) watchPeers(named []link.Peer) {
	if n.relay == nil {
		return
	}
	var keys []identity.PubKey
	for _, p := range n.cfg.Peers {
		if !p.Key.IsZero() {
			keys = append(keys, p.Key)
		}
	}
	for _, p := range named {
		keys = append(keys, p.Key)
	}
	n.relay.Watch(keys)
}

// addrsOf asks the messengers for a peer's addresses; it is link.Config.Find. A node without Connect links to what it was given only.
func (n *Node) addrsOf(ctx context.Context, key identity.PubKey) []string {
	if !n.cfg.Connect {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, findTime)
	defer cancel()
	rec, err := n.relay.Lookup(ctx, key)
	if err != nil {
		return nil
	}
	return rec.Addrs
}

// Messengers says how the node stands with its messengers.
func (n *Node) Messengers() []relay.Home {
	if n.relay == nil {
		return nil
	}
	return n.relay.Status()
}

// Lookup finds the public record of a key at the messengers.
func (n *Node) Lookup(ctx context.Context, key identity.PubKey) (relay.Record, error) {
	if n.relay == nil {
		return relay.Record{}, ErrNoMessenger
	}
	return n.relay.Lookup(ctx, key)
}

// Offers finds public records with a service, at the messengers; relay.MaxFound at most.
func (n *Node) Offers(ctx context.Context, kind string) ([]relay.Record, error) {
	if n.relay == nil {
		return nil, ErrNoMessenger
	}
	f, err := n.relay.Find(ctx, relay.Query{Type: kind, Limit: relay.MaxFound})
	return f.Records, err
}

// published is called when an app began or ended to listen.
func (n *Node) published() {
	if n.relay != nil {
		n.relay.Kick()
	}
}
