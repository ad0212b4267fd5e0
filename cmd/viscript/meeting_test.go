//go:build linux

package main

import (
	"fmt"
	"strings"
	"testing"
)

// testMeeting asks the messenger and the nodes about each other.
func testMeeting(t *testing.T, d *demo) {
	messenger, node0 := d.id(t, "demo-messenger"), d.id(t, "node0")
	var clients []struct {
		Addr string
		Key  string
	}
	eventuallyTrue(t, "three nodes are at the messenger", func() error {
		d.json(t, &clients, "tell", messenger, "clients")
		if len(clients) != 3 {
			return fmt.Errorf("%+v", clients)
		}
		return nil
	})
	var homes []struct {
		Messenger, State, Observed, Key string
	}
	d.json(t, &homes, "tell", node0, "messengers")
	if len(homes) != 1 || homes[0].State != "up" || !strings.HasSuffix(homes[0].Messenger, ":"+d.ports["21002"]) || !strings.HasPrefix(homes[0].Observed, "127.0.0.1:") || homes[0].Key == "" {
		t.Errorf("messengers of node0: %+v", homes)
	}
	var records []struct {
		Addrs, Messengers, Services []string
		Key                         string
	}
	for _, c := range clients {
		d.json(t, &records, "tell", node0, "find", c.Key)
		if len(records) != 1 || records[0].Key != c.Key || len(records[0].Messengers) != 1 || len(records[0].Addrs) != 0 { // CONNECT is false
			t.Errorf("find %s: %+v", c.Key, records)
		}
	}
	var exits []struct{ Name, Type string }
	eventuallyTrue(t, "who offers an exit", func() error {
		d.json(t, &exits, "tell", node0, "find", "socks-server")
		if len(exits) != 1 || exits[0].Name != "demo-exit" || exits[0].Type != "socks-server" {
			return fmt.Errorf("%+v", exits)
		}
		return nil
	})
	d.json(t, &records, "tell", messenger, "records")
	if len(records) != 4 {
		t.Errorf("%d records, want those of three nodes and the messenger", len(records))
	}
	var traffic struct{ Clients, Records int }
	d.json(t, &traffic, "tell", messenger, "traffic")
	if traffic.Clients != 3 || traffic.Records != 4 {
		t.Errorf("traffic: %+v", traffic)
	}
	if out, errs, code := d.exec("tell", node0, "find", homes[0].Key[:64]+"00"); code == exitOK {
		t.Errorf("find of what is no key answers %s%s", out, errs)
	}
}
