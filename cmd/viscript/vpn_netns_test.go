//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Where a VPN leads in these tests.
const (
	webBehind  = "203.0.113.2" // a host behind the exit, and its IPv6 address
	webBehind6 = "2001:db8:7::2"
	exitInside = "10.96.0.1"

	exitInside6 = "fd96:7669:7363:7270::1"
)

// vpnField is client - a - b - exit - web: nodes on the first four, and a host behind the exit that only routes lead to.
type vpnField struct {
	*field
	web   string   // folder that the host behind the exit serves
	flags []string // of the server
	wants []string // of the client
}

func newVPNField(t *testing.T, server, client []string) *vpnField {
	v := newVPNHosts(t, server)
	v.wants = client
	v.client()
	return v
}

// newVPNHosts is newVPNField without the client.
func newVPNHosts(t *testing.T, server []string) *vpnField {
	v := &vpnField{field: newField(t, "c", "a", "b", "x", "w"), web: t.TempDir()}
	hops := []string{"c", "a", "b", "x"}
	at := map[string]string{}
	for i := range hops[1:] {
		at[hops[i]] = v.link(hops[i], hops[i+1])
	}
	v.behind()
	v.start("m", "tracker", "apptracker", "10.76.0.1:20001")
	v.manager()
	v.listens("m", "10.76.0.1:5999")
	for i := len(hops) - 1; i >= 0; i-- {
		v.node(hops[i], at[hops[i]])
	}
	v.flags = server
	v.server()
	return v
}

func (v *vpnField) manager() {
	v.start("m", "manager", "nodemanager", "vpn.mesh", "10.76.0.1:5999", "10.76.0.1:20001")
}

func (v *vpnField) server() {
	v.start("x", "server", append([]string{"vpn-server", "way-out", "127.0.0.1:15000", "--tun", "vpnx"}, v.flags...)...)
}

func (v *vpnField) client() {
	v.start("c", "client", append([]string{"vpn-client", "way-in", "127.0.0.1:15000", "0", "--server", "way-out", "--tun", "vpnc"}, v.wants...)...)
}

func (v *vpnField) node(host, peer string) {
	v.startNode(host, peer)
	v.listens(host, ":15000")
}

func (v *vpnField) startNode(host, peer string) {
	args := []string{"node", "0.0.0.0:5000", "10.76.0.1:5999", "false", "15000", "node-" + host}
	if peer != "" {
		args = append(args, "--peer", peer+":5000")
	}
	v.start(host, "node-"+host, args...)
}

// behind makes the host behind the exit, with a web server and iperf3.
func (v *vpnField) behind() {
	v.ip("link", "add", "out", "netns", v.ns("x"), "type", "veth", "peer", "name", "up", "netns", v.ns("w"))
	for _, e := range []struct{ host, dev, four, six string }{
		{"x", "out", "203.0.113.1/24", "2001:db8:7::1/64"}, {"w", "up", webBehind + "/24", webBehind6 + "/64"},
	} {
		v.in(e.host, "ip", "addr", "add", e.four, "dev", e.dev)
		v.in(e.host, "ip", "addr", "add", e.six, "dev", e.dev, "nodad")
		v.in(e.host, "ip", "link", "set", "dev", e.dev, "up")
	}
	v.in("x", "ip", "route", "add", "default", "via", webBehind)
	v.in("x", "ip", "route", "add", "default", "via", webBehind6)
	if err := os.WriteFile(filepath.Join(v.web, "hello"), []byte("hello from behind the exit\n"), 0o644); err != nil {
		v.t.Fatal(err)
	}
	v.run("w", "web", "python3", "-m", "http.server", "--bind", "::", "--directory", v.web, "80")
	v.run("w", "iperf", "iperf3", "-s")
	v.listens("w", ":80")
	v.listens("w", ":5201")
}

// connected waits until the client says that traffic comes back.
func (v *vpnField) connected() {
	v.t.Helper()
	path := filepath.Join(v.dir, "client.out")
	eventuallyTrue(v.t, "the client is connected", func() error {
		b, err := os.ReadFile(path)
		if err == nil && !bytes.Contains(b, []byte("msg=connected peer=\"way-out")) {
			err = fmt.Errorf("it says %s", tail(path, 500))
		}
		return err
	})
}

// on runs a program on the client's host and returns what it printed.
func (v *vpnField) on(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(v.t.Context(), 2*patience)
	defer cancel()
	out, err := v.command(ctx, "c", args...).CombinedOutput()
	return string(out), err
}

// must is on for what has to succeed.
func (v *vpnField) must(args ...string) string {
	v.t.Helper()
	out, err := v.on(args...)
	if err != nil {
		v.t.Fatalf("%s: %v: %s", strings.Join(args, " "), err, out)
	}
	return out
}

// vpnBulk is how much the checked transfer moves; VISCRIPT_VPN_BULK names another number of MiB.
func vpnBulk() int64 {
	if n, err := strconv.Atoi(os.Getenv("VISCRIPT_VPN_BULK")); err == nil {
		return int64(n) << 20
	}
	if raceDetector {
		return 32 << 20
	}
	return 256 << 20
}

// TestVPN: what a host does, through three links and an exit, and what happens to it when a relay dies.
func TestVPN(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	v := newVPNField(t, nil, []string{"--route", "203.0.113.0/24", "--route", "2001:db8:7::/64"})
	v.connected()
	for _, c := range []struct {
		name string
		test func(*testing.T)
	}{
		{"ping", v.pings}, {"sizes", v.sizes}, {"web", v.pages}, {"bulk", v.bulk}, {"iperf", v.speeds}, {"policy", v.policy}, {"relay", v.relayDies},
		{"exit", v.exitRestarts},
	} {
		t.Run(c.name, func(t *testing.T) {
			whole := v.t
			defer func() { v.t = whole }()
			v.t = t
			c.test(t)
		})
	}
}

func (v *vpnField) pings(t *testing.T) {
	for _, to := range []string{exitInside, exitInside6, webBehind, webBehind6} {
		v.must("ping", "-c", "3", "-i", "0.2", "-w", "20", to)
	}
}

// sizes: what just fits, what does not, and what comes in fragments. With -w ping asks until it has as many answers as -c says.
func (v *vpnField) sizes(t *testing.T) {
	v.must("ping", "-c", "1", "-w", "20", "-M", "do", "-s", "1472", webBehind)
	if out, err := v.on("ping", "-c", "1", "-W", "2", "-M", "do", "-s", "1473", webBehind); err == nil {
		t.Errorf("more than the MTU passes unfragmented: %s", out)
	}
	for _, to := range []string{exitInside, webBehind} {
		v.must("ping", "-c", "2", "-w", "20", "-s", "20000", to)
	}
	v.must("ping", "-6", "-c", "2", "-w", "20", "-s", "9000", webBehind6)
}

func (v *vpnField) pages(t *testing.T) {
	for _, url := range []string{"http://" + webBehind + "/hello", "http://[" + webBehind6 + "]/hello"} {
		if out := v.must("curl", "-q", "-sS", "--fail", "--max-time", "20", url); out != "hello from behind the exit\n" {
			t.Errorf("%s: %q", url, out)
		}
	}
}

// bulk: a file that arrives as it was sent.
func (v *vpnField) bulk(t *testing.T) {
	path := filepath.Join(v.web, "bulk")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(path)
	sum := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(file, sum), rand.Reader, vpnBulk()); err != nil {
		t.Fatal(err)
	}
	file.Close()
	began := time.Now()
	out := v.must("sh", "-c", "curl -q -sS --fail http://"+webBehind+"/bulk | sha256sum")
	t.Logf("%d MiB in %v", vpnBulk()>>20, time.Since(began).Round(time.Millisecond))
	if want := hex.EncodeToString(sum.Sum(nil)); !strings.HasPrefix(out, want) {
		t.Errorf("got %s, want %s", out, want)
	}
}

var receiverRate = regexp.MustCompile(`([\d.]+) MBytes/sec.*receiver`)

// speeds: TCP and UDP both ways; it must work, how fast is for benchmarks. What crosses is so many bytes, not so much time.
func (v *vpnField) speeds(t *testing.T) {
	for _, args := range []string{"-n 16M", "-n 16M -R", "-n 16M -P 4", "-n 2500K -u -b 20M -l 1200", "-n 2500K -u -b 20M -l 1200 -R"} {
		out := v.iperf(strings.Fields(args)...)
		m := receiverRate.FindStringSubmatch(out)
		if m == nil || m[1] == "0.00" {
			t.Errorf("iperf3 %s: %s", args, out)
			continue
		}
		t.Logf("iperf3 %s: %s MB/s", args, m[1])
	}
}

// iperf runs iperf3's client as soon as the server has ended the test before.
func (v *vpnField) iperf(args ...string) (out string) {
	v.t.Helper()
	eventuallyTrue(v.t, "iperf3", func() (err error) {
		if out, err = v.on(append([]string{"iperf3", "-f", "M", "-c", webBehind}, args...)...); err == nil {
			return nil
		}
		if !strings.Contains(out, "server is busy") {
			v.t.Fatalf("iperf3 %q: %v: %s", args, err, out)
		}
		return fmt.Errorf("%w: %s", err, out)
	})
	return out
}

// policy: what the exit does not carry.
func (v *vpnField) policy(t *testing.T) {
	v.in("c", "ip", "route", "add", "10.77.3.0/24", "dev", "vpnc") // the link between b and the exit
	if out, err := v.on("ping", "-c", "1", "-W", "2", "10.77.3.1"); err == nil {
		t.Errorf("a private network is reached: %s", out)
	}
	if out, err := v.on("curl", "-q", "-sS", "--max-time", "2", "http://"+exitInside+":15000/"); err == nil {
		t.Errorf("the exit's own ports are reached: %s", out)
	}
	v.in("c", "ip", "addr", "add", "10.96.9.9/32", "dev", "vpnc") // somebody else's address
	if out, err := v.on("ping", "-c", "1", "-W", "2", "-I", "10.96.9.9", exitInside); err == nil {
		t.Errorf("a source that is not ours passes: %s", out)
	}
}

// relayDies: a TCP flow goes on after a relay was killed and has come back; nothing is lost.
func (v *vpnField) relayDies(t *testing.T) {
	flow := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	defer cancel()
	v.iperf("-n", "1K") // the server is free
	cmd := v.command(ctx, "c", "iperf3", "-f", "M", "-t", "8", "-b", "8M", "-c", webBehind)
	go func() {
		out, err := cmd.CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		flow <- err
	}()
	time.Sleep(2 * time.Second)
	v.kill("node-a")
	v.node("a", "10.77.2.2")
	if err := <-flow; err != nil {
		t.Errorf("the flow ended: %v", err)
	}
	eventuallyTrue(t, "ping again", func() error {
		_, err := v.on("ping", "-c", "1", "-W", "1", webBehind)
		return err
	})
}

// exitRestarts: the client finds it again, and has the same address.
func (v *vpnField) exitRestarts(t *testing.T) {
	before := v.must("ip", "-o", "-4", "addr", "show", "dev", "vpnc")
	v.kill("server")
	v.server()
	eventuallyTrue(t, "ping again", func() error {
		_, err := v.on("ping", "-c", "1", "-W", "1", webBehind)
		return err
	})
	if after := v.must("ip", "-o", "-4", "addr", "show", "dev", "vpnc"); after != before {
		t.Errorf("before %s\nafter %s", before, after)
	}
}

// TestVPNFull: with a full tunnel nothing but the mesh leaves the host, whatever is killed; and in the end the host is as it was.
func TestVPNFull(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	v := newVPNField(t, nil, []string{"--full", "--dns", "off"})
	v.connected()
	// The way out that packets would take without the tunnel, and a count of those that do.
	v.in("c", "ip", "route", "add", "default", "via", "10.77.1.2")
	v.in("c", "ip", "-6", "route", "add", "default", "dev", "toa")
	v.in("c", "nft", `add table inet watch; add counter inet watch leaks; add chain inet watch out { type filter hook output priority 300; }; `+
		`add rule inet watch out oifname != { "toa", "mgmt" } accept; add rule inet watch out tcp dport { 5000, 5999 } accept; `+
		`add rule inet watch out icmpv6 type { 133, 135, 136, 143 } accept; add rule inet watch out counter name leaks`)
	reach := func(what string) {
		t.Helper()
		eventuallyTrue(t, what, func() error {
			_, err := v.on("curl", "-q", "-sS", "--fail", "--connect-timeout", "2", "--max-time", "20", "http://"+webBehind+"/hello")
			return err
		})
	}
	reach("the web through the tunnel")
	v.must("ping", "-c", "1", "-w", "20", webBehind6)
	noise := func(d time.Duration) {
		for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			_, _ = v.on("ping", "-c", "1", "-W", "1", "198.51.100.9")
			_, _ = v.on("ping", "-c", "1", "-W", "1", "2001:db8:ffff::1")
			_, _ = v.on("curl", "-q", "-s", "--max-time", "1", "http://198.51.100.9/")
		}
	}
	v.kill("client")
	noise(time.Second)
	if out, err := v.on("curl", "-q", "-sS", "--max-time", "2", "http://"+webBehind+"/hello"); err == nil {
		t.Errorf("without the client the web is reached: %s", out)
	}
	v.client()
	reach("the web after the client's end")
	v.kill("node-c")
	noise(time.Second)
	v.node("c", "10.77.1.2")
	reach("the web after the node's end")
	if out := v.must("nft", "list", "counter", "inet", "watch", "leaks"); !strings.Contains(out, "packets 0 ") {
		t.Errorf("something left past the tunnel: %s", out)
	}
	// A clean end: the host is as it was.
	r := v.roles["client"]
	_ = r.cmd.Process.Signal(os.Interrupt)
	<-r.ended
	delete(v.roles, "client")
	for _, args := range [][]string{{"ip", "rule"}, {"ip", "-6", "rule"}, {"ip", "route", "show", "table", "all"}, {"nft", "list", "ruleset"}} {
		if out := v.must(args...); strings.Contains(out, "30300") || strings.Contains(out, "viscript") || strings.Contains(out, "vpnc") {
			t.Errorf("%s after the end: %s", strings.Join(args, " "), out)
		}
	}
}
