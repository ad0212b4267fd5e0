package secure

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/skycoin/viscript/node/identity"
)

func TestWho(t *testing.T) {
	b := newKey(t)
	errs := make(chan error, 1)
	addr := listen(t, func(nc net.Conn) {
		_, err := AcceptService(t.Context(), nc, linkConfig(b), NewGuard(GuardConfig{}))
		errs <- err
	})
	k, err := askWithin(t.Context(), dial(t, addr), patience)
	if err != nil || k != b.Public() {
		t.Errorf("askWithin = %v, %v, want %v", k, err, b)
	}
	if err := <-errs; !errors.Is(err, ErrWho) {
		t.Errorf("AcceptService: %v, want ErrWho", err)
	}
}

func TestWhoBytes(t *testing.T) {
	q, nonce := appendWho([]byte("head"))
	q = q[4:]
	if len(q) != 128 || len(nonce) != 32 || !bytes.HasPrefix(q, append([]byte("skywho/1"), nonce...)) {
		t.Fatalf("question %x", q)
	}
	if got, ok := parseWho(q); !ok || !bytes.Equal(got, nonce) {
		t.Errorf("parseWho = %x, %v", got, ok)
	}
	for n := range q {
		if _, ok := parseWho(q[:n]); ok {
			t.Errorf("%d bytes were taken for a WHO", n)
		}
		bad := bytes.Clone(q)
		bad[n] ^= 1
		isNonce := n >= 8 && n < 40
		if _, ok := parseWho(bad); ok != isNonce {
			t.Errorf("byte %d changed: taken %v", n, ok)
		}
	}
	if whoReplyLen+frameLen > whoLen {
		t.Error("the answer is longer than the question")
	}
	if _, other := appendWho(nil); bytes.Equal(other, nonce) {
		t.Error("two questions with one nonce")
	}
}

func TestWhoAnswerChecked(t *testing.T) {
	b := newKey(t)
	key := b.Public()
	nonce := bytes.Repeat([]byte{3}, whoNonceLen)
	good := func(k *identity.Key, tag string, nonce []byte) []byte {
		sig := k.Sign(tag, nonce)
		return append(bytes.Clone(key[:]), sig[:]...)
	}
	if k, err := parseWhoReply(good(b, whoTag, nonce), nonce); err != nil || k != key {
		t.Fatalf("%v, %v", k, err)
	}
	tests := map[string][]byte{
		"another's signature": good(newKey(t), whoTag, nonce),
		"another nonce":       good(b, whoTag, make([]byte, whoNonceLen)),
		"another tag":         good(b, "skymesh/1 record", nonce),
		"a key that is none":  append(bytes.Clone(panicking[:]), make([]byte, identity.SigLen)...),
		"zeros":               make([]byte, whoReplyLen),
	}
	for name, answer := range tests {
		if k, err := parseWhoReply(answer, nonce); !errors.Is(err, ErrHandshake) || !k.IsZero() {
			t.Errorf("%s: %v, %v, want ErrHandshake", name, k, err)
		}
	}
	whole := good(b, whoTag, nonce)
	for n := range whole {
		if k, err := parseWhoReply(whole[:n], nonce); !errors.Is(err, ErrHandshake) || !k.IsZero() {
			t.Errorf("%d bytes: %v, %v, want ErrHandshake", n, k, err)
		}
	}
}

func TestAskWhoGarbage(t *testing.T) {
	for name, answer := range map[string][]byte{
		"nothing": nil, "half": frameOf(make([]byte, whoReplyLen))[:50], "zeros": frameOf(make([]byte, whoReplyLen)),
		"oversized": {0xff, 0xff}, "http": []byte("HTTP/1.1 400 Bad Request\r\n\r\n"),
	} {
		addr := listen(t, func(nc net.Conn) {
			_, _ = io.ReadFull(nc, make([]byte, frameLen+whoLen))
			_, _ = nc.Write(answer)
		})
		if k, err := AskWho(t.Context(), dial(t, addr)); err == nil || !k.IsZero() {
			t.Errorf("%s: %v, %v, want an error", name, k, err)
		}
	}
}
