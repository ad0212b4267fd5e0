//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
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
	v.must("ping", "-c", "2", "-W", "5", "-M", "do", "-s", "8972", webBehind)
	v.must("ping", "-6", "-c", "2", "-W", "5", "-M", "do", "-s", "8952", webBehind6)
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
	v.must("ping", "-c", "2", "-W", "5", "-s", "8972", webBehind)
	v.pages(t)
}

// The flow of TestVPNRelayKilled: how long it is, in what steps it is looked at, and when a relay is killed.
const (
	flowTime  = 14
	flowStep  = 100 * time.Millisecond
	firstKill = 3 * time.Second
	nextKill  = 6 * time.Second
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
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	defer cancel()
	cmd := v.command(ctx, "c", "iperf3", "-J", "-t", fmt.Sprint(flowTime), "-i", fmt.Sprint(flowStep.Seconds()), "-R", "-c", webBehind)
	out := make(chan []byte, 1)
	go func() {
		b, _ := cmd.Output()
		out <- b
	}()
	time.Sleep(firstKill)
	first := v.carrier()
	v.kill("node-" + first)
	start(first)
	time.Sleep(nextKill)
	next := v.carrier()
	v.kill("node-" + next)
	gap, rate, err := longestGap(<-out)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s and then %s killed, %.0f MB/s, longest gap %v", first, next, rate/8e6, gap)
	if gap > 5*time.Second {
		t.Errorf("almost nothing came for %v", gap)
	}
}

// carrier is the relay, a or b, from which the client's host receives more.
func (v *vpnField) carrier() string {
	v.t.Helper()
	received := func(host string) (n int64) {
		_, _ = fmt.Sscan(v.must("cat", "/sys/class/net/to"+host+"/statistics/rx_bytes"), &n)
		return n
	}
	a, b := received("a"), received("b")
	time.Sleep(3 * flowStep)
	a, b = received("a")-a, received("b")-b
	if max(a, b) < 1<<20 {
		v.t.Fatalf("%d bytes came from a and %d from b: the flow stands", a, b)
	}
	if a > b {
		return "a"
	}
	return "b"
}

// longestGap is for how long at most less than a tenth of the mean rate came, by iperf3's word, and that rate in bit/s. The first second
// is left out: TCP begins slowly.
func longestGap(out []byte) (gap time.Duration, rate float64, err error) {
	var report struct {
		Error     string
		Intervals []struct {
			Sum struct{ Start, End, Bytes float64 }
		}
		End struct {
			Received struct {
				Rate float64 `json:"bits_per_second"`
			} `json:"sum_received"`
		}
	}
	if err := json.Unmarshal(out, &report); err != nil || report.Error != "" || len(report.Intervals) < flowTime {
		return 0, 0, fmt.Errorf("iperf3: %v, %s, %d intervals", err, report.Error, len(report.Intervals))
	}
	var silent float64
	for _, i := range report.Intervals {
		if i.Sum.Start < 1 || i.Sum.Bytes*8 >= report.End.Received.Rate/10*(i.Sum.End-i.Sum.Start) {
			silent = 0
			continue
		}
		silent += i.Sum.End - i.Sum.Start
		gap = max(gap, time.Duration(silent*float64(time.Second)))
	}
	return gap, report.End.Received.Rate, nil
}
