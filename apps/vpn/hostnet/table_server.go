package hostnet

import (
	"net/netip"
	"time"

	"github.com/skycoin/viscript/apps/vpn/hostnet/firewall"
)

// Bounds of what an exit's table remembers.
const (
	maxSources = 65535            // addresses that limits are kept for; only clients get there
	rateMemory = 60 * time.Second // a client that was silent for so long has its whole burst again
)

// serverSets is what an exit's table has once for IPv4 and once for IPv6.
type serverSets struct {
	clients, conns, rates firewall.Set
}

func setsOf(v6 bool) serverSets {
	n := "4"
	if v6 {
		n = "6"
	}
	return serverSets{
		clients: firewall.Set{Name: "clients" + n, V6: v6},
		conns:   firewall.Set{Name: "conns" + n, V6: v6, Dynamic: true, Size: maxSources},
		rates:   firewall.Set{Name: "rates" + n, V6: v6, Dynamic: true, Size: maxSources, Timeout: rateMemory},
	}
}

// serverTable checks where packets of the tunnel come from, what they may reach and how much of it, and gives them this
// host's address. opened are uplinks that forwarded nothing before; they forward for the tunnel alone.
func serverTable(s Server, opened []opening) firewall.Table {
	t := firewall.Table{Name: TablePrefix + s.Tun}
	for _, a := range s.Addresses {
		n := setsOf(a.Addr().Is6())
		t.Sets = append(t.Sets, n.clients, n.conns, n.rates)
	}
	chain := func(name, kind string, hook firewall.Hook, priority int, rules []firewall.Rule) {
		t.Chains = append(t.Chains, firewall.Chain{Name: name, Type: kind, Hook: hook, Priority: priority, Rules: rules})
	}
	chain("arrive", "filter", firewall.Prerouting, priorityRaw, arriveRules(s))
	chain("host", "filter", firewall.Input, priorityFilter, hostRules(s))
	chain("pass", "filter", firewall.Forward, priorityFilter, forwardRules(s, opened))
	chain("leave", "nat", firewall.Postrouting, prioritySource, natRules(s))
	return t
}

// arriveRules throw away what claims to be somebody else, before the kernel remembers anything of it.
func arriveRules(s Server) (rules []firewall.Rule) {
	in, drop := firewall.InDev(s.Tun), firewall.Drop()
	for _, v6 := range []bool{false, true} {
		sets := setsOf(v6)
		if !hasFamily(s.Addresses, v6) {
			rules = append(rules, rule(drop, in, firewall.Family(v6)))
			continue
		}
		rules = append(rules, rule(drop, in, firewall.Not(firewall.FromSet(sets.clients))))
		rules = append(rules, rule(firewall.LimitPackets(sets.rates, s.maxPackets(), uint32(s.maxPackets())), in))
	}
	for _, p := range subnets(s.Addresses) { // nobody on our wires is a client
		rules = append(rules, rule(drop, firewall.Not(in), firewall.Not(firewall.InDev("lo")), firewall.From(p)))
	}
	return rules
}

// hostRules close this host to the tunnel: ICMP and DNS excepted, and what was opened.
func hostRules(s Server) (rules []firewall.Rule) {
	in, accept, drop := firewall.InDev(s.Tun), firewall.Accept(), firewall.Drop()
	for _, a := range s.Addresses { // our addresses in the tunnel are for the tunnel
		rules = append(rules, rule(drop, firewall.Not(in), firewall.Not(firewall.InDev("lo")), firewall.To(single(a.Addr()))))
	}
	if s.AllowHost {
		return rules
	}
	rules = append(rules,
		rule(accept, in, firewall.State(firewall.Established|firewall.Related)),
		rule(accept, in, firewall.Proto("icmp")),
		rule(accept, in, firewall.Proto("ipv6-icmp")))
	for _, a := range s.Addresses {
		to := firewall.To(single(a.Addr()))
		rules = append(rules,
			rule(accept, in, to, firewall.Proto("udp"), firewall.TargetPort("udp", portDNS)),
			rule(accept, in, to, firewall.Proto("tcp"), firewall.TargetPort("tcp", portDNS)))
		for _, port := range s.HostPorts {
			rules = append(rules, rule(accept, in, to, firewall.Proto("tcp"), firewall.TargetPort("tcp", port)))
		}
	}
	return append(rules, rule(drop, in))
}

// forwardRules say what clients reach, and that nobody reaches them who was not asked.
func forwardRules(s Server, opened []opening) (rules []firewall.Rule) {
	in, out := firewall.InDev(s.Tun), firewall.OutDev(s.Tun)
	accept, drop := firewall.Accept(), firewall.Drop()
	for _, o := range opened {
		conditions := []firewall.Match{firewall.Family(o.v6), firewall.Not(in), firewall.Not(out)}
		if o.dev != "" {
			conditions[1] = firewall.InDev(o.dev)
		}
		rules = append(rules, rule(drop, conditions...))
	}
	if s.BetweenClients {
		rules = append(rules, rule(accept, in, out))
	} else {
		rules = append(rules, rule(drop, in, out))
	}
	rules = append(rules,
		rule(firewall.ClampMSS(), in, firewall.Syn()),
		rule(firewall.ClampMSS(), out, firewall.Syn()),
		rule(drop, in, firewall.State(firewall.Invalid)),
		rule(accept, in, firewall.State(firewall.Established|firewall.Related)), // judged when it began
		rule(accept, out, firewall.State(firewall.Established|firewall.Related)),
		rule(drop, out))
	closed := closedRanges()
	if !s.AllowPrivate {
		closed = append(closed, privateRanges()...)
	}
	for _, p := range closed {
		if hasFamily(s.Addresses, p.Addr().Is6()) {
			rules = append(rules, rule(drop, in, firewall.To(p)))
		}
	}
	for _, a := range s.Addresses {
		sets := setsOf(a.Addr().Is6())
		rules = append(rules, rule(firewall.LimitConns(sets.conns, s.maxConns()), in, firewall.State(firewall.New)))
	}
	return append(rules, rule(accept, in))
}

// natRules give what leaves the tunnel this host's address.
func natRules(s Server) (rules []firewall.Rule) {
	for _, p := range subnets(s.Addresses) {
		rules = append(rules, rule(firewall.Masquerade(), firewall.From(p), firewall.Not(firewall.OutDev(s.Tun)), firewall.Not(firewall.OutDev("lo"))))
	}
	return rules
}

func (s Server) maxConns() uint32 {
	if s.MaxConns == 0 {
		return defaultMaxConns
	}
	return s.MaxConns
}

func (s Server) maxPackets() uint64 {
	if s.MaxPackets == 0 {
		return defaultMaxPackets
	}
	return s.MaxPackets
}

func hasFamily(addresses []netip.Prefix, v6 bool) bool {
	for _, a := range addresses {
		if a.Addr().Is6() == v6 {
			return true
		}
	}
	return false
}

func single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }
