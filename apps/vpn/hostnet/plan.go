package hostnet

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/skycoin/viscript/apps/vpn/hostnet/firewall"
	"github.com/skycoin/viscript/apps/vpn/hostnet/resolver"
	"github.com/skycoin/viscript/apps/vpn/hostnet/route"
	"github.com/skycoin/viscript/node/mark"
)

// fallbackMetric is that of the unreachable default which stays when the TUN interface goes: the kernel's own idea of
// a last resort.
const fallbackMetric = 4278198272

// step is one change of the host; exactly one field is set.
type step struct {
	Setting  *setting         `json:"setting,omitempty"`
	Table    *table           `json:"table,omitempty"`
	Link     *route.Link      `json:"link,omitempty"`
	Route    *route.Route     `json:"route,omitempty"`
	Rule     *route.Rule      `json:"rule,omitempty"`
	Resolver *resolver.Change `json:"resolver,omitempty"`
	Resolved *resolver.Link   `json:"resolved,omitempty"`
}

// setting is a number or word below /proc/sys/net.
type setting struct {
	Path   string `json:"path"` // below /proc/sys/net, such as ipv4/conf/all/src_valid_mark
	Before string `json:"before"`
	Value  string `json:"value"`
}

// table is a firewall table of ours. The journal has its name alone: that is all that removing it takes.
type table struct {
	Name string         `json:"name"`
	full firewall.Table // as it shall be
}

// plan is what a configuration makes of a host, in the order of doing; undoing goes backwards.
type plan []step

// snapshot is what a plan depends on besides the configuration.
type snapshot struct {
	table    int                         // our routing table
	uplinks  []route.Uplink              // interfaces with a default route, our TUN excepted
	onLink   []netip.Prefix              // what lies directly on the host's wires
	settings func(string) (string, bool) // reads a setting; false: the kernel has none of that name
	resolver *resolver.Change            // how DNS would be set; nil: not at all
	resolved bool                        // systemd-resolved answers on the host
}

// key tells whether two steps are about the same thing.
func (s step) key() string {
	switch {
	case s.Setting != nil:
		return "setting " + s.Setting.Path
	case s.Table != nil:
		return "firewall table " + s.Table.Name
	case s.Link != nil:
		return s.Link.String()
	case s.Route != nil:
		return s.Route.String()
	case s.Rule != nil:
		return s.Rule.String()
	case s.Resolver != nil:
		return s.Resolver.String()
	case s.Resolved != nil:
		return s.Resolved.String()
	default:
		return "nothing"
	}
}

// String is the step in words, as people may do it by hand.
func (s step) String() string {
	if s.Setting != nil {
		return fmt.Sprintf("setting net/%s = %s (was %s)", s.Setting.Path, s.Setting.Value, s.Setting.Before)
	}
	return s.key()
}

// String is the plan as text, a step a line, tables in full.
func (p plan) String() string {
	var b strings.Builder
	for _, s := range p {
		if s.Table != nil {
			b.WriteString(s.Table.full.String())
			continue
		}
		b.WriteString(s.String() + "\n")
	}
	return b.String()
}

// planClient is what c makes of the host.
//
// Packets without the mesh's mark ask our table; what it throws, or does not know, goes on to the main one. With a full
// tunnel the main table is asked before, for everything but its default routes, so that the local network stays in reach.
func planClient(c Client, at snapshot) plan {
	var p plan
	p.set(at, "ipv4/conf/all/src_valid_mark", "1") // a strict reverse path filter shall see the mark of replies to the mesh
	p = append(p, step{Table: &table{Name: TablePrefix + c.Tun, full: clientTable(c)}})
	p = append(p, step{Link: &route.Link{Dev: c.Tun, MTU: c.MTU, Addresses: c.Addresses}})
	for _, v6 := range []bool{false, true} {
		p = append(p, clientRoutes(c, at, v6)...)
	}
	for _, v6 := range []bool{false, true} {
		p = append(p, clientRules(c, at.table, v6)...)
	}
	if at.resolver != nil {
		p = append(p, step{Resolver: at.resolver})
		if at.resolved {
			p = append(p, step{Resolved: &resolver.Link{Dev: c.Tun, Servers: c.DNS}})
		}
	}
	return p
}

// clientRoutes fills our table for one family. The last resort comes first, so that nothing slips through while the
// others are made.
func clientRoutes(c Client, at snapshot, v6 bool) (p plan) {
	add := func(kind route.Kind, dst netip.Prefix, metric int) {
		r := route.Route{Kind: kind, Dst: dst.Masked(), Table: at.table, Metric: metric}
		if kind == route.Unicast {
			r.Dev = c.Tun
		}
		if s := (step{Route: &r}); !slices.ContainsFunc(p, func(o step) bool { return o.key() == s.key() }) {
			p = append(p, s)
		}
	}
	all := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	if v6 {
		all = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	wanted := ofFamily(c.Routes, v6)
	switch {
	case !c.Full:
	case !c.has(v6):
		add(route.Unreachable, all, 0)
	default:
		wanted = append(wanted, all)
		if c.KillSwitch {
			add(route.Unreachable, all, fallbackMetric)
		}
	}
	for _, dst := range ofFamily(c.Except, v6) {
		add(route.Throw, dst, 0)
	}
	for _, dst := range wanted {
		switch {
		case slices.ContainsFunc(c.Except, func(e netip.Prefix) bool { return e.Masked() == dst.Masked() }):
		case !c.has(v6):
			add(route.Unreachable, dst, 0)
		default:
			add(route.Unicast, dst, 0)
		}
	}
	if !c.Full {
		for _, dst := range at.onLink { // the host's own wires are more specific than what is asked for
			if dst.Addr().Is6() == v6 && inside(dst, wanted) && !dst.Addr().IsLinkLocalUnicast() {
				add(route.Throw, dst, 0)
			}
		}
	}
	return p
}

// clientRules has the table asked.
func clientRules(c Client, table int, v6 bool) (p plan) {
	add := func(r route.Rule) { r.V6 = v6; p = append(p, step{Rule: &r}) }
	if c.Full && len(c.DNS) > 0 { // names are asked in the tunnel, whatever lies on the host's wires
		add(route.Rule{Priority: FirstPriority, Mark: mark.Mesh, Table: route.Main})
		for _, proto := range []string{"udp", "tcp"} {
			add(route.Rule{Priority: FirstPriority + 1, Proto: proto, DstPort: portDNS, Table: table})
		}
	}
	switch {
	case c.Full:
		add(route.Rule{Priority: FirstPriority + 2, Table: route.Main, Specific: true})
	case len(ofFamily(c.Routes, v6)) == 0:
		return p
	}
	add(route.Rule{Priority: FirstPriority + 3, NotMark: mark.Mesh, Table: table})
	return p
}

// planServer is what s makes of the host.
func planServer(s Server, at snapshot) plan {
	var switches plan
	for _, a := range s.Addresses {
		switches.forward(s, at, a.Addr().Is6())
	}
	p := plan{
		{Table: &table{Name: TablePrefix + s.Tun, full: serverTable(s, switches.opened(s.Tun))}},
		{Link: &route.Link{Dev: s.Tun, MTU: s.MTU, Addresses: s.Addresses}},
	}
	return append(p, switches...)
}

// opened are the interfaces besides the TUN that begin to forward with the plan; "" stands for all of them, in IPv6.
func (p plan) opened(tun string) (list []opening) {
	for _, s := range p {
		words := strings.Split(s.Setting.Path, "/") // family, "conf", interface, name
		if dev := words[2]; dev != tun && strings.HasSuffix(words[3], "forwarding") {
			if dev == "all" {
				dev = ""
			}
			list = append(list, opening{dev, words[0] == "ipv6"})
		}
	}
	return list
}

// opening is an interface that forwards what it did not forward before.
type opening struct {
	dev string // "": any
	v6  bool
}

// forward switches forwarding on between the tunnel and the uplinks, and for nothing else where the kernel allows that:
// it asks the interface that a packet came in by. The tunnel needs it for what clients send, the uplinks for replies.
func (p *plan) forward(s Server, at snapshot, v6 bool) {
	devs := []string{s.Tun}
	for _, u := range at.uplinks {
		if u.V6 == v6 && u.Dev != s.Tun {
			devs = append(devs, u.Dev)
		}
	}
	if !v6 {
		for _, d := range devs {
			p.set(at, "ipv4/conf/"+d+"/forwarding", "1")
		}
		return
	}
	if _, ok := at.settings("ipv6/conf/" + s.Tun + "/force_forwarding"); ok { // Linux 6.17
		for _, d := range devs {
			p.set(at, "ipv6/conf/"+d+"/force_forwarding", "1")
		}
		return
	}
	// The one switch for all interfaces makes the host a router, which takes no routes from others any more: keep them.
	for _, d := range devs[1:] {
		if v, ok := at.settings("ipv6/conf/" + d + "/accept_ra"); ok && v == "1" {
			p.set(at, "ipv6/conf/"+d+"/accept_ra", "2")
		}
	}
	p.set(at, "ipv6/conf/all/forwarding", "1")
}

// set adds a setting, unless the kernel has none of that name or it has the value already.
func (p *plan) set(at snapshot, path, value string) {
	before, ok := at.settings(path)
	if ok && before != value {
		*p = append(*p, step{Setting: &setting{Path: path, Before: before, Value: value}})
	}
}

func ofFamily(list []netip.Prefix, v6 bool) (out []netip.Prefix) {
	for _, p := range list {
		if p.Addr().Is6() == v6 {
			out = append(out, p)
		}
	}
	return out
}

// inside tells whether p is a part of one of the prefixes, but none of them.
func inside(p netip.Prefix, list []netip.Prefix) bool {
	in := false
	for _, q := range list {
		if q.Masked() == p.Masked() {
			return false
		}
		in = in || q.Bits() < p.Bits() && q.Contains(p.Addr())
	}
	return in
}
