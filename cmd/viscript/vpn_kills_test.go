//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// vpnKillTime is for how long processes are killed; VISCRIPT_VPN_KILLS names another time, such as 2m.
const vpnKillTime = 20 * time.Second

// notMesh is what may not be seen at the client's uplinks, a filter of tcpdump: everything but the mesh's own connections (to nodes and
// to the manager), and what IPv4 and IPv6 need to have a wire at all.
const notMesh = "not (tcp port 5000 or tcp port 5999 or arp or (icmp6 and (ip6[40] == 133 or ip6[40] == 134 or ip6[40] == 135 or ip6[40] == 136)) " +
	"or (ip6[6] == 0 and ip6[40] == 58 and ip6[48] == 143))" // a multicast report comes after hop-by-hop options

// attempts are what the client's host tries all the while; none of it may be seen at its uplinks.
var attempts = [][]string{
	{"curl", "-q", "-sS", "--fail", "--max-time", "2", "http://" + webBehind + "/hello"},
	{"ping", "-c", "1", "-W", "1", "198.51.100.9"},
	{"ping", "-c", "1", "-W", "1", "2001:db8:ffff::1"},
	{"curl", "-q", "-sS", "--max-time", "1", "http://[" + webBehind6 + "]/hello"},
	{"curl", "-q", "-sS", "--max-time", "1", "http://a-name-that-leaks.example/"},
}

// vpnKills is a full tunnel whose processes die at random.
type vpnKills struct {
	*vpnField
	revive map[string]func()
	resolv string // resolv.conf of the client's host
	seen   []string
}

// TestVPNKills: whatever is killed whenever, no packet of the client's host leaves beside the tunnel; then it works again; and both an
// orderly end and `vpn down` after a disorderly one leave the host as it was before, byte for byte.
func TestVPNKills(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	if _, err := exec.LookPath("tcpdump"); err != nil {
		t.Fatal("this test needs tcpdump (.ci/tools installs it): ", err)
	}
	k := newVPNKills(t)
	before := k.state()
	k.client()
	k.connected()
	if now := k.must("cat", "/etc/resolv.conf"); now == before["cat /etc/resolv.conf"] {
		t.Errorf("names are asked of the local network: %s", now)
	}
	watched := []*uplinkCapture{k.capture("toa"), k.capture("mgmt")}
	k.reaches("the web through the tunnel")
	good, bad := k.kills()
	k.reaches("the web after all the killing")
	k.must("ping", "-c", "1", "-w", "20", webBehind6)
	t.Logf("while they were killed %d attempts succeeded and %d failed", good, bad)

	k.kill("client")
	k.must(k.program(), "vpn", "down", "--state", filepath.Join(k.dir, "state-client"))
	k.same(before, "vpn down")
	for _, w := range watched { // what the host sends without a VPN is no leak
		w.stop()
	}
	k.client()
	k.reaches("the web after vpn down")
	r := k.roles["client"]
	_ = r.cmd.Process.Signal(os.Interrupt)
	<-r.ended
	delete(k.roles, "client")
	k.same(before, "an orderly end")
}

func newVPNKills(t *testing.T) *vpnKills {
	k := &vpnKills{vpnField: newVPNHosts(t, nil)}
	k.wants = []string{"--full"}
	// The way out that packets would take without the tunnel, and the name server on it.
	k.in("c", "ip", "route", "add", "default", "via", "10.77.1.2")
	k.in("c", "ip", "-6", "route", "add", "default", "dev", "toa")
	k.resolv = filepath.Join("/etc/netns", k.ns("c"), "resolv.conf")
	if err := os.MkdirAll(filepath.Dir(k.resolv), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = os.RemoveAll(filepath.Dir(k.resolv))
		_ = os.Remove("/etc/netns") // if it is empty
	})
	if err := os.WriteFile(k.resolv, []byte("# the host's own\nnameserver 10.77.1.2\noptions timeout:1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	eventuallyTrue(t, "the host's IPv6 addresses are settled", func() error {
		out, err := k.on("ip", "-6", "addr", "show", "tentative")
		if err == nil && out != "" {
			err = fmt.Errorf("not yet: %s", out)
		}
		return err
	})
	k.revive = map[string]func(){
		"client": k.client, "server": k.server, "manager": k.manager,
		"node-c": func() { k.startNode("c", "10.77.1.2") }, "node-a": func() { k.startNode("a", "10.77.2.2") }, "node-x": func() { k.startNode("x", "") },
	}
	return k
}

// state is what a VPN may change on the client's host.
func (k *vpnKills) state() map[string]string {
	k.t.Helper()
	m := map[string]string{}
	for _, line := range []string{
		"ip rule", "ip -6 rule", "ip route show table all", "ip -6 route show table all", "nft -s list ruleset", "cat /etc/resolv.conf",
		"sysctl net.ipv4.conf.all.src_valid_mark net.ipv4.conf.toa.rp_filter", "ip -o link show up",
	} {
		m[line] = k.must(strings.Fields(line)...)
	}
	return m
}

func (k *vpnKills) same(before map[string]string, when string) {
	k.t.Helper()
	for line, now := range k.state() {
		if now != before[line] {
			k.t.Errorf("%s after %s:\n%s\nbefore:\n%s", line, when, now, before[line])
		}
	}
}

func (k *vpnKills) reaches(what string) {
	k.t.Helper()
	eventuallyTrue(k.t, what, func() error {
		k.mourn()
		_, err := k.on("curl", "-q", "-sS", "--fail", "--connect-timeout", "2", "--max-time", "20", "http://"+webBehind+"/hello")
		return err
	})
}

// mourn starts again what ended by itself, as the daemon would.
func (k *vpnKills) mourn() {
	for name, again := range k.revive {
		select {
		case <-k.roles[name].ended:
			k.seen = append(k.seen, name)
			k.t.Logf("%s ended by itself: %s", name, tail(k.roles[name].out, 300))
			again()
		default:
		}
	}
}

// kills kills one process after the other, one or two at once, and starts each again after a while; it returns how many attempts
// succeeded and failed meanwhile.
func (k *vpnKills) kills() (good, bad int64) {
	d := vpnKillTime
	if s := os.Getenv("VISCRIPT_VPN_KILLS"); s != "" {
		var err error
		if d, err = time.ParseDuration(s); err != nil {
			k.t.Fatal("VISCRIPT_VPN_KILLS: ", err)
		}
	}
	ctx, cancel := context.WithTimeout(k.t.Context(), d)
	defer cancel()
	var ok, failed atomic.Int64
	var tries sync.WaitGroup
	for _, what := range attempts {
		tries.Go(func() {
			for ctx.Err() == nil {
				if k.command(ctx, "c", what...).Run() == nil {
					ok.Add(1)
				} else {
					failed.Add(1)
				}
				sleep(ctx, 100*time.Millisecond)
			}
		})
	}
	seed := rand.Uint64()
	k.t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	names := []string{"client", "manager", "node-a", "node-c", "node-x", "server"}
	count := map[string]int{}
	for ctx.Err() == nil {
		random.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		dead := names[:1+random.IntN(2)]
		for _, name := range dead {
			k.kill(name)
			count[name]++
		}
		sleep(ctx, time.Duration(random.IntN(1500))*time.Millisecond)
		for _, name := range dead {
			k.revive[name]()
		}
		sleep(ctx, time.Duration(random.IntN(4000))*time.Millisecond)
		k.mourn()
	}
	tries.Wait()
	k.t.Logf("killed: %v; ended by themselves: %v", count, k.seen)
	return ok.Load(), failed.Load()
}

// uplinkCapture is a tcpdump of one of the client's uplinks.
type uplinkCapture struct {
	k    *vpnKills
	cmd  *exec.Cmd
	path string
	errs lockedBuffer
}

func (k *vpnKills) capture(dev string) *uplinkCapture {
	k.t.Helper()
	c := &uplinkCapture{k: k, path: filepath.Join(k.dir, dev+".pcap")}
	c.cmd = exec.Command("ip", "netns", "exec", k.ns("c"), "tcpdump", "-Z", "root", "-i", dev, "-n", "-U", "-s", "0", "-B", "16384", "-w", c.path)
	c.cmd.Stderr = &c.errs
	if err := c.cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() { _ = c.cmd.Process.Kill(); _ = c.cmd.Wait() })
	eventuallyTrue(k.t, "tcpdump listens", func() error {
		if said := c.errs.String(); !strings.Contains(said, "listening on") {
			return fmt.Errorf("it says %q", said)
		}
		return nil
	})
	return c
}

// captureSees are the bytes of a capture that is not blind: some dozen packets.
const captureSees = 4096

// stop ends the capture and looks through it.
func (c *uplinkCapture) stop() {
	t := c.k.t
	t.Helper()
	eventuallyTrue(t, "the capture sees something", func() error { // how much crosses depends on who was killed
		if info, err := os.Stat(c.path); err != nil || info.Size() < captureSees {
			return fmt.Errorf("%v, %s", err, c.errs.String())
		}
		return nil
	})
	time.Sleep(300 * time.Millisecond) // for the kernel's buffer
	_ = c.cmd.Process.Signal(syscall.SIGINT)
	_ = c.cmd.Wait()
	b, err := os.ReadFile(c.path)
	if err != nil {
		t.Error(err)
	}
	out, err := exec.Command("tcpdump", "-n", "-r", c.path, notMesh).Output()
	if err != nil || len(out) > 0 {
		t.Errorf("beside the tunnel left (%v): %.4000s", err, out)
	}
	t.Logf("%s: %d bytes were captured", filepath.Base(c.path), len(b))
	for _, secret := range []string{"GET /hello", "hello from behind", "a-name-that-leaks"} {
		if bytes.Contains(b, []byte(secret)) {
			t.Errorf("%q can be read at the uplink %s", secret, filepath.Base(c.path))
		}
	}
}
