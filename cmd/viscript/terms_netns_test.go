//go:build linux

package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestTermsOfApps: a VPN and a proxy over two links, and one by whatever is best, beside each other at one node that has a link to
// the exit itself:
//
//	c ── a ── x ── web
//	└─────────┘
//
// What each carries is counted at c's wires. When the relay is dead, what asks for two links stands still.
func TestTermsOfApps(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	v := &vpnField{field: newField(t, "c", "a", "x", "w"), web: t.TempDir()}
	toA, toX, direct := v.link("c", "a"), v.link("a", "x"), v.link("c", "x")
	v.behind()
	v.start("m", "tracker", "apptracker", "10.76.0.1:20001")
	v.manager()
	v.listens("m", "10.76.0.1:5999")
	v.node("x", "")
	v.node("a", toX)
	entry := func() {
		v.start("c", "node-c", "node", "0.0.0.0:5000", "10.76.0.1:5999", "false", "15000", "node-c", "--peer", toA+":5000", "--peer", direct+":5000")
		v.listens("c", ":15000")
	}
	entry()
	v.server()
	v.start("x", "exit", "socks-server", "out", "127.0.0.1:15000", "--allow-target", webBehind+":*")
	v.start("c", "plain", "socks-client", "plain", "127.0.0.1:15000", "8001")
	v.start("c", "two", "socks-client", "two", "127.0.0.1:15000", "8002", "--hops", "2", "--via", "node-a")
	v.wants = []string{"--route", "203.0.113.0/24", "--hops", "2"}
	v.client()
	v.connected()
	const bulk = 16 << 20
	file, err := os.Create(filepath.Join(v.web, "bulk"))
	if err == nil {
		_, err = io.CopyN(file, rand.Reader, bulk)
		file.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	curl := func(max string, args ...string) error {
		_, err := v.on(append([]string{"curl", "-q", "-sS", "--fail", "--max-time", max, "-o", "/dev/null", "http://" + webBehind + "/bulk"}, args...)...)
		return err
	}
	proxies := map[string][]string{"the VPN": nil, "the proxy over two links": {"-x", "socks5h://127.0.0.1:8002"}, "the other proxy": {"-x", "socks5h://127.0.0.1:8001"}}
	eventuallyTrue(t, "the direct link is used", func() error {
		before := v.carried("tox")
		if err := curl("20", proxies["the other proxy"]...); err != nil {
			return err
		}
		if got := v.carried("tox") - before; got < bulk {
			return errTooFew(got)
		}
		return nil
	})
	goes := func(name, right, wrong string) error {
		before := [2]int64{v.carried(right), v.carried(wrong)}
		if err := curl("60", proxies[name]...); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if a, b := v.carried(right)-before[0], v.carried(wrong)-before[1]; a < bulk || b > bulk/8 {
			return fmt.Errorf("%s: %d bytes went the way they should, %d another one", name, a, b)
		}
		return nil
	}
	for _, name := range []string{"the VPN", "the proxy over two links"} {
		if err := goes(name, "toa", "tox"); err != nil {
			t.Error(err)
		}
	}
	// By whatever is best, which on a busy machine may be the other way for a while.
	eventuallyTrue(t, "the other proxy uses the direct link", func() error { return goes("the other proxy", "tox", "toa") })

	v.kill("node-a")
	time.Sleep(2 * time.Second)
	before := v.carried("tox")
	for _, name := range []string{"the VPN", "the proxy over two links"} {
		if err := curl("4", proxies[name]...); err == nil {
			t.Errorf("%s works without the relay", name)
		}
	}
	if got := v.carried("tox") - before; got > bulk/8 {
		t.Errorf("%d bytes went over the direct link instead", got)
	}
	eventuallyTrue(t, "the other proxy works without the relay", func() error { return curl("20", proxies["the other proxy"]...) })
	began := time.Now()
	v.node("a", toX)
	for _, name := range []string{"the VPN", "the proxy over two links"} {
		eventuallyTrue(t, name+" is back", func() error { return curl("30", append([]string{"--connect-timeout", "5"}, proxies[name]...)...) })
		t.Logf("%s is back after %v", name, time.Since(began).Round(time.Millisecond))
	}

	began = time.Now()
	v.kill("node-c") // the far node still keeps the sessions of the one before
	entry()
	before = v.carried("tox")
	for _, name := range []string{"the VPN", "the proxy over two links"} {
		eventuallyTrue(t, name+" is back", func() error { return curl("30", append([]string{"--connect-timeout", "5"}, proxies[name]...)...) })
		t.Logf("%s is back after %v", name, time.Since(began).Round(time.Millisecond))
	}
	if got := v.carried("tox") - before; got > bulk/8 {
		t.Errorf("%d bytes went over the direct link after the node's restart", got)
	}
}

// TestTermsRefusedAtTheNode: a node that was told two links at most refuses an app that asks for three, naming both, and the app says so.
func TestTermsRefusedAtTheNode(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	f := newField(t, "c")
	f.start("m", "tracker", "apptracker", "10.76.0.1:20001")
	f.start("m", "manager", "nodemanager", "terms.mesh", "10.76.0.1:5999", "10.76.0.1:20001")
	f.listens("m", "10.76.0.1:5999")
	f.start("c", "node-c", "node", "0.0.0.0:5000", "10.76.0.1:5999", "false", "15000", "node-c", "--max-hops", "2")
	f.listens("c", ":15000")
	f.start("c", "way-in", "vpn-client", "way-in", "127.0.0.1:15000", "0", "--min-hops", "3", "--tun", "vpnc")
	eventuallyTrue(t, "the reason", func() error {
		said := tail(filepath.Join(f.dir, "way-in.out"), 4000)
		if !strings.Contains(said, "what the app asks of its routes contradicts what its node was told: --min-hops 3 against --max-hops 2") {
			return errNotSaid(said)
		}
		return nil
	})
	for text, args := range map[string][]string{
		"--hops 2 beside": {"--hops", "2", "--min-hops", "1"}, "at least 3 and at most 2": {"--min-hops", "3", "--max-hops", "2"}, `--via "node-a"`: {"--via", "node-a"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		out, err := f.command(ctx, "c", append([]string{f.program(), "socks-client", "x", "127.0.0.1:15000", "8009", "--state", t.TempDir()}, args...)...).CombinedOutput()
		cancel()
		if err == nil || !strings.Contains(string(out), text) {
			t.Errorf("%q: %v: %s", args, err, out)
		}
	}
}

type errTooFew int64

func (n errTooFew) Error() string { return strconv.FormatInt(int64(n), 10) + " bytes" }

type errNotSaid string

func (s errNotSaid) Error() string { return "it says " + string(s) }

// carried is how much has crossed one of the client's wires, both ways.
func (v *vpnField) carried(dev string) (n int64) {
	v.t.Helper()
	for _, way := range []string{"rx", "tx"} {
		out := strings.TrimSpace(v.must("cat", "/sys/class/net/"+dev+"/statistics/"+way+"_bytes"))
		k, err := strconv.ParseInt(out, 10, 64)
		if err != nil {
			v.t.Fatal(err)
		}
		n += k
	}
	return n
}

// key is the public key of a role that was started.
func (f *field) key(name string) string {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), patience)
	defer cancel()
	out, err := f.command(ctx, "m", f.program(), "key", "show", "--state", filepath.Join(f.dir, "state-"+name)).Output()
	if err != nil {
		f.t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
