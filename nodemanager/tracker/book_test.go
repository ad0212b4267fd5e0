package tracker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/skycoin/viscript/node/control"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/nodemanager/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newKey(t *testing.T) *identity.Key {
	t.Helper()
	k, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newBook(t *testing.T, s *storetest.Memory) *Book {
	t.Helper()
	b, err := OpenBook(t.Context(), s, "net")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func record(k *identity.Key, name string, issued time.Time) control.AppRecord {
	return control.SignApp(k, "net", control.AppRecord{Name: name, Type: "t", Port: 1, Issued: issued})
}

func removal(k *identity.Key, name string, issued time.Time) control.AppRemoval {
	return control.SignAppRemoval(k, "net", control.AppRemoval{Name: name, Issued: issued})
}

func wantCode(t *testing.T, what string, err error, want control.Code) {
	t.Helper()
	if control.CodeOf(err) != want || (err == nil) != (want == 0) {
		t.Errorf("%s: %v, want %q", what, err, want)
	}
}

func TestBook(t *testing.T) {
	s := storetest.NewMemory()
	b, k, thief, now := newBook(t, s), newKey(t), newKey(t), time.Now()
	put := func(r control.AppRecord) error { return b.Put(t.Context(), r, now) }
	first := record(k, "Socks0", now)
	wantCode(t, "first", put(first), 0)
	wantCode(t, "the same again", put(first), 0)
	wantCode(t, "an older one", put(record(k, "socks0", now.Add(-time.Second))), control.CodeStale)
	wantCode(t, "a thief", put(record(thief, "SOCKS0", now)), control.CodeNameTaken)
	wantCode(t, "removed by a thief", b.Remove(removal(thief, "socks0", now), now), control.CodeUnknownName)
	wantCode(t, "an old removal", b.Remove(removal(k, "socks0", now.Add(-time.Second)), now), control.CodeStale)

	now = now.Add(control.RecordLife / 2)
	second := record(k, "Socks0", now)
	wantCode(t, "refreshed", put(second), 0)
	now = now.Add(control.RecordLife - time.Second)
	if got := b.All(now); len(got) != 1 {
		t.Errorf("live: %v", got)
	}
	now = now.Add(2 * time.Second)
	if got := b.Find(control.AppQuery{Name: "socks0"}, now); len(got) != 0 {
		t.Errorf("expired: %v", got)
	}
	wantCode(t, "an expired one sent again by a stranger", put(second), control.CodeStale)
	wantCode(t, "a thief after the expiry", put(record(thief, "socks0", now)), control.CodeNameTaken)

	third := record(k, "socks0", now)
	wantCode(t, "third", put(third), 0)
	wantCode(t, "removed", b.Remove(removal(k, "socks0", now.Add(time.Millisecond)), now), 0)
	wantCode(t, "a removed one sent again", put(third), control.CodeStale)
	b.Expire(now.Add(time.Hour))

	b = newBook(t, s)
	wantCode(t, "a thief after a restart", put(record(thief, "socks0", now)), control.CodeNameTaken)
	wantCode(t, "forget nobody's", b.ForgetName(t.Context(), "x"), control.CodeUnknownName)
	wantCode(t, "forget", b.ForgetName(t.Context(), "SOCKS0"), 0)
	b = newBook(t, s)
	wantCode(t, "a thief afterwards", put(record(thief, "socks0", now)), 0)
}

func TestRefusedRecords(t *testing.T) {
	b, k, now := newBook(t, storetest.NewMemory()), newKey(t), time.Now()
	changed := record(k, "a", now)
	changed.Port++
	wantCode(t, "changed", b.Put(t.Context(), changed, now), control.CodeBadSignature)
	wantCode(t, "foreign", b.Put(t.Context(), control.SignApp(k, "x", control.AppRecord{Name: "a", Type: "t"}), now), control.CodeBadSignature)
	wantCode(t, "old", b.Put(t.Context(), record(k, "a", now.Add(-time.Hour)), now), control.CodeStale)
	bye := removal(k, "a", now)
	bye.Name = "b"
	wantCode(t, "changed removal", b.Remove(bye, now), control.CodeBadSignature)
}

func TestQuotas(t *testing.T) {
	b, k, now := newBook(t, storetest.NewMemory()), newKey(t), time.Now()
	for i := range maxAppsPerKey {
		wantCode(t, "app", b.Put(t.Context(), record(k, fmt.Sprintf("a%d", i), now), now), 0)
	}
	wantCode(t, "one more", b.Put(t.Context(), record(k, "more", now), now), control.CodeQuota)
	wantCode(t, "a refresh", b.Put(t.Context(), record(k, "a0", now.Add(time.Second)), now), 0)
	wantCode(t, "another key", b.Put(t.Context(), record(newKey(t), "more", now), now), 0)
	wantCode(t, "after a removal", b.Remove(removal(k, "a1", now.Add(time.Second)), now), 0)
	wantCode(t, "one more again", b.Put(t.Context(), record(k, "more2", now), now), 0)
}

func TestAnswersAreSortedAndBounded(t *testing.T) {
	b, now := newBook(t, storetest.NewMemory()), time.Now()
	for range control.MaxApps/maxAppsPerKey + 1 {
		k := newKey(t)
		for i := range maxAppsPerKey {
			wantCode(t, "app", b.Put(t.Context(), record(k, fmt.Sprintf("n%d-%s", i, k.Public().Short()), now), now), 0)
		}
	}
	got := b.Find(control.AppQuery{Type: "t"}, now)
	if len(got) != control.MaxApps {
		t.Fatalf("%d records", len(got))
	}
	for i := 1; i < len(got); i++ {
		if got[i-1].Name >= got[i].Name {
			t.Fatalf("%q before %q", got[i-1].Name, got[i].Name)
		}
	}
}

func TestFullDisk(t *testing.T) {
	s := storetest.NewMemory()
	b, now, full := newBook(t, s), time.Now(), errors.New("no space left")
	s.Fail(full)
	if err := b.Put(t.Context(), record(newKey(t), "a", now), now); !errors.Is(err, full) {
		t.Fatalf("%v", err)
	}
	s.Fail(nil)
	wantCode(t, "the name is free again", b.Put(t.Context(), record(newKey(t), "a", now), now), 0)
	if len(b.held) != 1 || len(b.live) != 1 {
		t.Errorf("%v %v", b.held, b.live)
	}
}

func TestServiceEndsCleanly(t *testing.T) {
	dir := t.TempDir()
	var trk *Tracker
	for try := 0; ; try++ { // not a port that the system may give to somebody else while nobody is there
		var err error
		if trk, err = New(Config{Listen: fmt.Sprintf("127.0.0.1:%d", 20_000+rand.N(10_000)), Dir: dir, Key: newKey(t)}); err == nil {
			break
		}
		if !errors.Is(err, syscall.EADDRINUSE) || try == 20 {
			t.Fatal(err)
		}
	}
	if _, err := New(Config{Listen: trk.Addr().String(), Dir: t.TempDir(), Key: newKey(t)}); err == nil {
		t.Error("a port in use was taken")
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- trk.Run(ctx) }()
	c, err := net.Dial("tcp", trk.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Write([]byte("SSH-2.0-x\r\n"))
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	if got, _ := io.ReadAll(c); len(got) > 0 {
		t.Errorf("a stranger was told %q", got)
	}
	again, err := New(Config{Listen: trk.Addr().String(), Dir: dir, Key: newKey(t)})
	if err != nil {
		t.Fatalf("again: %v", err)
	}
	again.Close()
}
