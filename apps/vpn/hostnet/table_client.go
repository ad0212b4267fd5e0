package hostnet

import (
	"net/netip"

	"github.com/skycoin/viscript/apps/vpn/hostnet/firewall"
	"github.com/skycoin/viscript/node/mark"
)

// Places of our chains among others' (netfilter's own names for them).
const (
	priorityRaw    = -300
	priorityMangle = -150
	priorityFilter = 0
	prioritySource = 100
)

// Ports that are treated apart: DNS, DNS over TLS, DHCP.
const (
	portDNS, portDoT         = 53, 853
	dhcpServer4, dhcpClient4 = 67, 68
	dhcpClient6, dhcpServer6 = 546, 547
	routerSolicit            = 133
	neighbourSolicit         = 135
	neighbourAdvert          = 136
	multicastReport          = 143
)

// clientTable marks what arrives for this host, so that reverse path filters judge it as the mesh's, and holds the kill
// switch.
func clientTable(c Client) firewall.Table {
	t := firewall.Table{Name: TablePrefix + c.Tun}
	t.Chains = append(t.Chains, firewall.Chain{Name: "arrive", Type: "filter", Hook: firewall.Prerouting, Priority: priorityMangle, Rules: []firewall.Rule{
		rule(firewall.SetMark(mark.Mesh), firewall.Family(false), firewall.Not(firewall.InDev(c.Tun)), firewall.Not(firewall.InDev("lo")), firewall.ToThisHost()),
	}})
	if !c.KillSwitch {
		return t
	}
	return firewall.Table{Name: t.Name, Chains: append(t.Chains,
		firewall.Chain{Name: "leave", Type: "filter", Hook: firewall.Output, Priority: priorityFilter, Rules: leaveRules(c)},
		firewall.Chain{Name: "pass", Type: "filter", Hook: firewall.Forward, Priority: priorityFilter, Rules: passRules(c)},
	)}
}

// leaveRules are the kill switch for what this host sends itself.
func leaveRules(c Client) []firewall.Rule {
	accept := firewall.Accept()
	rules := []firewall.Rule{
		rule(accept, firewall.OutDev("lo")),
		rule(accept, firewall.OutDev(c.Tun)),
		rule(accept, firewall.Mark(mark.Mesh)),
		rule(accept, firewall.Family(false), firewall.Proto("udp"), firewall.SourcePort("udp", dhcpClient4), firewall.TargetPort("udp", dhcpServer4)),
		rule(accept, firewall.Family(true), firewall.Proto("udp"), firewall.SourcePort("udp", dhcpClient6), firewall.TargetPort("udp", dhcpServer6)),
	}
	for _, kind := range []uint8{routerSolicit, neighbourSolicit, neighbourAdvert, multicastReport} { // without them IPv6 has no wire
		rules = append(rules, rule(accept, firewall.Proto("ipv6-icmp"), firewall.ICMP6(kind)))
	}
	rules = append(rules, exceptRules(c)...)
	return append(rules, rule(firewall.Drop()))
}

// passRules are the kill switch for what this host forwards: containers, guests, machines behind it.
func passRules(c Client) []firewall.Rule {
	rules := []firewall.Rule{
		rule(firewall.Accept(), firewall.OutDev(c.Tun)),
		rule(firewall.Accept(), firewall.InDev(c.Tun)),
	}
	rules = append(rules, exceptRules(c)...)
	return append(rules, rule(firewall.Drop()))
}

// exceptRules let pass what the user wants outside of the tunnel.
func exceptRules(c Client) (rules []firewall.Rule) {
	for _, p := range c.Except {
		rules = append(rules, rule(firewall.Accept(), firewall.To(p)))
	}
	if !c.LAN {
		return rules
	}
	if len(c.DNS) > 0 { // whoever asks the router for names tells where they go
		for _, proto := range []string{"udp", "tcp"} {
			for _, port := range []uint16{portDNS, portDoT} {
				rules = append(rules, rule(firewall.Drop(), firewall.Proto(proto), firewall.TargetPort(proto, port)))
			}
		}
	}
	for _, p := range lanRanges() {
		rules = append(rules, rule(firewall.Accept(), firewall.To(p)))
	}
	return rules
}

func rule(do firewall.Action, conditions ...firewall.Match) firewall.Rule {
	return firewall.Rule{If: conditions, Do: do}
}

// subnets are the prefixes that addresses lie in.
func subnets(addresses []netip.Prefix) (list []netip.Prefix) {
	for _, a := range addresses {
		list = append(list, a.Masked())
	}
	return list
}
