package mailbox

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// fixedKey is the same key each time.
func fixedKey(t testing.TB, n byte) *identity.Key {
	t.Helper()
	k, err := identity.FromSecret(bytes.Repeat([]byte{n}, identity.SecKeyLen))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func homesOf(t testing.TB, n int) (list []Home) {
	for i := range n {
		list = append(list, Home{fixedKey(t, byte(i+1)).Public(), "post" + string(rune('a'+i)) + ".example:5997"})
	}
	return list
}

func TestHomes(t *testing.T) {
	list := homesOf(t, MaxHomes)
	b := AppendHomes(nil, list)
	r := wire.NewReader(b)
	got, err := ReadHomes(r)
	if err != nil || r.Done() != nil || !slices.Equal(got, list) {
		t.Errorf("read %v, %v", got, err)
	}
	for n := range b {
		if _, err := ReadHomes(wire.NewReader(b[:n])); err == nil {
			t.Errorf("%d of %d bytes are taken", n, len(b))
		}
	}
	const golden = "0001" + "031b84c5567b126440995d3ed5aaba0565d71e1834604819ff9c17f5e9d5dd078f" + "0012" + "706f7374612e6578616d706c653a35393937"
	if got := hex.EncodeToString(AppendHomes(nil, list[:1])); got != golden {
		t.Errorf("a home is\n%s, want\n%s", got, golden)
	}
	for name, bad := range map[string][]Home{
		"twice":        {list[0], list[0]},
		"no port":      {{list[0].Key, "post.example"}},
		"upper case":   {{list[0].Key, "Post.example:5997"}},
		"a key inside": {{list[0].Key, list[0].Key.String() + "@post.example:5997"}},
		"too long":     {{list[0].Key, strings.Repeat("a", MaxHostPort) + ":1"}},
		"control":      {{list[0].Key, "post\n.example:5997"}},
	} {
		if _, err := ReadHomes(wire.NewReader(AppendHomes(nil, bad))); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if h, err := ParseHome(list[1].String()); err != nil || h != list[1] {
		t.Errorf("%v, %v", h, err)
	}
	if _, err := ParseHome("post.example:5997"); err == nil {
		t.Error("a home without a key is taken")
	}
}

func TestCardWithHomes(t *testing.T) {
	owner, now := fixedKey(t, 9), time.Unix(1_800_000_000, 0)
	c := Card{Device: 7, Issued: now, Expiry: now.Add(time.Hour), Homes: homesOf(t, MaxHomes)}.Sign(owner)
	b := c.Append(nil)
	got, err := ParseCard(b)
	if err != nil || got.Verify(owner.Public(), now) != nil || !slices.Equal(got.Homes, c.Homes) || !bytes.Equal(got.Append(nil), b) {
		t.Fatalf("read %v, %v", got.Homes, err)
	}
	got.Homes = got.Homes[1:]
	if got.Verify(owner.Public(), now) == nil {
		t.Error("a card whose homes were altered is taken")
	}
	for n := range b {
		if _, err := ParseCard(b[:n]); err == nil {
			t.Fatalf("%d of %d bytes are taken", n, len(b))
		}
	}
	plain := Card{Device: 7, Issued: now, Expiry: now.Add(time.Hour)}.Sign(owner).append()
	if len(plain) != CardLen || plain[0] != cardVersion || len(b) > MaxCard {
		t.Errorf("%d bytes of version %d, %d with homes", len(plain), plain[0], len(b))
	}
	empty := append(append([]byte{homeVersion}, plain[1:cardSigned]...), 0, 0)
	if _, err := ParseCard(append(empty, plain[cardSigned:]...)); err == nil {
		t.Error("another encoding of a card without homes is taken")
	}
}

// Append of a value, for tests.
func (c Card) append() []byte { return c.Append(nil) }

// TestGone: a device that was removed gets nothing any more, and nobody brings it back.
func TestGone(t *testing.T) {
	s, owner, now := newStore(t), newKey(t), time.Now()
	a, other := Address{owner.Public(), 7}, Address{owner.Public(), 8}
	bundle := bundleOf(t, owner, 7, 3)
	for _, b := range []Bundle{bundle, bundleOf(t, owner, 8, 1)} {
		if _, err := s.publish(owner.Public(), b, now); err != nil {
			t.Fatal(err)
		}
	}
	for _, at := range []Address{a, other} {
		if err := s.put(at, [][]byte{letter(1)}, now); err != nil {
			t.Fatal(err)
		}
	}
	last := Card{Device: 7, Issued: now, Expiry: now}
	forged := last.Sign(newKey(t))
	if _, err := s.publish(owner.Public(), Bundle{Card: forged.Append(nil)}, now); !errors.Is(err, errBundle) {
		t.Errorf("a last card that somebody else has signed: %v", err)
	}
	last = last.Sign(owner)
	for range 2 { // it may be repeated
		if _, err := s.publish(owner.Public(), Bundle{Card: last.Append(nil)}, now); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.put(a, [][]byte{letter(2)}, now); !errors.Is(err, ErrNobody) {
		t.Errorf("a letter to it: %v", err)
	}
	if _, _, err := s.fetch(a); !errors.Is(err, ErrGone) {
		t.Errorf("it fetches: %v", err)
	}
	if _, err := s.take(a); !errors.Is(err, ErrNobody) {
		t.Errorf("a prekey of it: %v", err)
	}
	if _, err := s.publish(owner.Public(), bundle, now); !errors.Is(err, ErrGone) {
		t.Errorf("it publishes: %v", err)
	}
	if list, _, err := s.fetch(other); err != nil || len(list) != 1 {
		t.Errorf("the other device: %d letters, %v", len(list), err)
	}
	if n := s.sum(); n != 2<<10 {
		t.Errorf("%d bytes are held", n)
	}
}

// TestGoneOverTheWire: the device learns that it was removed.
func TestGoneOverTheWire(t *testing.T) {
	owner := newKey(t)
	s, stop := startServer(t, t.TempDir(), newKey(t), "127.0.0.1:0")
	defer stop()
	c := newClient(t, s, owner)
	ctx := context.Background()
	if _, err := c.Publish(ctx, bundleOf(t, owner, 7, 1)); err != nil {
		t.Fatal(err)
	}
	if h, ok := c.Home(); !ok || h.Key != s.Key() {
		t.Errorf("home %v, %v", h, ok)
	}
	now := time.Now()
	if _, err := c.Publish(ctx, Bundle{Card: Card{Device: 7, Issued: now, Expiry: now}.Sign(owner).append()}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Fetch(ctx, 7); !errors.Is(err, ErrGone) {
		t.Errorf("it fetches: %v", err)
	}
}
