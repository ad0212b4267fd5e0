package chat

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/skycoin/viscript/messenger/mailbox"
	"github.com/skycoin/viscript/messenger/porttest"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
)

// served is a messenger on loopback that can be taken away.
type served struct {
	t    *testing.T
	dir  string
	key  *identity.Key
	addr string
	stop func()
}

func newServed(t *testing.T) *served {
	t.Helper()
	key, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	s := &served{t: t, dir: t.TempDir(), key: key, addr: porttest.Kept(t)}
	s.start()
	t.Cleanup(func() { s.stop() })
	return s
}

func (s *served) start() {
	s.t.Helper()
	srv, err := mailbox.NewServer(mailbox.ServerConfig{Listen: s.addr, Dir: s.dir, Key: s.key})
	if err != nil {
		s.t.Fatal(err)
	}
	s.addr = srv.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }()
	s.stop = func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Error(err)
		}
		s.stop = func() {}
	}
}

func (s *served) person() *person {
	s.t.Helper()
	key, err := identity.Generate()
	if err != nil {
		s.t.Fatal(err)
	}
	dir := s.t.TempDir()
	pins, err := secure.OpenPins(filepath.Join(dir, "pins"))
	if err != nil {
		s.t.Fatal(err)
	}
	c, err := mailbox.NewClient(mailbox.ClientConfig{Server: secure.Addr{HostPort: s.addr}, Key: key, Pins: pins})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	p := &person{t: s.t, key: key, dir: dir, post: c}
	p.start()
	s.t.Cleanup(func() { p.stop() })
	return p
}

// TestThousands: many messages each way over a messenger that goes away in the middle: none lost, none twice, all in order. CHAT_MESSAGES
// says how many; the default is for every day.
func TestThousands(t *testing.T) {
	n := 1000
	if s := os.Getenv("CHAT_MESSAGES"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	s := newServed(t)
	alice, bob := s.person(), s.person()
	if err := alice.e.AddContact(bob.me(), "bob the builder"); err != nil {
		t.Fatal(err)
	}
	if err := bob.e.AddContact(alice.me(), "alice of the windmill"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	part := n / 20
	for i := 0; i < n; i += part {
		var a, b []string
		for j := i; j < i+part; j++ {
			a, b = append(a, fmt.Sprintf("windmill a%d", j)), append(b, fmt.Sprintf("windmill b%d", j))
		}
		if _, err := alice.e.SendAll(To(bob.me()), a, MessageID{}); err != nil {
			t.Fatal(err)
		}
		if _, err := bob.e.SendAll(To(alice.me()), b, MessageID{}); err != nil {
			t.Fatal(err)
		}
		switch i {
		case 5 * part:
			s.stop()
		case 10 * part:
			s.start()
			bob.stop()
			bob.start()
		}
	}
	for _, way := range []struct {
		from, to *person
		prefix   string
	}{{alice, bob, "windmill a"}, {bob, alice, "windmill b"}} {
		var list []Message
		most, moved := 0, time.Now()
		for len(list) < n && time.Since(moved) < awaitTime { // as long as more come
			time.Sleep(100 * time.Millisecond)
			list = list[:0]
			for _, m := range way.to.history(To(way.from.me())) {
				if m.From == way.from.me() {
					list = append(list, m)
				}
			}
			if len(list) > most {
				most, moved = len(list), time.Now()
			}
		}
		if len(list) != n {
			t.Fatalf("%d messages came, want %d", len(list), n)
		}
		for i, m := range list {
			if m.Text != way.prefix+strconv.Itoa(i) || m.Gap {
				t.Fatalf("message %d is %q, gap %v", i, m.Text, m.Gap)
			}
		}
	}
	t.Logf("%d messages each way in %v", n, time.Since(began).Round(time.Millisecond))
	b, err := os.ReadFile(filepath.Join(s.dir, mailbox.StoreFile))
	if err != nil {
		t.Fatal(err)
	}
	// Eight bytes at least: fewer stand in what is sealed by chance.
	for _, word := range []string{"windmill", "alice of", "bob the builder", alice.me().String()} {
		if bytes.Contains(b, []byte(word)) {
			t.Errorf("the messenger's store shows %q", word)
		}
	}
}
