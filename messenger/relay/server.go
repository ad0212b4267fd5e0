// Package relay is the messenger's end of node/relay: it passes records between the connections of keys, and requests to a
// [Service]. It holds connections, counters and the queues of links, and nothing of the circuits that cross it.
//
//	a record of a client → its reading goroutine: opened in place, the receiver's key replaced by the sender's
//	→ Send of the receiver's link: sealed in place and written, or queued for that sender, at most 8 MiB, served in turn
package relay

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/link"
	"github.com/skycoin/viscript/node/relay"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/wire"
)

// Times of connections.
const (
	silence   = 30 * time.Second // of a client, which pings every 5 s; then it is gone
	tendBusy  = time.Second
	tendEvery = 5 * time.Second // for those that were idle
)

var (
	errReplaced = errors.New("relay: the key has connected again")
	errMemory   = errors.New("relay: it reads too slowly while memory is short")
	errAbuse    = errors.New("relay: it asks and does not read the answers")
)

// Service answers requests. Its calls come from the goroutine that reads from the client: they must not wait for the
// network, and a slow one delays that client alone.
type Service interface {
	// Serve answers a request; a *relay.Failure goes to the client as it is, other errors as a bare failure.
	Serve(c *Client, k relay.Kind, body []byte) ([]byte, error)
	// Gone is told that a client's connection ended.
	Gone(c *Client)
}

// Config says how a Server behaves.
type Config struct {
	Public string // told to clients; "": none
	Quota  Quota
	// Memory is how many bytes of all clients together may wait; beyond it those with most are cut off. 0: 512 MiB.
	Memory  int
	Service Service
	Log     *slog.Logger
}

// Server is the table of clients. Safe for concurrent use.
type Server struct {
	cfg    Config
	quotas *quotas

	mu      sync.RWMutex // guards the following
	clients map[identity.PubKey]*Client
	routes  map[wire.RouteID]*Client
	next    wire.RouteID

	total counters
}

// counters are what happened since the start.
type counters struct {
	bytes, records, dropped, refused, opens atomic.Uint64
}

// New makes a server without clients.
func New(cfg Config) *Server {
	if cfg.Memory == 0 {
		cfg.Memory = 512 << 20
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Server{
		cfg: cfg, quotas: newQuotas(cfg.Quota),
		clients: map[identity.PubKey]*Client{}, routes: map[wire.RouteID]*Client{}, next: relay.FirstRoute,
	}
}

// Attend serves one connection whose handshake is done, until it ends.
func (s *Server) Attend(ctx context.Context, nc net.Conn, r secure.Result) {
	c := &Client{s: s, key: r.Remote, prefix: prefixOf(nc.RemoteAddr()), l: link.New(nc, r, link.Options{Carrier: "tcp", Passive: true}), since: time.Now()}
	defer context.AfterFunc(ctx, func() { c.l.Close(link.ErrClosed) })()
	c.limits = s.quotas.enter(c.prefix)
	defer s.quotas.leave(c.prefix)
	if old := s.join(c); old != nil {
		old.l.Close(errReplaced)
	}
	c.say(relay.KindWelcome, relay.Welcome{Public: s.cfg.Public, Observed: nc.RemoteAddr().String()}.Append(nil))
	c.l.Run(c)
	s.part(c)
	s.cfg.Service.Gone(c)
	s.cfg.Log.Debug("client gone", "peer", c.key.Short(), "err", c.l.Err())
}

// join makes c the connection of its key.
func (s *Server) join(c *Client) (old *Client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old = s.clients[c.key]
	s.clients[c.key] = c
	for s.next < relay.FirstRoute || s.routes[s.next] != nil {
		s.next++
	}
	c.route = s.next
	s.routes[c.route] = c
	s.next++
	return old
}

func (s *Server) part(c *Client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.routes, c.route)
	if s.clients[c.key] == c {
		delete(s.clients, c.key)
	}
}

// client is the connection of a key, nil for none.
func (s *Server) client(key []byte) *Client {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.clients[identity.PubKey(key)]
}

func (s *Server) byRoute(r wire.RouteID) *Client {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.routes[r]
}

func (s *Server) all() []*Client {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := make([]*Client, 0, len(s.clients))
	for _, c := range s.clients {
		list = append(list, c)
	}
	return list
}

// Run looks after the connections until ctx ends: those that are silent end, and when too much waits, those for whom most does.
func (s *Server) Run(ctx context.Context) error {
	tick := time.NewTicker(tendBusy)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		s.tend(n%int(tendEvery/tendBusy) == 0)
	}
}

func (s *Server) tend(all bool) {
	if all {
		s.quotas.prune()
	}
	held, worst, most := 0, (*Client)(nil), 0
	for _, c := range s.all() {
		active := c.active.Swap(false)
		if !all && !active {
			continue
		}
		c.l.Tend(silence)
		q := c.l.Queued()
		if q > 0 {
			c.active.Store(true)
		}
		if held += q; q > most {
			worst, most = c, q
		}
	}
	if held > s.cfg.Memory && worst != nil {
		s.cfg.Log.Warn("memory is short: cutting off who reads slowest", "peer", worst.key.Short(), "bytes", most)
		worst.l.Close(errMemory)
	}
}
