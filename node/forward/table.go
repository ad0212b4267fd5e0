package forward

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

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
	Prev, Next Side
	Idle       time.Duration // ends after that long without a record; 0: never
	Upper      Upper         // at an end
}

// rule is one direction of a route: what to do with records of one number from one link.
type rule struct {
	r       *route
	in      Side
	out     Side // Link nil: up
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

	mu     sync.RWMutex // guards the following
	rules  map[number]*rule
	routes map[Key]*route
}

// number is where a record arrived.
type number struct {
	l  *link.Link
	id wire.RouteID
}

// New makes an empty table.
func New() *Table {
	t := &Table{rules: map[number]*rule{}, routes: map[Key]*route{}}
	t.clock.Store(time.Now().UnixNano())
	return t
}

// Run keeps the clock and ends idle routes until ctx does.
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
	for _, d := range []*rule{&r.forward, &r.back} {
		if d.in.Link == nil {
			continue
		}
		if d.in.Link.Err() != nil {
			return nil, ErrNoLink
		}
		if t.rules[number{d.in.Link, d.in.In}] != nil {
			return nil, ErrCollision
		}
	}
	t.routes[spec.Key] = r
	for _, d := range []*rule{&r.forward, &r.back} {
		if d.in.Link != nil {
			t.rules[number{d.in.Link, d.in.In}] = d
		}
	}
	return t.endOf(r), nil
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
	for _, d := range []*rule{&r.forward, &r.back} {
		if d.in.Link != nil {
			delete(t.rules, number{d.in.Link, d.in.In})
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
	tell(r.Prev, from, reason)
	tell(r.Next, from, reason)
	if r.Upper != nil {
		r.Upper.Down(reason)
	}
}

func tell(s Side, from *link.Link, reason Reason) {
	if s.Link == nil || s.Link == from {
		return
	}
	kind := wire.RouteDown
	if reason == ReasonBye {
		kind = wire.RouteBye
	}
	s.Link.SendControl(kind, s.Out, []byte{byte(reason)})
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
		tell(e.r.Prev, nil, ReasonBye)
		tell(e.r.Next, nil, ReasonBye)
	}
}

// Count is a number of records and their payload bytes in one direction.
type Count struct {
	Records uint64 `json:"records"`
	Bytes   uint64 `json:"bytes"`
}

// Info is what is known of one route.
type Info struct {
	Key        Key
	Prev, Next *link.Link // nil at an end
	Began      time.Time
	Forward    Count // from Prev to Next
	Back       Count
}

// Routes lists the routes, oldest first.
func (t *Table) Routes() []Info {
	t.mu.RLock()
	defer t.mu.RUnlock()
	infos := make([]Info, 0, len(t.routes))
	for _, r := range t.routes {
		infos = append(infos, Info{
			Key: r.Key, Prev: r.Prev.Link, Next: r.Next.Link, Began: r.began,
			Forward: Count{r.forward.records.Load(), r.forward.bytes.Load()},
			Back:    Count{r.back.records.Load(), r.back.bytes.Load()},
		})
	}
	slices.SortFunc(infos, func(a, b Info) int { return cmp.Or(a.Began.Compare(b.Began), slices.Compare(a.Key[:], b.Key[:])) })
	return infos
}
