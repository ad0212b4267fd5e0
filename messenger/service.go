package messenger

import (
	"time"

	"github.com/skycoin/viscript/messenger/discovery"
	"github.com/skycoin/viscript/messenger/relay"
	"github.com/skycoin/viscript/node/identity"
	protocol "github.com/skycoin/viscript/node/relay"
)

// What requests cost of a client's tokens, beside the one that every request costs: what the server does for them.
const (
	publishCost = 4 // a signature is verified
	findCost    = 8 // up to 4096 records are looked at; and one for each that is found, so that few learn of all
)

// service answers the requests of clients; it implements relay.Service.
type service struct{ m *Messenger }

// Serve implements relay.Service.
func (s service) Serve(c *relay.Client, k protocol.Kind, body []byte) ([]byte, error) {
	switch k {
	case protocol.KindPublish:
		return nil, s.publish(c, body)
	case protocol.KindLookup:
		key, err := protocol.ParseKey(body)
		if err != nil {
			return nil, err
		}
		rec, found := s.m.book.Get(key, time.Now())
		return protocol.AppendOne(nil, rec, found), nil
	case protocol.KindFind:
		q, err := protocol.ParseQuery(body)
		if err != nil {
			return nil, err
		}
		return s.find(c, q)
	case protocol.KindWatch:
		return nil, s.watch(c, body)
	case protocol.KindPage, protocol.KindFollow:
		if !s.m.isPeer(c.Key()) {
			return nil, protocol.Failed(protocol.CodeDenied, "only for messengers that this one has as peers")
		}
		if k == protocol.KindFollow {
			s.m.book.Follow(s.watchOf(c))
			return nil, nil
		}
		return s.page(body)
	}
	return nil, protocol.Failed(protocol.CodeBadRequest, "request %d", k)
}

// find answers who has a service. All records at once are for peers.
func (s service) find(c *relay.Client, q protocol.Query) ([]byte, error) {
	if q.Type == "" && !s.m.isPeer(c.Key()) {
		return nil, protocol.Failed(protocol.CodeDenied, "a type of service is needed")
	}
	if !c.Allow(findCost) {
		return nil, protocol.Failed(protocol.CodeBusy, "too many requests")
	}
	found := s.m.book.Find(q, time.Now())
	c.Allow(len(found.Records)) // spent afterwards: the next one waits
	return found.Append(nil), nil
}

// publish takes a client's own record, and any record of a peer.
func (s service) publish(c *relay.Client, body []byte) error {
	rec, err := protocol.ParseRecord(body)
	switch {
	case err != nil:
		return err
	case rec.Key != c.Key() && !s.m.isPeer(c.Key()):
		return protocol.Failed(protocol.CodeDenied, "a record of another key")
	case !c.Allow(publishCost):
		return protocol.Failed(protocol.CodeBusy, "too many requests")
	case !s.m.isPeer(c.Key()) && !s.m.book.Knows(rec.Key) && !c.AllowKey():
		return protocol.Failed(protocol.CodeBusy, "too many keys of your network")
	}
	return s.m.book.Publish(rec, time.Now())
}

// watch sets the keys that a client watches and tells what is known of them.
func (s service) watch(c *relay.Client, body []byte) error {
	keys, err := protocol.ParseKeys(body)
	if err != nil {
		return err
	}
	if !c.Allow(1 + len(keys)/8) {
		return protocol.Failed(protocol.CodeBusy, "too many requests")
	}
	w := s.watchOf(c)
	s.m.book.Set(w, keys)
	now := time.Now()
	for _, k := range keys {
		if rec, ok := s.m.book.Get(k, now); ok {
			c.Say(protocol.KindChanged, rec.Append(nil))
		}
	}
	return nil
}

func (s service) watchOf(c *relay.Client) *discovery.Watch {
	w, ok := c.Watch.(*discovery.Watch)
	if !ok {
		w = discovery.NewWatch(func(rec protocol.Record) { c.Say(protocol.KindChanged, rec.Append(nil)) })
		c.Watch = w
	}
	return w
}

// page is one part of all records, for peers.
func (s service) page(body []byte) ([]byte, error) {
	after, err := protocol.ParseAfter(body)
	if err != nil {
		return nil, err
	}
	return s.m.book.Find(protocol.Query{After: after, Limit: protocol.MaxFound}, time.Now()).Append(nil), nil
}

// Gone implements relay.Service.
func (s service) Gone(c *relay.Client) {
	if w, ok := c.Watch.(*discovery.Watch); ok {
		s.m.book.Drop(w)
	}
}

func (m *Messenger) isPeer(key identity.PubKey) bool {
	for _, p := range m.cfg.Peers {
		if p.Key == key {
			return true
		}
	}
	return false
}
