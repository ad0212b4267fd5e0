package messenger_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/skycoin/viscript/messenger"
	room "github.com/skycoin/viscript/messenger/relay"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/link"
	"github.com/skycoin/viscript/node/relay"
	"github.com/skycoin/viscript/node/secure"
	"github.com/skycoin/viscript/node/wire"
)

// raw is a client that keeps no rules. It implements link.Receiver.
type raw struct {
	key *identity.Key
	l   *link.Link
	wg  sync.WaitGroup

	mu    sync.Mutex // guards the following
	words []relay.Reset
	kinds map[relay.Kind]int
	codes map[relay.Code]int
	bytes int
	seen  int
}

func newRaw(t testing.TB, s *server) *raw {
	t.Helper()
	return newRawOf(t, s, link.Options{Dialed: true})
}

func newRawOf(t testing.TB, s *server, o link.Options) *raw {
	t.Helper()
	x := &raw{key: newKey(t), kinds: map[relay.Kind]int{}, codes: map[relay.Code]int{}}
	eventually(t, "a connection", func() bool { // a handshake has seconds, which a machine may stand still
		nc, err := net.Dial("tcp", s.m.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		r, err := secure.Dial(context.WithoutCancel(t.Context()), nc, secure.Config{Local: x.key, Kind: secure.KindMessenger}, s.m.Key())
		if err != nil {
			t.Logf("handshake: %v", err)
			return false
		}
		x.l = link.New(nc, r, o)
		return true
	})
	x.wg.Go(func() { x.l.Run(x) })
	t.Cleanup(x.close)
	return x
}

func (x *raw) close() {
	x.l.Abort()
	x.wg.Wait()
}

func (x *raw) Flush()       {}
func (x *raw) Closed(error) {}

func (x *raw) Record(rec []byte) {
	t, _, _, payload := wire.ParseHeader(rec[wire.LenLen : len(rec)-wire.TagLen])
	x.mu.Lock()
	defer x.mu.Unlock()
	x.seen++
	switch t {
	case relay.TypeService:
		_, k, body, _ := relay.ParseMessage(payload)
		x.kinds[k]++
		if k == relay.KindFailure {
			f, _ := relay.ParseFailure(body)
			x.codes[f.Code]++
		}
	case relay.TypeWord:
		_, _, rest, _ := relay.SplitHead(payload)
		if w, v, err := relay.ParseWord(rest); err == nil && w == relay.WordReset {
			x.words = append(x.words, relay.Reset(v))
		}
	case relay.TypeData:
		x.bytes += len(payload)
	}
}

func (x *raw) send(t wire.Type, route wire.RouteID, payload []byte) {
	x.l.Send(relay.AppendRecord(nil, t, route, payload))
}

func (x *raw) ask(id uint32, k relay.Kind, body []byte) {
	x.send(relay.TypeService, relay.ServiceRoute, append(relay.AppendMessage(nil, id, k), body...))
}

// resets counts the resets of a reason.
func (x *raw) resets(r relay.Reset) (n int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, w := range x.words {
		if w == r {
			n++
		}
	}
	return n
}

func (x *raw) kind(k relay.Kind) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.kinds[k]
}

func (x *raw) code(c relay.Code) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.codes[c]
}

func TestMalformed(t *testing.T) {
	s := newServer(t, nil)
	b := newClient(t, nil, s)
	eventually(t, "connected", func() bool { return b.connected(1) })
	x := newRaw(t, s)
	to := b.key.Public()
	// What breaks the format of records of circuits is dropped, by the messenger or the far end.
	for _, p := range [][]byte{nil, {1}, make([]byte, relay.HeadLen-1), make([]byte, relay.HeadLen), append(relay.AppendHead(nil, to, 1), make([]byte, relay.MaxPiece+1)...),
		relay.AppendHead(nil, to, 5), append(relay.AppendHead(nil, to, 5), 99), append(relay.AppendHead(nil, to, 5), 1), append(relay.AppendHead(nil, to, 5), 3, 1)} {
		x.send(relay.TypeData, 7, p)
		x.send(relay.TypeWord, 7, p)
		x.send(wire.Join, 7, p)
		x.send(wire.Type(63), 7, p)
	}
	for _, w := range []relay.Word{relay.WordAccept, relay.WordCredit, relay.WordReset} { // of circuits that are not there
		x.send(relay.TypeWord, 7, relay.AppendWord(nil, to, 77, w, 1<<20))
	}
	x.send(relay.TypeWord, 7, relay.AppendWord(nil, to, 1<<31|77, relay.WordOpen, 1<<20)) // opens as who accepts
	// Requests that break their format are answered with a failure.
	x.send(relay.TypeService, relay.ServiceRoute, []byte{1, 2})
	bad := 0
	for k, body := range map[relay.Kind][]byte{
		relay.KindPublish: []byte("x"), relay.KindLookup: make([]byte, 33), relay.KindFind: {1}, relay.KindWatch: {255, 255}, 77: nil, 0: nil, 255: nil,
	} {
		x.ask(uint32(100+k), k, body)
		bad++
	}
	for _, k := range []relay.Kind{relay.KindPage, relay.KindFollow} {
		x.ask(9, k, make([]byte, 33))
	}
	eventually(t, "the answers", func() bool { return x.code(relay.CodeBadRequest) == bad && x.code(relay.CodeDenied) == 2 })
	other := newKey(t)
	now := time.Now()
	x.ask(10, relay.KindPublish, relay.Record{Seq: 1, Issued: now, Expires: now.Add(time.Minute)}.Sign(other, "").Append(nil))
	eventually(t, "the refusal of another's record", func() bool { return x.code(relay.CodeDenied) == 3 })
	if x.l.Err() != nil || !b.connected(1) {
		t.Errorf("connections are lost: %v", x.l.Err())
	}
}

// TestAsksAndDoesNotRead ends who asks on and on and does not read the answers.
func TestAsksAndDoesNotRead(t *testing.T) {
	s := newServer(t, func(c *messenger.Config) {
		c.Quota = room.Quota{Requests: 1e6, RequestsBurst: 1e6, PrefixRequests: 1e6}
	})
	a := newClient(t, func(c *relay.Config) {
		c.Self = func() (r relay.Record) {
			for i := range relay.MaxServices {
				r.Services = append(r.Services, relay.Service{Type: fmt.Sprint("kind", i), Name: "x"})
			}
			return r
		}
	}, s)
	eventually(t, "the record", func() bool { return len(s.m.Records()) == 2 })
	x := newRaw(t, s)
	x.mu.Lock() // what reads its records stops
	release := sync.OnceFunc(x.mu.Unlock)
	defer release()
	q := relay.Query{Limit: relay.MaxFound}.Append(nil)
	eventually(t, "its end", func() bool {
		for range 200 {
			x.ask(1, relay.KindFind, q)
		}
		return !connectedAt(s, x.key.Public())
	})
	release()
	if !a.connected(1) {
		t.Error("another client lost its connection")
	}
}

func connectedAt(s *server, k identity.PubKey) bool {
	for _, c := range s.m.Clients() {
		if c.Key == k {
			return true
		}
	}
	return false
}

// TestSlowReader floods a client that does not read, past all credit. What waits for it stays within its bound, what is too much is
// dropped and both ends are told, and others notice nothing.
func TestSlowReader(t *testing.T) {
	s := newServer(t, nil)
	a, b := newClient(t, nil, s), newClient(t, nil, s)
	go b.echo()
	slow, flood := newRawOf(t, s, link.Options{Dialed: true, Passive: true}), newRaw(t, s) // pings would not be answered
	eventually(t, "the slow one", func() bool { return connectedAt(s, slow.key.Public()) })
	slow.mu.Lock()
	release := sync.OnceFunc(slow.mu.Unlock)
	defer release()
	piece := append(relay.AppendHead(nil, slow.key.Public(), 5), make([]byte, relay.MaxPiece)...)
	before := held()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	halt := sync.OnceFunc(func() { close(stop) })
	defer halt()
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			flood.send(relay.TypeData, 9, piece)
			if flood.l.Queued() > 4<<20 {
				time.Sleep(time.Millisecond)
			}
		}
	})
	worst := 0
	eventually(t, "something is dropped", func() bool {
		tr := s.m.Traffic()
		worst = max(worst, tr.Queued)
		return tr.Dropped >= 1
	})
	nc := a.dial(t, b.key.Public())
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(patience))
	go nc.Write(make([]byte, 4<<20))
	began := time.Now()
	if _, err := io.ReadFull(nc, make([]byte, 4<<20)); err != nil {
		t.Errorf("beside it: %v", err)
	}
	t.Logf("4 MiB there and back beside the flood in %s; at most %d KiB waited; the heap grew by %d KiB",
		time.Since(began).Round(time.Millisecond), worst>>10, (held()-before)>>10)
	halt()
	wg.Wait()
	release()
	if worst > 9<<20 {
		t.Errorf("%d bytes waited", worst)
	}
	eventually(t, "the flooding one is told", func() bool { return flood.resets(relay.ResetDropped) > 0 })
	eventually(t, "the slow one is told", func() bool { return slow.resets(relay.ResetDropped) > 0 || slow.l.Err() != nil }) // or it took so long that the messenger gave up
}

func held() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapInuse)
}

// TestBeyondCredit: a client ends the circuit of who sends more than it may.
func TestBeyondCredit(t *testing.T) {
	s := newServer(t, nil)
	b := newClient(t, nil, s)
	eventually(t, "connected", func() bool { return b.connected(1) })
	x := newRaw(t, s)
	x.send(relay.TypeWord, 7, relay.AppendWord(nil, b.key.Public(), 5, relay.WordOpen, 1<<20))
	far, err := b.ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	piece := append(relay.AppendHead(nil, b.key.Public(), 5), make([]byte, relay.MaxPiece)...)
	for range 32 {
		x.send(relay.TypeData, 7, piece)
	}
	eventually(t, "the reset", func() bool { return x.resets(relay.ResetCredit) > 0 })
	far.SetReadDeadline(time.Now().Add(patience))
	if n, err := io.Copy(io.Discard, far); !errors.Is(err, relay.ResetCredit) || n > 256<<10 {
		t.Errorf("%d bytes, %v", n, err)
	}
	far.Close()
}

// TestOneKeyIsFlooded has many keys ask one for circuits without end; it goes on serving another.
// VISCRIPT_FLOOD says how many.
func TestOneKeyIsFlooded(t *testing.T) {
	n := 50
	if v, err := strconv.Atoi(os.Getenv("VISCRIPT_FLOOD")); err == nil {
		n = v
	}
	s := newServer(t, nil)
	a, b := newClient(t, nil, s), newClient(t, nil, s)
	go b.echo()
	nc := a.dial(t, b.key.Public())
	defer nc.Close()
	var wg sync.WaitGroup
	defer wg.Wait()
	stop := make(chan struct{})
	halt := sync.OnceFunc(func() { close(stop) })
	defer halt()
	var all []*raw
	for range n {
		x := newRaw(t, s)
		all = append(all, x)
		wg.Go(func() {
			for i := uint32(1); ; i++ {
				select {
				case <-stop:
					return
				case <-time.After(time.Duration(n) * 40 * time.Microsecond): // all together 25,000 a second: they share the cores with who is flooded
				}
				x.send(relay.TypeWord, 7, relay.AppendWord(nil, b.key.Public(), relay.Circuit(i), relay.WordOpen, 1<<20))
			}
		})
	}
	time.Sleep(time.Second)
	nc.SetDeadline(time.Now().Add(patience))
	worst, buf := time.Duration(0), make([]byte, 1000)
	for range 100 {
		began := time.Now()
		nc.Write(buf)
		if _, err := io.ReadFull(nc, buf); err != nil {
			t.Fatal(err)
		}
		worst = max(worst, time.Since(began))
	}
	refused := 0
	eventually(t, "something is refused", func() bool {
		refused = 0
		for _, x := range all {
			refused += x.resets(relay.ResetQuota) + x.resets(relay.ResetBusy)
		}
		return refused > 0
	})
	halt()
	wg.Wait()
	tr := s.m.Traffic()
	t.Logf("%d keys asked for %d circuits, %d were refused; 100 echoes beside them took %s at most", n, tr.Opens, tr.Refused, worst)
	for _, x := range all {
		x.close()
	}
}

// TestQuotaOfAPrefix: many keys of one prefix share what it may ask for.
func TestQuotaOfAPrefix(t *testing.T) {
	s := newServer(t, func(c *messenger.Config) { c.Quota = room.Quota{PrefixRequests: 0.05} }) // times 64 on loopback, 10 s at once
	const asks, allowed = 600, 64 * 0.05 * 10
	served, refused := 0, 0
	target := newKey(t).Public()
	var all []*raw
	for range 6 {
		all = append(all, newRaw(t, s))
	}
	for i := range asks {
		all[i%len(all)].ask(uint32(i+1), relay.KindLookup, target[:])
	}
	eventually(t, "all answers", func() bool {
		served, refused = 0, 0
		for _, x := range all {
			served += x.kind(relay.KindLookup | relay.AnswerBit)
			refused += x.code(relay.CodeBusy)
		}
		return served+refused == asks
	})
	t.Logf("%d lookups by 6 keys: %d served, %d refused", asks, served, refused)
	if served < allowed || served > asks/2 { // 3 a second grow back
		t.Errorf("%d of %d served, want %d and a few", served, asks, int(allowed))
	}
}

// TestManyKeysOfAPrefix: who makes many keys does not fill the book, nor by coming back.
func TestManyKeysOfAPrefix(t *testing.T) {
	s := newServer(t, func(c *messenger.Config) { c.Quota = room.Quota{PrefixKeys: 0.1} }) // times 64 on loopback
	taken, refused := 0, 0
	for range 12 {
		x := newRaw(t, s)
		now := time.Now()
		x.ask(1, relay.KindPublish, relay.Record{Seq: 1, Issued: now, Expires: now.Add(time.Minute)}.Sign(x.key, "").Append(nil))
		eventually(t, "the answer", func() bool { return x.kind(relay.KindPublish|relay.AnswerBit)+x.code(relay.CodeBusy) == 1 })
		taken += x.kind(relay.KindPublish | relay.AnswerBit)
		refused += x.code(relay.CodeBusy)
		x.close()
		eventually(t, "its end", func() bool { return !connectedAt(s, x.key.Public()) })
	}
	if taken != 6 || refused != 6 {
		t.Errorf("%d records were taken and %d refused", taken, refused)
	}
}

// TestEnumeration: who looks for all learns of few.
func TestEnumeration(t *testing.T) {
	s := newServer(t, nil)
	const n = 60
	for range n {
		x := newRaw(t, s)
		now := time.Now()
		x.ask(1, relay.KindPublish, relay.Record{Seq: 1, Issued: now, Expires: now.Add(time.Minute), Services: []relay.Service{{Type: "exit"}}}.Sign(x.key, "").Append(nil))
		eventually(t, "the answer", func() bool { return x.kind(relay.KindPublish|relay.AnswerBit) == 1 })
		x.close()
	}
	x := newRaw(t, s)
	x.ask(1, relay.KindFind, relay.Query{Limit: relay.MaxFound}.Append(nil))
	eventually(t, "the refusal of a find for anything", func() bool { return x.code(relay.CodeDenied) == 1 })
	const asked = 100
	for i := range asked {
		x.ask(uint32(i+2), relay.KindFind, relay.Query{Type: "exit", Limit: relay.MaxFound}.Append(nil))
	}
	served := 0
	eventually(t, "all answers", func() bool {
		served = x.kind(relay.KindFind | relay.AnswerBit)
		return served+x.code(relay.CodeBusy) == asked
	})
	t.Logf("%d of %d pages were served at once, %d records", served, asked, served*relay.MaxFound)
	if served > asked*6/10 { // one a second more
		t.Errorf("%d pages were served", served)
	}
}
