// Package registry is the manager's book of nodes: their signed records, for as long as
// they are refreshed, and who holds which name, for good.
//
// Of two records of a key the higher Seq wins. A name belongs to the key that first asked
// for it. Names and the latest records are in the store; a record read back at start counts
// as just refreshed, so that names resolve while the nodes find their manager again.
package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/nodemanager/store"
)

// Limits.
const (
	maxNodes       = 1 << 16 // live records
	maxNames       = 1 << 18 // names held
	maxNamesPerKey = 16
)

// Keys of the store.
const (
	nodePrefix = "node/" // hex of the key: the record
	namePrefix = "name/" // folded name: the key
)

// Registry is safe for concurrent use.
type Registry struct {
	store   store.Store
	network string
	domain  string // folded; may be ""

	mu     sync.RWMutex // guards the following
	nodes  map[identity.PubKey]entry
	names  map[string]identity.PubKey // by folded name
	held   map[identity.PubKey]int    // names per key
	byAddr map[string][]identity.PubKey
}

type entry struct {
	record  control.NodeRecord
	name    string // folded, without domain
	seq     uint64 // of the record, or of a later one that said the same
	expires time.Time
}

// Open reads the book from the store. domain may end the names of nodes: "node0" and
// "node0.DOMAIN" are one.
func Open(ctx context.Context, s store.Store, network, domain string, now time.Time) (*Registry, error) {
	r := &Registry{
		store:   s,
		network: network,
		domain:  control.FoldName(domain),
		nodes:   make(map[identity.PubKey]entry),
		names:   make(map[string]identity.PubKey),
		held:    make(map[identity.PubKey]int),
		byAddr:  make(map[string][]identity.PubKey),
	}
	err := s.List(ctx, namePrefix, func(k string, v []byte) error {
		key, err := identity.ParsePubKey(v)
		if err != nil {
			return fmt.Errorf("reading %s: %w", k, err)
		}
		r.claimLocked(strings.TrimPrefix(k, namePrefix), key)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	err = s.List(ctx, nodePrefix, func(k string, v []byte) error {
		rec, err := control.ParseNode(v)
		if err != nil {
			return fmt.Errorf("reading %s: %w", k, err)
		}
		name, err := r.bare(rec.Name)
		if err != nil || len(r.nodes) >= maxNodes {
			return nil // written under another domain; the node will come back
		}
		r.putLocked(entry{record: rec, name: name, seq: rec.Seq, expires: now.Add(control.RecordLife)})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	return r, nil
}

// bare is a name folded and without the domain.
func (r *Registry) bare(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	name = control.FoldName(name)
	if r.domain != "" {
		name = strings.TrimSuffix(name, "."+r.domain)
	}
	if err := control.CheckLabel(name); err != nil {
		return "", control.Errorf(control.CodeBadRequest, "name %q is not one label, or one in the domain %q", name, r.domain)
	}
	return name, nil
}

// Refresh prolongs the life of a live record on the word of a later one that says the same; false, and nothing done, when
// it does not. The caller knows that it comes from its key: the signature, which Put would check, is not looked at, and the
// record that was checked stays in the book.
func (r *Registry) Refresh(rec control.NodeRecord, now time.Time) bool {
	if control.CheckClock(rec.Issued, now) != nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	e, live := r.nodes[rec.Key]
	if !live || rec.Seq <= e.seq || !sameContent(e.record, rec) {
		return false
	}
	e.seq, e.expires = rec.Seq, now.Add(min(rec.Expires.Sub(rec.Issued), control.RecordLife))
	r.nodes[rec.Key] = e
	return true
}

// Put takes a record up. A refusal is a *control.Error: CodeBadSignature, CodeStale,
// CodeNameTaken, CodeQuota, CodeBadRequest. A new name is in the store when Put returns nil.
func (r *Registry) Put(ctx context.Context, rec control.NodeRecord, now time.Time) error {
	if rec.Verify(r.network) != nil {
		return &control.Error{Code: control.CodeBadSignature}
	}
	if err := control.CheckClock(rec.Issued, now); err != nil {
		return err
	}
	name, err := r.bare(rec.Name)
	if err != nil {
		return err
	}
	life := min(rec.Expires.Sub(rec.Issued), control.RecordLife)
	ops, claimed, err := r.take(entry{record: rec, name: name, seq: rec.Seq, expires: now.Add(life)})
	if err != nil || len(ops) == 0 {
		return err
	}
	if err := r.store.Batch(ctx, ops); err != nil {
		if claimed {
			r.unclaim(name, rec.Key)
		}
		return fmt.Errorf("registry: storing the record of %s: %w", rec.Key.Short(), err)
	}
	return nil
}

// take puts an entry into memory and says what the store must learn. Refreshes that change
// nothing else cost no write.
func (r *Registry) take(e entry) (ops []store.Op, claimed bool, err error) {
	key := e.record.Key
	r.mu.Lock()
	defer r.mu.Unlock()
	old, had := r.nodes[key]
	if had && e.seq <= old.seq {
		return nil, false, control.Errorf(control.CodeStale, "a record with a higher number is there; it expires within %s", control.RecordLife)
	}
	if !had && len(r.nodes) >= maxNodes {
		return nil, false, control.Errorf(control.CodeQuota, "%d nodes are registered", maxNodes)
	}
	if err := r.mayHoldLocked(e.name, key); err != nil {
		return nil, false, err
	}
	if e.name != "" && r.claimLocked(e.name, key) {
		claimed = true
		ops = append(ops, store.Op{Key: namePrefix + e.name, Value: key[:]})
	}
	if !had || !sameContent(old.record, e.record) {
		ops = append(ops, store.Op{Key: nodePrefix + key.String(), Value: e.record.Append(nil)})
	}
	r.putLocked(e)
	return ops, claimed, nil
}

func sameContent(a, b control.NodeRecord) bool {
	return a.Name == b.Name && a.Connect == b.Connect && slices.Equal(a.Addrs, b.Addrs)
}

func (r *Registry) mayHoldLocked(name string, key identity.PubKey) error {
	owner, taken := r.names[name]
	switch {
	case name == "" || (taken && owner == key):
		return nil
	case taken:
		return control.Errorf(control.CodeNameTaken, "%q belongs to %s", name, owner.Short())
	case r.held[key] >= maxNamesPerKey:
		return control.Errorf(control.CodeQuota, "the key holds %d names", maxNamesPerKey)
	case len(r.names) >= maxNames:
		return control.Errorf(control.CodeQuota, "%d names are held", maxNames)
	}
	return nil
}

// claimLocked gives a free name to a key, and reports whether it was free.
func (r *Registry) claimLocked(name string, key identity.PubKey) bool {
	if _, taken := r.names[name]; taken {
		return false
	}
	r.names[name] = key
	r.held[key]++
	return true
}

func (r *Registry) unclaim(name string, key identity.PubKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unclaimLocked(name, key)
}

func (r *Registry) unclaimLocked(name string, key identity.PubKey) {
	if r.names[name] != key {
		return
	}
	delete(r.names, name)
	if r.held[key]--; r.held[key] == 0 {
		delete(r.held, key)
	}
}

func (r *Registry) putLocked(e entry) {
	r.dropLocked(e.record.Key)
	r.nodes[e.record.Key] = e
	for _, a := range e.record.Addrs {
		r.byAddr[a] = append(r.byAddr[a], e.record.Key)
	}
}

func (r *Registry) dropLocked(key identity.PubKey) {
	for _, a := range r.nodes[key].record.Addrs {
		left := slices.DeleteFunc(r.byAddr[a], func(k identity.PubKey) bool { return k == key })
		if len(left) == 0 {
			delete(r.byAddr, a)
			continue
		}
		r.byAddr[a] = left
	}
	delete(r.nodes, key)
}

// ForgetName takes a name from its key, so that another may claim it. Errors: CodeUnknownName.
func (r *Registry) ForgetName(ctx context.Context, name string) error {
	name, err := r.bare(name)
	if err != nil {
		return err
	}
	r.mu.Lock()
	owner, ok := r.names[name]
	r.unclaimLocked(name, owner)
	r.mu.Unlock()
	if !ok {
		return control.Errorf(control.CodeUnknownName, "%q", name)
	}
	return r.store.Delete(ctx, namePrefix+name)
}

// Expire forgets the records that were not refreshed in time and returns their keys. An
// error is the store's; the records are forgotten all the same.
func (r *Registry) Expire(ctx context.Context, now time.Time) ([]identity.PubKey, error) {
	var gone []identity.PubKey
	r.mu.Lock()
	for key, e := range r.nodes {
		if now.After(e.expires) {
			gone = append(gone, key)
		}
	}
	for _, key := range gone {
		r.dropLocked(key)
	}
	r.mu.Unlock()
	var err error
	for chunk := range slices.Chunk(gone, store.MaxBatch) {
		ops := make([]store.Op, len(chunk))
		for i, key := range chunk {
			ops[i].Key = nodePrefix + key.String()
		}
		err = errors.Join(err, r.store.Batch(ctx, ops))
	}
	return gone, err
}
