// Package firewall has nftables tables as plain values, with their text as nft(8) takes it, and puts them into the
// kernel in one transaction: the table that was there before is in force until the new one is, whole.
package firewall

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Table is one nftables table of the family inet, which is all ours: what others put into it is lost.
type Table struct {
	Name   string
	Sets   []Set
	Chains []Chain
}

// Set holds addresses of one family.
type Set struct {
	Name    string
	V6      bool
	Dynamic bool          // rules put addresses in
	Size    uint32        // Dynamic only: the most addresses
	Timeout time.Duration // Dynamic only: an address is forgotten after it; 0: never
}

// Hook is where a chain sees packets.
type Hook string

// Hooks that our chains use.
const (
	Prerouting  Hook = "prerouting"
	Input       Hook = "input"
	Forward     Hook = "forward"
	Output      Hook = "output"
	Postrouting Hook = "postrouting"
)

// Chain is a base chain with the policy accept: its rules in order.
type Chain struct {
	Name     string
	Type     string // "filter" or "nat"
	Hook     Hook
	Priority int
	Rules    []Rule
}

// Rule applies Do to packets that meet all of If.
type Rule struct {
	If []Match
	Do Action
}

// Match is one condition; make it with the functions below.
type Match struct {
	field  field
	not    bool
	text   string       // a name: interface, protocol or set
	number uint32       // port, mark, type or bits
	prefix netip.Prefix // address
	v6     bool
}

// field is what a condition looks at.
type field uint8

const (
	inDev field = iota + 1
	outDev
	family
	packetMark
	protocol
	sourcePort
	targetPort
	icmp6Type
	source
	target
	sourceIn
	state
	toThisHost
	tcpSyn
)

// InDev is met by packets that came in by the interface.
func InDev(name string) Match { return Match{field: inDev, text: name} }

// OutDev is met by packets that leave by the interface.
func OutDev(name string) Match { return Match{field: outDev, text: name} }

// Family is met by packets of IPv6, or of IPv4.
func Family(v6 bool) Match { return Match{field: family, v6: v6} }

// Mark is met by packets with that mark.
func Mark(n uint32) Match { return Match{field: packetMark, number: n} }

// Proto is met by packets of "tcp", "udp", "icmp" or "ipv6-icmp".
func Proto(name string) Match { return Match{field: protocol, text: name} }

// SourcePort and TargetPort follow a Proto of "tcp" or "udp", which they repeat in the text.
func SourcePort(proto string, n uint16) Match {
	return Match{field: sourcePort, text: proto, number: uint32(n)}
}

// TargetPort is met by packets to the port.
func TargetPort(proto string, n uint16) Match {
	return Match{field: targetPort, text: proto, number: uint32(n)}
}

// ICMP6 is met by ICMPv6 messages of the type; it follows Proto("ipv6-icmp").
func ICMP6(kind uint8) Match { return Match{field: icmp6Type, number: uint32(kind)} }

// From is met by packets with a source in p.
func From(p netip.Prefix) Match { return Match{field: source, prefix: p.Masked()} }

// To is met by packets with a destination in p.
func To(p netip.Prefix) Match { return Match{field: target, prefix: p.Masked()} }

// FromSet is met by packets of the set's family with a source in it.
func FromSet(s Set) Match { return Match{field: sourceIn, text: s.Name, v6: s.V6} }

// States of a connection.
const (
	Invalid     uint32 = 1
	Established uint32 = 2
	Related     uint32 = 4
	New         uint32 = 8
)

// State is met by packets of connections in one of the states.
func State(bits uint32) Match { return Match{field: state, number: bits} }

// ToThisHost is met by packets to an address of this host.
func ToThisHost() Match { return Match{field: toThisHost} }

// Syn is met by the packets that open TCP connections, in both directions.
func Syn() Match { return Match{field: tcpSyn} }

// Not turns a condition round; one about an address is still met by packets of its family only.
func Not(m Match) Match {
	m.not = true
	return m
}

// Action is what happens to a packet.
type Action struct {
	verb  verb
	mark  uint32
	set   string
	v6    bool
	rate  uint64
	burst uint32
}

type verb uint8

const (
	accept verb = iota + 1
	drop
	setMark
	masquerade
	clampMSS
	limitConns
	limitPackets
)

// Accept lets the packet pass this chain; other tables are still asked.
func Accept() Action { return Action{verb: accept} }

// Drop counts the packet and throws it away.
func Drop() Action { return Action{verb: drop} }

// SetMark gives the packet a mark.
func SetMark(n uint32) Action { return Action{verb: setMark, mark: n} }

// Masquerade gives the connection this host's address as its source.
func Masquerade() Action { return Action{verb: masquerade} }

// ClampMSS bounds the segment size that a TCP opening offers by the MTU of its route.
func ClampMSS() Action { return Action{verb: clampMSS} }

// LimitConns drops packets of the set's family from a source that has more than n connections; s is a Dynamic set.
func LimitConns(s Set, n uint32) Action {
	return Action{verb: limitConns, set: s.Name, v6: s.V6, rate: uint64(n)}
}

// LimitPackets drops packets of the set's family from a source beyond n a second and the burst; s is a Dynamic set.
func LimitPackets(s Set, n uint64, burst uint32) Action {
	return Action{verb: limitPackets, set: s.Name, v6: s.V6, rate: n, burst: burst}
}

// String is the table as `nft -f` takes it.
func (t Table) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "table inet %s {\n", t.Name)
	for _, s := range t.Sets {
		fmt.Fprintf(&b, "\tset %s { type %s;", s.Name, addrType(s.V6))
		if s.Dynamic {
			fmt.Fprintf(&b, " size %d; flags dynamic", s.Size)
			if s.Timeout > 0 {
				fmt.Fprintf(&b, ",timeout; timeout %ds", int(s.Timeout.Seconds()))
			}
			b.WriteString(";")
		}
		b.WriteString(" }\n")
	}
	for _, c := range t.Chains {
		fmt.Fprintf(&b, "\tchain %s {\n\t\ttype %s hook %s priority %d; policy accept;\n", c.Name, c.Type, c.Hook, c.Priority)
		for _, r := range c.Rules {
			b.WriteString("\t\t" + r.String() + "\n")
		}
		b.WriteString("\t}\n")
	}
	b.WriteString("}\n")
	return b.String()
}

// String is the rule as nft takes it.
func (r Rule) String() string {
	var words []string
	for _, m := range r.If {
		words = append(words, m.String())
	}
	return strings.Join(append(words, r.Do.String()), " ")
}

// String is the condition as nft takes it.
func (m Match) String() string {
	is := ""
	if m.not {
		is = "!= "
	}
	switch m.field {
	case inDev:
		return fmt.Sprintf("iifname %s%q", is, m.text)
	case outDev:
		return fmt.Sprintf("oifname %s%q", is, m.text)
	case family:
		return "meta nfproto " + is + map[bool]string{false: "ipv4", true: "ipv6"}[m.v6]
	case packetMark:
		return fmt.Sprintf("meta mark %s%#x", is, m.number)
	case protocol:
		return "meta l4proto " + is + m.text
	case sourcePort:
		return fmt.Sprintf("%s sport %s%d", m.text, is, m.number)
	case targetPort:
		return fmt.Sprintf("%s dport %s%d", m.text, is, m.number)
	case icmp6Type:
		return fmt.Sprintf("icmpv6 type %s%d", is, m.number)
	case source:
		return fmt.Sprintf("%s saddr %s%s", ipWord(m.prefix.Addr().Is6()), is, prefixText(m.prefix))
	case target:
		return fmt.Sprintf("%s daddr %s%s", ipWord(m.prefix.Addr().Is6()), is, prefixText(m.prefix))
	case sourceIn:
		return fmt.Sprintf("%s saddr %s@%s", ipWord(m.v6), is, m.text)
	case state:
		return "ct state " + stateText(m.number)
	case toThisHost:
		return "fib daddr type " + is + "local"
	case tcpSyn:
		return "tcp flags & (syn | rst) == syn"
	default:
		panic(fmt.Sprintf("firewall: condition %d", m.field))
	}
}

// String is the action as nft takes it.
func (a Action) String() string {
	switch a.verb {
	case accept:
		return "accept"
	case drop:
		return "counter drop"
	case setMark:
		return fmt.Sprintf("meta mark set %#x", a.mark)
	case masquerade:
		return "masquerade"
	case clampMSS:
		return "tcp option maxseg size set rt mtu"
	case limitConns:
		return fmt.Sprintf("add @%s { %s saddr ct count over %d } counter drop", a.set, ipWord(a.v6), a.rate)
	case limitPackets:
		return fmt.Sprintf("update @%s { %s saddr limit rate over %d/second burst %d packets } counter drop", a.set, ipWord(a.v6), a.rate, a.burst)
	default:
		panic(fmt.Sprintf("firewall: action %d", a.verb))
	}
}

func stateText(bits uint32) string {
	var words []string
	for _, s := range []struct {
		bit  uint32
		word string
	}{{Invalid, "invalid"}, {Established, "established"}, {Related, "related"}, {New, "new"}} {
		if bits&s.bit != 0 {
			words = append(words, s.word)
		}
	}
	return strings.Join(words, ",")
}

func prefixText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

func ipWord(v6 bool) string {
	if v6 {
		return "ip6"
	}
	return "ip"
}

func addrType(v6 bool) string {
	if v6 {
		return "ipv6_addr"
	}
	return "ipv4_addr"
}
