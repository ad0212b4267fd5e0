//go:build linux

package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// newNATField is a field whose hosts a and b stand behind routers of their own, which masquerade, and drop what comes in
// unasked. The manager's host is the rest of the world.
func newNATField(t testing.TB) *field {
	t.Helper()
	f := newField(t, "ra", "rb")
	for i, h := range []string{"a", "b"} {
		router, net := "r"+h, fmt.Sprintf("192.168.%d.", 10+i)
		f.hosts = append(f.hosts, h)
		f.ip("netns", "add", f.ns(h))
		f.in(h, "ip", "link", "set", "lo", "up")
		f.ip("link", "add", "home", "netns", f.ns(h), "type", "veth", "peer", "name", "lan", "netns", f.ns(router))
		f.in(h, "ip", "addr", "add", net+"2/24", "dev", "home")
		f.in(h, "ip", "link", "set", "home", "up")
		f.in(h, "ip", "route", "add", "default", "via", net+"1")
		f.in(router, "ip", "addr", "add", net+"1/24", "dev", "lan")
		f.in(router, "ip", "link", "set", "lan", "up")
		f.in(router, "ip", "route", "add", "default", "via", "10.76.0.1")
		f.in(router, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
		f.in(router, "nft", "add table ip nat; add chain ip nat out { type nat hook postrouting priority 100; }; "+
			"add rule ip nat out oifname mgmt masquerade; "+
			"add table ip wall; add chain ip wall pass { type filter hook forward priority 0; policy drop; }; "+
			"add rule ip wall pass iifname lan accept; add rule ip wall pass ct state established,related accept")
	}
	return f
}

const (
	fieldMessenger  = "10.76.0.1:5998"
	fieldMessenger2 = "10.76.0.1:5997"
)

// messenger starts one on the manager's host.
func (f *field) messenger(name, at string, args ...string) {
	f.t.Helper()
	f.start("m", name, append([]string{"messenger", at}, args...)...)
	f.listens("m", at)
}

// said is the time of the first line of an actor's log that matches, after a time.
func (f *field) said(name, pattern string, after time.Time) (time.Time, error) {
	b, err := os.ReadFile(f.roles[name].out)
	if err != nil {
		return time.Time{}, err
	}
	line := regexp.MustCompile(pattern)
	for _, l := range strings.Split(string(b), "\n") {
		if at, ok := saidAt(l); ok && line.MatchString(l) && at.After(after) {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%s did not say %s", name, pattern)
}

// saidAt is the time of a line of a log.
func saidAt(line string) (at time.Time, ok bool) {
	stamp, _, _ := strings.Cut(strings.TrimPrefix(line, "time="), " ")
	at, err := time.Parse(time.RFC3339Nano, stamp)
	return at, err == nil
}

// awaitLink waits until a node's link that came up last is of that carrier, and tells since when it is: it may have been so before, as
// a link on a machine that stands still falls back to the relay by itself.
func (f *field) awaitLink(name, carrier string) (since time.Time) {
	f.t.Helper()
	eventuallyTrue(f.t, name+" has a link by "+carrier, func() error {
		b, err := os.ReadFile(f.roles[name].out)
		last := ""
		for l := range strings.Lines(string(b)) {
			if at, ok := saidAt(l); ok && strings.Contains(l, `msg="link up"`) {
				last, since = l, at
			}
		}
		if err == nil && !strings.Contains(last, " carrier="+carrier+" ") {
			err = fmt.Errorf("at last it said %s", last)
		}
		return err
	})
	return since
}

// awaitSaid waits for a line.
func (f *field) awaitSaid(name, pattern string, after time.Time) (at time.Time) {
	f.t.Helper()
	eventuallyTrue(f.t, name+" says "+pattern, func() (err error) {
		at, err = f.said(name, pattern, after)
		return err
	})
	return at
}

// TestNAT has two nodes behind NAT, whom the manager names to each other, reach each other through messengers, and carry
// downloads while these are killed.
func TestNAT(t *testing.T) {
	if testing.Short() {
		t.Skip("half a minute of transfers")
	}
	f := newNATField(t)
	f.manage()
	f.messenger("one", fieldMessenger)
	f.messenger("two", fieldMessenger2)
	for _, h := range []string{"a", "b"} {
		f.start(h, "node-"+h, "node", "0.0.0.0:5000", fieldManager, "true", "15000", h, "--messenger", fieldMessenger, "--messenger", fieldMessenger2, "--quic", "off")
	}
	var ready time.Time
	for _, h := range []string{"a", "b"} {
		for _, line := range []string{"part=control.* peer=" + fieldManager, "messenger connected.* peer=" + fieldMessenger} {
			if at := f.awaitSaid("node-"+h, line, time.Time{}); at.After(ready) {
				ready = at
			}
		}
	}
	up := f.awaitSaid("node-a", `msg="link up".* carrier=relay`, time.Time{})
	t.Logf("linked by relay %s after both were there", up.Sub(ready).Round(time.Millisecond))
	if up.Sub(ready) > patience { // 2 s on a machine that does nothing else
		t.Errorf("linked after %s", up.Sub(ready))
	}
	f.serve()
	f.transferred(64<<20, 1e9, func() {})

	t.Log("a messenger is killed and comes back")
	f.transferred(96<<20, 12e6, func() {
		time.Sleep(2 * time.Second)
		f.kill("one")
		time.Sleep(time.Second)
		began := time.Now() // the node may be there before we know that the messenger is
		f.messenger("one", fieldMessenger)
		at := f.awaitSaid("node-a", "messenger connected.* peer="+fieldMessenger, began)
		t.Logf("connected again %s after it was started", at.Sub(began).Round(time.Millisecond))
	})

	t.Log("the messenger in use is killed for good")
	f.transferred(96<<20, 12e6, func() {
		time.Sleep(2 * time.Second)
		began := time.Now()
		f.kill("two")
		f.awaitSaid("node-a", "messenger not connected", began)
		time.Sleep(time.Second)
	})
}

// transferred downloads from b to a while harm runs, and wants every byte right.
func (f *field) transferred(size int64, rate float64, harm func()) {
	f.t.Helper()
	done := make(chan transfer, 1)
	go func() { done <- f.download(size, rate) }()
	harm()
	select {
	case got := <-done:
		f.t.Logf("%d bytes in %.1f s, longest stalls %v", size, got.took.Seconds(), got.stalls)
		if got.err != nil || got.sum != pageSum(size) {
			f.t.Errorf("%v, SHA-256 %s", got.err, got.sum)
		}
		if len(got.stalls) > 0 && got.stalls[0] > patience { // seconds on a machine that does nothing else
			f.t.Errorf("stood still for %s", got.stalls[0])
		}
	case <-time.After(5 * time.Minute):
		f.t.Fatal("the download does not end")
	}
}
