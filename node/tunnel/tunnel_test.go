package tunnel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/packet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const head, tail = 20, 32

// fake is a TUN that gives frames it was given, and keeps what it gets.
type fake struct {
	in   chan []byte
	out  [][]byte
	down bool
}

func (f *fake) Read(p []byte, wait bool) (int, error) {
	if !wait {
		select {
		case b, ok := <-f.in:
			if ok {
				return copy(p, b), nil
			}
		default:
			return 0, nil
		}
		return 0, os.ErrClosed
	}
	b, ok := <-f.in
	if !ok {
		return 0, os.ErrClosed
	}
	return copy(p, b), nil
}

func (f *fake) Write(b []byte) error {
	if f.down {
		return errors.New("down")
	}
	f.out = append(f.out, bytes.Clone(b))
	return nil
}

func (f *fake) Close() error { return nil }

// frame is an IPv4 packet of n bytes of UDP data.
func frame(src, dst string, n int) []byte {
	b := make([]byte, packet.HeaderLen+28+n)
	p := b[packet.HeaderLen:]
	p[0], p[8], p[9] = 0x45, 64, 17
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	s, d := netip.MustParseAddr(src).As4(), netip.MustParseAddr(dst).As4()
	copy(p[12:], s[:])
	copy(p[16:], d[:])
	for i := range p[28:] {
		p[28+i] = byte(i * n)
	}
	return b
}

func id(n byte) PeerID { return PeerID{Key: identity.PubKey{2, n}, Port: uint16(n)} }

func prefixes(list ...string) (out []netip.Prefix) {
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

type gram struct {
	to PeerID
	b  []byte
}

// sent runs a tunnel over frames that wait all at once and returns the datagrams it made.
func sent(t *testing.T, tn *Tunnel, dev *fake, frames ...[]byte) (list []gram) {
	t.Helper()
	dev.in = make(chan []byte, len(frames))
	for _, f := range frames {
		dev.in <- f
	}
	tn.cfg.Send = func(to PeerID, rec []byte) {
		list = append(list, gram{to, bytes.Clone(rec[head : len(rec)-tail])})
		for i := range rec { // the seals
			rec[i] = 0xee
		}
	}
	b := newBatch(tn)
	for len(dev.in) > 0 || b.to != nil {
		if err := b.next(); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

func newTunnel(t *testing.T, dev *fake, peers ...Peer) *Tunnel {
	t.Helper()
	tn := New(Config{Device: dev, Offload: packet.All, Head: head, Tail: tail})
	for _, p := range peers {
		if err := tn.SetPeer(p); err != nil {
			t.Fatal(err)
		}
	}
	return tn
}

func TestFramesThatWaitShareDatagrams(t *testing.T) {
	dev := &fake{}
	tn := newTunnel(t, dev, Peer{PeerID: id(1), Prefixes: prefixes("10.0.0.2/32")}, Peer{PeerID: id(2), Prefixes: prefixes("10.0.0.0/24")})
	small := func(i int) []byte { return frame("10.0.0.1", "10.0.0.2", i) }
	other := frame("10.0.0.1", "10.0.0.3", 7)
	large := frame("10.0.0.1", "10.0.0.2", 40000)
	full := frame("10.0.0.1", "10.0.0.2", 65000)
	nobody := frame("10.0.0.1", "11.0.0.3", 7)
	got := sent(t, tn, dev, small(1), nobody, small(2), other, slices.Clone(other), small(3), large, full, small(4), small(5), full)
	want := []gram{
		{id(1), slices.Concat(small(1), small(2))}, {id(2), slices.Concat(other, other)}, {id(1), small(3)}, {id(1), large}, {id(1), full},
		{id(1), slices.Concat(small(4), small(5))}, {id(1), full},
	}
	if len(got) != len(want) {
		t.Fatalf("%d datagrams, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i].to != want[i].to || !bytes.Equal(got[i].b, want[i].b) {
			t.Errorf("datagram %d: %d bytes to %d, want %d to %d", i, len(got[i].b), got[i].to.Port, len(want[i].b), want[i].to.Port)
		}
	}
	total, peers := tn.Counts()
	if total.Unrouted != 1 || len(peers) != 2 {
		t.Errorf("counted %+v, %+v", total, peers)
	}
	for _, p := range peers {
		if p.PeerID == id(1) && p.Sent.Packets != 8 || p.PeerID == id(2) && p.Sent.Packets != 2 {
			t.Errorf("counted %+v", p)
		}
	}
}

func TestABatchEndsAtItsLimit(t *testing.T) {
	dev := &fake{}
	tn := newTunnel(t, dev, Peer{PeerID: id(1), Prefixes: prefixes("10.0.0.2/32")})
	var frames [][]byte
	for range 100 {
		frames = append(frames, frame("10.0.0.1", "10.0.0.2", 1000))
	}
	all := slices.Concat(frames...)
	var joined []byte
	for _, g := range sent(t, tn, dev, frames...) {
		if len(g.b) > maxBatch {
			t.Errorf("a batch of %d bytes", len(g.b))
		}
		joined = append(joined, g.b...)
	}
	if !bytes.Equal(joined, all) {
		t.Error("the packets are not the same, or not in order")
	}
}

// What a hostile peer may send, and what becomes of it.
func TestReceive(t *testing.T) {
	dev := &fake{}
	tn := newTunnel(t, dev, Peer{PeerID: id(1), Prefixes: prefixes("10.0.0.2/32", "fd00::2/128")}, Peer{PeerID: id(2), Prefixes: prefixes("10.0.0.3/32")})
	good := frame("10.0.0.2", "8.8.8.8", 30)
	tn.Receive(id(1), bytes.Clone(good))
	if len(dev.out) != 0 {
		t.Error("without rules something is welcome")
	}
	tn.SetRules(packet.Rules{Accept: prefixes("0.0.0.0/0", "10.0.0.1/32"), Refuse: prefixes("10.0.0.0/24")})
	tn.Receive(id(1), slices.Concat(good, frame("10.0.0.3", "8.8.8.8", 5), frame("10.0.0.2", "10.0.0.3", 5), frame("10.0.0.2", "10.0.0.1", 5), good[:20]))
	tn.Receive(id(3), bytes.Clone(good))
	tn.Receive(PeerID{Key: id(1).Key, Port: 99}, bytes.Clone(good))
	tn.Receive(id(1), nil)
	if want := [][]byte{good, frame("10.0.0.2", "10.0.0.1", 5)}; !slices.EqualFunc(dev.out, want, bytes.Equal) {
		t.Errorf("written: %x", dev.out)
	}
	dev.down = true
	tn.Receive(id(1), bytes.Clone(good))
	total, peers := tn.Counts()
	if total.Unknown != 2 || total.Refused != 1 {
		t.Errorf("counted %+v", total)
	}
	for _, p := range peers {
		if p.PeerID == id(1) && (p.Spoofed != 1 || p.Unwelcome != 2 || p.Malformed != 1 || p.Received.Packets != 2) {
			t.Errorf("counted %+v", p)
		}
	}
}

func TestPeers(t *testing.T) {
	tn := newTunnel(t, &fake{}, Peer{PeerID: id(1), Prefixes: prefixes("10.0.0.2/32", "10.1.0.0/16")})
	for _, x := range []string{"10.0.0.2/32", "10.1.0.0/16"} {
		if err := tn.SetPeer(Peer{PeerID: id(2), Prefixes: prefixes(x)}); !errors.Is(err, ErrTaken) {
			t.Errorf("%s is given twice: %v", x, err)
		}
	}
	if err := tn.SetPeer(Peer{PeerID: id(2), Prefixes: prefixes("0.0.0.0/0", "10.1.1.0/24")}); err != nil {
		t.Fatal(err)
	}
	where := func(a string) PeerID {
		if p := tn.route(netip.MustParseAddr(a)); p != nil {
			return p.PeerID
		}
		return PeerID{}
	}
	for a, want := range map[string]PeerID{"10.0.0.2": id(1), "10.1.2.3": id(1), "10.1.1.3": id(2), "9.9.9.9": id(2), "fd00::1": {}, "224.0.0.1": {}, "169.254.0.1": {}} {
		if got := where(a); got != want {
			t.Errorf("%s goes to %v", a, got)
		}
	}
	if err := tn.SetPeer(Peer{PeerID: id(1), Prefixes: prefixes("10.0.0.9/32")}); err != nil { // replaced
		t.Fatal(err)
	}
	if where("10.0.0.2") != id(2) || where("10.0.0.9") != id(1) || where("10.1.2.3") != id(2) {
		t.Error("the old prefixes stayed")
	}
	if err := tn.SetPeer(Peer{PeerID: id(1)}); err != nil || where("10.0.0.9") != id(2) { // removed
		t.Errorf("%v, %v", err, where("10.0.0.9"))
	}
	if err := tn.SetPeer(Peer{PeerID: id(1), Prefixes: make([]netip.Prefix, MaxPrefixes+1)}); !errors.Is(err, ErrFull) {
		t.Errorf("too many prefixes: %v", err)
	}
	for i := range MaxPeers + 1 {
		a := netip.AddrFrom4([4]byte{10, 9, byte(i >> 8), byte(i)})
		err := tn.SetPeer(Peer{PeerID: PeerID{Key: identity.PubKey{3, byte(i >> 8), byte(i)}}, Prefixes: []netip.Prefix{netip.PrefixFrom(a, 32)}})
		if (err != nil) != (i >= MaxPeers-1) {
			t.Fatalf("peer %d: %v", i, err)
		}
	}
}

func TestRate(t *testing.T) {
	b := bucket{rate: 10 << 20}
	at := time.Unix(0, 0)
	now := func() time.Time { return at }
	passed := 0
	for range 1000 { // a second, 64 KiB each millisecond
		if b.take(64<<10, now) {
			passed += 64 << 10
		}
		at = at.Add(time.Millisecond)
	}
	if passed < 10<<20 || passed > 12<<20 {
		t.Errorf("%d bytes passed in a second", passed)
	}
	free := bucket{}
	if !free.take(1<<40, now) {
		t.Error("a limit without a rate")
	}
}

func TestLimitedPeer(t *testing.T) {
	dev := &fake{}
	tn := newTunnel(t, dev, Peer{PeerID: id(1), Prefixes: prefixes("10.0.0.2/32"), Rate: 1})
	tn.SetRules(packet.Rules{Accept: prefixes("0.0.0.0/0")})
	for range 8 {
		tn.Receive(id(1), frame("10.0.0.2", "8.8.8.8", 60000))
	}
	if _, peers := tn.Counts(); len(dev.out) != 4 || peers[0].Limited != 4 {
		t.Errorf("%d passed, %d did not", len(dev.out), peers[0].Limited)
	}
}

func TestRunEndsWithTheDevice(t *testing.T) {
	dev := &fake{in: make(chan []byte)}
	tn := newTunnel(t, dev)
	done := make(chan error)
	go func() { done <- tn.Run() }()
	dev.in <- []byte("no frame")
	close(dev.in)
	if err := <-done; !errors.Is(err, os.ErrClosed) {
		t.Errorf("%v", err)
	}
	if total, _ := tn.Counts(); total.Malformed != 1 {
		t.Errorf("counted %+v", total)
	}
}

func TestNoAllocation(t *testing.T) {
	dev := &fake{in: make(chan []byte, 3)}
	tn := newTunnel(t, dev, Peer{PeerID: id(1), Prefixes: prefixes("10.0.0.2/32")})
	tn.cfg.Send = func(PeerID, []byte) {}
	b := newBatch(tn)
	f, large := frame("10.0.0.1", "10.0.0.2", 100), frame("10.0.0.1", "10.0.0.2", 60000)
	if n := testing.AllocsPerRun(100, func() {
		dev.in <- f
		dev.in <- f
		dev.in <- large
		for len(dev.in) > 0 {
			_ = b.next()
		}
	}); n != 0 {
		t.Errorf("%v allocations for three packets", n)
	}
}

// FuzzReceive: whatever a peer sends, the TUN gets only what it may send, from it and to us, and every packet is counted.
func FuzzReceive(f *testing.F) {
	ours, theirs := prefixes("10.9.0.1/32", "fd00::1/128"), prefixes("10.9.0.7/32", "10.9.1.0/24", "fd00::7/128")
	for _, b := range [][]byte{
		frame("10.9.0.7", "10.9.0.1", 9), frame("10.9.0.8", "10.9.0.1", 9), frame("10.9.0.7", "10.9.0.2", 9), frame("224.0.0.1", "10.9.0.1", 0),
		append(frame("10.9.1.3", "10.9.0.1", 100), frame("10.9.0.7", "10.9.0.1", 1200)...), frame("10.9.0.7", "10.9.0.1", 9)[:20],
	} {
		f.Add(b, uint8(packet.All))
	}
	f.Fuzz(func(t *testing.T, b []byte, have uint8) {
		dev := &fake{}
		tn := New(Config{Device: dev, Offload: packet.Offload(have), Head: head, Tail: tail})
		tn.SetRules(packet.Rules{Accept: ours})
		if err := tn.SetPeer(Peer{PeerID: id(1), Prefixes: theirs}); err != nil {
			t.Fatal(err)
		}
		tn.Receive(id(2), bytes.Clone(b))
		if len(dev.out) > 0 {
			t.Fatal("a stranger's packet is taken")
		}
		tn.Receive(id(1), bytes.Clone(b))
		in := func(list []netip.Prefix, a netip.Addr) bool {
			return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) })
		}
		size := 0
		for _, got := range dev.out {
			p, frame, rest, err := packet.Inbound(got, packet.All)
			if err != nil || len(rest) > 0 || len(frame) != len(got) || !in(theirs, p.Src) || !in(ours, p.Dst) {
				t.Fatalf("%x is taken: %+v, %v", got, p, err)
			}
			size += len(got)
		}
		if _, counts := tn.Counts(); size > len(b) || counts[0].Received.Packets != uint64(len(dev.out)) {
			t.Fatalf("%d of %d bytes in %d packets are taken, counted %+v", size, len(b), len(dev.out), counts[0])
		}
	})
}
