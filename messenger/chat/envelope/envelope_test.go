package envelope

import (
	"bytes"
	"errors"
	"testing"
)

func newMailbox(t testing.TB) Mailbox {
	t.Helper()
	m, err := NewMailbox()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSizes(t *testing.T) {
	m := newMailbox(t)
	seen := map[int]bool{}
	for _, n := range []int{0, 1, 2048 - Overhead, 2049 - Overhead, 5000, 60000, MaxBody} {
		body := bytes.Repeat([]byte{0xa5}, n)
		e, err := Seal(m.Box(), body)
		if err != nil {
			t.Fatal(err)
		}
		if !Fits(len(e)) {
			t.Errorf("a body of %d bytes has an envelope of %d", n, len(e))
		}
		seen[len(e)] = true
		got, err := m.Open(e)
		if err != nil || !bytes.Equal(got, body) {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
	if len(seen) != len(sizes) {
		t.Errorf("lengths %v", seen)
	}
	if _, err := Seal(m.Box(), make([]byte, MaxBody+1)); !errors.Is(err, ErrTooLong) {
		t.Errorf("too long: %v", err)
	}
}

func TestRefused(t *testing.T) {
	m, other := newMailbox(t), newMailbox(t)
	e, err := Seal(m.Box(), []byte("a body"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Open(e); !errors.Is(err, ErrEnvelope) {
		t.Errorf("another's: %v", err)
	}
	for i := 0; i < len(e); i += 3 {
		bad := bytes.Clone(e)
		bad[i] ^= 1
		if _, err := m.Open(bad); !errors.Is(err, ErrEnvelope) {
			t.Fatalf("byte %d altered: %v", i, err)
		}
	}
	if _, err := ParseBox(make([]byte, KeyLen-1)); !errors.Is(err, ErrKey) {
		t.Errorf("a short key: %v", err)
	}
}

func TestKept(t *testing.T) {
	m := newMailbox(t)
	b, err := m.Bytes()
	if err != nil || len(b) != SecretLen || len(m.Box().Bytes()) != KeyLen {
		t.Fatalf("%d and %d bytes, %v", len(b), len(m.Box().Bytes()), err)
	}
	again, err := ParseMailbox(b)
	if err != nil {
		t.Fatal(err)
	}
	box, err := ParseBox(m.Box().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	e, err := Seal(box, []byte("a body"))
	if err != nil {
		t.Fatal(err)
	}
	if body, err := again.Open(e); err != nil || string(body) != "a body" {
		t.Errorf("%q, %v", body, err)
	}
}

func FuzzOpen(f *testing.F) {
	m := newMailbox(f)
	e, err := Seal(m.Box(), []byte("a body"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(e)
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := m.Open(b); err == nil && !bytes.Equal(b, e) {
			t.Fatal("a forged envelope opened")
		}
		_, _ = ParseBox(b)
		_, _ = ParseMailbox(b)
	})
}
