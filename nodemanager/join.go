package nodemanager

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/nodemanager/store"
)

// Join says who may be in the network.
type Join struct {
	Closed  bool              // only Members and who was allowed since; else everybody but who was denied
	Members []identity.PubKey // the list that came with the configuration
}

// joinPrefix and the hex of a key: one byte, allowed or denied at run time, which outweighs the configuration.
const (
	joinPrefix  = "join/"
	joinAllowed = 1
	joinDenied  = 0
	maxJoin     = 1 << 18 // keys allowed or denied at run time
)

// roster is who may be in the network. Safe for concurrent use.
type roster struct {
	store  store.Store
	closed bool

	mu    sync.RWMutex // guards the following
	given map[identity.PubKey]struct{}
	words map[identity.PubKey]bool // allowed or denied at run time
	bars  int                      // of these, denied
}

func openRoster(ctx context.Context, s store.Store, j Join) (*roster, error) {
	r := &roster{store: s, closed: j.Closed, given: make(map[identity.PubKey]struct{}), words: make(map[identity.PubKey]bool)}
	for _, k := range j.Members {
		r.given[k] = struct{}{}
	}
	err := s.List(ctx, joinPrefix, func(name string, value []byte) error {
		key, err := identity.ParseHex(strings.TrimPrefix(name, joinPrefix))
		if err != nil || len(value) != 1 {
			return fmt.Errorf("reading %s: %w", name, err)
		}
		r.setLocked(key, value[0] == joinAllowed)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("nodemanager: who may join: %w", err)
	}
	return r, nil
}

func (r *roster) setLocked(key identity.PubKey, allow bool) {
	if was, said := r.words[key]; said && !was {
		r.bars--
	}
	r.words[key] = allow
	if !allow {
		r.bars++
	}
}

// say allows or denies a key for good.
func (r *roster) say(ctx context.Context, key identity.PubKey, allow bool) error {
	word := byte(joinDenied)
	if allow {
		word = joinAllowed
	}
	r.mu.RLock()
	_, said := r.words[key]
	full := !said && len(r.words) >= maxJoin
	r.mu.RUnlock()
	if full {
		return control.Errorf(control.CodeQuota, "%d keys are on the list", maxJoin)
	}
	if err := r.store.Put(ctx, joinPrefix+key.String(), []byte{word}); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.setLocked(key, allow)
	return nil
}

// check says whether a key may be in the network. Errors: CodeNotMember.
func (r *roster) check(key identity.PubKey) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	allowed, said := r.words[key]
	_, given := r.given[key]
	switch {
	case said && !allowed:
		return control.Errorf(control.CodeNotMember, "%s was denied; whoever runs the manager may `allow` it", key.Short())
	case said, given, !r.closed:
		return nil
	}
	return control.Errorf(control.CodeNotMember, "%s is not on the list; whoever runs the manager may `allow` it", key.Short())
}

// ask reports whether there is anybody who may not be in the network.
func (r *roster) ask() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.closed || r.bars > 0
}

// Policy is who may be in the network, for people.
type Policy struct {
	Closed  bool // only those allowed; else everybody not denied
	Allowed []identity.PubKey
	Denied  []identity.PubKey
}

func (r *roster) policy() (p Policy) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	p.Closed = r.closed
	for k := range r.given {
		if _, said := r.words[k]; !said {
			p.Allowed = append(p.Allowed, k)
		}
	}
	for k, allowed := range r.words {
		if allowed {
			p.Allowed = append(p.Allowed, k)
		} else {
			p.Denied = append(p.Denied, k)
		}
	}
	slices.SortFunc(p.Allowed, compareKeys)
	slices.SortFunc(p.Denied, compareKeys)
	return p
}

// Policy says who may be in the network.
func (m *Manager) Policy() Policy { return m.roster.policy() }

// Allow lets a key into the network, for good. It survives the manager.
func (m *Manager) Allow(ctx context.Context, key identity.PubKey) error {
	return m.roster.say(ctx, key, true)
}

// Deny keeps a key out of the network, for good: it is disconnected, its routes are taken back and no path leads over it any
// more. Links that other nodes have to it carry nothing then; nodes refuse new ones within a minute.
func (m *Manager) Deny(ctx context.Context, key identity.PubKey) error {
	if err := m.roster.say(ctx, key, false); err != nil {
		return err
	}
	if who, ok := m.member(key); ok {
		who.peer.Close()
		m.leave(who)
	}
	m.routes.Restarted(ctx, key)
	return nil
}
