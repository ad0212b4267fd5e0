package node

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
)

// Limits of the names that are kept for people.
const (
	maxNames   = 4096             // beyond that all are forgotten
	askAtOnce  = 64               // names asked for by one call; the rest waits for the next
	nameFor    = time.Minute      // a name counts so long without asking again
	noNameFor  = 10 * time.Second // and that there is none
	askTimeout = 2 * time.Second
	whoTimeout = 5 * time.Second // for the key of a name
)

// names is what nodes are called, as the manager said. The zero value is ready.
type names struct {
	mu    sync.Mutex // guards the following
	known map[identity.PubKey]nameOf
}

type nameOf struct {
	name string
	at   time.Time
}

// get returns what is known of a key, and whether that is fresh.
func (c *names) get(k identity.PubKey, now time.Time) (name string, fresh bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.known[k]
	life := nameFor
	if e.name == "" {
		life = noNameFor
	}
	return e.name, ok && now.Sub(e.at) < life
}

func (c *names) put(k identity.PubKey, name string, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= maxNames {
		c.known = map[identity.PubKey]nameOf{}
	}
	c.known[k] = nameOf{name, now}
}

// find returns the key that the manager last gave a name to.
func (c *names) find(name string) (key identity.PubKey, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var at time.Time
	for k, e := range c.known {
		if strings.EqualFold(e.name, name) && e.at.After(at) {
			key, at, known = k, e.at, true
		}
	}
	return key, known
}

// Names says what nodes are called, as far as the manager says so within 2 s; while it is away, what it said last. Keys
// without a name are not in the answer.
func (n *Node) Names(ctx context.Context, keys []identity.PubKey) map[identity.PubKey]string {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	wanted := map[identity.PubKey]bool{}
	for _, k := range keys {
		if _, fresh := n.names.get(k, time.Now()); !fresh && !k.IsZero() && k != n.cfg.Key.Public() && len(wanted) < askAtOnce {
			wanted[k] = true
		}
	}
	if n.manager.Status().Connected {
		var asking sync.WaitGroup
		for k := range maps.Keys(wanted) {
			asking.Go(func() { n.askName(ctx, k) })
		}
		asking.Wait()
	}
	found := map[identity.PubKey]string{}
	for _, k := range keys {
		name, _ := n.names.get(k, time.Now())
		if k == n.cfg.Key.Public() {
			name = n.cfg.Name
		}
		if name != "" {
			found[k] = name
		}
	}
	return found
}

// askName asks the manager what a node is called. That it knows none counts for a moment; that it does not answer, not.
func (n *Node) askName(ctx context.Context, k identity.PubKey) {
	name, err := n.manager.NodeName(ctx, k)
	if code := control.CodeOf(err); err == nil || code == control.CodeUnknownKey || code == control.CodeBadRequest {
		n.names.put(k, name, time.Now())
	}
}

// shortLen is the length of identity.PubKey.Short.
const shortLen = 8

// Who reads what a person calls a node: its key, its name, or the short form of a key that is seen in what this node lists.
// It waits for the manager for 5 s at most; while that is away, names that it said before count.
func (n *Node) Who(ctx context.Context, text string) (identity.PubKey, error) {
	if len(text) == 2*identity.PubKeyLen {
		key, err := identity.ParseHex(text)
		if err != nil {
			return key, fmt.Errorf("KEY %q: %w", text, err)
		}
		return key, nil
	}
	if n.cfg.Name != "" && strings.EqualFold(text, n.cfg.Name) {
		return n.cfg.Key.Public(), nil
	}
	if len(text) == shortLen {
		switch near := n.shorts(text); len(near) {
		case 0:
		case 1:
			return near[0], nil
		default:
			return identity.PubKey{}, fmt.Errorf("%q is the short form of several keys: give one in full", text)
		}
	}
	if err := control.CheckName(text); err != nil {
		return identity.PubKey{}, fmt.Errorf("%.80q is neither a key, %d hex digits, nor a name: %w", text, 2*identity.PubKeyLen, err)
	}
	if key, known := n.names.find(text); known && !n.manager.Status().Connected {
		return key, nil
	}
	ctx, cancel := context.WithTimeout(ctx, whoTimeout)
	defer cancel()
	key, err := n.manager.ResolveName(ctx, text)
	switch {
	case err == nil:
		n.names.put(key, text, time.Now())
	case control.CodeOf(err) == control.CodeUnknownName:
		return key, fmt.Errorf("no node is called %q: the node manager lists them (tell it nodes)", text)
	case errors.Is(err, context.DeadlineExceeded):
		return key, fmt.Errorf("the node manager did not say who %q is; a key works without it: %w", text, err)
	}
	return key, err
}

// shorts finds the keys with that short form among those that this node knows.
func (n *Node) shorts(text string) []identity.PubKey {
	found := map[identity.PubKey]bool{}
	see := func(keys ...identity.PubKey) {
		for _, k := range keys {
			if !k.IsZero() && strings.EqualFold(k.Short(), text) {
				found[k] = true
			}
		}
	}
	see(n.cfg.Key.Public())
	for _, l := range n.links.Links() {
		see(l.Peer)
	}
	for _, p := range n.links.Peers() {
		see(p.Key)
	}
	for _, r := range n.table.Routes() {
		see(r.Src, r.Dst)
	}
	for _, s := range n.sessions.Sessions() {
		see(s.Peer)
		for _, p := range s.Paths {
			see(p.Nodes...)
		}
	}
	return slices.Collect(maps.Keys(found))
}
