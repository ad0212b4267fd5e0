package hostnet

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/skycoin/viscript/apps/vpn/hostnet/firewall"
)

func exitServer() Server {
	return Server{Tun: "vpn0", Addresses: prefixes("10.99.0.1/16", "fd99::1/64"), MTU: 1500, HostPorts: []uint16{7007}}
}

// The kernel's instructions that we compile must be those that nft(8) makes of our text.
func TestTablesAreTheirText(t *testing.T) {
	if !inSpace(t) {
		return
	}
	s := newSpace(t)
	lan := fullClient()
	lan.LAN = true
	open := exitServer()
	open.AllowHost, open.AllowPrivate, open.BetweenClients = true, true, true
	only4 := exitServer()
	only4.Addresses = only4.Addresses[:1]
	for name, table := range map[string]firewall.Table{
		"full tunnel": clientTable(fullClient()), "with local network": clientTable(lan),
		"split tunnel": clientTable(Client{Tun: "vpn0"}),
		"exit":         serverTable(exitServer(), []opening{{"up0", false}, {"", true}}), "open exit": serverTable(open, nil), "IPv4 exit": serverTable(only4, nil),
	} {
		t.Run(name, func(t *testing.T) {
			if err := table.Replace(nil); err != nil {
				t.Fatal(err)
			}
			ours := s.sh("nft list ruleset")
			if ok, err := table.Present(); !ok || err != nil {
				t.Errorf("present: %v, %v", ok, err)
			}
			if err := table.Replace(nil); err != nil || s.sh("nft list ruleset") != ours {
				t.Errorf("a second time: %v", err)
			}
			if there, err := firewall.Remove(table.Name); !there || err != nil {
				t.Errorf("removed: %v, %v", there, err)
			}
			file := filepath.Join(s.dir, "rules.nft")
			if err := os.WriteFile(file, []byte(table.String()), 0o600); err != nil {
				t.Fatal(err)
			}
			s.sh("nft -f " + file)
			if theirs := s.sh("nft list ruleset"); theirs != ours {
				t.Errorf("nft makes of our text what we do not:\n%s", difference(ours, theirs))
			}
			s.sh("nft flush ruleset")
		})
	}
}
