package hostnet

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// envSpace is set in the process that runs a test inside namespaces of its own.
const envSpace = "HOSTNET_TEST_SPACE"

// inSpace runs the rest of the test in a new process with its own network and mounts: true there. Tests never touch
// the network of the host that runs them.
func inSpace(t *testing.T) bool {
	t.Helper()
	if host := os.Getenv(envSpace); host != "" {
		here, err := os.Readlink("/proc/self/ns/net")
		if err != nil || here == host {
			t.Fatalf("not in a network namespace of our own (%s): %v", here, err)
		}
		return true
	}
	if os.Getuid() != 0 {
		t.Skip("network namespaces need root")
	}
	host, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe", "-test.run", "^"+t.Name()+"$", "-test.v", "-test.count=1", "-test.timeout=280s")
	cmd.Env = append(os.Environ(), envSpace+"="+host, "GORACE="+os.Getenv("GORACE")+" atexit_sleep_ms=100") // not a second for each process
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS, Unshareflags: 0, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) {
		t.Skipf("no right to make a network namespace: %v", err)
	}
	if err != nil {
		t.Fatalf("in its namespaces: %v\n%s", err, out)
	}
	t.Logf("%s", out)
	return false
}

// space is a host in a namespace: an uplink with a gateway, a LAN, a TUN, a resolv.conf. The far ends of uplink and LAN
// are interfaces of the same host that have no addresses, where a test sees what goes out.
type space struct {
	t   *testing.T
	dir string
}

func newSpace(t *testing.T) *space {
	t.Helper()
	s := &space{t: t, dir: t.TempDir()}
	if err := syscall.Mount("", "/", "", syscall.MS_PRIVATE|syscall.MS_REC, ""); err != nil {
		t.Fatal(err)
	}
	// /proc/sys/net and the like show the namespace of the process; /sys must be of it too.
	s.sh("mount -t sysfs sysfs /sys")
	s.sh("ip link set lo up")
	s.sh("ip link add up0 type veth peer name upfar; ip link set upfar addrgenmode none; ip link set up0 addrgenmode none; ip link set upfar up; ip addr add 198.51.100.2/24 dev up0; ip -6 addr add 2001:db8:1::2/64 dev up0 nodad; ip link set up0 up")
	s.sh("ip route add default via 198.51.100.1 dev up0; ip -6 route add default via 2001:db8:1::1 dev up0")
	s.sh("ip link add lan0 type veth peer name lanfar; ip link set lanfar addrgenmode none; ip link set lan0 addrgenmode none; ip link set lanfar up; ip addr add 192.168.7.2/24 dev lan0; ip link set lan0 up")
	s.settle("up0", "upfar", "lan0", "lanfar")
	s.tun("vpn0")
	file := filepath.Join(s.dir, "resolv.conf")
	if err := os.WriteFile(file, []byte("# of the host\nnameserver 198.51.100.53\nsearch example.org\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return s
}

// settle waits until the kernel has noted that the interfaces have carriers, which it does some time after it was told.
func (s *space) settle(names ...string) {
	s.t.Helper()
	groups := ""
	eventually(s.t, "the interfaces are up", func() string {
		for _, name := range names {
			if b, err := os.ReadFile("/sys/class/net/" + name + "/operstate"); err != nil || string(b) != "up\n" {
				return fmt.Sprintf("%s is %q, %v", name, b, err)
			}
			groups = s.sh("ip -6 route show table local type multicast")
			if !strings.Contains(groups, "dev "+name+" ") {
				return name + " has no groups: " + groups
			}
		}
		return ""
	})
}

// tun makes a TUN interface that lasts until it is deleted, and has been up.
func (s *space) tun(name string) {
	s.t.Helper()
	s.sh("ip tuntap add dev " + name + " mode tun; ip link set " + name + " addrgenmode none; ip link set " + name + " up; ip link set " + name + " down")
}

func (s *space) resolvConf() string { return filepath.Join(s.dir, "resolv.conf") }

// sh runs shell commands, which must succeed, and returns what they say.
func (s *space) sh(line string) string {
	s.t.Helper()
	out, err := exec.Command("sh", "-ec", line).CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s: %v: %s", line, err, out)
	}
	return string(out)
}

// state is all that a VPN may change on the host, as text. Routes and addresses of the TUN interface are its caller's. What the kernel
// makes of carriers, in its own time, is left out.
func (s *space) state() string {
	s.t.Helper()
	var b strings.Builder
	b.WriteString(s.sh(`exec 2>&1
ip route show table all; ip -6 route show table all; ip rule; ip -6 rule; ip -br addr show | sed -E 's/^([^ ]+) +[A-Z]+/\1/'; nft list ruleset
ip -o link | sed -E 's/qlen.*//; s/ state [A-Z]+//; s/NO-CARRIER,//; s/,LOWER_UP//'
cd /proc/sys/net; grep -s . ipv4/conf/*/forwarding ipv4/conf/*/src_valid_mark ipv4/conf/*/accept_redirects ipv4/ip_forward \
	ipv6/conf/*/forwarding ipv6/conf/*/accept_ra ipv6/conf/*/force_forwarding || true`))
	info, err := os.Lstat(s.resolvConf())
	if err != nil {
		fmt.Fprintf(&b, "resolv.conf: %v\n", err)
		return b.String()
	}
	content, err := os.ReadFile(s.resolvConf())
	link, _ := os.Readlink(s.resolvConf())
	fmt.Fprintf(&b, "resolv.conf: %v %s %x %v\n", info.Mode(), link, sha256.Sum256(content), err)
	return b.String()
}

// same waits until the state is what it was.
func (s *space) same(before, what string) {
	s.t.Helper()
	eventually(s.t, what+": the host is not as before", func() string {
		after := s.state()
		if d := difference(before, after); d != "" || after == before {
			return d
		}
		return "another order:\n" + after
	})
}

// difference lists the lines that only one of two texts has.
func difference(a, b string) string {
	count := map[string]int{}
	for line := range strings.Lines(a) {
		count[line]++
	}
	var out strings.Builder
	for line := range strings.Lines(b) {
		if count[line]--; count[line] < 0 {
			out.WriteString("+ " + line)
		}
	}
	for line, n := range count {
		if n > 0 {
			out.WriteString("- " + line)
		}
	}
	return out.String()
}

func (s *space) config() Config { return Config{Dir: s.dir, ResolvConf: s.resolvConf()} }

func (s *space) open() *Host {
	s.t.Helper()
	h, err := Open(s.config())
	if err != nil {
		s.t.Fatal(err)
	}
	return h
}
