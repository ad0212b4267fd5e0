package main

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"
)

func TestReach(t *testing.T) {
	for addr, want := range map[string]reach{
		"127.0.0.1": here, "::1": here, "0.0.0.0": here, "::ffff:127.0.0.1": here, "10.0.0.1": near, "192.168.1.1": near, "169.254.1.1": near,
		"fe80::1": near, "fd00::1": near, "100.64.0.1": near, "224.0.0.1": near, "9.9.9.9": far, "2620:fe::fe": far,
	} {
		if got := reachOf(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %v, want %v", addr, got, want)
		}
	}
}

// TestVisits: a messenger that somebody names on this machine is connected to only where one of ours is on this machine, too.
func TestVisits(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for own, want := range map[string]bool{"127.0.0.1": true, "10.1.2.3": false, "9.9.9.9": false} {
		c, err := (&visits{own: []string{own}}).Dial(ctx, ln.Addr().String())
		if (err == nil) != want {
			t.Errorf("with a messenger at %s: %v", own, err)
		}
		if err == nil {
			c.Close()
		}
	}
}
