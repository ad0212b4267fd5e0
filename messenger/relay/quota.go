package relay

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Quota bounds what one key, and all keys of one network prefix (IPv4 /24, IPv6 /56) together, may do. Zero fields mean their defaults;
// the prefix of loopback has 64 times the share.
type Quota struct {
	Opens, OpensBurst       float64 // circuits asked for a second by one key: 20, 200 at once
	PrefixOpens             float64 // and by one prefix: 100, ten times that at once
	Requests, RequestsBurst float64 // answered a second for one key: 50, 400 at once
	PrefixRequests          float64 // and for one prefix: 500, ten times that at once
	PrefixKeys              float64 // keys of one prefix that may enter the book in about an hour and a half: 512
	Taken                   float64 // circuits a second that may be asked for with one key as the far end: 200, ten times that at once
	Bytes                   float64 // relayed a second for one key; 0: no limit
	PrefixBytes             float64 // and for one prefix; 0: no limit
}

const (
	localFactor = 64
	burstTime   = 10                    // seconds of a prefix's rate
	keysBack    = 85 * time.Minute      // for all of a prefix's keys to be allowed anew: longer than a record lives
	longestNap  = time.Second           // a client waits three for the answer to a ping
	quantumTime = 50 * time.Millisecond // of a byte rate, at once
)

func (q Quota) withDefaults() Quota {
	for _, d := range []struct {
		v   *float64
		def float64
	}{{&q.Opens, 20}, {&q.OpensBurst, 200}, {&q.PrefixOpens, 100}, {&q.Requests, 50}, {&q.RequestsBurst, 400}, {&q.PrefixRequests, 500}, {&q.PrefixKeys, 512}, {&q.Taken, 200}} {
		if *d.v <= 0 {
			*d.v = d.def
		}
	}
	return q
}

// quotas are the prefixes that have clients. Safe for concurrent use.
type quotas struct {
	q Quota

	mu       sync.Mutex // guards the following
	prefixes map[netip.Prefix]*share
}

// share is what the clients of one prefix spend together.
type share struct {
	clients                int
	opens, requests, bytes *rate.Limiter
	keys                   *rate.Limiter // outlives the clients until it is full again: who comes back has not forgotten
}

// limits are one client's.
type limits struct {
	share    *share
	opens    *rate.Limiter
	requests both
	taken    *rate.Limiter // circuits that others ask for
	bytes    *rate.Limiter // nil: no limit
}

// both spends from a key's tokens and from its prefix's.
type both [2]*rate.Limiter

// AllowN spends n tokens of both; the key's are spent even where the prefix has none.
func (b both) AllowN(now time.Time, n int) bool { return b[0].AllowN(now, n) && b[1].AllowN(now, n) }

func newQuotas(q Quota) *quotas {
	return &quotas{q: q.withDefaults(), prefixes: map[netip.Prefix]*share{}}
}

// enter counts a client of a prefix, until leave.
func (q *quotas) enter(p netip.Prefix) *limits {
	q.mu.Lock()
	defer q.mu.Unlock()
	sh := q.prefixes[p]
	if sh == nil {
		f := 1.0
		if p.Addr().IsLoopback() {
			f = localFactor
		}
		sh = &share{opens: limiter(f*q.q.PrefixOpens, burstTime*f*q.q.PrefixOpens), requests: limiter(f*q.q.PrefixRequests, burstTime*f*q.q.PrefixRequests), bytes: byteLimiter(q.q.PrefixBytes),
			keys: limiter(f*q.q.PrefixKeys/keysBack.Seconds(), f*q.q.PrefixKeys)}
		q.prefixes[p] = sh
	}
	sh.clients++
	return &limits{
		share: sh, opens: limiter(q.q.Opens, q.q.OpensBurst), taken: limiter(q.q.Taken, burstTime*q.q.Taken),
		requests: both{limiter(q.q.Requests, q.q.RequestsBurst), sh.requests}, bytes: byteLimiter(q.q.Bytes),
	}
}

func (q *quotas) leave(p netip.Prefix) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if sh := q.prefixes[p]; sh != nil {
		if sh.clients--; sh.clients == 0 && sh.rested() {
			delete(q.prefixes, p)
		}
	}
}

// rested reports whether nothing would be forgotten with the share.
func (s *share) rested() bool { return s.keys.Tokens() >= float64(s.keys.Burst()) }

// prune forgets prefixes without clients.
func (q *quotas) prune() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for p, sh := range q.prefixes {
		if sh.clients == 0 && sh.rested() {
			delete(q.prefixes, p)
		}
	}
}

func limiter(perSecond, burst float64) *rate.Limiter {
	return rate.NewLimiter(rate.Limit(perSecond), max(int(burst), 1))
}

func byteLimiter(perSecond float64) *rate.Limiter {
	if perSecond <= 0 {
		return nil
	}
	return limiter(perSecond, max(perSecond*quantumTime.Seconds(), 256<<10))
}

// mayOpen spends what a circuit costs who asks for it and whom it is asked of.
func (q *quotas) mayOpen(from, to *limits) bool {
	now := time.Now()
	return from.opens.AllowN(now, 1) && from.share.opens.AllowN(now, 1) && to.taken.AllowN(now, 1)
}

// spend waits until n bytes may pass; that holds up only who sends them, and his pings for a second at most: below 64 KiB a second a rate is not kept.
func (l *limits) spend(n int) {
	var wait time.Duration
	now := time.Now()
	for _, b := range []*rate.Limiter{l.bytes, l.share.bytes} {
		if b != nil {
			wait = max(wait, b.ReserveN(now, min(n, b.Burst())).DelayFrom(now))
		}
	}
	if wait > 0 {
		time.Sleep(min(wait, longestNap))
	}
}

// prefixOf is the part of the network that one customer usually holds.
func prefixOf(addr net.Addr) netip.Prefix {
	ap, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return netip.Prefix{}
	}
	ip := ap.Addr().Unmap().WithZone("")
	bits := 56
	switch {
	case ip.IsLoopback():
		bits = ip.BitLen()
	case ip.Is4():
		bits = 24
	}
	return netip.PrefixFrom(ip, bits).Masked()
}
