// Package discovery is the messenger's book of records: who is at home where, and offers what. It takes records that their keys
// signed, keeps the newest of each key across restarts, finds them by key, service and attributes, and tells those
// who watch of changes.
package discovery

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/relay"
)

// Limits of a book.
const (
	// MaxRecords is how many keys a book holds unless told otherwise; at about 1 KiB each in memory.
	MaxRecords = 200_000
	// keepFor is how long the number of a key's newest record is kept after its last change: until no older one can
	// be live any more.
	keepFor     = relay.MaxLife + 2*relay.MaxSkew
	expireEvery = 10 * time.Second
	// maxLooked is how many records one find looks at; the answer says that there may be more.
	maxLooked = 4096
)

// Config says where a Book is kept.
type Config struct {
	Path    string // of its file; "": in memory alone
	Network string
	Max     int // records; 0: MaxRecords
	Log     *slog.Logger
}

// entry is a key's newest record.
type entry struct {
	rec Record
	at  time.Time // when it was taken
}

// Record is node/relay's.
type Record = relay.Record

// Book is safe for concurrent use.
type Book struct {
	cfg   Config
	store *store // nil: none

	mu       sync.RWMutex // guards the following
	entries  map[identity.PubKey]entry
	byType   map[string]*index
	all      *index
	watchers map[identity.PubKey]map[*Watch]struct{}
	follows  map[*Watch]struct{}
}

// Open reads the book from its file.
func Open(cfg Config) (*Book, error) {
	if cfg.Max == 0 {
		cfg.Max = MaxRecords
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	b := &Book{
		cfg: cfg, entries: map[identity.PubKey]entry{}, byType: map[string]*index{}, all: &index{},
		watchers: map[identity.PubKey]map[*Watch]struct{}{}, follows: map[*Watch]struct{}{},
	}
	if cfg.Path == "" {
		return b, nil
	}
	var err error
	if b.store, err = openStore(cfg.Path); err != nil {
		return nil, err
	}
	if err := b.store.read(b.restore); err != nil {
		b.store.close()
		return nil, fmt.Errorf("reading %s: %w", cfg.Path, err)
	}
	b.index()
	return b, nil
}

// restore takes one record of the file; what does not verify is left out.
func (b *Book) restore(raw []byte, at time.Time) (keep bool) {
	rec, err := relay.ParseRecord(raw)
	if err != nil || rec.Verify(b.cfg.Network) != nil || time.Since(at) > keepFor || len(b.entries) >= b.cfg.Max {
		return false
	}
	b.entries[rec.Key] = entry{rec, at}
	return true
}

// index lists what restore took.
func (b *Book) index() {
	for _, e := range b.entries {
		b.all.keys = append(b.all.keys, e.rec.Key)
		for kind := range kindsOf(e.rec) {
			b.of(kind).keys = append(b.of(kind).keys, e.rec.Key)
		}
	}
	b.all.sort()
	for _, x := range b.byType {
		x.sort()
	}
}

// Run keeps the file and forgets what is over, until ctx ends; then it closes the file.
func (b *Book) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	if b.store != nil {
		wg.Go(func() { b.store.run(ctx, b.cfg.Log) })
	}
	tick := time.NewTicker(expireEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			b.Expire(time.Now())
			continue
		case <-ctx.Done():
		}
		wg.Wait()
		return b.Close()
	}
}

// Close closes the file of a book that is not run. Idempotent.
func (b *Book) Close() error {
	if b.store == nil {
		return nil
	}
	return b.store.close()
}

// Publish takes a record. Errors are *relay.Failure: of a record that is forged, rolled back, out of its time, or one too many.
// The same record again is no error.
func (b *Book) Publish(rec Record, now time.Time) error {
	if !b.fresh(rec, now) {
		b.mu.RLock()
		same := b.entries[rec.Key].rec.Sig == rec.Sig
		b.mu.RUnlock()
		if same {
			return nil
		}
		return relay.Failed(relay.CodeStale, "a newer record is known, or its times are not those of this clock")
	}
	if rec.Verify(b.cfg.Network) != nil { // the dear part, outside the lock
		return relay.Failed(relay.CodeSignature, "")
	}
	b.mu.Lock()
	old, known := b.entries[rec.Key]
	switch {
	case known && rec.Seq <= old.rec.Seq:
		b.mu.Unlock()
		return relay.Failed(relay.CodeStale, "a newer record is known")
	case !known && len(b.entries) >= b.cfg.Max:
		b.mu.Unlock()
		return relay.Failed(relay.CodeFull, "%d records", b.cfg.Max)
	}
	b.entries[rec.Key] = entry{rec, now}
	b.reindex(old.rec, rec, known)
	watches := b.interested(rec.Key)
	b.mu.Unlock()
	if b.store != nil {
		b.store.put(rec, now)
	}
	for _, w := range watches {
		w.tell(rec)
	}
	return nil
}

// fresh is what can be told of a record without its signature.
func (b *Book) fresh(rec Record, now time.Time) bool {
	if rec.Issued.Sub(now) > relay.MaxSkew || rec.Expires.Before(rec.Issued) || rec.Expires.Sub(rec.Issued) > relay.MaxLife {
		return false
	}
	if !rec.Expires.Equal(rec.Issued) && !rec.Live(now) || now.Sub(rec.Issued) > keepFor {
		return false
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	old, known := b.entries[rec.Key]
	return !known || rec.Seq > old.rec.Seq
}

// Get returns the live record of a key.
func (b *Book) Get(key identity.PubKey, now time.Time) (Record, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	e, ok := b.entries[key]
	return e.rec, ok && e.rec.Live(now)
}

// Find returns live records that fit, in the order of keys; see relay.Query. It looks at 4096 keys at most: where few fit, an
// answer may hold none and yet say where to go on.
func (b *Book) Find(q relay.Query, now time.Time) (f relay.Found) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	x := b.all
	if q.Type != "" {
		if x = b.byType[q.Type]; x == nil {
			return f
		}
	}
	bytes, looked, last := 0, 0, q.After
	for _, k := range x.after(q.After) {
		e := b.entries[k]
		looked++
		if e.rec.Live(now) && e.rec.Has(q.Type, q.Attrs) {
			n := len(e.rec.Append(nil))
			if len(f.Records) == q.Limit || !relay.Fits(bytes, n) {
				f.Next = last
				break
			}
			bytes += n
			f.Records = append(f.Records, e.rec)
		}
		last = k
		if looked == maxLooked {
			f.Next = last
			break
		}
	}
	return f
}

// List returns all live records, by key.
func (b *Book) List(now time.Time) []Record {
	b.mu.RLock()
	defer b.mu.RUnlock()
	var list []Record
	for _, k := range b.all.keys {
		if e := b.entries[k]; e.rec.Live(now) {
			list = append(list, e.rec)
		}
	}
	return list
}

// Knows reports whether the book has an entry of a key, live or not.
func (b *Book) Knows(key identity.PubKey) bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	_, ok := b.entries[key]
	return ok
}

// Len is how many keys the book knows, live or not.
func (b *Book) Len() int {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return len(b.entries)
}

// Expire forgets keys of which no live record can come any more.
func (b *Book) Expire(now time.Time) {
	b.mu.Lock()
	var gone []identity.PubKey
	for k, e := range b.entries {
		if now.Sub(e.at) > keepFor {
			gone = append(gone, k)
			b.reindex(e.rec, Record{}, true)
			delete(b.entries, k)
		}
	}
	b.mu.Unlock()
	if b.store != nil && len(gone) > 0 {
		b.store.drop(gone)
	}
}

// reindex moves a key from the types of its old record to those of the new one, which has no key where there is none.
func (b *Book) reindex(old, rec Record, known bool) {
	key := rec.Key
	switch {
	case !known:
		b.all.add(key)
	case key.IsZero():
		b.all.remove(old.Key)
		key = old.Key
	}
	before, after := kindsOf(old), kindsOf(rec)
	for kind := range before {
		if !after[kind] {
			if x := b.of(kind); x.remove(key) {
				delete(b.byType, kind)
			}
		}
	}
	for kind := range after {
		if !before[kind] {
			b.of(kind).add(key)
		}
	}
}

func kindsOf(r Record) map[string]bool {
	kinds := map[string]bool{}
	for _, s := range r.Services {
		kinds[s.Type] = true
	}
	return kinds
}

func (b *Book) of(kind string) *index {
	x := b.byType[kind]
	if x == nil {
		x = &index{}
		b.byType[kind] = x
	}
	return x
}

// index is a set of keys in order.
type index struct{ keys []identity.PubKey }

func compare(a, b identity.PubKey) int { return bytes.Compare(a[:], b[:]) }

func (x *index) sort() { slices.SortFunc(x.keys, compare) }

func (x *index) add(k identity.PubKey) {
	if i, is := slices.BinarySearchFunc(x.keys, k, compare); !is {
		x.keys = slices.Insert(x.keys, i, k)
	}
}

func (x *index) remove(k identity.PubKey) (empty bool) {
	if i, is := slices.BinarySearchFunc(x.keys, k, compare); is {
		x.keys = slices.Delete(x.keys, i, i+1)
	}
	return len(x.keys) == 0
}

func (x *index) after(k identity.PubKey) []identity.PubKey {
	i, is := slices.BinarySearchFunc(x.keys, k, compare)
	if is {
		i++
	}
	return x.keys[i:]
}
