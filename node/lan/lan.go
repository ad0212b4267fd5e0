package lan

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/skycoin/viscript/node/identity"
)

// Port is where announcements go.
const Port = 7983

const (
	every        = 30 * time.Second
	firstEvery   = time.Second // the first ones, firstTimes
	firstTimes   = 3
	leastBetween = time.Second // when somebody new is heard
	heardPerSec  = 20          // announcements that are verified; more are dropped
	heardAtOnce  = 40
	maxRepeats   = 256 // senders whose last announcement is remembered, so that it is not verified again
)

// Family is the family of addresses that announcements travel by.
type Family int

// The families.
const (
	IPv4 Family = iota
	IPv6
)

// Config says what a node announces, and who hears of others.
type Config struct {
	Family Family
	Key    *identity.Key
	Mesh   Mesh
	Port   uint16 // at which links are taken
	// Heard is called for each announcement of another node of the mesh, verified, one call at a time. It must not block.
	Heard func(key identity.PubKey, at netip.AddrPort)
	// Kick makes the node announce itself at once, and join what interfaces there are now; nil: never.
	Kick <-chan struct{}
	Log  *slog.Logger // nil: nothing is logged
}

// Run announces and listens until ctx ends, and returns nil then. While no interface can do multicast, it tries again now and then.
func Run(ctx context.Context, cfg Config) error {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	n := &neighbourhood{cfg: cfg, limit: rate.NewLimiter(heardPerSec, heardAtOnce), answer: make(chan struct{}, 1), known: map[identity.PubKey]heard{}}
	for ctx.Err() == nil {
		if err := n.live(ctx); err != nil {
			cfg.Log.Debug("no multicast", "err", err)
			n.pause(ctx, every)
		}
	}
	return nil
}

// heard is the last that was heard of a key.
type heard struct {
	from netip.Addr
	port uint16
	at   time.Time // its own
}

// neighbourhood is one node's part.
type neighbourhood struct {
	cfg    Config
	limit  *rate.Limiter
	answer chan struct{} // somebody new is there
	known  map[identity.PubKey]heard
}

// live announces and listens on the interfaces that there are now, until ctx ends or they change.
func (n *neighbourhood) live(ctx context.Context) error {
	pc, on, err := n.cfg.Family.join()
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	wg.Go(func() { n.listen(pc) })
	defer wg.Wait()
	defer pc.Close()
	for i := 0; ctx.Err() == nil; i++ {
		n.announce(on)
		wait := every + rand.N(every/4)
		if i < firstTimes {
			wait = firstEvery
		}
		if n.pause(ctx, wait) {
			return nil // other interfaces, maybe
		}
	}
	return nil
}

// pause waits; true: there was a kick. It is shorter when somebody new is heard.
func (n *neighbourhood) pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	began := time.Now()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-n.cfg.Kick:
			return true
		case <-n.answer:
			timer.Reset(min(d, max(leastBetween-time.Since(began), 0)+rand.N(leastBetween/4)))
		case <-timer.C:
			return false
		}
	}
}

// announce sends one datagram on each interface.
func (n *neighbourhood) announce(on []net.Interface) {
	b := announcement{mesh: n.cfg.Mesh, port: n.cfg.Port, at: time.Now()}.sign(n.cfg.Key).append(nil)
	if err := n.cfg.Family.send(b, on); err != nil {
		n.cfg.Log.Debug("announcing", "err", err)
	}
}

// listen takes announcements until the connection is closed.
func (n *neighbourhood) listen(pc *net.UDPConn) {
	buf := make([]byte, packetLen+1)
	for {
		size, from, err := pc.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			n.take(buf[:size], from.Addr().Unmap(), time.Now())
		}
	}
}

// take handles one datagram.
func (n *neighbourhood) take(b []byte, from netip.Addr, now time.Time) {
	a, ok := parse(b, n.cfg.Mesh)
	if !ok || a.key == n.cfg.Key.Public() {
		return
	}
	old, met := n.known[a.key]
	if met && !a.at.After(old.at) { // it was sent again, by whomever, or came by two interfaces
		return
	}
	if !n.limit.AllowN(now, 1) || !a.verify(now) {
		return
	}
	if len(n.known) >= maxRepeats {
		clear(n.known)
	}
	n.known[a.key] = heard{from: from, port: a.port, at: a.at}
	n.cfg.Heard(a.key, netip.AddrPortFrom(from, a.port))
	if !met || old.from != from || old.port != a.port {
		select {
		case n.answer <- struct{}{}:
		default:
		}
	}
}
