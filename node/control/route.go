package control

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// RouteRequest asks for a route from the asker to Dst. Hops are links: 1 is direct.
type RouteRequest struct {
	Dst     identity.PubKey
	MinHops uint8             // 0: any
	MaxHops uint8             // 0: any; the protocol's limit is MaxHops
	Via     []identity.PubKey // nodes to pass, in this order; at most MaxVia
	Avoid   []identity.PubKey // nodes not to pass; at most MaxVia
	// Beside is the path of another route, ends included: the new one shares as little with it as the
	// network allows. At most MaxHops+1 nodes.
	Beside []identity.PubKey
	// Instead is the path of a route that the new one would replace: unless that is clearly better by now, the
	// answer is CodeNoBetter. At most MaxHops+1 nodes.
	Instead []identity.PubKey
}

// Append appends the body of the message.
func (q RouteRequest) Append(dst []byte) []byte {
	dst = append(dst, q.Dst[:]...)
	dst = append(dst, q.MinHops, q.MaxHops)
	for _, list := range [...][]identity.PubKey{q.Via, q.Avoid, q.Beside, q.Instead} {
		dst = appendKeys(dst, list)
	}
	return dst
}

// ParseRouteRequest reads the body of the message.
func ParseRouteRequest(b []byte) (RouteRequest, error) {
	r := wire.NewReader(b)
	q := RouteRequest{
		Dst: r.Key(), MinHops: r.U8(), MaxHops: r.U8(), Via: readKeys(r, MaxVia), Avoid: readKeys(r, MaxVia),
		Beside: readKeys(r, MaxHops+1), Instead: readKeys(r, MaxHops+1),
	}
	return q, finish(r, true, q.check)
}

func (q RouteRequest) check() error {
	switch {
	case q.Dst.IsZero():
		return malformed("a route to nobody")
	case q.MinHops > MaxHops || q.MaxHops > MaxHops:
		return malformed("a route of more than %d hops", MaxHops)
	case q.MaxHops != 0 && q.MinHops > q.MaxHops:
		return malformed("a route of at least %d and at most %d hops", q.MinHops, q.MaxHops)
	case len(q.Via) > MaxVia:
		return malformed("a route via %d nodes, want at most %d", len(q.Via), MaxVia)
	case hasTwice(q.Via) || slices.Contains(q.Via, q.Dst):
		return malformed("a route that passes a node twice")
	case len(q.Avoid) > MaxVia || hasTwice(q.Avoid) || slices.Contains(q.Avoid, q.Dst):
		return malformed("a route that avoids its end, a node twice, or more than %d nodes", MaxVia)
	case slices.ContainsFunc(q.Via, func(k identity.PubKey) bool { return slices.Contains(q.Avoid, k) }):
		return malformed("a route that passes and avoids a node")
	case len(q.Beside) > MaxHops+1 || len(q.Instead) > MaxHops+1:
		return malformed("a path of more than %d hops", MaxHops)
	case hasTwice(q.Beside) || hasTwice(q.Instead):
		return malformed("a path that passes a node twice")
	}
	return nil
}

// Route is a route that is in place, as its manager signed it: to a manager that has forgotten it, that is its proof.
type Route struct {
	Key    RouteKey
	Path   []identity.PubKey // Src..Dst, no node twice
	Issued time.Time
	Sig    identity.Sig
}

// SignRoute fills in the time, if it is zero, and the signature.
func SignRoute(k *identity.Key, network string, t Route) Route {
	if t.Issued.IsZero() {
		t.Issued = time.Now()
	}
	t.Issued = trimTime(t.Issued)
	t.Sig = k.Sign(tagRoute, t.body(network))
	return t
}

// Verify checks the path's rules and that manager signed the route for the network. It does
// not look at the clock. Errors wrap wire.ErrMalformed or are identity.ErrSignature.
func (t Route) Verify(network string, manager identity.PubKey) error {
	if err := t.check(); err != nil {
		return err
	}
	return manager.Verify(tagRoute, t.body(network), t.Sig)
}

func (t Route) body(network string) []byte { return t.appendFields(wire.AppendString(nil, network)) }

// Append appends the answer to a route request, which is the body of a recall too.
func (t Route) Append(dst []byte) []byte { return append(t.appendFields(dst), t.Sig[:]...) }

func (t Route) appendFields(dst []byte) []byte {
	return appendTime(appendKeys(append(dst, t.Key[:]...), t.Path), t.Issued)
}

// ParseRoute reads the answer to a route request, or a recall; the signature is not verified.
func ParseRoute(b []byte) (t Route, err error) {
	r := wire.NewReader(b)
	ok := true
	r.Fixed(t.Key[:])
	t.Path = readKeys(r, MaxHops+1)
	t.Issued = readTime(r, &ok)
	t.Sig = r.Sig()
	return t, finish(r, ok, t.check)
}

func (t Route) check() error {
	if len(t.Path) < 2 || len(t.Path) > MaxHops+1 || hasTwice(t.Path) {
		return malformed("a route whose path is none")
	}
	if t.Issued.IsZero() {
		return malformed("a route of no time")
	}
	return nil
}

// hasTwice is for short lists.
func hasTwice(keys []identity.PubKey) bool {
	for i, k := range keys {
		if slices.Contains(keys[:i], k) {
			return true
		}
	}
	return false
}

func appendKeys(dst []byte, keys []identity.PubKey) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(keys)))
	for i := range keys {
		dst = append(dst, keys[i][:]...)
	}
	return dst
}

func readKeys(r *wire.Reader, max int) []identity.PubKey {
	n := r.Count(max, identity.PubKeyLen)
	if n == 0 {
		return nil
	}
	keys := make([]identity.PubKey, n)
	for i := range keys {
		keys[i] = r.Key()
	}
	return keys
}

// appendKey and parseKey are the body of an answer that is one key.
func appendKey(dst []byte, k identity.PubKey) []byte { return append(dst, k[:]...) }

func parseKey(b []byte) (identity.PubKey, error) {
	r := wire.NewReader(b)
	k := r.Key()
	return k, r.Done()
}

// AppendText appends the body of a request that is one string.
func AppendText(dst []byte, s string) []byte { return wire.AppendString(dst, s) }

// ParseName reads the body of a name request.
func ParseName(b []byte) (string, error) {
	r := wire.NewReader(b)
	s := r.String(MaxNameLen)
	return s, finish(r, true, func() error { return CheckName(s) })
}

// parseNodeName reads the answer to a node-name request.
func parseNodeName(b []byte) (string, error) {
	r := wire.NewReader(b)
	s := r.String(MaxNameLen)
	return s, finish(r, true, func() error {
		if s == "" {
			return nil
		}
		return CheckName(s)
	})
}

// ParseAddress reads the body of an address request; the address is canonical.
func ParseAddress(b []byte) (string, error) {
	r := wire.NewReader(b)
	s := r.String(MaxAddrLen)
	return s, finish(r, true, func() error { return checkAddrs([]string{s}) })
}
