package messenger

import (
	"context"
	"time"

	"github.com/skycoin/viscript/messenger/discovery"
	"github.com/skycoin/viscript/node/identity"
	protocol "github.com/skycoin/viscript/node/relay"
	"github.com/skycoin/viscript/node/secure"
)

// exchange keeps a connection to a peer and takes all records that it has, until ctx ends.
func (m *Messenger) exchange(ctx context.Context, peer secure.Addr) {
	log := m.cfg.Log.With("peer", peer.Key.Short())
	c, err := protocol.NewClient(protocol.Config{
		Key: m.cfg.Key, Network: m.cfg.Network, Messengers: []secure.Addr{peer}, Pins: m.pins, Dial: m.cfg.Net.Dial, Log: m.cfg.Log,
		Record: func() protocol.Record { return m.record(time.Now()) },
		Follow: func(rec protocol.Record) {
			if err := m.book.Publish(rec, time.Now()); err != nil {
				log.Debug("a record that a peer has is not taken", "err", err)
			}
		},
	})
	if err != nil {
		log.Error("exchanging records", "err", err)
		return
	}
	w := discovery.NewWatch(func(rec protocol.Record) { c.Learn(rec.Key, rec.Addrs) })
	m.book.Set(w, []identity.PubKey{peer.Key})
	defer m.book.Drop(w)
	if err := c.Run(ctx); err != nil {
		log.Error("exchanging records", "err", err)
	}
}
