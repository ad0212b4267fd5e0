package discovery

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/relay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newKey(t testing.TB) *identity.Key {
	t.Helper()
	k, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func open(t testing.TB, cfg Config) *Book {
	t.Helper()
	b, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func record(k *identity.Key, seq uint64, now time.Time, kinds ...string) Record {
	r := Record{Seq: seq, Issued: now, Expires: now.Add(relay.Life)}
	for _, kind := range kinds {
		r.Services = append(r.Services, relay.Service{Type: kind})
	}
	return r.Sign(k, "")
}

func TestPublish(t *testing.T) {
	b := open(t, Config{Max: 2})
	k, other := newKey(t), newKey(t)
	now := time.Now().Truncate(time.Millisecond)
	first := record(k, 5, now, "a")
	forged := first
	forged.Seq = 9
	stolen := record(other, 9, now)
	stolen.Key = k.Public()
	ahead := Record{Seq: 9, Issued: now.Add(relay.MaxSkew + time.Minute), Expires: now.Add(relay.MaxSkew + 2*time.Minute)}.Sign(k, "")
	over := Record{Seq: 9, Issued: now.Add(-time.Hour), Expires: now.Add(-time.Minute)}.Sign(k, "")
	network := Record{Seq: 9, Issued: now, Expires: now.Add(time.Minute)}.Sign(k, "other")
	for _, tt := range []struct {
		name string
		rec  Record
		code relay.Code
	}{
		{"the first", first, 0},
		{"the same again", first, 0},
		{"replayed", record(k, 4, now), relay.CodeStale},
		{"another of the same number", record(k, 5, now, "b"), relay.CodeStale},
		{"forged", forged, relay.CodeSignature},
		{"signed by another", stolen, relay.CodeSignature},
		{"of another network", network, relay.CodeSignature},
		{"from the future", ahead, relay.CodeStale},
		{"expired", over, relay.CodeStale},
		{"of another key", record(other, 1, now), 0},
		{"one too many", record(newKey(t), 1, now), relay.CodeFull},
		{"a newer one", record(k, 6, now, "b"), 0},
		{"rolled back", first, relay.CodeStale},
	} {
		if err := b.Publish(tt.rec, now); relay.CodeOf(err) != tt.code {
			t.Errorf("%s: %v, want code %d", tt.name, err, tt.code)
		}
	}
	if r, ok := b.Get(k.Public(), now); !ok || r.Seq != 6 {
		t.Errorf("the newest is %+v, %v", r, ok)
	}
	if f := b.Find(relay.Query{Type: "a", Limit: 9}, now); len(f.Records) != 0 {
		t.Errorf("an old service is found: %+v", f)
	}
	if f := b.Find(relay.Query{Type: "b", Limit: 9}, now); len(f.Records) != 1 {
		t.Errorf("a new service is not found: %+v", f)
	}
}

// TestRollBackAfterExpiry: a record that was replaced by a shorter one does not come back when that one is over.
func TestRollBackAfterExpiry(t *testing.T) {
	b := open(t, Config{})
	k := newKey(t)
	now := time.Now()
	long := Record{Seq: 1, Issued: now, Expires: now.Add(relay.MaxLife)}.Sign(k, "")
	bye := Record{Seq: 2, Issued: now, Expires: now}.Sign(k, "")
	for _, r := range []Record{long, bye} {
		if err := b.Publish(r, now); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := b.Get(k.Public(), now); ok {
		t.Error("a record that was taken back is found")
	}
	for _, later := range []time.Duration{time.Minute, 30 * time.Minute, relay.MaxLife - time.Second, relay.MaxLife, keepFor, keepFor + time.Minute} {
		b.Expire(now.Add(later))
		if err := b.Publish(long, now.Add(later)); relay.CodeOf(err) != relay.CodeStale {
			t.Errorf("rolled back after %s: %v", later, err)
		}
	}
	if b.Len() != 0 {
		t.Errorf("%d keys are remembered for good", b.Len())
	}
}

func TestRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x", "presence.db")
	k, gone := newKey(t), newKey(t)
	now := time.Now()
	b, err := Open(Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { b.Run(ctx) })
	for _, r := range []Record{record(k, 3, now, "a"), record(gone, 1, now)} {
		if err := b.Publish(r, now); err != nil {
			t.Fatal(err)
		}
	}
	b.mu.Lock()
	delete(b.entries, gone.Public()) // as Expire does
	b.mu.Unlock()
	b.store.drop([]identity.PubKey{gone.Public()})
	cancel()
	wg.Wait()
	b = open(t, Config{Path: path})
	if r, ok := b.Get(k.Public(), now); !ok || r.Seq != 3 || !r.Has("a", nil) {
		t.Errorf("after a restart: %+v, %v", r, ok)
	}
	if f := b.Find(relay.Query{Type: "a", Limit: 1}, now); len(f.Records) != 1 || b.Len() != 1 {
		t.Errorf("after a restart: %+v, %d keys", f, b.Len())
	}
	if err := b.Publish(record(k, 2, now), now); relay.CodeOf(err) != relay.CodeStale {
		t.Errorf("rolled back over a restart: %v", err)
	}
	if _, err := Open(Config{Path: path}); err == nil {
		t.Error("two books have one file")
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// TestFindPages compares with a slow search over a changing book.
func TestFindPages(t *testing.T) {
	b := open(t, Config{})
	r := rand.New(rand.NewPCG(1, 1))
	now := time.Now()
	kinds := []string{"a", "b", "c"}
	all := map[identity.PubKey]Record{}
	var keys []*identity.Key
	for range 60 {
		keys = append(keys, newKey(t))
	}
	for i := range 200 {
		k := keys[r.IntN(len(keys))]
		rec := Record{Seq: uint64(i + 1), Issued: now, Expires: now.Add(time.Minute)}
		for _, kind := range kinds {
			if r.IntN(2) == 0 {
				rec.Services = append(rec.Services, relay.Service{Type: kind})
			}
		}
		rec.Attrs = []relay.Attr{{Name: "n", Value: fmt.Sprint(r.IntN(2))}}
		rec = rec.Sign(k, "")
		if err := b.Publish(rec, now); err != nil {
			t.Fatal(err)
		}
		all[rec.Key] = rec
	}
	for range 50 {
		q := relay.Query{Limit: 1 + r.IntN(9)}
		if r.IntN(4) > 0 {
			q.Type = kinds[r.IntN(3)]
		}
		if r.IntN(2) == 0 {
			q.Attrs = []relay.Attr{{Name: "n", Value: "1"}}
		}
		var want, got []identity.PubKey
		for key, rec := range all {
			if rec.Has(q.Type, q.Attrs) {
				want = append(want, key)
			}
		}
		slices.SortFunc(want, compare)
		for {
			f := b.Find(q, now)
			if len(f.Records) > q.Limit {
				t.Fatalf("%d records, want at most %d", len(f.Records), q.Limit)
			}
			for _, rec := range f.Records {
				got = append(got, rec.Key)
			}
			if q.After = f.Next; q.After.IsZero() {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%+v: got %d keys, want %d", q, len(got), len(want))
		}
	}
	if f := b.Find(relay.Query{Limit: 9}, now.Add(time.Hour)); len(f.Records) != 0 {
		t.Error("expired records are found")
	}
}

func TestWatch(t *testing.T) {
	b := open(t, Config{})
	now := time.Now()
	k, other := newKey(t), newKey(t)
	var one, two []uint64
	w := NewWatch(func(r Record) { one = append(one, r.Seq) })
	everything := NewWatch(func(r Record) { two = append(two, r.Seq) })
	b.Set(w, []identity.PubKey{k.Public(), k.Public()})
	b.Follow(everything)
	b.Set(everything, []identity.PubKey{k.Public()})
	for _, r := range []Record{record(k, 1, now), record(other, 2, now), record(k, 3, now)} {
		if err := b.Publish(r, now); err != nil {
			t.Fatal(err)
		}
	}
	b.Set(w, nil)
	b.Drop(everything)
	b.Publish(record(k, 4, now), now)
	if !slices.Equal(one, []uint64{1, 3}) || !slices.Equal(two, []uint64{1, 2, 3}) {
		t.Errorf("told %v and %v", one, two)
	}
	if len(b.watchers) != 0 || len(b.follows) != 0 {
		t.Error("watches are left over")
	}
}

func BenchmarkPublish(b *testing.B) {
	k := newKey(b)
	book := open(b, Config{})
	now := time.Now()
	recs := make([]Record, 1000)
	for i := range recs {
		recs[i] = record(k, uint64(i+1), now, "a")
	}
	b.ResetTimer()
	i := 0
	for b.Loop() {
		if i == len(recs) {
			b.StopTimer()
			book, i = open(b, Config{}), 0
			b.StartTimer()
		}
		if err := book.Publish(recs[i], now); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
