package registry

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/nodemanager/store"
	"github.com/skycoin/viscript/nodemanager/store/storetest"
)

type book struct {
	*Registry
	t   *testing.T
	s   *storetest.Memory
	now time.Time
	seq uint64
}

func newBook(t *testing.T) *book {
	b := &book{t: t, s: storetest.NewMemory(), now: time.Now()}
	b.reopen()
	return b
}

func (b *book) reopen() {
	b.t.Helper()
	var err error
	if b.Registry, err = Open(context.Background(), b.s, "net", "Mesh.Net", b.now); err != nil {
		b.t.Fatal(err)
	}
}

func newKey(t *testing.T) *identity.Key {
	t.Helper()
	k, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (b *book) put(k *identity.Key, name string, addrs ...string) error {
	b.seq++
	return b.Put(b.t.Context(), control.SignNode(k, "net", control.NodeRecord{Name: name, Addrs: addrs, Seq: b.seq, Issued: b.now}), b.now)
}

func wantCode(t *testing.T, what string, err error, want control.Code) {
	t.Helper()
	if control.CodeOf(err) != want || (err == nil) != (want == 0) {
		t.Errorf("%s: %v, want %q", what, err, want)
	}
}

func TestNamesAreKept(t *testing.T) {
	b, a, thief := newBook(t), newKey(t), newKey(t)
	wantCode(t, "first", b.put(a, "Node0.mesh.net"), 0)
	wantCode(t, "thief", b.put(thief, "nODE0"), control.CodeNameTaken)
	if got, err := b.ByName("node0.MESH.net"); err != nil || got != a.Public() {
		t.Errorf("%v, %v", got, err)
	}
	b.now = b.now.Add(10 * time.Minute)
	if gone, err := b.Expire(t.Context(), b.now); err != nil || len(gone) != 1 || gone[0] != a.Public() {
		t.Errorf("%v, %v", gone, err)
	}
	_, err := b.ByName("node0")
	wantCode(t, "its holder is away", err, control.CodeUnknownName)
	wantCode(t, "thief, while it is away", b.put(thief, "node0"), control.CodeNameTaken)
	b.reopen()
	wantCode(t, "thief, after a restart", b.put(thief, "node0"), control.CodeNameTaken)
	wantCode(t, "the holder, after a restart", b.put(a, "node0"), 0)
	wantCode(t, "forgetting nobody's", b.ForgetName(t.Context(), "x"), control.CodeUnknownName)
	wantCode(t, "forgetting", b.ForgetName(t.Context(), "node0"), 0)
	b.reopen()
	wantCode(t, "thief, afterwards", b.put(thief, "node0"), 0)
}

func TestRenamedNode(t *testing.T) {
	b, a := newBook(t), newKey(t)
	wantCode(t, "one", b.put(a, "one"), 0)
	wantCode(t, "two", b.put(a, "two"), 0)
	_, err := b.ByName("one")
	wantCode(t, "the former name", err, control.CodeUnknownName)
	wantCode(t, "still its own", b.put(newKey(t), "one"), control.CodeNameTaken)
	for i := range maxNamesPerKey - 2 {
		wantCode(t, "more", b.put(a, fmt.Sprint("n", i)), 0)
	}
	wantCode(t, "too many", b.put(a, "last"), control.CodeQuota)
	wantCode(t, "without", b.put(a, ""), 0)
	_, err = b.ByName(".mesh.net")
	wantCode(t, "the empty name", err, control.CodeBadRequest)
}

func TestHighestSeqWins(t *testing.T) {
	b, k := newBook(t), newKey(t)
	put := func(seq uint64) error {
		return b.Put(t.Context(), control.SignNode(k, "net", control.NodeRecord{Seq: seq, Issued: b.now}), b.now)
	}
	wantCode(t, "5", put(5), 0)
	wantCode(t, "5 again", put(5), control.CodeStale)
	wantCode(t, "4", put(4), control.CodeStale)
	wantCode(t, "6", put(6), 0)
	b.now = b.now.Add(2 * control.RecordLife)
	if _, err := b.Expire(t.Context(), b.now); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "1, after the expiry", put(1), 0)
}

func TestRefusedRecords(t *testing.T) {
	b, k := newBook(t), newKey(t)
	good := control.SignNode(k, "net", control.NodeRecord{Seq: 1, Issued: b.now})
	changed, foreign := good, control.SignNode(k, "other", control.NodeRecord{Seq: 1, Issued: b.now})
	changed.Seq = 2
	for name, tt := range map[string]struct {
		r    control.NodeRecord
		want control.Code
	}{
		"changed":         {changed, control.CodeBadSignature},
		"another network": {foreign, control.CodeBadSignature},
		"from the past":   {control.SignNode(k, "net", control.NodeRecord{Issued: b.now.Add(-2 * control.MaxSkew)}), control.CodeStale},
		"from the future": {control.SignNode(k, "net", control.NodeRecord{Issued: b.now.Add(2 * control.MaxSkew)}), control.CodeStale},
		"another domain":  {control.SignNode(k, "net", control.NodeRecord{Name: "a.other", Issued: b.now}), control.CodeBadRequest},
	} {
		wantCode(t, name, b.Put(t.Context(), tt.r, b.now), tt.want)
	}
	if len(b.Nodes()) != 0 {
		t.Errorf("%v", b.Nodes())
	}
}

func TestAddresses(t *testing.T) {
	b, x, y := newBook(t), newKey(t), newKey(t)
	const shared, own = "10.0.0.1:1", "10.0.0.2:1"
	wantCode(t, "x", b.put(x, "", shared, own), 0)
	wantCode(t, "y", b.put(y, "", shared), 0)
	_, err := b.KeyAt(shared)
	wantCode(t, "listed by two", err, control.CodeAmbiguous)
	if got, err := b.KeyAt(own); err != nil || got != x.Public() {
		t.Errorf("%v, %v", got, err)
	}
	wantCode(t, "y moves", b.put(y, "", "10.0.0.3:1"), 0)
	if got, err := b.KeyAt(shared); err != nil || got != x.Public() {
		t.Errorf("%v, %v", got, err)
	}
	b.now = b.now.Add(2 * control.RecordLife)
	wantCode(t, "y refreshes", b.put(y, ""), 0)
	if gone, err := b.Expire(t.Context(), b.now); err != nil || len(gone) != 1 {
		t.Errorf("%v, %v", gone, err)
	}
	_, err = b.KeyAt(own)
	wantCode(t, "of a node that is gone", err, control.CodeUnknownAddr)
	if len(b.byAddr) != 0 {
		t.Errorf("left: %v", b.byAddr)
	}
}

func TestRecordsComeBackAfterRestart(t *testing.T) {
	b, k := newBook(t), newKey(t)
	wantCode(t, "put", b.put(k, "node0", "10.0.0.1:1"), 0)
	b.now = b.now.Add(time.Hour)
	b.reopen()
	if got, err := b.ByName("node0"); err != nil || got != k.Public() {
		t.Errorf("%v, %v", got, err)
	}
	b.now = b.now.Add(control.RecordLife + time.Second)
	if gone, err := b.Expire(t.Context(), b.now); err != nil || len(gone) != 1 {
		t.Errorf("%v, %v", gone, err)
	}
	b.reopen()
	if len(b.Nodes()) != 0 {
		t.Errorf("%v", b.Nodes())
	}
}

func TestFullDisk(t *testing.T) {
	b, k := newBook(t), newKey(t)
	full := errors.New("no space left")
	b.s.Fail(full)
	if err := b.put(k, "node0"); !errors.Is(err, full) {
		t.Fatalf("%v", err)
	}
	b.s.Fail(nil)
	wantCode(t, "the name is free again", b.put(newKey(t), "node0"), 0)
}

func TestRefreshCostsNoWrite(t *testing.T) {
	b, k := newBook(t), newKey(t)
	wantCode(t, "first", b.put(k, "node0", "10.0.0.1:1"), 0)
	b.s.Fail(errors.New("no space left"))
	wantCode(t, "refresh", b.put(k, "node0", "10.0.0.1:1"), 0)
	if err := b.put(k, "node0", "10.0.0.2:1"); err == nil {
		t.Error("a change was not written")
	}
}

func TestBrokenStore(t *testing.T) {
	for _, key := range []string{namePrefix + "node0", nodePrefix + "00"} {
		s := storetest.NewMemory()
		if err := s.Put(t.Context(), key, []byte("garbage")); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), store.Store(s), "net", "", time.Now()); err == nil {
			t.Errorf("%s: garbage was read", key)
		}
	}
}

func TestNodesAreSorted(t *testing.T) {
	b := newBook(t)
	for _, name := range []string{"b", "", "a", ""} {
		wantCode(t, name, b.put(newKey(t), name), 0)
	}
	var got []string
	for _, n := range b.Nodes() {
		got = append(got, n.Name)
	}
	if fmt.Sprint(got) != fmt.Sprint([]string{"a", "b", "", ""}) {
		t.Errorf("%q", got)
	}
}
