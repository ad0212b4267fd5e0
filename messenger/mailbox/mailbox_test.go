package mailbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/skycoin/viscript/messenger/chat/envelope"
	"github.com/skycoin/viscript/messenger/chat/prekey"
	"github.com/skycoin/viscript/messenger/porttest"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
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

// bundleOf is a device's card with prekey 0 and n others.
func bundleOf(t testing.TB, owner *identity.Key, device uint32, n int) Bundle {
	t.Helper()
	box, err := envelope.NewMailbox()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	c := Card{Device: device, Issued: now, Expiry: now.Add(24 * time.Hour)}
	copy(c.Box[:], box.Box().Bytes())
	c = c.Sign(owner)
	b := Bundle{Card: c.Append(nil)}
	for i := range n + 1 {
		s, err := prekey.New(owner, device, uint32(i), now.Add(24*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		b.Prekeys = append(b.Prekeys, s.Public().Append(nil))
	}
	return b
}

func letter(n byte) []byte { return append(bytes.Repeat([]byte{n}, 2<<10-1), 1) }

func newStore(t testing.TB) *store {
	t.Helper()
	s, err := openStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.close() })
	return s
}

func TestStore(t *testing.T) {
	s, owner, now := newStore(t), newKey(t), time.Now()
	a := Address{owner.Public(), 7}
	if err := s.put(a, [][]byte{letter(1)}, now); !errors.Is(err, ErrNobody) {
		t.Errorf("put without a card: %v", err)
	}
	if _, _, err := s.fetch(a); !errors.Is(err, ErrNobody) || len(s.waiting) > 0 {
		t.Errorf("fetch without a card: %v", err)
	}
	if left, err := s.publish(owner.Public(), bundleOf(t, owner, 7, 3), now); left != 3 || err != nil {
		t.Fatalf("publish: %d, %v", left, err)
	}
	if _, err := s.publish(newKey(t).Public(), bundleOf(t, owner, 7, 0), now); !errors.Is(err, errBundle) {
		t.Errorf("publish of another's card: %v", err)
	}
	for range 2 { // again, as after an answer that was lost
		if err := s.put(a, [][]byte{letter(1), letter(2), letter(3)}, now); err != nil {
			t.Fatal(err)
		}
	}
	list, _, err := s.fetch(a)
	if err != nil || len(list) != 3 || !bytes.Equal(list[0], letter(1)) || !bytes.Equal(list[2], letter(3)) {
		t.Fatalf("fetch: %d, %v", len(list), err)
	}
	if err := s.ack(a, []ID{IDOf(letter(1)), IDOf(letter(9))}); err != nil {
		t.Fatal(err)
	}
	if list, _, _ = s.fetch(a); len(list) != 2 || s.sum() != 2*2<<10 {
		t.Errorf("after ack: %d letters, %d bytes", len(list), s.sum())
	}
	seen := map[string]bool{}
	for i := range 5 {
		b, err := s.take(a)
		if err != nil || (i < 4 && seen[string(b)]) || (i == 4 && !seen[string(b)]) {
			t.Errorf("prekey %d: seen before: %v, %v", i, seen[string(b)], err)
		}
		seen[string(b)] = true
	}
	if more, err := s.sweep(now.Add(TTL + time.Hour)); more || err != nil {
		t.Fatal(err)
	}
	if list, _, _ = s.fetch(a); len(list) != 0 || s.sum() != 0 {
		t.Errorf("after 30 days: %d letters, %d bytes", len(list), s.sum())
	}
	if _, err := s.sweep(now.Add(2*TTL + 48*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.cards(owner.Public()); !errors.Is(err, ErrNobody) {
		t.Errorf("an old card: %v", err)
	}
}

func TestQuotas(t *testing.T) {
	s, owner, now := newStore(t), newKey(t), time.Now()
	s.db.NoSync = true
	for d := range uint32(MaxDevices) {
		if _, err := s.publish(owner.Public(), bundleOf(t, owner, d+1, 0), now); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.publish(owner.Public(), bundleOf(t, owner, 99, 0), now); !errors.Is(err, ErrFull) {
		t.Errorf("one device too many: %v", err)
	}
	a := Address{owner.Public(), 1}
	big := make([]byte, 60<<10)
	n := 0
	for ; ; n++ {
		copy(big, fmt.Sprint(n))
		if err := s.put(a, [][]byte{big}, now); errors.Is(err, ErrFull) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if want := MaxBytes / (60 << 10); n != want || s.sum() != uint64(n)*60<<10 {
		t.Errorf("%d large letters fit, %d bytes in all; want %d", n, s.sum(), want)
	}
}

// TestServer: everything over a connection; what is on disk outlives the server.
func TestServer(t *testing.T) {
	dir, key := t.TempDir(), newKey(t)
	s, stop := startServer(t, dir, key, porttest.Kept(t))
	alice, bob := newClient(t, s, newKey(t)), newKey(t)
	at := newClient(t, s, bob)
	ctx := t.Context()
	to := Address{bob.Public(), 7}
	if err := alice.Put(ctx, to, [][]byte{letter(1)}); !errors.Is(err, ErrNobody) {
		t.Errorf("to nobody: %v", err)
	}
	if left, err := at.Publish(ctx, bundleOf(t, bob, 7, 2)); left != 2 || err != nil {
		t.Fatalf("publish: %d, %v", left, err)
	}
	if cards, err := alice.Cards(ctx, bob.Public()); err != nil || len(cards) != 1 {
		t.Errorf("cards: %d, %v", len(cards), err)
	}
	if b, err := alice.TakePrekey(ctx, to); err != nil || len(b) != prekey.Len {
		t.Errorf("prekey: %d bytes, %v", len(b), err)
	}
	if err := alice.Put(ctx, to, [][]byte{letter(1), letter(2)}); err != nil {
		t.Fatal(err)
	}
	addr := s.Addr().String()
	stop()
	_, stop = startServer(t, dir, key, addr)
	defer stop()
	list, err := at.Fetch(ctx, 7)
	if err != nil || len(list) != 2 || list[0].ID != IDOf(letter(1)) {
		t.Fatalf("fetch: %d, %v", len(list), err)
	}
	if list, err := alice.own.call(ctx, typeFetch, []byte{0, 0, 0, 7}); !errors.Is(err, ErrNobody) {
		t.Errorf("somebody else fetches: %d bytes, %v", len(list), err)
	}
	if err := at.Ack(ctx, 7, []ID{list[0].ID, list[1].ID}); err != nil {
		t.Fatal(err)
	}
	got := make(chan int, 1)
	go func() { // waits for what comes
		list, _ := at.Fetch(ctx, 7)
		got <- len(list)
	}()
	if err := alice.Put(ctx, to, [][]byte{letter(3)}); err != nil {
		t.Fatal(err)
	}
	if n := <-got; n != 1 {
		t.Errorf("%d letters after a wait", n)
	}
}

func startServer(t *testing.T, dir string, key *identity.Key, addr string) (*Server, func()) {
	t.Helper()
	s, err := NewServer(ServerConfig{Listen: addr, Dir: dir, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return s, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func newClient(t *testing.T, s *Server, key *identity.Key) *Client {
	t.Helper()
	pins, err := secure.OpenPins(filepath.Join(t.TempDir(), "pins"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewClient(ClientConfig{Server: secure.Addr{HostPort: s.Addr().String()}, Key: key, Pins: pins})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func FuzzCard(f *testing.F) {
	f.Add(bundleOf(f, newKey(f), 3, 0).Card)
	f.Add(Card{Device: 3, Issued: time.Unix(5, 0), Expiry: time.Unix(9, 0), Homes: homesOf(f, 2)}.Sign(newKey(f)).append())
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := ParseCard(b); err == nil && !bytes.Equal(c.Append(nil), b) {
			t.Error("a card is written in another way than it was read")
		}
	})
}

func FuzzRequests(f *testing.F) {
	owner := newKey(f)
	a := Address{owner.Public(), 7}
	f.Add(putRequest{a, [][]byte{letter(1)}}.append(nil))
	f.Add(ackRequest{7, []ID{{1}, {2}}}.append(nil))
	f.Add(Bundle{Card: []byte{1}, Prekeys: [][]byte{{2}}}.append(nil))
	f.Add(a.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if q, err := parsePut(b); err == nil && !bytes.Equal(q.append(nil), b) {
			t.Error("put")
		}
		if q, err := parseAck(b); err == nil && !bytes.Equal(q.append(nil), b) {
			t.Error("ack")
		}
		if q, err := parseBundle(b); err == nil && !bytes.Equal(q.append(nil), b) {
			t.Error("publish")
		}
		if q, err := parseAddress(b); err == nil && !bytes.Equal(q.append(nil), b) {
			t.Error("take")
		}
		if l, err := parseList(b, MaxPutCount, maxEnvelope); err == nil && !bytes.Equal(appendList(nil, l), b) {
			t.Error("list")
		}
	})
}
