package relay

import (
	"bytes"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/link"
	"github.com/skycoin/viscript/node/relay"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// nothing is a Service that knows nothing.
type nothing struct{}

func (nothing) Serve(*Client, relay.Kind, []byte) ([]byte, error) { return nil, wire.ErrMalformed }
func (nothing) Gone(*Client)                                      {}

// enter puts a client into the table whose link is not run: what is sent to it is queued.
func enter(t testing.TB, s *Server) *Client {
	t.Helper()
	k, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	c := &Client{s: s, key: k.Public(), l: link.New(near, secure.Result{Remote: k.Public()}, link.Options{}), since: time.Now()}
	c.limits = s.quotas.enter(c.prefix)
	s.join(c)
	t.Cleanup(func() { c.l.Abort(); far.Close(); s.part(c) })
	return c
}

// give has a client send records that lie back to back, as in its reader's buffer.
func (c *Client) give(recs ...[]byte) {
	var b []byte
	for _, r := range recs {
		b = append(b, r...)
	}
	b = append(b, make([]byte, 100)...)
	for len(b) > 100 {
		n, _ := wire.Len(b)
		c.Record(b[:wire.LenLen+n])
		b = b[wire.LenLen+n:]
	}
	c.Flush()
}

func data(to *Client, n int) []byte {
	return relay.AppendRecord(nil, relay.TypeData, 9, append(relay.AppendHead(nil, to.key, 5), make([]byte, n)...))
}

func TestSpansStayTogether(t *testing.T) {
	s := New(Config{Service: nothing{}})
	a, b, c := enter(t, s), enter(t, s), enter(t, s)
	a.give(data(b, 10), data(b, 1000), data(c, 5), data(c, 0), data(b, 1))
	tr := s.Traffic()
	if tr.Spans != 3 || tr.Clients != 3 || tr.Queued != int(tr.Bytes) {
		t.Errorf("%+v, want three spans", tr)
	}
	if got, want := a.sent.Load(), uint64(len(data(b, 10))+len(data(b, 1000))+len(data(c, 5))+len(data(c, 0))+len(data(b, 1))); got != want {
		t.Errorf("%d bytes relayed, want %d", got, want)
	}
	if b.received.Load()+c.received.Load() != a.sent.Load() {
		t.Error("what was received is not what was sent")
	}
}

// TestReplacement: the table has a key's newest connection, and the older one's end does not take it out.
func TestReplacement(t *testing.T) {
	s := New(Config{Service: nothing{}})
	old := enter(t, s)
	newer := &Client{s: s, key: old.key}
	if got := s.join(newer); got != old {
		t.Error("the older connection is not told")
	}
	s.part(old)
	if s.client(old.key[:]) != newer || !s.Connected(old.key) || s.byRoute(old.route) != nil {
		t.Error("the newer connection was forgotten")
	}
	s.part(newer)
	if s.Connected(old.key) {
		t.Error("the key is connected")
	}
}

func TestQuotas(t *testing.T) {
	q := newQuotas(Quota{Opens: 1e-9, OpensBurst: 3, PrefixOpens: 1e-3, PrefixKeys: 2, Taken: 1})
	here := prefixOf(&net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 1})
	if here != prefixOf(&net.TCPAddr{IP: net.IPv4(192, 0, 2, 200), Port: 2}) || here == prefixOf(&net.TCPAddr{IP: net.IPv4(192, 0, 3, 7)}) {
		t.Error("an IPv4 /24 is not one prefix")
	}
	if prefixOf(&net.TCPAddr{IP: net.ParseIP("2001:db8:0:1::1")}) != prefixOf(&net.TCPAddr{IP: net.ParseIP("2001:db8:0:ff::1")}) {
		t.Error("an IPv6 /56 is not one prefix")
	}
	a, b := q.enter(here), q.enter(here)
	if !q.mayOpen(a, b) || q.mayOpen(b, a) {
		t.Error("a prefix may open one circuit, whoever of it asks")
	}
	for i, want := range []bool{true, true, false} {
		if a.share.keys.Allow() != want {
			t.Errorf("key %d: want %v", i, want)
		}
	}
	q.leave(here)
	q.leave(here)
	q.prune()
	if again := q.enter(here); again.share.keys.Allow() {
		t.Error("who comes back may enter keys anew")
	}
	q.leave(here)
}

// TestByteRate: a client over its byte rate is held up, not cut.
func TestByteRate(t *testing.T) {
	s := New(Config{Service: nothing{}, Quota: Quota{Bytes: 2 << 20}})
	a, b := enter(t, s), enter(t, s)
	began := time.Now()
	for range 16 {
		a.give(data(b, 60<<10))
	}
	if took := time.Since(began); took < 200*time.Millisecond { // 256 KiB at once, the rest at 2 MiB/s
		t.Errorf("960 KiB at 2 MiB/s took %s", took)
	}
}

// FuzzClientRecord gives a server any record of a client; nothing panics, and who sent it and others stay connected.
func FuzzClientRecord(f *testing.F) {
	key := identity.PubKey{2, 1}
	f.Add(uint8(relay.TypeData), append(relay.AppendHead(nil, key, 1), "bytes"...))
	f.Add(uint8(relay.TypeWord), relay.AppendWord(nil, key, 1, relay.WordOpen, 9))
	f.Add(uint8(relay.TypeService), append(relay.AppendMessage(nil, 1, relay.KindLookup), key[:]...))
	s := New(Config{Service: nothing{}})
	f.Fuzz(func(t *testing.T, typ uint8, payload []byte) {
		if len(payload) > wire.MaxPayload {
			return
		}
		a, b := enter(t, s), enter(t, s)
		payload = bytes.Clone(payload)
		if len(payload) > identity.PubKeyLen && typ&1 == 1 {
			copy(payload, b.key[:])
		}
		a.give(relay.AppendRecord(nil, wire.Type(typ), 7, payload))
		if !s.Connected(a.key) || !s.Connected(b.key) || a.l.Err() != nil {
			t.Fatal("a connection is lost")
		}
	})
}

// TestRelayAllocates: a record that finds its way costs no memory while the receiver's link takes it.
func TestRelayAllocates(t *testing.T) {
	s := New(Config{Service: nothing{}})
	a, b := enter(t, s), enter(t, s)
	b.l.Close(link.ErrClosed) // it takes everything and keeps nothing
	rec := data(b, 1000)
	b2 := append([]byte(nil), rec...)
	if n := testing.AllocsPerRun(200, func() {
		copy(b2, rec)
		a.Record(b2)
		a.Flush()
	}); n != 0 {
		t.Errorf("%v allocations a record, want 0", n)
	}
}
