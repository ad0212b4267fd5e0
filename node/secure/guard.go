package secure

import (
	"context"
	"errors"
	"hash/maphash"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"time"
)

// ErrBusy: the guard let no further handshake in, of all or from this part of the network.
var ErrBusy = errors.New("secure: too many handshakes at once")

// How far an address is cut down before it is counted: what one customer usually holds.
const (
	prefix4 = 24
	prefix6 = 56
)

// Buckets and shares. Prefixes are hashed into a fixed number of buckets under a secret
// seed, so memory is bounded whatever arrives; two prefixes that meet in a bucket share it.
const (
	buckets    = 4096
	localSlot  = buckets // index of the bucket of this machine
	shareOf    = 8       // one bucket holds at most 1/8 of the half-open connections,
	localShare = 2       // this machine at most 1/2
)

// GuardConfig bounds what strangers can cost. A zero field means its default.
type GuardConfig struct {
	Rate       float64 // handshakes and WHO answers a second per IPv4 /24 or IPv6 /56; default 20
	Burst      int     // so many at once; default 60
	LocalRate  float64 // the same for loopback addresses and local sockets; default 2000
	LocalBurst int     // default 4000
	Concurrent int     // handshakes computed at the same time; default 2 per core
	HalfOpen   int     // connections in the middle of a handshake; default 1024
}

func (c GuardConfig) withDefaults() GuardConfig {
	c.Rate = or(c.Rate, 20)
	c.Burst = or(c.Burst, 60)
	c.LocalRate = or(c.LocalRate, 2000)
	c.LocalBurst = or(c.LocalBurst, 4000)
	c.Concurrent = or(c.Concurrent, 2*runtime.GOMAXPROCS(0))
	c.HalfOpen = or(c.HalfOpen, 1024)
	return c
}

func or[T int | float64](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// Guard stands before the responder's arithmetic. One Guard may serve several listeners.
// Safe for concurrent use. A nil *Guard limits nothing.
type Guard struct {
	cfg   GuardConfig
	seed  maphash.Seed
	cores chan struct{} // one element per handshake being computed

	mu    sync.Mutex // guards the following
	slots []bucket   // buckets of strangers, then that of this machine
	open  int        // half-open connections
}

// bucket counts one part of the network.
type bucket struct {
	spent float64 // tokens taken and not yet grown back; 0 is a full bucket
	at    time.Time
	open  int
}

// NewGuard makes a guard; it starts nothing.
func NewGuard(cfg GuardConfig) *Guard {
	cfg = cfg.withDefaults()
	return &Guard{
		cfg:   cfg,
		seed:  maphash.MakeSeed(),
		cores: make(chan struct{}, cfg.Concurrent),
		slots: make([]bucket, buckets+1),
	}
}

// enter admits one half-open connection from addr, until leave is called with its slot.
// Error: ErrBusy.
func (g *Guard) enter(addr net.Addr) (slot int, err error) {
	if g == nil {
		return 0, nil
	}
	slot = g.slotOf(addr)
	share := max(1, g.cfg.HalfOpen/shareOf)
	if slot == localSlot {
		share = max(1, g.cfg.HalfOpen/localShare)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open >= g.cfg.HalfOpen || g.slots[slot].open >= share {
		return 0, ErrBusy
	}
	g.open++
	g.slots[slot].open++
	return slot, nil
}

// Admit counts a half-open connection of a carrier that greets strangers before Accept does, until leave is called, and
// spends a token; leave may be called again. Error: ErrBusy.
func (g *Guard) Admit(addr net.Addr) (leave func(), err error) {
	slot, err := g.enter(addr)
	if err != nil {
		return nil, err
	}
	leave = sync.OnceFunc(func() { g.leave(slot) })
	if g == nil {
		return leave, nil
	}
	if err := g.take(slot); err != nil {
		leave()
		return nil, err
	}
	return leave, nil
}

func (g *Guard) leave(slot int) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open--
	g.slots[slot].open--
}

// take spends a token of a slot. Error: ErrBusy.
func (g *Guard) take(slot int) error {
	if g == nil {
		return nil
	}
	rate, burst := g.cfg.Rate, float64(g.cfg.Burst)
	if slot == localSlot {
		rate, burst = g.cfg.LocalRate, float64(g.cfg.LocalBurst)
	}
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	b := &g.slots[slot]
	b.spent = max(0, b.spent-rate*now.Sub(b.at).Seconds())
	b.at = now
	if b.spent+1 > burst {
		return ErrBusy
	}
	b.spent++
	return nil
}

// compute runs fn when fewer than Concurrent others run; it waits for that until ctx ends.
func (g *Guard) compute(ctx context.Context, fn func() error) error {
	if g == nil {
		return fn()
	}
	select {
	case g.cores <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-g.cores }()
	return fn()
}

func (g *Guard) slotOf(addr net.Addr) int {
	ip, local := remoteIP(addr)
	if local {
		return localSlot
	}
	if !ip.IsValid() {
		return int(maphash.String(g.seed, addr.String()) % buckets)
	}
	bits := prefix6
	if ip.Is4() {
		bits = prefix4
	}
	prefix, _ := ip.WithZone("").Prefix(bits)
	return int(maphash.Comparable(g.seed, prefix) % buckets)
}

// remoteIP returns the address behind addr, and whether it is this machine: a loopback
// address, a Unix socket, an in-memory pipe. Any other address without an IP counts by its text.
func remoteIP(addr net.Addr) (ip netip.Addr, local bool) {
	if addr == nil {
		return ip, true
	}
	switch addr.Network() {
	case "unix", "pipe":
		return ip, true
	}
	if ap, err := netip.ParseAddrPort(addr.String()); err == nil {
		ip = ap.Addr().Unmap()
	}
	return ip, ip.IsLoopback()
}
