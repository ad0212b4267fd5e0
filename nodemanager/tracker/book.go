package tracker

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/nodemanager/store"
)

// Limits.
const (
	maxApps        = 1 << 16 // live records
	maxAppsPerKey  = 64
	maxNames       = 1 << 18 // names held
	maxNamesPerKey = 256
	requestRate    = 200 // a second on one connection; a manager speaks for many nodes
	requestBurst   = 1000
)

func newLimit() *rate.Limiter { return rate.NewLimiter(requestRate, requestBurst) }

// namePrefix begins the keys of the store; a folded name follows, the value is its key.
const namePrefix = "app/"

// Book is the tracker's memory: live records, and who holds which name, for good. Names
// are in the store; records are not, their nodes repeat them. Safe for concurrent use.
type Book struct {
	store   store.Store
	network string

	mu    sync.RWMutex            // guards the following
	apps  map[string]entry        // by folded name
	names map[string]holder       // by folded name
	held  map[identity.PubKey]int // names per key
	live  map[identity.PubKey]int // records per key
}

type entry struct {
	record  control.AppRecord
	expires time.Time
}

// holder is whose a name is. Issued is of the latest record or removal seen since start: an
// older one that somebody kept and sends again counts for nothing.
type holder struct {
	key    identity.PubKey
	issued time.Time
}

// OpenBook reads the names from the store.
func OpenBook(ctx context.Context, s store.Store, network string) (*Book, error) {
	b := &Book{
		store:   s,
		network: network,
		apps:    make(map[string]entry),
		names:   make(map[string]holder),
		held:    make(map[identity.PubKey]int),
		live:    make(map[identity.PubKey]int),
	}
	err := s.List(ctx, namePrefix, func(k string, v []byte) error {
		key, err := identity.ParsePubKey(v)
		if err != nil {
			return fmt.Errorf("reading %s: %w", k, err)
		}
		b.names[strings.TrimPrefix(k, namePrefix)] = holder{key: key}
		b.held[key]++
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("tracker: %w", err)
	}
	return b, nil
}

// Put takes a record up, until it expires by the span its node gave it, counted from now,
// at most control.RecordLife. A refusal is a *control.Error: CodeBadSignature, CodeStale,
// CodeNameTaken, CodeQuota. A new name is in the store when Put returns nil.
func (b *Book) Put(ctx context.Context, r control.AppRecord, now time.Time) error {
	if r.Verify(b.network) != nil {
		return &control.Error{Code: control.CodeBadSignature}
	}
	if err := control.CheckClock(r.Issued, now); err != nil {
		return err
	}
	name := control.FoldName(r.Name)
	claimed, err := b.take(name, r, now)
	if err != nil || !claimed {
		return err
	}
	if err := b.store.Put(ctx, namePrefix+name, r.Node[:]); err != nil {
		b.mu.Lock()
		b.dropLocked(name)
		b.unclaimLocked(name)
		b.mu.Unlock()
		return fmt.Errorf("tracker: storing the name %s: %w", name, err)
	}
	return nil
}

func (b *Book) take(name string, r control.AppRecord, now time.Time) (claimed bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expireLocked(name, now)
	old, had := b.apps[name]
	h, taken := b.names[name]
	switch {
	case taken && h.key != r.Node:
		return false, control.Errorf(control.CodeNameTaken, "%q belongs to %s", r.Name, h.key.Short())
	case had && old.record.Sig == r.Sig:
		return false, nil
	case !r.Issued.After(h.issued):
		return false, control.Errorf(control.CodeStale, "a later record of %q was there", r.Name)
	case !had && (len(b.apps) >= maxApps || b.live[r.Node] >= maxAppsPerKey):
		return false, control.Errorf(control.CodeQuota, "at most %d apps for a key, %d for all", maxAppsPerKey, maxApps)
	case !taken && (len(b.names) >= maxNames || b.held[r.Node] >= maxNamesPerKey):
		return false, control.Errorf(control.CodeQuota, "at most %d names for a key, %d for all", maxNamesPerKey, maxNames)
	}
	b.names[name] = holder{r.Node, r.Issued}
	if !taken {
		b.held[r.Node]++
	}
	if !had {
		b.live[r.Node]++
	}
	b.apps[name] = entry{r, now.Add(min(r.Expires.Sub(r.Issued), control.RecordLife))}
	return !taken, nil
}

// Remove takes back a record issued no later than the removal; the name stays with its key.
// Errors: CodeBadSignature, CodeStale, CodeUnknownName.
func (b *Book) Remove(r control.AppRemoval, now time.Time) error {
	if r.Verify(b.network) != nil {
		return &control.Error{Code: control.CodeBadSignature}
	}
	if err := control.CheckClock(r.Issued, now); err != nil {
		return err
	}
	name := control.FoldName(r.Name)
	b.mu.Lock()
	defer b.mu.Unlock()
	e, ok := b.apps[name]
	switch {
	case !ok || e.record.Node != r.Node:
		return control.Errorf(control.CodeUnknownName, "no app %q of this node", r.Name)
	case e.record.Issued.After(r.Issued):
		return control.Errorf(control.CodeStale, "a later record of %q is there", r.Name)
	}
	b.names[name] = holder{r.Node, r.Issued}
	b.dropLocked(name)
	return nil
}

func (b *Book) dropLocked(name string) {
	e, ok := b.apps[name]
	if !ok {
		return
	}
	delete(b.apps, name)
	if b.live[e.record.Node]--; b.live[e.record.Node] == 0 {
		delete(b.live, e.record.Node)
	}
}

func (b *Book) unclaimLocked(name string) {
	h, ok := b.names[name]
	if !ok {
		return
	}
	delete(b.names, name)
	if b.held[h.key]--; b.held[h.key] == 0 {
		delete(b.held, h.key)
	}
}

// ForgetName takes a name from its key, with its record. Errors: CodeUnknownName.
func (b *Book) ForgetName(ctx context.Context, name string) error {
	folded := control.FoldName(name)
	b.mu.Lock()
	_, ok := b.names[folded]
	b.dropLocked(folded)
	b.unclaimLocked(folded)
	b.mu.Unlock()
	if !ok {
		return control.Errorf(control.CodeUnknownName, "%q", name)
	}
	return b.store.Delete(ctx, namePrefix+folded)
}

// Expire forgets the records that were not repeated in time.
func (b *Book) Expire(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for name := range b.apps {
		b.expireLocked(name, now)
	}
}

func (b *Book) expireLocked(name string, now time.Time) {
	if e, ok := b.apps[name]; ok && now.After(e.expires) {
		b.dropLocked(name)
	}
}

// Find returns the live records a query selects, by name, at most control.MaxApps.
func (b *Book) Find(q control.AppQuery, now time.Time) []control.AppRecord {
	list := b.collect(q, now)
	return list[:min(len(list), control.MaxApps)]
}

// All returns the live records by name.
func (b *Book) All(now time.Time) []control.AppRecord { return b.collect(control.AppQuery{}, now) }

func (b *Book) collect(q control.AppQuery, now time.Time) []control.AppRecord {
	var list []control.AppRecord
	b.mu.RLock()
	if q.Name != "" {
		if e, ok := b.apps[control.FoldName(q.Name)]; ok && q.Matches(e.record) && !now.After(e.expires) {
			list = append(list, e.record)
		}
		b.mu.RUnlock()
		return list
	}
	for _, e := range b.apps {
		if q.Matches(e.record) && !now.After(e.expires) {
			list = append(list, e.record)
		}
	}
	b.mu.RUnlock()
	slices.SortFunc(list, func(x, y control.AppRecord) int {
		return strings.Compare(control.FoldName(x.Name), control.FoldName(y.Name))
	})
	return list
}
