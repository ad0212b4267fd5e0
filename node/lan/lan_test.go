package lan

import (
	"bytes"
	"context"
	"encoding/hex"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/time/rate"

	"github.com/skycoin/viscript/node/identity"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var testMesh = Mesh{1, 2, 3, 4, 5, 6, 7, 8}

func newKey(t testing.TB) *identity.Key {
	t.Helper()
	k, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestAnnouncement(t *testing.T) {
	k, now := newKey(t), time.UnixMilli(1_700_000_000_123)
	a := announcement{mesh: testMesh, port: 5000, at: now}.sign(k)
	b := a.append(nil)
	pub := k.Public()
	want := hex.EncodeToString([]byte(head)) + "0102030405060708" + hex.EncodeToString(pub[:]) + "1388" + "0000018bcfe5687b"
	if len(b) != packetLen || packetLen != 124 || hex.EncodeToString(b[:signedLen]) != want {
		t.Errorf("%d bytes: %x, want %s", len(b), b[:signedLen], want)
	}
	got, ok := parse(b, testMesh)
	if !ok || got.key != pub || got.port != 5000 || !got.at.Equal(now) || !got.verify(now) {
		t.Errorf("%+v, %t", got, ok)
	}
	for n := range b {
		if _, ok := parse(b[:n], testMesh); ok {
			t.Errorf("%d bytes are taken", n)
		}
		bad := bytes.Clone(b)
		bad[n] ^= 1
		if a, ok := parse(bad, testMesh); ok && a.verify(now) {
			t.Errorf("another byte %d is taken", n)
		}
	}
	if _, ok := parse(b, Mesh{}); ok {
		t.Error("an announcement of another mesh is taken")
	}
	if got.verify(now.Add(maxSkew+time.Second)) || got.verify(now.Add(-maxSkew-time.Second)) {
		t.Error("an old announcement holds")
	}
}

func TestTake(t *testing.T) {
	var got []netip.AddrPort
	n := &neighbourhood{
		cfg:   Config{Key: newKey(t), Mesh: testMesh, Heard: func(_ identity.PubKey, at netip.AddrPort) { got = append(got, at) }},
		limit: rate.NewLimiter(heardPerSec, heardAtOnce), answer: make(chan struct{}, 1), known: map[identity.PubKey]heard{},
	}
	other, now, from := newKey(t), time.Now(), netip.MustParseAddr("192.0.2.7")
	say := func(k *identity.Key, at time.Time) []byte {
		return announcement{mesh: testMesh, port: 5000, at: at}.sign(k).append(nil)
	}
	n.take(say(n.cfg.Key, now), from, now) // our own
	first := say(other, now)
	n.take(first, from, now)
	n.take(first, from, now)                              // again
	n.take(first, netip.MustParseAddr("192.0.2.66"), now) // by a stranger
	if len(got) != 1 || got[0].String() != "192.0.2.7:5000" || len(n.answer) != 1 {
		t.Errorf("heard %v", got)
	}
	<-n.answer
	n.take(say(other, now.Add(time.Second)), from, now)
	if len(got) != 2 || len(n.answer) != 0 {
		t.Errorf("heard %v, or answered somebody known", got)
	}
	late := say(other, now.Add(time.Hour)) // signed, but not of our time
	for range 1000 {
		n.take(late, from, now)
	}
	if len(got) != 2 {
		t.Errorf("heard %v", got)
	}
	n.take(say(newKey(t), now), from, now) // at the same moment: the limit goes by now, too
	if len(got) != 2 {
		t.Error("no limit to what is verified")
	}
}

func TestRunEnds(t *testing.T) {
	for _, f := range []Family{IPv4, IPv6} {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		kick := make(chan struct{}, 1)
		go func() {
			done <- Run(ctx, Config{Family: f, Key: newKey(t), Mesh: testMesh, Port: 1, Heard: func(identity.PubKey, netip.AddrPort) {}, Kick: kick})
		}()
		kick <- struct{}{}
		time.Sleep(20 * time.Millisecond)
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("Run does not end with its context")
		}
	}
}

func FuzzParse(f *testing.F) {
	k, err := identity.Generate()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(announcement{mesh: testMesh, port: 5000, at: time.Now()}.sign(k).append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, ok := parse(b, testMesh)
		if !ok {
			return
		}
		a.verify(a.at)
		if !bytes.Equal(a.append(nil), b) {
			t.Errorf("%x parses to %+v", b, a)
		}
	})
}
