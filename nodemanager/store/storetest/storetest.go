// Package storetest holds what every store.Store must do, as one suite of tests for all
// backends, and a store in memory.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/skycoin/viscript/nodemanager/store"
)

// Run tests a backend. open makes a new empty store; the suite closes it.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	tests := []struct {
		name string
		test func(t *testing.T, s store.Store)
	}{
		{"get, put, delete", testBasics},
		{"values are copies", testCopies},
		{"list", testList},
		{"list ends at an error", testListError},
		{"batch is all or nothing", testBatch},
		{"limits", testLimits},
		{"cancelled context", testContext},
		{"concurrent use", testConcurrent},
		{"closed", testClosed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t)
			t.Cleanup(func() { s.Close() })
			tt.test(t, s)
		})
	}
}

// Reopen tests that what was written is there in a second store that open makes of the
// same place after the first was closed.
func Reopen(t *testing.T, open func(t *testing.T) store.Store) {
	s := open(t)
	must(t, s.Put(t.Context(), "a", []byte("1")))
	must(t, s.Put(t.Context(), "b", []byte("2")))
	must(t, s.Delete(t.Context(), "b"))
	must(t, s.Close())
	s = open(t)
	defer s.Close()
	wantValue(t, s, "a", "1")
	wantNone(t, s, "b")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantValue(t *testing.T, s store.Store, key, want string) {
	t.Helper()
	got, err := s.Get(t.Context(), key)
	if err != nil || string(got) != want {
		t.Fatalf("Get(%q) = %q, %v; want %q", key, got, err, want)
	}
}

func wantNone(t *testing.T, s store.Store, key string) {
	t.Helper()
	if v, err := s.Get(t.Context(), key); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("Get(%q) = %q, %v; want ErrNotFound", key, v, err)
	}
}

func testBasics(t *testing.T, s store.Store) {
	ctx := t.Context()
	wantNone(t, s, "k")
	must(t, s.Delete(ctx, "k"))
	must(t, s.Put(ctx, "k", []byte("one")))
	wantValue(t, s, "k", "one")
	must(t, s.Put(ctx, "k", []byte("two")))
	wantValue(t, s, "k", "two")
	must(t, s.Put(ctx, "empty", nil))
	wantValue(t, s, "empty", "")
	must(t, s.Delete(ctx, "k"))
	wantNone(t, s, "k")
	wantValue(t, s, "empty", "")
}

func testCopies(t *testing.T, s store.Store) {
	v := []byte("one")
	must(t, s.Put(t.Context(), "k", v))
	v[0] = 'X'
	wantValue(t, s, "k", "one")
	got, err := s.Get(t.Context(), "k")
	must(t, err)
	got[0] = 'X'
	wantValue(t, s, "k", "one")
}

func list(t *testing.T, s store.Store, prefix string) []string {
	t.Helper()
	var got []string
	must(t, s.List(t.Context(), prefix, func(k string, v []byte) error {
		got = append(got, k+"="+string(v))
		return nil
	}))
	return got
}

func testList(t *testing.T, s store.Store) {
	if got := list(t, s, ""); len(got) != 0 {
		t.Fatalf("an empty store lists %q", got)
	}
	for _, k := range []string{"b/2", "a", "b/10", "b", "c/1", "b/\xff", "b/1"} {
		must(t, s.Put(t.Context(), k, []byte(strings.ToUpper(k))))
	}
	want := []string{"b/1=B/1", "b/10=B/10", "b/2=B/2", "b/\xff=" + strings.ToUpper("b/\xff")}
	if got := list(t, s, "b/"); !slices.Equal(got, want) {
		t.Fatalf("list b/ = %q, want %q", got, want)
	}
	var keys []string
	for _, kv := range list(t, s, "") {
		k, _, _ := strings.Cut(kv, "=")
		keys = append(keys, k)
	}
	if len(keys) != 7 || !slices.IsSorted(keys) {
		t.Fatalf("list of everything = %q", keys)
	}
	if got := list(t, s, "d"); len(got) != 0 {
		t.Fatalf("list d = %q", got)
	}
}

func testListError(t *testing.T, s store.Store) {
	must(t, s.Batch(t.Context(), []store.Op{{Key: "a", Value: []byte("1")}, {Key: "b", Value: []byte("2")}}))
	stop := errors.New("stop")
	n := 0
	err := s.List(t.Context(), "", func(string, []byte) error { n++; return stop })
	if !errors.Is(err, stop) || n != 1 {
		t.Fatalf("List = %v after %d calls", err, n)
	}
}

func testBatch(t *testing.T, s store.Store) {
	ctx := t.Context()
	must(t, s.Put(ctx, "old", []byte("x")))
	must(t, s.Batch(ctx, nil))
	must(t, s.Batch(ctx, []store.Op{
		{Key: "old"},
		{Key: "a", Value: []byte("1")},
		{Key: "a", Value: []byte("2")},
		{Key: "empty", Value: []byte{}},
	}))
	wantNone(t, s, "old")
	wantValue(t, s, "a", "2")
	wantValue(t, s, "empty", "")
	bad := []store.Op{{Key: "a", Value: []byte("3")}, {Key: "", Value: []byte("4")}}
	if err := s.Batch(ctx, bad); !errors.Is(err, store.ErrLimit) {
		t.Fatalf("a batch with a bad change = %v", err)
	}
	wantValue(t, s, "a", "2")
}

func testLimits(t *testing.T, s store.Store) {
	ctx := t.Context()
	long := strings.Repeat("k", store.MaxKey)
	must(t, s.Put(ctx, long, make([]byte, store.MaxValue)))
	if v, err := s.Get(ctx, long); err != nil || len(v) != store.MaxValue {
		t.Fatalf("largest value: %d bytes, %v", len(v), err)
	}
	_, getErr := s.Get(ctx, "")
	for name, err := range map[string]error{
		"empty key":   s.Put(ctx, "", nil),
		"long key":    s.Put(ctx, long+"k", nil),
		"long value":  s.Put(ctx, "k", make([]byte, store.MaxValue+1)),
		"get nothing": getErr,
		"delete long": s.Delete(ctx, long+"k"),
		"long batch":  s.Batch(ctx, make([]store.Op, store.MaxBatch+1)),
	} {
		if !errors.Is(err, store.ErrLimit) {
			t.Errorf("%s: %v, want ErrLimit", name, err)
		}
	}
}

func testContext(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	must(t, s.Put(ctx, "a", nil))
	cancel()
	_, getErr := s.Get(ctx, "a")
	for name, err := range map[string]error{
		"get":  getErr,
		"put":  s.Put(ctx, "a", []byte("1")),
		"list": s.List(ctx, "", func(string, []byte) error { return nil }),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s = %v", name, err)
		}
	}
	wantValue(t, s, "a", "")
}

func testConcurrent(t *testing.T, s store.Store) {
	const workers, each = 4, 10
	var wg sync.WaitGroup
	errs := make(chan error, workers*each)
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				k := fmt.Sprintf("w%d/%02d", w, i)
				errs <- s.Put(t.Context(), k, []byte(k))
				if _, err := s.Get(t.Context(), k); err != nil {
					t.Errorf("Get(%q): %v", k, err)
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		must(t, err)
	}
	if got := list(t, s, "w"); len(got) != workers*each {
		t.Fatalf("%d keys, want %d", len(got), workers*each)
	}
}

func testClosed(t *testing.T, s store.Store) {
	ctx := t.Context()
	must(t, s.Close())
	must(t, s.Close())
	_, getErr := s.Get(ctx, "a")
	for name, err := range map[string]error{
		"get":    getErr,
		"put":    s.Put(ctx, "a", nil),
		"delete": s.Delete(ctx, "a"),
		"batch":  s.Batch(ctx, []store.Op{{Key: "a"}}),
		"list":   s.List(ctx, "", func(string, []byte) error { return nil }),
	} {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("%s after Close = %v, want ErrClosed", name, err)
		}
	}
}
