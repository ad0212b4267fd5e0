package hostnet

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/skycoin/viscript/apps/vpn/hostnet/resolver"
	"github.com/skycoin/viscript/apps/vpn/hostnet/route"
)

// update writes the golden files anew: HOSTNET_UPDATE=1 go test ./apps/vpn/hostnet
const update = "HOSTNET_UPDATE"

// hostOf is a snapshot of a host with these settings.
func hostOf(settings map[string]string) snapshot {
	return snapshot{table: FirstTable, onLink: prefixes("198.51.100.0/24", "10.1.2.0/24", "fe80::/64"),
		uplinks:  []route.Uplink{{Dev: "eth0"}, {Dev: "eth0", V6: true}},
		settings: func(path string) (string, bool) { v, ok := settings[path]; return v, ok }}
}

func TestPlans(t *testing.T) {
	zero := map[string]string{"ipv4/conf/all/src_valid_mark": "0", "ipv4/conf/eth0/forwarding": "0", "ipv4/conf/vpn0/forwarding": "0",
		"ipv6/conf/all/forwarding": "0", "ipv6/conf/eth0/accept_ra": "1"}
	modern := map[string]string{"ipv4/conf/all/src_valid_mark": "1", "ipv4/conf/eth0/forwarding": "1", "ipv4/conf/vpn0/forwarding": "1",
		"ipv6/conf/vpn0/force_forwarding": "0", "ipv6/conf/eth0/force_forwarding": "0"}
	only4 := fullClient()
	only4.Addresses, only4.LAN = only4.Addresses[:1], true
	only4.Except = prefixes("0.0.0.0/0") // nonsense, but harmless: everything is excepted
	split := Client{Tun: "vpn0", Addresses: prefixes("10.99.0.7/32"), MTU: 1420,
		Routes: prefixes("10.0.0.0/8", "198.51.100.0/24", "2001:db8::/32"), Except: prefixes("10.5.0.0/16")}
	open := exitServer()
	open.AllowPrivate, open.AllowHost, open.BetweenClients, open.HostPorts, open.MaxConns, open.MaxPackets = true, true, true, nil, 10, 20
	dns := hostOf(zero)
	dns.resolver = &resolver.Change{Path: "/etc/resolv.conf"}
	for name, p := range map[string]plan{
		"full":         planClient(fullClient(), dns),
		"full-ipv4":    planClient(only4, hostOf(modern)),
		"split":        planClient(split, hostOf(zero)),
		"exit":         planServer(exitServer(), hostOf(zero)),
		"exit-open":    planServer(open, hostOf(modern)),
		"exit-no-ipv6": planServer(Server{Tun: "vpn0", Addresses: prefixes("10.99.0.1/16"), MTU: 1500}, hostOf(zero)),
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join("testdata", name+".txt")
			if os.Getenv(update) != "" {
				if err := os.WriteFile(file, []byte(p.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.String(); got != string(want) {
				t.Errorf("%s is not what is planned; %s=1 writes it anew:\n%s", file, update, difference(string(want), got))
			}
		})
	}
}

func TestConfigurationsAreChecked(t *testing.T) {
	client := func(change func(*Client)) error { c := fullClient(); change(&c); return c.Check() }
	server := func(change func(*Server)) error { s := exitServer(); change(&s); return s.Check() }
	if err := client(func(*Client) {}); err != nil {
		t.Error(err)
	}
	if err := server(func(*Server) {}); err != nil {
		t.Error(err)
	}
	for name, err := range map[string]error{
		"no TUN":            client(func(c *Client) { c.Tun = "" }),
		"TUN with quotes":   client(func(c *Client) { c.Tun = `a"b` }),
		"long TUN":          client(func(c *Client) { c.Tun = "abcdefghijklmnop" }),
		"small MTU":         client(func(c *Client) { c.MTU = 1279 }),
		"no address":        client(func(c *Client) { c.Addresses = nil }),
		"routes beside":     client(func(c *Client) { c.Routes = prefixes("1.0.0.0/8") }),
		"switch without":    client(func(c *Client) { c.Full = false }),
		"bad prefix":        client(func(c *Client) { c.Except = []netip.Prefix{{}} }),
		"mapped prefix":     client(func(c *Client) { c.Except = prefixes("::ffff:1.0.0.0/104") }),
		"bad server":        client(func(c *Client) { c.DNS = []netip.Addr{netip.IPv4Unspecified()} }),
		"too many servers":  client(func(c *Client) { c.DNS = make([]netip.Addr, 4) }),
		"exit without room": server(func(s *Server) { s.Addresses = prefixes("10.0.0.1/32") }),
		"exit has no host":  server(func(s *Server) { s.Addresses = prefixes("10.0.0.0/24") }),
		"one family twice":  server(func(s *Server) { s.Addresses = prefixes("10.0.0.1/24", "10.1.0.1/24") }),
		"exit's MTU":        server(func(s *Server) { s.MTU = 65536 }),
		"exit's TUN":        server(func(s *Server) { s.Tun = "vpn 0" }),
	} {
		if err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
