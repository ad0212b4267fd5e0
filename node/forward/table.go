package forward

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/link"
	"github.com/skycoin/viscript/node/wire"
)

// Errors of Install.
var (
	ErrCollision = errors.New("forward: the route number is taken on that link")
	ErrFull      = errors.New("forward: too many routes")
	ErrNoLink    = errors.New("forward: no link to that neighbour")
)

// maxRoutes bounds the routes through one node.
const maxRoutes = 65536

// sweepEvery is how often idle routes are looked for.
const sweepEvery = 5 * time.Second

// Key names a route in the whole network.
type Key [16]byte

// Reason says why a route ended. Append-only: it crosses links.
type Reason uint8

// The reasons.
const (
	ReasonLink     Reason = 1 // a link of the route closed
	ReasonOverload Reason = 2 // a queue met its cap
	ReasonIdle     Reason = 3 // nothing crossed it for too long
	ReasonRemoved  Reason = 4 // the node manager took it back
	ReasonBye      Reason = 5 // an end closed it
)

var reasonText = map[Reason]string{
	ReasonLink: "a link of the route closed", ReasonOverload: "the route was overloaded", ReasonIdle: "the route was idle",
	ReasonRemoved: "the node manager removed the route", ReasonBye: "the other end closed the route",
}

func (r Reason) String() string {
	if s := reasonText[r]; s != "" {
		return s
	}
	return "the route ended"
}

// Side is one neighbour of a route at this node.
type Side struct {
	Link *link.Link
	In   wire.RouteID // on records from that neighbour
	Out  wire.RouteID // on records to it
}

// Upper is what sits at the end of a route. Its calls come from reading goroutines, one at
// a time per route, and must not block.
type Upper interface {
	// Receive gets one record's payload, which it may overwrite; it is valid during the call only.
	Receive(t wire.Type, flags uint8, payload []byte)
	// Down is called once, when the route ended for another reason than our own Close.
	Down(Reason)
}

// Route is this node's part of a route: both sides in transit, only Next at the source,
// only Prev at the destination.
type Route struct {
	Key        Key
	Src        identity.PubKey // who had the route laid: all routes of one key share that key's part of a link's memory
	Dst        identity.PubKey // the other end; for people
	Prev, Next Side
	Idle       time.Duration // ends after that long without a record; 0: never
	Upper      Upper         // at an end
}

// rule is one direction of a route: what to do with records of one number from one link.
type rule struct {
	r       *route
	in      Side
	out     Side       // Link nil: up
	flow    *link.Flow // of out; nil where that is up
	records atomic.Uint64
	bytes   atomic.Uint64 // payload
}

type route struct {
	Route
	began         time.Time
	forward, back rule // from Prev to Next; from Next to Prev
	last          atomic.Int64
	gone          atomic.Bool
}

// Table holds the rules of one node. Safe for concurrent use.
type Table struct {
	clock atomic.Int64 // unix ns, coarse: saves asking the time for every record

	mu     sync.RWMutex     // guards the following
	rules  map[number]*rule // by where records arrive
	outs   map[number]*rule // by where they leave
	routes map[Key]*route

	lostMu sync.Mutex // guards the following; taken last
	lost   []number   // routes that lost their queue to make room for others
	wake   chan struct{}
}

// number is a route on one link and in one direction.
type number struct {
	l  *link.Link
	id wire.RouteID
}

// New makes an empty table.
func New() *Table {
	t := &Table{rules: map[number]*rule{}, outs: map[number]*rule{}, routes: map[Key]*route{}, wake: make(chan struct{}, 1)}
	t.clock.Store(time.Now().UnixNano())
	return t
}

// Run keeps the clock, and ends routes that are idle or had to make room for others, until ctx does.
func (t *Table) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			t.clock.Store(now.UnixNano())
			t.sweep(now)
		case <-t.wake:
			t.endLost()
		}
	}
}

func (t *Table) sweep(now time.Time) {
	t.mu.RLock()
	var idle []*route
	for _, r := range t.routes {
		if r.Idle > 0 && now.Sub(time.Unix(0, r.last.Load())) > r.Idle+sweepEvery {
			idle = append(idle, r)
		}
	}
	t.mu.RUnlock()
	for _, r := range idle {
		t.end(r, nil, ReasonIdle)
	}
}

// Install lays a route. Installing the same key again replaces nothing and fails with ErrCollision.
func (t *Table) Install(spec Route) (*End, error) {
	r := &route{Route: spec, began: time.Now()}
	r.forward.r, r.forward.in, r.forward.out = r, spec.Prev, spec.Next
	r.back.r, r.back.in, r.back.out = r, spec.Next, spec.Prev
	r.last.Store(time.Now().UnixNano())
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.routes) >= maxRoutes {
		return nil, ErrFull
	}
	if t.routes[spec.Key] != nil {
		return nil, ErrCollision
	}
	for _, d := range r.rules() {
		if err := t.freeLocked(d); err != nil {
			return nil, err
		}
	}
	t.routes[spec.Key] = r
	for _, d := range r.rules() {
		if d.in.Link != nil {
			t.rules[number{d.in.Link, d.in.In}] = d
		}
		if d.out.Link != nil {
			t.outs[number{d.out.Link, d.out.Out}] = d
			d.flow = d.out.Link.Announce(d.out.Out, spec.Src)
		}
	}
	return t.endOf(r), nil
}

func (r *route) rules() [2]*rule { return [2]*rule{&r.forward, &r.back} }

// freeLocked reports whether d's numbers may be had.
func (t *Table) freeLocked(d *rule) error {
	switch {
	case d.in.Link != nil && d.in.Link.Err() != nil:
		return ErrNoLink
	case d.in.Link != nil && t.rules[number{d.in.Link, d.in.In}] != nil:
		return ErrCollision
	case d.out.Link != nil && t.outs[number{d.out.Link, d.out.Out}] != nil:
		return ErrCollision
	}
	return nil
}

// endOf returns the handle of an end, nil in transit.
func (t *Table) endOf(r *route) *End {
	switch {
	case r.Prev.Link == nil:
		return &End{t: t, r: r, out: r.Next, sent: &r.forward}
	case r.Next.Link == nil:
		return &End{t: t, r: r, out: r.Prev, sent: &r.back}
	}
	return nil
}

// Remove ends a route because the manager says so.
func (t *Table) Remove(k Key) {
	t.mu.RLock()
	r := t.routes[k]
	t.mu.RUnlock()
	if r != nil {
		t.end(r, nil, ReasonRemoved)
	}
}

// closed ends the routes over a link that closed.
func (t *Table) closed(l *link.Link) {
	t.mu.RLock()
	var over []*route
	for _, r := range t.routes {
		if r.Prev.Link == l || r.Next.Link == l {
			over = append(over, r)
		}
	}
	t.mu.RUnlock()
	for _, r := range over {
		t.end(r, l, ReasonLink)
	}
}

// drop takes a route out of the table; false if it was gone.
func (t *Table) drop(r *route) bool {
	if r.gone.Swap(true) {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.routes, r.Key)
	for _, d := range r.rules() {
		if d.in.Link != nil {
			delete(t.rules, number{d.in.Link, d.in.In})
		}
		if d.out.Link != nil {
			delete(t.outs, number{d.out.Link, d.out.Out})
		}
	}
	return true
}

// end drops a route and tells its neighbours, but not the one at from, who knows, and
// the end that lives here.
func (t *Table) end(r *route, from *link.Link, reason Reason) {
	if !t.drop(r) {
		return
	}
	r.tell(from, reason)
	if r.Upper != nil {
		r.Upper.Down(reason)
	}
}

// tell ends the route on its links, with a word to all neighbours but the one at from.
func (r *route) tell(from *link.Link, reason Reason) {
	kind := wire.RouteDown
	if reason == ReasonBye {
		kind = wire.RouteBye
	}
	for _, d := range r.rules() {
		switch d.out.Link {
		case nil:
		case from:
			d.flow.Withdraw()
		default:
			d.flow.Finish(kind, []byte{byte(reason)})
		}
	}
}

// End is the end of a route at this node: where a session sends.
type End struct {
	t    *Table
	r    *route
	out  Side
	sent *rule
}

// Key returns the route's name.
func (e *End) Key() Key { return e.r.Key }

// RTT is the round trip of the route's first link, for timers that need a lower bound.
func (e *End) RTT() time.Duration { return e.out.Link.RTT() }

// Number is the route number to write into records that are sent.
func (e *End) Number() wire.RouteID { return e.out.Out }

// Gone reports whether the route has ended.
func (e *End) Gone() bool { return e.r.gone.Load() }

// Send sends a span of records (see link.Send) that carry Number. The span is overwritten. On a route that has ended
// it does nothing.
func (e *End) Send(span []byte) {
	if e.Gone() {
		return
	}
	e.count(span)
	e.t.overflow(e.out.Link, e.out.Link.Send(span))
}

// SendKept is Send for a span that is only read, but for the length prefixes (see link.SendKept).
func (e *End) SendKept(span []byte) {
	if e.Gone() {
		return
	}
	e.count(span)
	e.t.overflow(e.out.Link, e.out.Link.SendKept(span))
}

// count counts the records of a span and their payload.
func (e *End) count(span []byte) {
	e.r.last.Store(e.t.clock.Load())
	records, bytes := 0, len(span)
	for len(span) > 0 {
		n, _ := wire.Len(span)
		span = span[wire.LenLen+n:]
		records++
	}
	e.sent.records.Add(uint64(records))
	e.sent.bytes.Add(uint64(bytes - records*wire.Overhead))
}

// Close ends the route and tells every hop. Upper.Down is not called.
func (e *End) Close() {
	if e.t.drop(e.r) {
		e.r.tell(nil, ReasonBye)
	}
}

// Count is what went through one direction of a route, and what this node's queues did to it.
type Count struct {
	Records uint64 `json:"records"`
	Bytes   uint64 `json:"bytes"`   // of their payload
	Marked  uint64 `json:"marked"`  // records that left with the congestion mark put on here
	Dropped uint64 `json:"dropped"` // records, mostly datagrams, that did not leave
}

func (d *rule) counts() Count {
	c := Count{Records: d.records.Load(), Bytes: d.bytes.Load()}
	if d.flow != nil {
		c.Marked, c.Dropped = d.flow.Marked(), d.flow.Dropped()
	}
	return c
}

// Info is what is known of one route.
type Info struct {
	Key        Key
	Src, Dst   identity.PubKey // zero: not told
	Prev, Next *link.Link      // nil at an end
	Began      time.Time
	Used       time.Time // when a record crossed it last, to within 5 s
	Forward    Count     // from Prev to Next
	Back       Count
}

// Routes lists the routes, oldest first.
func (t *Table) Routes() []Info {
	t.mu.RLock()
	defer t.mu.RUnlock()
	infos := make([]Info, 0, len(t.routes))
	for _, r := range t.routes {
		infos = append(infos, Info{
			Key: r.Key, Src: r.Src, Dst: r.Dst, Prev: r.Prev.Link, Next: r.Next.Link, Began: r.began, Used: time.Unix(0, r.last.Load()),
			Forward: r.forward.counts(), Back: r.back.counts(),
		})
	}
	slices.SortFunc(infos, func(a, b Info) int { return cmp.Or(a.Began.Compare(b.Began), slices.Compare(a.Key[:], b.Key[:])) })
	return infos
}
