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
	"strings"
	"testing"
	"time"
)

// Where a VPN leads in these tests.
const (
	webBehind  = "198.18.7.2" // a host behind the exit, and its IPv6 address
	webBehind6 = "2001:db8:7::2"
	exitInside = "10.96.0.1"
)

// vpnField is client - a - b - exit - web: nodes on the first four, and a host behind the exit that only routes lead to.
type vpnField struct {
	*field
	web string // folder that the host behind the exit serves
}

func newVPNField(t *testing.T, server, client []string) *vpnField {
	v := &vpnField{field: newField(t, "c", "a", "b", "x", "w"), web: t.TempDir()}
	hops := []string{"c", "a", "b", "x"}
	at := map[string]string{}
	for i := range hops[1:] {
		at[hops[i]] = v.link(hops[i], hops[i+1])
	}
	v.behind()
	v.start("m", "tracker", "apptracker", "10.76.0.1:20001")
	v.start("m", "manager", "nodemanager", "vpn.mesh", "10.76.0.1:5999", "10.76.0.1:20001")
	v.listens("m", "10.76.0.1:5999")
	for i := len(hops) - 1; i >= 0; i-- {
		v.node(hops[i], at[hops[i]])
	}
	v.start("x", "server", append([]string{"vpn-server", "way-out", "127.0.0.1:15000", "--tun", "vpnx"}, server...)...)
	v.start("c", "client", append([]string{"vpn-client", "way-in", "127.0.0.1:15000", "0", "--server", "way-out", "--tun", "vpnc"}, client...)...)
	return v
}

func (v *vpnField) node(host, peer string) {
	args := []string{"node", "0.0.0.0:5000", "10.76.0.1:5999", "false", "15000", "node-" + host}
	if peer != "" {
		args = append(args, "--peer", peer+":5000")
	}
	v.start(host, "node-"+host, args...)
	v.listens(host, ":15000")
}

// behind makes the host behind the exit, with a web server and iperf3.
func (v *vpnField) behind() {
	v.ip("link", "add", "out", "netns", v.ns("x"), "type", "veth", "peer", "name", "up", "netns", v.ns("w"))
	for _, e := range []struct{ host, dev, four, six string }{
		{"x", "out", "198.18.7.1/24", "2001:db8:7::1/64"}, {"w", "up", webBehind + "/24", webBehind6 + "/64"},
	} {
		v.in(e.host, "ip", "addr", "add", e.four, "dev", e.dev)
		v.in(e.host, "ip", "addr", "add", e.six, "dev", e.dev, "nodad")
		v.in(e.host, "ip", "link", "set", e.dev, "up")
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

// vpnBulk is how much the checked transfer moves.
func vpnBulk() int64 {
	if raceEnabled {
		return 64 << 20
	}
	return 256 << 20
}

// TestVPN: everything that a host does, through three links and an exit.
func TestVPN(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	v := newVPNField(t, []string{"--allow-private"}, []string{"--route", "198.18.7.0/24", "--route", "2001:db8:7::/64"})
	v.connected()
	t.Run("ping", func(t *testing.T) {
		v.t = t
		for _, to := range []string{exitInside, "fd96:7669:7363:7270::1"} {
			v.must("ping", "-c", "3", "-i", "0.2", "-W", "5", to)
		}
	})
	t.Run("sizes", func(t *testing.T) {
		v.t = t
		v.must("ping", "-c", "1", "-W", "5", "-M", "do", "-s", "1472", exitInside) // just fits
		if out, err := v.on("ping", "-c", "1", "-W", "2", "-M", "do", "-s", "1473", exitInside); err == nil {
			t.Errorf("more than the MTU passes unfragmented: %s", out)
		}
		v.must("ping", "-c", "2", "-W", "5", "-s", "20000", exitInside) // in fragments
		v.must("ping", "-6", "-c", "2", "-W", "5", "-s", "9000", "fd96:7669:7363:7270::1")
	})
}
