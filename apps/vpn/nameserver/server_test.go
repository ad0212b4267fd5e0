package nameserver

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/dns/dnsmessage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is for what comes soon, on a machine that is busy.
const patience = time.Minute

// ask1 is a question for the addresses of example.org, with EDNS.
const ask1 = "123401000001000000000001" + "076578616d706c65036f726700" + "00010001" + "0000290fa0000000000000"

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func query(t testing.TB, name string, kind dnsmessage.Type) []byte {
	t.Helper()
	b, err := (&dnsmessage.Message{Header: dnsmessage.Header{ID: 0x1234, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}}}).Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// resolver is an upstream; it answers each question with as many bytes of text as the question's first label says.
type resolver struct {
	addr   netip.AddrPort
	forge  atomic.Bool // say something else first
	silent atomic.Bool
	heard  atomic.Int32 // questions over UDP
}

func (r *resolver) reply(q []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(q) != nil {
		return nil
	}
	m.Response, m.Additionals = true, nil
	h := dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET, TTL: 1}
	m.Answers = []dnsmessage.Resource{{Header: h, Body: &dnsmessage.AResource{A: [4]byte{1, 2, 3, 4}}}}
	b, _ := m.Pack()
	return b
}

func startResolver(t *testing.T) *resolver {
	t.Helper()
	pc, ln := bothPorts(t)
	r := &resolver{addr: netip.MustParseAddrPort(pc.LocalAddr().String())}
	done := make(chan struct{}, 2)
	t.Cleanup(func() { pc.Close(); ln.Close(); <-done; <-done })
	go func() {
		defer func() { done <- struct{}{} }()
		buf := make([]byte, 4096)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			r.heard.Add(1)
			if r.silent.Load() {
				continue
			}
			if r.forge.Load() {
				bad := slices.Clone(buf[:n])
				bad[0]++
				_, _ = pc.WriteTo(r.reply(bad), from)
				_, _ = pc.WriteTo(r.reply(append(append([]byte(nil), buf[:2]...), query(t, "other.example.", dnsmessage.TypeA)[2:]...)), from)
				_, _ = pc.WriteTo([]byte{1}, from)
			}
			_, _ = pc.WriteTo(r.reply(buf[:n]), from)
		}
	}()
	go func() {
		defer func() { done <- struct{}{} }()
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(patience))
			if q, err := readFramed(c); err == nil {
				_ = writeFramed(c, r.reply(q))
			}
			c.Close()
		}
	}()
	return r
}

// bothPorts opens a port that is free for UDP and TCP.
func bothPorts(t *testing.T) (net.PacketConn, net.Listener) {
	t.Helper()
	for end := time.Now().Add(patience); ; {
		pc, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ln, err := net.Listen("tcp", pc.LocalAddr().String())
		if err == nil {
			return pc, ln
		}
		pc.Close()
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// startServer runs a server at a port that nobody has; try is how long it waits for a resolver.
func startServer(t *testing.T, cfg Config, try time.Duration) (*Server, string) {
	t.Helper()
	if cfg.Addrs == nil {
		cfg.Addrs = []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	}
	for end := time.Now().Add(patience); ; {
		pc, ln := bothPorts(t)
		cfg.Port = uint16(pc.LocalAddr().(*net.UDPAddr).Port)
		pc.Close()
		ln.Close()
		s, err := Listen(t.Context(), cfg)
		if err != nil { // somebody was faster
			if time.Now().Before(end) {
				continue
			}
			t.Fatal(err)
		}
		s.try = try
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		t.Cleanup(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
		return s, netip.AddrPortFrom(cfg.Addrs[0], cfg.Port).String()
	}
}

// exchange sends bytes over UDP and waits for an answer; nil after a while.
func exchange(t *testing.T, at string, message []byte, wait time.Duration) []byte {
	t.Helper()
	c, err := net.Dial("udp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(wait))
	if _, err := c.Write(message); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, maxAnswer)
	n, err := c.Read(buf)
	if err != nil {
		return nil
	}
	return buf[:n]
}

func TestQuestionsArePassedOn(t *testing.T) {
	up := startResolver(t)
	s, at := startServer(t, Config{Upstream: []netip.AddrPort{up.addr}, From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, patience)
	for _, forged := range []bool{false, true} {
		up.forge.Store(forged)
		answer := exchange(t, at, unhex(t, ask1), patience)
		var m dnsmessage.Message
		if err := m.Unpack(answer); err != nil || m.ID != 0x1234 || !m.Response || len(m.Answers) != 1 || m.Questions[0].Name.String() != "example.org." {
			t.Errorf("forged %v: %x: %+v, %v", forged, answer, m, err)
		}
	}
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	for range 3 {
		if err := writeFramed(c, unhex(t, ask1)); err != nil {
			t.Fatal(err)
		}
		if answer, err := readFramed(c); err != nil || !bytes.Equal(answer[:2], []byte{0x12, 0x34}) || len(answer) < 40 {
			t.Errorf("over TCP: %x, %v", answer, err)
		}
	}
	refused := exchange(t, at, query(t, "example.org.", typeAXFR), patience)
	var m dnsmessage.Message
	if err := m.Unpack(refused); err != nil || m.RCode != dnsmessage.RCodeRefused || m.ID != 0x1234 {
		t.Errorf("a transfer: %+v, %v", m, err)
	}
	if st := s.Stats(); st.Asked != 5 || st.Answered != 5 || st.Failed != 1 {
		t.Errorf("%+v", st)
	}
}

func TestNextResolverIsAsked(t *testing.T) {
	dead, up := startResolver(t), startResolver(t)
	dead.silent.Store(true)
	_, at := startServer(t, Config{Upstream: []netip.AddrPort{dead.addr, up.addr}, From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, time.Second)
	asked := func() (m dnsmessage.Message) {
		t.Helper()
		if err := m.Unpack(exchange(t, at, unhex(t, ask1), patience)); err != nil {
			t.Fatal(err)
		}
		return m
	}
	eventually(t, "the second one answers", func() bool { // on a busy machine it may miss its time as well
		m := asked()
		return len(m.Answers) == 1
	})
	if dead.heard.Load() == 0 {
		t.Error("the first one was not asked")
	}
	up.silent.Store(true)
	if m := asked(); m.RCode != dnsmessage.RCodeServerFailure {
		t.Errorf("%+v", m)
	}
}

// eventually waits until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never came true: %s", what)
		}
	}
}

func TestStrangersAreNotAnswered(t *testing.T) {
	up := startResolver(t)
	s, at := startServer(t, Config{Upstream: []netip.AddrPort{up.addr}, From: []netip.Prefix{netip.MustParsePrefix("10.99.0.0/16")}}, patience)
	udp, err := net.Dial("udp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	if _, err := udp.Write(unhex(t, ask1)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the question is dropped", func() bool { return s.Stats().Dropped > 0 })
	_ = udp.SetDeadline(time.Now().Add(100 * time.Millisecond))
	if n, err := udp.Read(make([]byte, maxAnswer)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("answered with %d bytes, %v", n, err)
	}
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("served over TCP: %v", err)
	}
	if st := s.Stats(); st.Dropped < 2 || st.Asked != 0 { // the drop is counted before the connection is closed
		t.Errorf("%+v", st)
	}
}

func TestLoadIsBounded(t *testing.T) {
	l := load{all: 3, each: 2}
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	if got := []bool{l.take(a), l.take(a), l.take(a), l.take(b), l.take(b)}; !slices.Equal(got, []bool{true, true, false, true, false}) {
		t.Errorf("taken %v", got)
	}
	l.release(a)
	l.release(a)
	l.release(b)
	if l.total != 0 || len(l.of) != 0 {
		t.Errorf("%d, %v", l.total, l.of)
	}
}

func TestQuestionsAreChecked(t *testing.T) {
	good := unhex(t, ask1)
	q, err := parseQuestion(good)
	if err != nil || q.end != 29 {
		t.Fatalf("%d, %v", q.end, err)
	}
	for n := range q.end {
		if _, err := parseQuestion(good[:n]); err == nil {
			t.Errorf("%d bytes are taken", n)
		}
	}
	for name, change := range map[string]func([]byte){
		"an answer": func(b []byte) { b[2] |= 0x80 }, "another opcode": func(b []byte) { b[2] |= 0x28 }, "two questions": func(b []byte) { b[5] = 2 },
		"with answers": func(b []byte) { b[7] = 1 }, "with much beside": func(b []byte) { b[11] = 4 }, "a pointer": func(b []byte) { b[12] = 0xc0 },
	} {
		b := slices.Clone(good)
		change(b)
		if _, err := parseQuestion(b); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if got, want := hex.EncodeToString(q.failure(dnsmessage.RCodeServerFailure)), "123481820001000000000000"+"076578616d706c65036f726700"+"00010001"; got != want {
		t.Errorf("failure %s, want %s", got, want)
	}
	if got := parseResolvers("# x\nnameserver 9.9.9.9\nsearch a\nnameserver\tfe80::1%eth0\nnameserver x\nnameserver 1.1.1.1\nnameserver 8.8.8.8\n"); len(got) != 3 || got[1].Addr().Zone() != "eth0" {
		t.Errorf("resolvers %v", got)
	}
}

func FuzzQuestion(f *testing.F) {
	f.Add(unhex(f, ask1), uint16(7))
	f.Add(query(f, "a.b.", dnsmessage.TypeAAAA), uint16(0))
	f.Add(query(f, ".", typeIXFR), uint16(1))
	f.Fuzz(func(t *testing.T, b []byte, id uint16) {
		q, err := parseQuestion(b)
		if err == errNoQuestion {
			return
		}
		again := q.under(id)
		if binary.BigEndian.Uint16(again) != id || !bytes.Equal(again[2:], b[2:]) {
			t.Fatalf("%x under %d: %x", b, id, again)
		}
		no := q.failure(dnsmessage.RCodeRefused)
		binary.BigEndian.PutUint16(no, id)
		if !q.answeredBy(no, id) {
			t.Fatalf("%x does not answer %x", no, b)
		}
		var m dnsmessage.Message
		if err := m.Unpack(no); err != nil || !m.Response {
			t.Fatalf("%x: %v", no, err)
		}
	})
}
