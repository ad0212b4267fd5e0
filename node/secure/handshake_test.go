package secure

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/skycoin/viscript/node/identity"
)

func TestHandshake(t *testing.T) {
	a, b := newKey(t), newKey(t)
	i, r := pair(t, a, b)
	msg1 := start(t, i)
	msg2, done, err := r.Next(msg1)
	if err != nil || done {
		t.Fatalf("responder after message 1: done %v, %v", done, err)
	}
	msg3, done, err := i.Next(msg2)
	if err != nil || !done {
		t.Fatalf("initiator after message 2: done %v, %v", done, err)
	}
	reply, done, err := r.Next(msg3)
	if err != nil || !done || reply != nil {
		t.Fatalf("responder after message 3: reply %x, done %v, %v", reply, done, err)
	}
	if got, want := []int{len(msg1), len(msg2), len(msg3)}, []int{1249, 1137, 65}; !slices.Equal(got, want) {
		t.Errorf("messages of %v bytes, want %v", got, want)
	}
	ri, rr := i.Result(), r.Result()
	if ri.Send != rr.Recv || ri.Recv != rr.Send || ri.Transcript != rr.Transcript {
		t.Errorf("the ends disagree: %+v and %+v", ri, rr)
	}
	if ri.Send == ri.Recv || ri.Send == [32]byte{} || ri.Recv == [32]byte{} || ri.Transcript == [32]byte{} {
		t.Errorf("keys that are equal or zero: %+v", ri)
	}
	if ri.Remote != b.Public() || rr.Remote != a.Public() {
		t.Errorf("remotes %v and %v", ri.Remote, rr.Remote)
	}
	for _, h := range []*Handshake{i, r} {
		before := h.Result()
		if _, _, err := h.Next(msg3); err == nil {
			t.Error("a message after the last one was taken")
		}
		if _, err := h.Start(); err == nil {
			t.Error("Start after the end")
		}
		if h.Result() != before {
			t.Error("a message after the end changed the result")
		}
	}
}

func TestHandshakesShareNothing(t *testing.T) {
	a, b := newKey(t), newKey(t)
	seen := make(map[[32]byte]bool)
	for range 3 {
		i, r := pair(t, a, b)
		next(t, r, next(t, i, next(t, r, start(t, i))))
		for _, k := range [][32]byte{i.Result().Send, i.Result().Recv, i.Result().Transcript} {
			if seen[k] {
				t.Fatalf("%x came twice", k)
			}
			seen[k] = true
		}
	}
}

func TestConfigRefused(t *testing.T) {
	k := newKey(t)
	ok := linkConfig(k)
	tests := []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"no key", func(c *Config) { c.Local = nil }, "local key"},
		{"no kind", func(c *Config) { c.Kind = "" }, "kind"},
		{"long kind", func(c *Config) { c.Kind = Kind(strings.Repeat("k", 33)) }, "kind"},
		{"long network", func(c *Config) { c.Network = strings.Repeat("n", 256) }, "network"},
		{"long binding", func(c *Config) { c.Binding = make([]byte, 1025) }, "binding"},
	}
	for _, tt := range tests {
		cfg := ok
		tt.change(&cfg)
		if _, err := NewResponder(cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: responder: %v", tt.name, err)
		}
		if _, err := NewInitiator(cfg, k.Public()); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: initiator: %v", tt.name, err)
		}
	}
	for _, remote := range []identity.PubKey{{}, {2}, panicking} {
		if _, err := NewInitiator(ok, remote); !errors.Is(err, identity.ErrPubKey) {
			t.Errorf("remote %v: %v, want ErrPubKey", remote, err)
		}
	}
}

// panicking is the key 02ff..ff, on which the cipher library panics.
var panicking = identity.PubKey(append([]byte{2}, bytes.Repeat([]byte{0xff}, 32)...))

func TestPrologueGolden(t *testing.T) {
	c := Config{Kind: KindLink, Network: "net", Binding: []byte{1, 2}}
	want := "0009" + hex.EncodeToString([]byte("skymesh/1")) + "0004" + hex.EncodeToString([]byte("link")) +
		"0003" + hex.EncodeToString([]byte("net")) + "0002" + "0102"
	if got := hex.EncodeToString(c.prologue()); got != want {
		t.Errorf("prologue %s, want %s", got, want)
	}
}

// Ends that differ in anything part at message 1, before the responder has said a word.
func TestMismatch(t *testing.T) {
	a, b, other := newKey(t), newKey(t), newKey(t)
	base := Config{Kind: KindLink, Network: "test", Binding: []byte("tls")}
	tests := []struct {
		name   string
		change func(*Config)
		remote identity.PubKey
	}{
		{"kind", func(c *Config) { c.Kind = KindSession }, b.Public()},
		{"network", func(c *Config) { c.Network = "tesu" }, b.Public()},
		{"no network", func(c *Config) { c.Network = "" }, b.Public()},
		{"binding", func(c *Config) { c.Binding = []byte("tlt") }, b.Public()},
		{"no binding", func(c *Config) { c.Binding = nil }, b.Public()},
		{"moved boundary", func(c *Config) { c.Network, c.Binding = "testt", []byte("ls") }, b.Public()},
		{"key", func(*Config) {}, other.Public()},
	}
	for _, tt := range tests {
		cfg := base
		cfg.Local = a
		tt.change(&cfg)
		i, err := NewInitiator(cfg, tt.remote)
		if err != nil {
			t.Fatal(err)
		}
		cfg = base
		cfg.Local = b
		r, err := NewResponder(cfg)
		if err != nil {
			t.Fatal(err)
		}
		reply, done, err := r.Next(start(t, i))
		if !errors.Is(err, ErrHandshake) || done || reply != nil {
			t.Errorf("%s: reply %x, done %v, %v, want ErrHandshake", tt.name, reply, done, err)
		}
	}
}

func TestFailureIsFinal(t *testing.T) {
	i, r := pair(t, newKey(t), newKey(t))
	msg1 := start(t, i)
	_, _, first := r.Next(nil)
	if !errors.Is(first, ErrHandshake) {
		t.Fatalf("an empty message 1: %v", first)
	}
	if _, done, err := r.Next(msg1); err != first || done {
		t.Errorf("the right message after a failure: done %v, %v, want %v", done, err, first)
	}
	if _, err := r.Start(); err != first {
		t.Errorf("Start after a failure: %v, want %v", err, first)
	}
}

func TestOutOfTurn(t *testing.T) {
	i, r := pair(t, newKey(t), newKey(t))
	if _, err := r.Start(); err == nil {
		t.Error("the responder started")
	}
	if _, _, err := i.Next(make([]byte, msg2Len)); err == nil {
		t.Error("the initiator took a message before it started")
	}
	msg1 := start(t, i)
	if _, err := i.Start(); err == nil {
		t.Error("the initiator started twice")
	}
	next(t, r, next(t, i, next(t, r, msg1))) // nothing of it did harm
}

func TestResultTooEarlyPanics(t *testing.T) {
	i, r := pair(t, newKey(t), newKey(t))
	msg2 := next(t, r, start(t, i))
	for name, h := range map[string]*Handshake{"initiator": i, "responder": r} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: Result before the end returned keys", name)
				}
			}()
			h.Result()
		}()
	}
	next(t, i, msg2)
}

// Each bit that a stranger flips without knowing our key is caught by mac1.
func TestMessage1EveryByte(t *testing.T) {
	a, b := newKey(t), newKey(t)
	i, _ := pair(t, a, b)
	msg := start(t, i)
	for n := range msg {
		bad := bytes.Clone(msg)
		bad[n] ^= 1
		_, r := pair(t, a, b)
		if reply, _, err := r.Next(bad); !errors.Is(err, ErrHandshake) || !errors.Is(err, errNoMac) || reply != nil {
			t.Fatalf("byte %d: reply %x, %v, want a refusal by mac1", n, reply, err)
		}
	}
}

// Who knows the key can make mac1; the Noise message then refuses.
func TestMessage1EveryByteWithMac(t *testing.T) {
	a, b := newKey(t), newKey(t)
	i, _ := pair(t, a, b)
	msg := start(t, i)
	for n := 0; n < len(msg)-macLen; n += stride {
		bad := bytes.Clone(msg)
		bad[n] ^= 0x80
		_, r := pair(t, a, b)
		reply, _, err := r.Next(remac(r, bad))
		if !errors.Is(err, ErrHandshake) || errors.Is(err, errNoMac) || reply != nil {
			t.Fatalf("byte %d: reply %x, %v, want a refusal behind mac1", n, reply, err)
		}
	}
}

func TestMessage2EveryByte(t *testing.T) {
	a, b := newKey(t), newKey(t)
	for n := 0; n < msg2Len; n += stride {
		i, r := pair(t, a, b)
		bad := next(t, r, start(t, i))
		bad[n] ^= 1
		if reply, done, err := i.Next(bad); !errors.Is(err, ErrHandshake) || done || reply != nil {
			t.Fatalf("byte %d: reply %x, done %v, %v, want ErrHandshake", n, reply, done, err)
		}
	}
}

func TestMessage3EveryByte(t *testing.T) {
	a, b := newKey(t), newKey(t)
	for n := range msg3Len {
		i, r := pair(t, a, b)
		bad := next(t, i, next(t, r, start(t, i)))
		bad[n] ^= 1
		if _, done, err := r.Next(bad); !errors.Is(err, ErrHandshake) || done {
			t.Fatalf("byte %d: done %v, %v, want ErrHandshake", n, done, err)
		}
	}
}

// Prefixes, and one byte too many, of each message.
func TestWrongLengths(t *testing.T) {
	a, b := newKey(t), newKey(t)
	i, r := pair(t, a, b)
	msg1 := start(t, i)
	msg2 := next(t, r, msg1)
	msg3 := next(t, i, msg2)
	others := func(msg []byte, step int) [][]byte {
		cuts := [][]byte{append(bytes.Clone(msg), 0), make([]byte, MaxHandshakeMsg), make([]byte, 1<<16)}
		for n := 0; n < len(msg); n += step {
			cuts = append(cuts, msg[:n])
		}
		return append(cuts, msg[:len(msg)-1])
	}
	for _, cut := range others(msg1, 1) {
		_, r := pair(t, a, b)
		if _, _, err := r.Next(cut); !errors.Is(err, ErrHandshake) {
			t.Fatalf("message 1 of %d bytes: %v", len(cut), err)
		}
		if len(cut) < macLen {
			continue
		}
		_, r = pair(t, a, b)
		if _, _, err := r.Next(remac(r, cut)); len(cut) != msg1Len && !errors.Is(err, ErrHandshake) {
			t.Fatalf("message 1 of %d bytes with a mac: %v", len(cut), err)
		}
	}
	for _, cut := range others(msg2, 50) {
		i, _ := pair(t, a, b)
		start(t, i)
		if _, _, err := i.Next(cut); !errors.Is(err, ErrHandshake) {
			t.Fatalf("message 2 of %d bytes: %v", len(cut), err)
		}
	}
	for _, cut := range others(msg3, 5) {
		i, r := pair(t, a, b)
		next(t, r, start(t, i))
		if _, _, err := r.Next(cut); !errors.Is(err, ErrHandshake) {
			t.Fatalf("message 3 of %d bytes: %v", len(cut), err)
		}
	}
}

// A recorded handshake played again gets message 2, as any message 1 of an insider does,
// and no further: message 3 belongs to the other message 2.
func TestReplay(t *testing.T) {
	a, b := newKey(t), newKey(t)
	i, r := pair(t, a, b)
	msg1 := start(t, i)
	msg2 := next(t, r, msg1)
	msg3 := next(t, i, msg2)
	next(t, r, msg3)

	_, again := pair(t, a, b)
	if reply := next(t, again, msg1); bytes.Equal(reply, msg2) {
		t.Error("two responders gave the same message 2")
	}
	if _, done, err := again.Next(msg3); !errors.Is(err, ErrHandshake) || done {
		t.Errorf("a replayed message 3: done %v, %v", done, err)
	}
	fresh, _ := pair(t, a, b)
	start(t, fresh)
	if _, done, err := fresh.Next(msg2); !errors.Is(err, ErrHandshake) || done {
		t.Errorf("a replayed message 2: done %v, %v", done, err)
	}
	i, _ = pair(t, a, b)
	msg1 = start(t, i)
	if _, _, err := i.Next(msg1); !errors.Is(err, ErrHandshake) {
		t.Errorf("message 1 sent back to its sender: %v", err)
	}
}

// An insider whose ephemeral key is no point, or the one that makes the cipher library
// panic, is refused.
func TestEphemeralOffTheCurve(t *testing.T) {
	a, b := newKey(t), newKey(t)
	for _, point := range []identity.PubKey{{}, {2}, panicking, {4, 1}} {
		i, r := pair(t, a, b)
		msg1 := start(t, i)
		_, r2 := pair(t, a, b)
		bad := bytes.Clone(msg1)
		copy(bad, point[:])
		if _, _, err := r2.Next(remac(r2, bad)); !errors.Is(err, ErrHandshake) {
			t.Errorf("message 1 with %v: %v", point, err)
		}
		bad = next(t, r, msg1)
		copy(bad, point[:])
		if _, _, err := i.Next(bad); !errors.Is(err, ErrHandshake) {
			t.Errorf("message 2 with %v: %v", point, err)
		}
	}
}
