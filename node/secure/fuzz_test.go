package secure

import (
	"bytes"
	"crypto/mlkem"
	"errors"
	"testing"

	"github.com/skycoin/viscript/node/identity"
)

// script is one handshake between fixed keys, ephemeral ones included, so that every process
// of the fuzzer sees the same bytes. The fuzzer changes the genuine message (see patched), so
// that it starts close to what is taken.
type script struct {
	a, b             *identity.Key
	kem              *mlkem.DecapsulationKey768
	psk, ciphertext  []byte
	msg1, msg2, msg3 []byte
}

func newScript(f *testing.F) *script {
	s := &script{a: keyOf(f, 0x11), b: keyOf(f, 0x21)}
	var err error
	if s.kem, err = mlkem.NewDecapsulationKey768(make([]byte, mlkem.SeedSize)); err != nil {
		f.Fatal(err)
	}
	s.ciphertext = make([]byte, mlkem.CiphertextSize768)
	if s.psk, err = s.kem.Decapsulate(s.ciphertext); err != nil { // garbage in: a secret all the same
		f.Fatal(err)
	}
	i := s.initiator(f)
	r := s.responder(f)
	s.msg3 = next(f, i, s.msg2)
	next(f, r, s.msg3)
	if i.Result().Send != r.Result().Recv {
		f.Fatal("the script is no handshake")
	}
	return s
}

// initiator waits for message 2.
func (s *script) initiator(t testing.TB) *Handshake {
	t.Helper()
	h := &Handshake{step: stepMsg2, noise: fixedNoise(t, s.a, s.a.Public(), 0x12, s.b.Public()), macKey: macKey(s.b.Public()), kem: s.kem}
	msg, _, _, err := h.noise.WriteMessage(nil, s.kem.EncapsulationKey().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	s.msg1 = append(msg, mac1(h.macKey, msg)...)
	return h
}

// responder waits for message 3.
func (s *script) responder(t testing.TB) *Handshake {
	t.Helper()
	h := &Handshake{step: stepMsg3, noise: fixedNoise(t, s.b, s.b.Public(), 0x22, identity.PubKey{}), macKey: macKey(s.b.Public())}
	_, _, _, err := h.noise.ReadMessage(nil, s.msg1[:msg1Len-macLen])
	if err == nil {
		err = h.noise.SetPresharedKey(s.psk)
	}
	if err == nil {
		s.msg2, _, _, err = h.noise.WriteMessage(nil, s.ciphertext)
	}
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// addPatches are the seeds: the genuine message of size bytes, and what is near it.
func addPatches(f *testing.F, size uint16) {
	f.Add(size, uint16(0), []byte{})
	f.Add(size, uint16(0), []byte{1})
	f.Add(size, uint16(1), bytes.Repeat([]byte{0xff}, 32))
	f.Add(size, uint16(identity.PubKeyLen), []byte{1})
	f.Add(size, size-1, []byte{1})
	f.Add(size-1, uint16(0), []byte{})
	f.Add(size+1, uint16(0), []byte{})
	f.Add(uint16(0), uint16(0), []byte{})
}

// FuzzMessage1 gives the responder foreign bytes as they are, and with the mac of somebody
// who knows its key.
func FuzzMessage1(f *testing.F) {
	addPatches(f, msg1Len)
	s := newScript(f)
	f.Fuzz(func(t *testing.T, size, at uint16, patch []byte) {
		msg := patched(s.msg1, size, at, patch)
		_, r := pair(t, s.a, s.b)
		reply, done, err := r.Next(msg)
		if done || (err == nil) != bytes.Equal(msg, s.msg1) || (err == nil) != (len(reply) == msg2Len) {
			t.Fatalf("reply of %d bytes, done %v, %v", len(reply), done, err)
		}
		if len(msg) < macLen {
			return
		}
		_, r = pair(t, s.a, s.b)
		msg = remac(r, msg)
		if _, done, err = r.Next(msg); done || (err == nil) != bytes.Equal(msg, s.msg1) {
			t.Fatalf("with a mac: done %v, %v", done, err)
		}
	})
}

// FuzzMessage2 gives the initiator foreign bytes.
func FuzzMessage2(f *testing.F) {
	addPatches(f, msg2Len)
	s := newScript(f)
	f.Fuzz(func(t *testing.T, size, at uint16, patch []byte) {
		msg := patched(s.msg2, size, at, patch)
		_, done, err := s.initiator(t).Next(msg)
		if done != bytes.Equal(msg, s.msg2) || done != (err == nil) || err != nil && !errors.Is(err, ErrHandshake) {
			t.Fatalf("done %v, %v", done, err)
		}
	})
}

// FuzzMessage3 gives the responder foreign bytes in place of message 3.
func FuzzMessage3(f *testing.F) {
	addPatches(f, msg3Len)
	s := newScript(f)
	f.Fuzz(func(t *testing.T, size, at uint16, patch []byte) {
		msg := patched(s.msg3, size, at, patch)
		_, done, err := s.responder(t).Next(msg)
		if done != bytes.Equal(msg, s.msg3) || done != (err == nil) || err != nil && !errors.Is(err, ErrHandshake) {
			t.Fatalf("done %v, %v", done, err)
		}
	})
}

// patched is msg cut or extended to size bytes, with patch xored in from at on.
func patched(msg []byte, size, at uint16, patch []byte) []byte {
	out := make([]byte, size)
	copy(out, msg)
	for n, b := range patch {
		if i := int(at) + n; i < len(out) {
			out[i] ^= b
		}
	}
	return out
}

// FuzzFrame reads what a stranger sends to a service first.
func FuzzFrame(f *testing.F) {
	i, _ := pair(f, keyOf(f, 0x11), keyOf(f, 0x21))
	who, _ := appendWho(nil)
	f.Add(frameOf(start(f, i)))
	f.Add(frameOf(who))
	f.Add([]byte{0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		msg, err := readFrame(r, msg1Len, whoLen)
		if err != nil {
			return
		}
		if len(msg) != msg1Len && len(msg) != whoLen || len(b)-r.Len() != frameLen+len(msg) {
			t.Fatalf("a message of %d bytes, %d bytes read", len(msg), len(b)-r.Len())
		}
		if got := frameOf(msg); !bytes.Equal(got, b[:len(got)]) {
			t.Fatal("another frame says the same")
		}
		if nonce, ok := parseWho(msg); ok {
			want := append(append([]byte(whoMagic), nonce...), make([]byte, whoLen-len(whoMagic)-whoNonceLen)...)
			if !bytes.Equal(msg, want) {
				t.Fatalf("taken for a WHO: %x", msg)
			}
		}
	})
}

// FuzzWhoReply must not take any answer but the key's own.
func FuzzWhoReply(f *testing.F) {
	k := keyOf(f, 0x21)
	pub, nonce := k.Public(), bytes.Repeat([]byte{9}, whoNonceLen)
	sig := k.Sign(whoTag, nonce)
	genuine := append(pub[:], sig[:]...)
	f.Add(genuine)
	f.Add(genuine[:whoReplyLen-1])
	f.Add(append(bytes.Clone(panicking[:]), sig[:]...))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := parseWhoReply(b, nonce)
		if err == nil && got == pub && !bytes.Equal(b, genuine) {
			t.Fatalf("a forged answer was taken: %x", b)
		}
		if err != nil && !got.IsZero() {
			t.Fatal("a key along with an error")
		}
	})
}

// FuzzConn reads a foreign stream behind a handshake.
func FuzzConn(f *testing.F) {
	two := stream(f, []byte("one"), []byte("two"))
	f.Add(two)
	f.Add(two[:len(two)-1])
	f.Add(stream(f, make([]byte, 300)))
	f.Add(bytes.Repeat([]byte{0xff}, 40))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := feed(t, b)
		var got []byte
		for {
			msg, err := c.ReadMsg()
			if err != nil {
				break
			}
			got = append(got, msg...)
		}
		if cap(c.buf) > MaxMsg+Overhead {
			t.Fatalf("allocated %d bytes", cap(c.buf))
		}
		// Only what the peer sealed comes out, each message in its place: of two the first, then the second.
		rest, ok := bytes.CutPrefix(got, []byte("one"))
		if !ok {
			rest, ok = bytes.CutPrefix(got, make([]byte, 300))
		}
		if len(got) > 0 && (!ok || len(rest) > 0 && string(rest) != "two") {
			t.Fatalf("read %q out of nothing", got)
		}
	})
}

func FuzzParseAddr(f *testing.F) {
	key := keyOf(f, 0x11).Public().String()
	for _, s := range []string{"127.0.0.1:80", "[::1]:80", key + "@host.example:65535", "[fe80::1%eth0]:1", "", "@", ":"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddr(s)
		if err != nil {
			return
		}
		again, err := ParseAddr(a.String())
		if err != nil || again != a || again.String() != a.String() {
			t.Fatalf("%q gives %+v, whose text gives %+v, %v", s, a, again, err)
		}
		if !isPinName(a.HostPort) {
			t.Fatalf("%q cannot be pinned", a.HostPort)
		}
	})
}

func FuzzParsePins(f *testing.F) {
	a, b := keyOf(f, 0x11).Public(), keyOf(f, 0x21).Public()
	f.Add(appendPins(nil, map[string]identity.PubKey{"host:1": a, "node0:exit": b}))
	f.Add([]byte("# only a comment"))
	f.Add([]byte("host:1 " + a.String() + "\nhost:1 " + a.String()))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := parsePins(text)
		if err != nil {
			return
		}
		again, err := parsePins(appendPins(nil, keys))
		if err != nil || len(again) != len(keys) {
			t.Fatalf("%d pins, written and read %d, %v", len(keys), len(again), err)
		}
		for name, k := range keys {
			if again[name] != k {
				t.Fatalf("%q: %v, written and read %v", name, k, again[name])
			}
		}
	})
}
