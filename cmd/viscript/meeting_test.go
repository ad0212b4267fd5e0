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
	eventuallyTrue(t, "node0 knows that it is at the messenger", func() error { // which knew it before
		homes = nil
		d.json(t, &homes, "tell", node0, "messengers")
		if len(homes) != 1 || homes[0].State != "up" || !strings.HasSuffix(homes[0].Messenger, ":"+d.ports["21002"]) || !strings.HasPrefix(homes[0].Observed, "127.0.0.1:") || homes[0].Key == "" {
			return fmt.Errorf("%+v", homes)
		}
		return nil
	})
	var records []struct {
		Addrs, Messengers, Services []string
		Key                         string
	}
	for _, c := range clients {
		eventuallyTrue(t, "the record of "+c.Key, func() error {
			records = nil
			d.json(t, &records, "tell", node0, "find", c.Key)
			if len(records) != 1 || records[0].Key != c.Key || len(records[0].Messengers) != 1 || len(records[0].Addrs) != 0 { // CONNECT is false
				return fmt.Errorf("%+v", records)
			}
			return nil
		})
	}
	var exits []struct{ Name, Type string }
	eventuallyTrue(t, "who offers an exit", func() error {
		d.json(t, &exits, "tell", node0, "find", "socks-server")
		if len(exits) != 1 || exits[0].Name != "demo-exit" || exits[0].Type != "socks-server" {
			return fmt.Errorf("%+v", exits)
		}
		return nil
	})
	eventuallyTrue(t, "the messenger has the records of three nodes and its own", func() error {
		d.json(t, &records, "tell", messenger, "records")
		var traffic struct{ Clients, Records int }
		d.json(t, &traffic, "tell", messenger, "traffic")
		if len(records) != 4 || traffic.Clients != 3 || traffic.Records != 4 {
			return fmt.Errorf("%d records, traffic %+v", len(records), traffic)
		}
		return nil
	})
	if out, errs, code := d.exec("tell", node0, "find", homes[0].Key[:64]+"00"); code == exitOK {
		t.Errorf("find of what is no key answers %s%s", out, errs)
	}
}
