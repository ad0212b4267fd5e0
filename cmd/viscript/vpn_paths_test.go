//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestVPNJumbo: packets of 9000 bytes cross the tunnel whole where the exit's flag and the interfaces behind it allow them.
func TestVPNJumbo(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	v := newVPNHosts(t, []string{"--mtu", "9000"})
	v.in("x", "ip", "link", "set", "dev", "out", "mtu", "9000")
	v.in("w", "ip", "link", "set", "dev", "up", "mtu", "9000")
	v.wants = []string{"--route", "203.0.113.0/24", "--route", "2001:db8:7::/64"}
	v.client()
	v.connected()
	v.must("ping", "-c", "2", "-w", "20", "-M", "do", "-s", "8972", webBehind)
	v.must("ping", "-6", "-c", "2", "-w", "20", "-M", "do", "-s", "8952", webBehind6)
	if out, err := v.on("ping", "-c", "1", "-W", "2", "-M", "do", "-s", "8973", webBehind); err == nil {
		t.Errorf("more than the MTU passes unfragmented: %s", out)
	}
	v.in("w", "ip", "link", "set", "dev", "up", "mtu", "1500")
	v.in("x", "ip", "link", "set", "dev", "out", "mtu", "1500")
	eventuallyTrue(t, "a host behind the exit that takes less is told of", func() error {
		out, err := v.on("ping", "-c", "1", "-W", "2", "-M", "do", "-s", "8972", webBehind)
		if err == nil || !strings.Contains(out, "mtu") {
			return fmt.Errorf("%v: %s", err, out)
		}
		return nil
	})
	v.must("ping", "-c", "2", "-w", "20", "-s", "8972", webBehind)
	v.pages(t)
}

// The flow of TestVPNRelayKilled: its bytes a second at most, how many say that it goes, and how often they are counted.
const (
	flowRate = "40M"
	flowGoes = 2 << 20
	flowStep = 50 * time.Millisecond
)

// TestVPNRelayKilled: of two relays the one that carries a flow is killed; the flow goes on by the other, with a gap that is told.
func TestVPNRelayKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	v := &vpnField{field: newField(t, "c", "a", "b", "x", "w"), web: t.TempDir()}
	peers := map[string][]string{"a": {v.link("a", "x")}, "b": {v.link("b", "x")}, "c": {v.link("c", "a"), v.link("c", "b")}}
	v.behind()
	v.start("m", "tracker", "apptracker", "10.76.0.1:20001")
	v.manager()
	v.listens("m", "10.76.0.1:5999")
	start := func(host string) {
		args := []string{"node", "0.0.0.0:5000", "10.76.0.1:5999", "false", "15000", "node-" + host}
		for _, p := range peers[host] {
			args = append(args, "--peer", p+":5000")
		}
		v.start(host, "node-"+host, args...)
		v.listens(host, ":15000")
	}
	for _, host := range []string{"x", "a", "b", "c"} {
		start(host)
	}
	v.server()
	v.wants = []string{"--route", "203.0.113.0/24"}
	v.client()
	v.connected()
	file, err := os.Create(filepath.Join(v.web, "endless"))
	if err == nil {
		err = errors.Join(file.Truncate(1<<36), file.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	flow := make(chan error, 1)
	go func() {
		out, err := v.command(ctx, "c", "curl", "-q", "-sS", "--fail", "--limit-rate", flowRate, "-o", "/dev/null", "http://"+webBehind+"/endless").CombinedOutput()
		flow <- fmt.Errorf("%s: %w", out, err)
	}()
	defer func() { cancel(); <-flow }()
	first := v.carrier("a", "b")
	v.kill("node-" + first)
	other := map[string]string{"a": "b", "b": "a"}[first]
	began := time.Now()
	v.carrier(other)
	t.Logf("%s killed, the flow goes on by %s after %v", first, other, time.Since(began).Round(time.Millisecond))
	start(first)
	v.awaitSaid("node-c", `msg="link up"`, began)
	time.Sleep(2 * time.Second) // it may go back
	next := v.carrier("a", "b")
	other = map[string]string{"a": "b", "b": "a"}[next]
	v.kill("node-" + next)
	began = time.Now()
	v.carrier(other)
	t.Logf("%s killed, the flow goes on by %s after %v", next, other, time.Since(began).Round(time.Millisecond))
	select {
	case err := <-flow:
		flow <- err
		t.Errorf("the flow ended: %v", err)
	default:
	}
}

// carrier waits until the client's host has received as much from one of the relays as says that the flow goes by it, and names it.
func (v *vpnField) carrier(relays ...string) (name string) {
	v.t.Helper()
	received := func(host string) (n int64) {
		_, _ = fmt.Sscan(v.must("cat", "/sys/class/net/to"+host+"/statistics/rx_bytes"), &n)
		return n
	}
	before := map[string]int64{}
	for _, r := range relays {
		before[r] = received(r)
	}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(flowStep) {
		for _, r := range relays {
			if received(r)-before[r] >= flowGoes {
				return r
			}
		}
	}
	v.t.Fatalf("nothing came by %q for %s: the flow stands", relays, patience)
	return ""
}
