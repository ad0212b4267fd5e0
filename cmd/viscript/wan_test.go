//go:build linux

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// wanQueue bounds what is on its way in one direction of the long line; more is lost.
const wanQueue = 8192

// wan is a long line between two hosts: `wan NETNS1 NETNS2 DELAY LOSS` makes a device wan0 in both, and
// carries packets between them after DELAY (one way), but a share LOSS of them never. It runs until its stdin ends.
func wan() {
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, "wan:", err)
			os.Exit(1)
		}
	}
	if len(os.Args) != 5 {
		fail(fmt.Errorf("%d arguments", len(os.Args)-1))
	}
	delay, err := time.ParseDuration(os.Args[3])
	fail(err)
	loss, err := strconv.ParseFloat(os.Args[4], 64)
	fail(err)
	a, err := tunIn(os.Args[1])
	fail(err)
	b, err := tunIn(os.Args[2])
	fail(err)
	fmt.Println("up")
	go carry(a, b, delay, loss)
	go carry(b, a, delay, loss)
	var end [1]byte
	_, _ = os.Stdin.Read(end[:])
}

// tunIn makes the device wan0 in a network namespace.
func tunIn(ns string) (*os.File, error) {
	runtime.LockOSThread() // and never unlocked: the thread stays in the namespace
	f, err := os.Open("/run/netns/" + ns)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, err
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	req, err := unix.NewIfreq("wan0")
	if err != nil {
		return nil, err
	}
	req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "wan0"), nil
}

type flying struct {
	due    time.Time
	packet []byte
}

func carry(from, to *os.File, delay time.Duration, loss float64) {
	line := make(chan flying, wanQueue)
	go func() {
		for p := range line {
			time.Sleep(time.Until(p.due))
			_, _ = to.Write(p.packet)
		}
	}()
	random := rand.New(rand.NewPCG(1, 2))
	for {
		buf := make([]byte, 2048)
		n, err := from.Read(buf)
		if err != nil {
			close(line)
			return
		}
		if random.Float64() < loss {
			continue
		}
		select {
		case line <- flying{time.Now().Add(delay), buf[:n]}:
		default:
		}
	}
}

// wan joins two hosts by a long line: 10.78.0.1 and 10.78.0.2.
func (f *field) wan(a, b string, delay time.Duration, loss float64) {
	f.t.Helper()
	self, err := os.Executable()
	if err != nil {
		f.t.Fatal(err)
	}
	prog := filepath.Join(f.dir, "wan")
	if err := os.Symlink(self, prog); err != nil {
		f.t.Fatal(err)
	}
	cmd := exec.Command(prog, f.ns(a), f.ns(b), delay.String(), fmt.Sprint(loss))
	in, err := cmd.StdinPipe()
	if err != nil {
		f.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		f.t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	if _, err := out.Read(make([]byte, 8)); err != nil {
		f.t.Fatal("the long line: ", err)
	}
	for i, h := range []string{a, b} {
		f.in(h, "ip", "addr", "add", fmt.Sprintf("10.78.0.%d/24", i+1), "dev", "wan0")
		f.in(h, "ip", "link", "set", "wan0", "up", "txqueuelen", "2000")
	}
}

// BenchmarkLossyLine downloads over a line of 40 ms that loses packets: by a stream of the mesh, by its VPN, by ssh -D
// and through wireguard-go. Those that are not installed are left out; WIREGUARD_GO names the latter.
func BenchmarkLossyLine(b *testing.B) {
	for _, loss := range []float64{0.001, 0.01} {
		for _, cc := range []string{"bbr", "reno"} {
			for _, way := range []struct {
				name string
				up   func(*field) (proxy string, ok bool)
			}{{"mesh", (*field).overMesh}, {"vpn", (*field).overVPN}, {"ssh", (*field).overSSH}, {"wireguard-go", (*field).overWireguard}} {
				b.Run(fmt.Sprintf("loss=%g/hosts=%s/%s", loss, cc, way.name), func(b *testing.B) {
					f := newField(b, "a", "b")
					for _, h := range f.hosts {
						f.in(h, "sysctl", "-q", "net.ipv4.tcp_congestion_control="+cc)
					}
					f.wan("a", "b", 20*time.Millisecond, loss)
					target, ok := way.up(f)
					if !ok {
						b.Skip("not installed")
					}
					f.fetch(b, target)
				})
			}
		}
	}
}

// fetch downloads for ten seconds. target is the arguments of curl for the address of b.
func (f *field) fetch(b *testing.B, target string) {
	for b.Loop() {
		ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
		args := append([]string{"curl", "-q", "-sS", "--fail", "-m", "10", "-o", "/dev/null", "-w", "%{size_download} %{time_total}"}, strings.Fields(target)...)
		out, _ := f.command(ctx, "a", args...).Output() // it ends by its time limit
		cancel()
		var n, took float64
		if _, err := fmt.Sscan(string(out), &n, &took); err != nil || n == 0 {
			b.Fatalf("curl says %q: %v", out, err)
		}
		b.ReportMetric(n/1e6/took, "MB/s")
	}
	b.ReportMetric(0, "ns/op")
}

func (f *field) overMesh() (string, bool) {
	f.manage()
	f.node("b")
	f.node("a", "10.78.0.2")
	f.serve()
	return "-x socks5h://" + fieldProxy + " http://" + fieldPage + "/bytes/4294967296", true
}

func (f *field) overVPN() (string, bool) {
	f.manage()
	f.node("b")
	f.node("a", "10.78.0.2")
	f.start("b", "server", "vpn-server", "way-out", "127.0.0.1:15000", "--tun", f.tag+"o", "--allow-host")
	f.start("a", "client", "vpn-client", "way-in", "127.0.0.1:15000", "0", "--server", "way-out", "--tun", f.tag+"i")
	eventuallyTrue(f.t, "the client is connected", func() error {
		return exec.Command("ip", "netns", "exec", f.ns("a"), "ping", "-c", "1", "-W", "1", exitInside).Run()
	})
	f.page(exitInside + ":21080")
	return "http://" + exitInside + ":21080/bytes/4294967296", true
}

func (f *field) overSSH() (string, bool) {
	sshd, err := exec.LookPath("/usr/sbin/sshd")
	if err != nil {
		return "", false
	}
	_ = os.MkdirAll("/run/sshd", 0o755)
	for _, k := range []string{"id", "host"} {
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(f.dir, k)).CombinedOutput(); err != nil {
			f.t.Fatalf("ssh-keygen: %v: %s", err, out)
		}
	}
	conf := filepath.Join(f.dir, "sshd.conf")
	text := fmt.Sprintf("Port 22\nListenAddress 10.78.0.2\nHostKey %s/host\nAuthorizedKeysFile %[1]s/id.pub\nStrictModes no\nPermitRootLogin yes\nUsePAM no\nPidFile none\n", f.dir)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	f.page("127.0.0.1:21080")
	f.run("b", "sshd", sshd, "-D", "-e", "-f", conf)
	f.listens("b", ":22")
	f.run("a", "ssh", "ssh", "-i", filepath.Join(f.dir, "id"), "-o", "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=no",
		"-o", "Ciphers=aes128-gcm@openssh.com", "-N", "-D", fieldProxy, "root@10.78.0.2")
	f.listens("a", ":1080")
	return "-x socks5h://" + fieldProxy + " http://" + fieldPage + "/bytes/4294967296", true
}

func (f *field) overWireguard() (string, bool) {
	prog := os.Getenv("WIREGUARD_GO")
	if _, err := exec.LookPath("wg"); err != nil || prog == "" {
		return "", false
	}
	keys := map[string][2]string{}
	for _, h := range []string{"a", "b"} {
		secret, err := exec.Command("wg", "genkey").Output()
		if err != nil {
			f.t.Fatal(err)
		}
		pub := exec.Command("wg", "pubkey")
		pub.Stdin = strings.NewReader(string(secret))
		public, err := pub.Output()
		if err != nil {
			f.t.Fatal(err)
		}
		path := filepath.Join(f.dir, "wg-"+h)
		if err := os.WriteFile(path, secret, 0o600); err != nil {
			f.t.Fatal(err)
		}
		keys[h] = [2]string{path, strings.TrimSpace(string(public))}
	}
	for i, h := range []string{"a", "b"} {
		other := []string{"b", "a"}[i]
		dev := f.tag + h
		f.run(h, "wg-"+h, prog, "-f", dev)
		eventuallyTrue(f.t, "wireguard-go is up", func() error {
			return exec.Command("ip", "netns", "exec", f.ns(h), "wg", "show", dev).Run()
		})
		f.in(h, "wg", "set", dev, "private-key", keys[h][0], "listen-port", "51820", "peer", keys[other][1],
			"allowed-ips", "10.79.0.0/24", "endpoint", fmt.Sprintf("10.78.0.%d:51820", 2-i))
		f.in(h, "ip", "addr", "add", fmt.Sprintf("10.79.0.%d/24", i+1), "dev", dev)
		f.in(h, "ip", "link", "set", dev, "up", "mtu", "1420")
	}
	f.page("10.79.0.2:21080")
	return "http://10.79.0.2:21080/bytes/4294967296", true
}

// page serves the test bytes on b, for those that have no page of the product.
func (f *field) page(addr string) {
	if host, _, _ := net.SplitHostPort(addr); host == "127.0.0.1" {
		f.start("b", "page", "demo-page", addr)
		f.listens("b", ":21080")
		return
	}
	f.start("b", "page", "demo-page", "127.0.0.1:21081")
	f.run("b", "forward", "python3", "-c", forwarder, addr)
	f.listens("b", ":21080")
}

// forwarder gives the page an address beyond loopback, which the page itself refuses.
const forwarder = `
import socket, sys, threading
host, port = sys.argv[1].split(":")
s = socket.create_server((host, int(port)))
def pump(a, b):
    while d := a.recv(1 << 18):
        b.sendall(d)
    b.shutdown(socket.SHUT_WR)
while True:
    a, _ = s.accept()
    b = socket.create_connection(("127.0.0.1", 21081))
    for x, y in ((a, b), (b, a)):
        threading.Thread(target=pump, args=(x, y), daemon=True).start()
`
