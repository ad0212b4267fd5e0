package hostnet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/skycoin/viscript/node/mark"
)

// wire sends and sees packets at an interface: the TUN's user side, or the far end of a veth.
type wire struct {
	t      *testing.T
	f      *os.File
	offset int // of the IP header in what is read and written
}

// user is the other side of a TUN that exists.
func (s *space) user(name string) *wire {
	s.t.Helper()
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := unix.NewIfreq(name)
	if err != nil {
		s.t.Fatal(err)
	}
	req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		s.t.Fatal(err)
	}
	w := &wire{t: s.t, f: os.NewFile(uintptr(fd), name)}
	s.t.Cleanup(func() { w.f.Close() })
	return w
}

// far sees what comes to an interface from its other end.
func (s *space) far(name string) *wire {
	s.t.Helper()
	dev, err := net.InterfaceByName(name)
	if err != nil {
		s.t.Fatal(err)
	}
	protocol := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, int(protocol))
	if err != nil {
		s.t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: dev.Index}); err != nil {
		s.t.Fatal(err)
	}
	s.oneCPU()
	w := &wire{t: s.t, f: os.NewFile(uintptr(fd), name), offset: 14}
	s.t.Cleanup(func() { w.f.Close() })
	return w
}

// oneCPU keeps the test on one CPU from now on: what it sends over a veth waits in the queue of the CPU that sent it, so that packets
// of several CPUs may overtake each other.
func (s *space) oneCPU() {
	s.t.Helper()
	runtime.LockOSThread() // until the test's end, and with it the process's
	var may, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &may); err != nil {
		s.t.Fatal(err)
	}
	cpu := 0
	for !may.IsSet(cpu) {
		cpu++
	}
	one.Set(cpu)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		s.t.Fatal(err)
	}
}

// saw waits for a UDP packet whose payload is last, and returns it and the payloads that came before it.
func (w *wire) saw(last string) (p packet, others string) {
	w.t.Helper()
	_ = w.f.SetReadDeadline(time.Now().Add(patience))
	buf := make([]byte, 64<<10)
	for {
		n, err := w.f.Read(buf)
		if err != nil {
			w.t.Fatalf("waiting for %q at %s, after %q: %v", last, w.f.Name(), others, err)
		}
		if n < w.offset {
			continue
		}
		p, ok := parsePacket(buf[w.offset:n])
		if !ok {
			continue
		}
		if p.payload == last {
			return p, others
		}
		others += p.payload + " "
	}
}

func (w *wire) send(p packet) {
	w.t.Helper()
	if _, err := w.f.Write(p.bytes()); err != nil {
		w.t.Fatal(err)
	}
}

// packet is UDP in IPv4 or IPv6, as far as tests look at it.
type packet struct {
	from, to netip.AddrPort
	payload  string
}

func parsePacket(b []byte) (p packet, ok bool) {
	switch {
	case len(b) >= 28 && b[0] == 0x45 && b[9] == unix.IPPROTO_UDP:
		src, _ := netip.AddrFromSlice(b[12:16])
		dst, _ := netip.AddrFromSlice(b[16:20])
		return packetOf(src, dst, b[20:])
	case len(b) >= 48 && b[0]>>4 == 6 && b[6] == unix.IPPROTO_UDP:
		src, _ := netip.AddrFromSlice(b[8:24])
		dst, _ := netip.AddrFromSlice(b[24:40])
		return packetOf(src, dst, b[40:])
	}
	return p, false
}

func packetOf(src, dst netip.Addr, udp []byte) (packet, bool) {
	n := int(binary.BigEndian.Uint16(udp[4:]))
	if n < 8 || n > len(udp) {
		return packet{}, false
	}
	return packet{netip.AddrPortFrom(src, binary.BigEndian.Uint16(udp)), netip.AddrPortFrom(dst, binary.BigEndian.Uint16(udp[2:])), string(udp[8:n])}, true
}

func (p packet) bytes() []byte {
	udp := binary.BigEndian.AppendUint16(nil, p.from.Port())
	udp = binary.BigEndian.AppendUint16(udp, p.to.Port())
	udp = binary.BigEndian.AppendUint16(udp, uint16(8+len(p.payload)))
	udp = append(append(udp, 0, 0), p.payload...)
	src, dst := p.from.Addr().AsSlice(), p.to.Addr().AsSlice()
	pseudo := bytes.Join([][]byte{src, dst, {0, unix.IPPROTO_UDP}, udp[4:6], udp}, nil)
	binary.BigEndian.PutUint16(udp[6:], checksum(pseudo))
	if p.from.Addr().Is6() {
		h := append([]byte{0x60, 0, 0, 0}, udp[4:6]...)
		return bytes.Join([][]byte{h, {unix.IPPROTO_UDP, 64}, src, dst, udp}, nil)
	}
	h := binary.BigEndian.AppendUint16([]byte{0x45, 0}, uint16(20+len(udp)))
	h = append(h, 0, 1, 0, 0, 64, unix.IPPROTO_UDP, 0, 0)
	h = append(append(h, src...), dst...)
	binary.BigEndian.PutUint16(h[10:], checksum(h))
	return append(h, udp...)
}

func checksum(b []byte) uint16 {
	var sum uint32
	for i, c := range b {
		sum += uint32(c) << (8 * (1 - i%2))
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

func ap(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// gateways makes the neighbours known that nobody plays.
func (s *space) gateways() {
	s.sh(`mac() { cat /sys/class/net/$1/address; }
ip neigh add 198.51.100.1 lladdr $(mac upfar) dev up0 nud permanent; ip -6 neigh add 2001:db8:1::1 lladdr $(mac upfar) dev up0 nud permanent
ip neigh add 192.168.7.9 lladdr $(mac lanfar) dev lan0 nud permanent`)
}

// say sends a UDP packet from this host, out of dev unless that is "", with a mark unless that is 0.
func say(to, payload, dev string, mark int) error {
	addr := ap(to)
	family, sa := unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{Port: int(addr.Port())})
	if addr.Addr().Is6() {
		family, sa = unix.AF_INET6, &unix.SockaddrInet6{Port: int(addr.Port()), Addr: addr.Addr().As16()}
	} else {
		sa.(*unix.SockaddrInet4).Addr = addr.Addr().As4()
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if dev != "" {
		err = unix.BindToDevice(fd, dev)
	}
	if mark != 0 {
		err = errors.Join(err, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, mark))
	}
	return errors.Join(err, unix.Sendto(fd, []byte(payload), 0, sa))
}

func TestKillSwitch(t *testing.T) {
	if !inSpace(t) {
		return
	}
	s := newSpace(t)
	s.gateways()
	tun, up, lan := s.user("vpn0"), s.far("upfar"), s.far("lanfar")
	h := s.open()
	if err := h.Client(t.Context(), fullClient()); err != nil {
		t.Fatal(err)
	}
	must := func(want error, err error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	must(nil, say("9.9.9.9:7", "through", "", 0))
	must(nil, say("[2620:fe::fe]:7", "through6", "", 0))
	must(nil, say("192.168.7.9:53", "name", "", 0)) // a name server on the wire is asked in the tunnel
	must(unix.EPERM, say("9.9.9.9:7", "bound", "up0", 0))
	must(unix.EPERM, say("[2620:fe::fe]:7", "bound6", "up0", 0))
	must(unix.EPERM, say("192.168.7.9:7", "lan", "", 0))
	must(nil, say("203.0.113.9:7", "excepted", "", 0))
	must(nil, say("9.9.9.9:7", "mesh", "", mark.Mesh))
	if _, others := tun.saw("through6"); !strings.Contains(others, "through ") {
		t.Errorf("in the tunnel: %q", others)
	}
	if _, others := tun.saw("name"); others != "" {
		t.Errorf("in the tunnel: %q", others)
	}
	if _, others := up.saw("mesh"); others != "excepted " {
		t.Errorf("at the uplink: %q", others)
	}
	// the local network on demand, its name server excepted
	c := fullClient()
	c.LAN = true
	if err := h.Client(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	must(nil, say("192.168.7.9:7", "lan", "", 0))
	must(unix.EPERM, say("192.168.7.9:53", "dns", "lan0", 0))
	must(unix.EPERM, say("9.9.9.9:7", "bound", "up0", 0))
	if _, others := lan.saw("lan"); others != "" {
		t.Errorf("at the local network: %q", others)
	}
	// the process dies and its interface with it
	h.Leave()
	tun.f.Close()
	s.sh("ip link del vpn0")
	must(unix.EHOSTUNREACH, say("9.9.9.9:7", "dead", "", 0))
	must(unix.EHOSTUNREACH, say("[2620:fe::fe]:7", "dead6", "", 0))
	must(unix.EPERM, say("9.9.9.9:7", "bound", "up0", 0))
	must(nil, say("9.9.9.9:7", "mesh", "", mark.Mesh))
	if _, others := up.saw("mesh"); others != "" {
		t.Errorf("at the uplink: %q", others)
	}
	if _, err := Down(s.config()); err != nil {
		t.Error(err)
	}
	must(nil, say("9.9.9.9:7", "free", "", 0))
	if _, others := up.saw("free"); others != "" {
		t.Errorf("at the uplink: %q", others)
	}
}

func TestExit(t *testing.T) {
	if !inSpace(t) {
		return
	}
	s := newSpace(t)
	s.gateways()
	before := s.state()
	tun, up, lan := s.user("vpn0"), s.far("upfar"), s.far("lanfar")
	h := s.open()
	cfg := exitServer()
	cfg.HostPorts = nil
	if err := h.AddClient(netip.MustParseAddr("10.99.0.7")); err != nil {
		t.Fatal(err)
	}
	if err := h.Server(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	for _, a := range []string{"10.99.0.9", "fd99::7"} {
		if err := h.AddClient(netip.MustParseAddr(a)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(h.AddClient(netip.MustParseAddr("10.99.0.9")), h.RemoveClient(netip.MustParseAddr("10.99.0.9")), h.RemoveClient(netip.MustParseAddr("10.99.0.9"))); err != nil {
		t.Error(err)
	}
	heard := make(chan string, 16)
	for _, at := range []string{"0.0.0.0:53", "0.0.0.0:5555"} {
		pc, err := net.ListenPacket("udp", at)
		if err != nil {
			t.Fatal(err)
		}
		defer pc.Close()
		go func() {
			buf := make([]byte, 100)
			for {
				n, _, err := pc.ReadFrom(buf)
				if err != nil {
					return
				}
				heard <- string(buf[:n])
			}
		}()
	}
	from := func(src, dst, payload string) { t.Helper(); tun.send(packet{ap(src), ap(dst), payload}) }
	from("10.99.0.8:1000", "9.9.9.9:7", "spoofed")
	from("10.99.0.9:1000", "9.9.9.9:7", "removed")
	from("198.51.100.2:1000", "9.9.9.9:7", "own")
	from("10.99.0.7:1000", "192.168.7.9:7", "private")
	from("10.99.0.7:1000", "169.254.169.254:80", "metadata")
	from("10.99.0.7:1000", "127.0.0.1:5555", "loopback")
	from("10.99.0.7:1000", "10.99.0.9:7", "neighbour")
	from("10.99.0.7:1000", "10.99.0.1:5555", "port")
	from("10.99.0.7:1000", "198.51.100.2:5555", "port")
	from("10.99.0.7:1000", "198.51.100.2:53", "dns outside")
	from("10.99.0.7:1000", "10.99.0.1:53", "dns")
	from("10.99.0.7:1000", "9.9.9.9:7", "out")
	p, others := up.saw("out")
	if others != "" || p.from.Addr() != netip.MustParseAddr("198.51.100.2") {
		t.Errorf("at the uplink: %+v, before it %q", p, others)
	}
	if got := <-heard; got != "dns" {
		t.Errorf("the host heard %q", got)
	}
	from("[fd99::8]:1000", "[2620:fe::fe]:7", "spoofed")
	from("[fd99::7]:1000", "[fd00::1]:7", "private")
	from("[fd99::7]:1000", "[2620:fe::fe]:7", "out6")
	if p6, others := up.saw("out6"); others != "" || p6.from.Addr() != netip.MustParseAddr("2001:db8:1::2") {
		t.Errorf("at the uplink: %+v, before it %q", p6, others)
	}
	// what comes back reaches the client; what nobody asked for does not
	mac := func(name string) net.HardwareAddr {
		dev, err := net.InterfaceByName(name)
		if err != nil {
			t.Fatal(err)
		}
		return dev.HardwareAddr
	}
	inbound := func(src, dst, payload string) {
		t.Helper()
		frame := append(append(append([]byte(nil), mac("up0")...), mac("upfar")...), 0x08, 0)
		if _, err := up.f.Write(append(frame, packet{ap(src), ap(dst), payload}.bytes()...)); err != nil {
			t.Fatal(err)
		}
	}
	inbound("8.8.8.8:53", "10.99.0.7:1000", "unasked")
	inbound("10.99.0.7:53", "198.51.100.2:53", "claims to be a client")
	inbound("8.8.8.8:53", "10.99.0.1:53", "open resolver")
	inbound("8.8.8.8:53", "192.168.7.9:53", "transit")
	inbound("9.9.9.9:7", p.from.String(), "back")
	if b, others := tun.saw("back"); others != "" || b.to != ap("10.99.0.7:1000") {
		t.Errorf("in the tunnel: %+v, before it %q", b, others)
	}
	cfg.AllowPrivate, cfg.BetweenClients, cfg.AllowHost = true, true, true
	if err := h.Server(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	from("10.99.0.8:1000", "192.168.7.9:7", "spoofed")
	from("10.99.0.7:1000", "192.168.7.9:7", "private")
	from("10.99.0.7:1000", "10.99.0.1:5555", "port")
	from("10.99.0.7:1000", "10.99.0.9:7", "neighbour")
	if _, others := lan.saw("private"); others != "" {
		t.Errorf("at the local network: %q", others)
	}
	if _, others := tun.saw("neighbour"); others != "" {
		t.Errorf("in the tunnel: %q", others)
	}
	if got := <-heard; got != "port" {
		t.Errorf("the host heard %q", got)
	}
	tun.f.Close()
	if _, err := h.Undo(); err != nil {
		t.Error(err)
	}
	s.same(before, "after undo")
}

// Before Linux 6.17 one switch makes all interfaces forward IPv6, and turns off what routers announce.
func TestExitOnOlderKernels(t *testing.T) {
	if !inSpace(t) {
		return
	}
	s := newSpace(t)
	s.gateways()
	before := s.state()
	tun, up := s.user("vpn0"), s.far("upfar")
	h := s.open()
	h.older = "force_forwarding"
	if err := errors.Join(h.Server(t.Context(), exitServer()), h.AddClient(netip.MustParseAddr("fd99::7"))); err != nil {
		t.Fatal(err)
	}
	if got := s.sh("cd /proc/sys/net/ipv6/conf; cat all/forwarding up0/accept_ra lan0/accept_ra"); got != "1\n2\n1\n" {
		t.Errorf("forwarding, accept_ra: %q", got)
	}
	tun.send(packet{ap("[fd99::7]:1000"), ap("[2620:fe::fe]:7"), "out6"})
	if p, others := up.saw("out6"); others != "" || p.from.Addr() != netip.MustParseAddr("2001:db8:1::2") {
		t.Errorf("at the uplink: %+v, before it %q", p, others)
	}
	if list, gone := h.missing(); len(list) > 0 || gone {
		t.Errorf("missing: %q", list)
	}
	tun.f.Close()
	if _, err := h.Undo(); err != nil {
		t.Error(err)
	}
	s.same(before, "after undo")
}
