package link

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/skycoin/viscript/node/direct"
	"github.com/skycoin/viscript/node/secure"
)

// namespace is a network namespace of this test.
type namespace string

// do runs f on a thread inside the namespace; the thread ends with it.
func (n namespace) do(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		h, err := os.Open("/run/netns/" + string(n))
		if err == nil {
			err = unix.Setns(int(h.Fd()), unix.CLONE_NEWNET)
			h.Close()
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

// Name implements Carrier.
func (namespace) Name() string { return "tcp" }

// Dial implements Carrier.
func (n namespace) Dial(ctx context.Context, at string) (nc net.Conn, err error) {
	err = n.do(func() error { nc, err = TCP{}.Dial(ctx, at); return err })
	return nc, err
}

// Listen implements Carrier.
func (n namespace) Listen(ctx context.Context, at string) (ln net.Listener, err error) {
	err = n.do(func() error { ln, err = TCP{}.Listen(ctx, at); return err })
	return ln, err
}

// Watch implements Watcher.
func (n namespace) Watch(ctx context.Context, moved func([]netip.Addr)) error {
	return n.do(func() error { return TCP{}.Watch(ctx, moved) })
}

func command(t *testing.T, line string, args ...any) {
	t.Helper()
	words := strings.Fields(fmt.Sprintf(line, args...))
	ctx, cancel := context.WithTimeout(context.Background(), longEnough)
	defer cancel()
	if out, err := exec.CommandContext(ctx, words[0], words[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(words, " "), err, out)
	}
}

// pair makes two namespaces with a cable between them.
func pair(t *testing.T, tag string) (a, b namespace) {
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("no ip command")
	}
	if err := exec.Command("ip", "netns", "list").Run(); err != nil {
		t.Skip("no network namespaces here")
	}
	a, b = namespace(fmt.Sprintf("vl-%da%s", os.Getpid(), tag)), namespace(fmt.Sprintf("vl-%db%s", os.Getpid(), tag))
	for _, n := range []namespace{a, b} {
		command(t, "ip netns add %s", n)
		t.Cleanup(func() { command(t, "ip netns del %s", n) })
	}
	command(t, "ip -n %s link add vl-0 type veth peer name vl-1 netns %s", a, b)
	for n, i := range map[namespace]int{a: 0, b: 1} {
		command(t, "ip -n %s link set lo up", n)
		command(t, "ip -n %s link set vl-%d up", n, i)
		command(t, "ip -n %s addr add 10.77.0.%d/24 dev vl-%d", n, i+1, i)
		command(t, "ip -n %s addr add fd77::%d/64 dev vl-%d nodad", n, i+1, i)
	}
	return a, b
}

// linked starts a station in each namespace; the first has a link to the second at ip.
func linked(t *testing.T, na, nb namespace, ip string) (a, b *station) {
	in := func(n namespace) *station {
		return newStation(t, true, func(c *Config) { c.Carrier, c.Listen = n, net.JoinHostPort("::", "0") })
	}
	a, b = in(na), in(nb)
	_, port, _ := net.SplitHostPort(b.Addr().String())
	a.AddPeer(secure.Addr{Key: b.key.Public(), HostPort: net.JoinHostPort(ip, port)})
	eventually(t, "the link", func() bool { return a.Link(b.key.Public()) != nil && b.Link(a.key.Public()) != nil })
	return a, b
}

// TestHostMoves changes the dialing host's address, as when it comes to another network.
func TestHostMoves(t *testing.T) {
	t.Parallel()
	na, nb := pair(t, "move")
	for name, c := range map[string]struct{ to, from, next string }{
		"IPv4": {"10.77.0.2", "10.77.0.1/24", "10.77.0.9/24"},
		"IPv6": {"fd77::2", "fd77::1/64", "fd77::9/64"},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := linked(t, na, nb, c.to)
			old := a.Link(b.key.Public())
			command(t, "ip -n %s addr del %s dev vl-0", na, c.from)
			moved := time.Now()
			command(t, "ip -n %s addr add %s dev vl-0", na, c.next)
			eventually(t, "a new link", func() bool { // with IPv6 it may begin at a link-local address
				la, lb := a.Link(b.key.Public()), b.Link(a.key.Public())
				return la != nil && lb != nil && la != old && la.nc.LocalAddr().(*net.TCPAddr).Port == lb.nc.RemoteAddr().(*net.TCPAddr).Port
			})
			t.Logf("healed %v after the address changed", time.Since(moved).Round(time.Millisecond))
			if !errors.Is(old.Err(), ErrMoved) {
				t.Errorf("the old link: %v", old.Err())
			}
		})
	}
}

// TestSilentCut drops every packet while a route is in use, and heals the path.
func TestSilentCut(t *testing.T) {
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("no nft command")
	}
	t.Parallel()
	na, nb := pair(t, "cut")
	a, b := linked(t, na, nb, "10.77.0.2")
	l := a.Link(b.key.Public())
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				l.Send(record(1, 0, 1000))
			}
		}
	}()
	time.Sleep(1500 * time.Millisecond)
	command(t, "ip netns exec %s nft add table inet vl", na)
	command(t, "ip netns exec %s nft add chain inet vl o { type filter hook output priority 0 ; policy drop ; }", na)
	cut := time.Now()
	select {
	case <-l.Done():
	case <-time.After(longEnough):
		t.Fatal("a dead link is not noticed")
	}
	seen := time.Since(cut)
	time.Sleep(3 * time.Second)
	command(t, "ip netns exec %s nft delete table inet vl", na)
	healed := time.Now()
	eventually(t, "a new link", func() bool { return a.Link(b.key.Public()) != nil })
	t.Logf("noticed after %v, linked %v after the path was back", seen.Round(time.Millisecond), time.Since(healed).Round(time.Millisecond))
}

func TestCongestionControlFollowsTheRoundTrip(t *testing.T) {
	available, _ := os.ReadFile("/proc/sys/net/ipv4/tcp_available_congestion_control")
	if !slices.Contains(strings.Fields(string(available)), bbr) {
		t.Skip("no BBR here")
	}
	ln, err := TCP{}.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	nc, err := TCP{}.Dial(t.Context(), ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	direct.Of(nc).Control(func(fd uintptr) {
		unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, bbr) // as where it is the system's
	})
	var m meter
	m.init(direct.Of(nc))
	if m.usual == bbr || m.usual == "" {
		t.Skipf("no other congestion control than %q", m.usual)
	}
	m.raw.Control(func(fd uintptr) {
		if on, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_KEEPALIVE); err != nil || on != 0 {
			t.Errorf("keepalive is %d, %v", on, err)
		}
		for _, c := range []struct {
			rtt  time.Duration
			want string
		}{{100 * time.Microsecond, m.usual}, {5 * time.Millisecond, bbr}, {900 * time.Microsecond, bbr}, {300 * time.Microsecond, m.usual}} {
			m.choose(int(fd), c.rtt)
			if m.refused {
				t.Skip("the kernel does not let us choose")
			}
			if got, _ := congestion(fd); got != c.want {
				t.Errorf("round trip %v: %s, want %s", c.rtt, got, c.want)
			}
		}
	})
	eventually(t, "a round trip of loopback", func() bool { // the first one may have met a machine that stood still
		nc.Write([]byte{0})
		var short bool
		m.raw.Control(func(fd uintptr) {
			info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
			short = err == nil && time.Duration(info.Min_rtt)*time.Microsecond < bbrBelow
		})
		return short
	})
	m.measure(time.Millisecond, maxWrite)
	if m.bbr {
		t.Error("BBR on loopback")
	}
}

func FuzzAnnouncement(f *testing.F) {
	msg := func(kind uint16, body ...byte) []byte {
		b := make([]byte, nlHeader, nlHeader+len(body))
		binary.NativeEndian.PutUint32(b, uint32(nlHeader+len(body)))
		binary.NativeEndian.PutUint16(b[4:], kind)
		return append(b, body...)
	}
	address := msg(unix.RTM_NEWADDR, 1, 2, 3, 4)
	route := msg(unix.RTM_DELROUTE, unix.AF_INET, 0, 0, 0, unix.RT_TABLE_MAIN, 0, 0, 0)
	host := msg(unix.RTM_NEWROUTE, unix.AF_INET, 32, 0, 0, unix.RT_TABLE_MAIN, 0, 0, 0)
	for b, want := range map[string]sign{
		string(address): maybe, string(route): certain, string(host): 0,
		string(host) + string(address): maybe, string(address) + string(route): certain, string(route[:15]): 0,
	} {
		if got := signOf([]byte(b)); got != want {
			f.Errorf("%x: sign %d, want %d", b, got, want)
		}
		f.Add([]byte(b))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if s := signOf(b); s < 0 || s > certain {
			t.Errorf("sign %d", s)
		}
	})
}
