//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// meet starts nodes on a and b who know each other by the manager only, and waits until they are linked by the messenger.
func (f *field) meet(args ...string) (linked time.Time) {
	f.t.Helper()
	for _, h := range []string{"a", "b"} {
		f.start(h, "node-"+h, append([]string{"node", "0.0.0.0:5000", fieldManager, "true", "15000", h, "--messenger", fieldMessenger}, args...)...)
	}
	return f.awaitSaid("node-a", `msg="link up".* carrier=relay`, time.Time{})
}

// TestPunch has two nodes behind NAT punch their way to each other, and carries a download from the relay to the direct way
// and back. VISCRIPT_PUNCH=BYTES:RATE sets its size and its bytes a second.
func TestPunch(t *testing.T) {
	if testing.Short() {
		t.Skip("half a minute of transfers")
	}
	f := newNATField(t)
	f.manage()
	f.messenger("one", fieldMessenger)
	began := f.meet()
	at := f.awaitSaid("node-a", `msg="link up".* carrier=quic`, began)
	t.Logf("direct %s after the relay", at.Sub(began).Round(time.Millisecond))
	if at.Sub(began) > patience { // 3 s on a machine that does nothing else
		t.Errorf("direct after %s", at.Sub(began))
	}
	f.serve()
	f.transferred(64<<20, 1e9, func() {})

	t.Log("UDP is cut, and comes back, and is cut")
	size, rate := int64(192<<20), 8e6
	if text := os.Getenv("VISCRIPT_PUNCH"); text != "" {
		if _, err := fmt.Sscanf(text, "%d:%g", &size, &rate); err != nil {
			t.Fatalf("VISCRIPT_PUNCH: %v", err)
		}
	}
	f.transferred(size, rate, func() {
		for range 2 {
			time.Sleep(2 * time.Second)
			began := time.Now()
			f.in("ra", "nft", "add table ip shut; add chain ip shut pass { type filter hook forward priority -1; }; add rule ip shut pass meta l4proto udp drop")
			at := f.awaitLink("node-a", "relay")
			t.Logf("relayed again %s after the cut", at.Sub(began).Round(time.Millisecond))
			began = time.Now()
			f.in("ra", "nft", "delete table ip shut")
			at = f.awaitLink("node-a", "quic")
			t.Logf("direct again %s after it was mended", at.Sub(began).Round(time.Millisecond))
		}
	})
}

// TestSymmetricNAT has a NAT that gives each destination another port: the nodes stay on the relay, which works.
func TestSymmetricNAT(t *testing.T) {
	if testing.Short() {
		t.Skip("some seconds of attempts")
	}
	f := newNATField(t)
	for _, r := range []string{"ra", "rb"} {
		f.in(r, "nft", "flush chain ip nat out; add rule ip nat out oifname mgmt masquerade fully-random")
	}
	f.manage()
	f.messenger("one", fieldMessenger)
	f.meet("--log-level", "debug")
	f.awaitSaid("node-a", `msg="no direct way yet".* err="?no answer from the addresses tried`, time.Time{})
	if at, err := f.said("node-a", `msg="link up".* carrier=quic`, time.Time{}); err == nil {
		t.Errorf("direct at %s through a symmetric NAT", at)
	}
	f.serve()
	f.transferred(16<<20, 1e9, func() {})
}

// TestOnlyAProxy lets a out by nothing but an HTTP proxy: links and manager are reached by WebSockets on port 443.
func TestOnlyAProxy(t *testing.T) {
	if testing.Short() {
		t.Skip("some seconds of transfers")
	}
	program, err := exec.LookPath("tinyproxy")
	if err != nil {
		t.Fatalf("this test needs tinyproxy (.ci/tools installs it): %v", err)
	}
	f := newNATField(t)
	f.in("ra", "nft", "flush chain ip wall pass; add rule ip wall pass ip daddr 10.76.0.1 tcp dport 8888 accept; "+
		"add rule ip wall pass ct state established,related accept")
	conf := filepath.Join(f.dir, "tinyproxy.conf")
	text := fmt.Sprintf("Port 8888\nListen 10.76.0.1\nTimeout 600\nMaxClients 50\nLogLevel Connect\nLogFile %q\nConnectPort 443\nConnectPort 444\n", filepath.Join(f.dir, "tinyproxy.log"))
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f.run("m", "proxy", program, "-d", "-c", conf)
	f.listens("m", ":8888")
	f.start("m", "tracker", "apptracker", "10.76.0.1:20000")
	f.listens("m", ":20000")
	f.start("m", "manager", "nodemanager", "test.mesh", fieldManager, "10.76.0.1:20000", "--wss", "10.76.0.1:444/manager")
	f.messenger("one", fieldMessenger, "--wss", "10.76.0.1:443/mesh")
	f.listens("m", ":444")
	f.start("b", "node-b", "node", "0.0.0.0:5000", fieldManager, "true", "15000", "b", "--messenger", fieldMessenger)
	f.start("a", "node-a", "node", "0.0.0.0:5000", "wss://10.76.0.1:444/manager", "true", "15000", "a",
		"--messenger", "wss://10.76.0.1:443/mesh", "--proxy", "http://10.76.0.1:8888")
	f.awaitSaid("node-a", `msg="link up".* carrier=relay`, time.Time{})
	f.serve()
	f.transferred(32<<20, 1e9, func() {})
}

// natPMP is a router's end of RFC 6886 that grants port 6000.
const natPMP = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("192.168.10.1", 5351))
while True:
    b, who = s.recvfrom(2000)
    if b[0] != 0:
        s.sendto(bytes([0, 0x80 | b[1], 0, 1, 0, 0, 0, 1]), who)
    elif b[1] == 0:
        s.sendto(bytes([0, 0x80, 0, 0, 0, 0, 0, 1, 10, 76, 0, 2]), who)
    elif b[1] == 1:
        s.sendto(bytes([0, 0x81, 0, 0, 0, 0, 0, 1]) + b[4:6] + (6000).to_bytes(2, "big") + b[8:12], who)
`

// TestMappedPort has a router that can be asked for a port: a direct way is found although both NATs are symmetric.
func TestMappedPort(t *testing.T) {
	if testing.Short() {
		t.Skip("some seconds of attempts")
	}
	f := newNATField(t)
	for _, r := range []string{"ra", "rb"} {
		f.in(r, "nft", "flush chain ip nat out; add rule ip nat out oifname mgmt masquerade fully-random")
	}
	f.in("ra", "nft", "add chain ip nat in { type nat hook prerouting priority -100; }; "+
		"add rule ip nat in iifname mgmt udp dport 6000 dnat to 192.168.10.2:5000; add rule ip wall pass iifname mgmt ct status dnat accept")
	f.run("ra", "router", "python3", "-c", natPMP)
	f.takes("ra", 5351) // a router that refuses is not asked again soon
	f.manage()
	f.messenger("one", fieldMessenger)
	began := f.meet()
	f.awaitSaid("node-a", `msg="the router lets datagrams in" addr=10.76.0.2:6000 carrier=NAT-PMP`, time.Time{})
	at := f.awaitSaid("node-a", `msg="link up".* carrier=quic`, began)
	t.Logf("direct %s after the relay", at.Sub(began).Round(time.Millisecond))
}

// TestNodesNearby has two nodes on one segment, whom the manager names no addresses that answer, find each other there.
func TestNodesNearby(t *testing.T) {
	f := newField(t, "a", "b")
	f.link("a", "b")
	f.manage()
	for _, h := range []string{"a", "b"} {
		// others are told an address where nobody is
		f.start(h, "node-"+h, "node", "0.0.0.0:5000", fieldManager, "true", "15000", h, "--public", "192.0.2.1:5000")
	}
	f.awaitSaid("node-a", `msg="a node nearby".* addr=10.77.1.2:5000`, time.Time{})
	f.awaitSaid("node-b", `msg="a node nearby".* addr=10.77.1.1:5000`, time.Time{})
	f.awaitSaid("node-a", `msg="link up".* carrier=tcp`, time.Time{})
}

// TestNodesNearbyV6 is the same where they take links by IPv6 too, and nothing passes between them by IPv4: they see each other's link-local addresses, and a
// link comes up there.
func TestNodesNearbyV6(t *testing.T) {
	f := newField(t, "a", "b")
	f.link("a", "b")
	f.manage()
	for _, h := range []string{"a", "b"} {
		f.in(h, "nft", "add table ip wall; add chain ip wall in { type filter hook input priority 0; }; "+
			"add rule ip wall in tcp dport 5000 drop; add rule ip wall in udp dport 7983 drop")
		f.start(h, "node-"+h, "node", ":5000", fieldManager, "true", "15000", h, "--public", "192.0.2.1:5000")
	}
	f.awaitSaid("node-a", `msg="a node nearby".* addr=\[fe80:.*%.*\]:5000`, time.Time{})
	f.awaitSaid("node-b", `msg="a node nearby".* addr=\[fe80:.*%.*\]:5000`, time.Time{})
	f.awaitSaid("node-a", `msg="link up".* carrier=tcp`, time.Time{})
}
