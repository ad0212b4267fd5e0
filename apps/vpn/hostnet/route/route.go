// Package route has routes, policy rules and addresses of the host as plain values, and puts them into the kernel.
// Everything it adds carries [Protocol], so that it can be told from what others made.
package route

import (
	"fmt"
	"net/netip"
	"strings"
)

// Protocol is the origin that our routes and rules carry (`ip route show table all proto 118`). Append-only in spirit:
// what an older version left must be found by a newer one.
const Protocol = 118

// Main is the number of the host's usual routing table.
const Main = 254

// Kind is what a route does with packets.
type Kind string

// Kinds of routes.
const (
	Unicast     Kind = "unicast"     // out of an interface
	Throw       Kind = "throw"       // on to the next rule, as if this table had no route
	Unreachable Kind = "unreachable" // an error at once, for those who send
)

// Route is one line of a routing table.
type Route struct {
	Kind   Kind         `json:"kind"`
	Dst    netip.Prefix `json:"dst"`
	Dev    string       `json:"dev,omitempty"` // Unicast only
	Table  int          `json:"table"`
	Metric int          `json:"metric,omitempty"` // 0: the family's default
}

// String is the route as ip(8) takes it.
func (r Route) String() string {
	var b strings.Builder
	if r.Dst.Addr().Is6() {
		b.WriteString("-6 ")
	}
	b.WriteString("route ")
	if r.Kind != Unicast {
		b.WriteString(string(r.Kind) + " ")
	}
	b.WriteString(r.Dst.String())
	if r.Dev != "" {
		b.WriteString(" dev " + r.Dev)
	}
	fmt.Fprintf(&b, " table %d", r.Table)
	if r.Metric != 0 {
		fmt.Fprintf(&b, " metric %d", r.Metric)
	}
	return b.String()
}

// Rule says for which packets a table is asked.
type Rule struct {
	V6       bool   `json:"v6,omitempty"`
	Priority int    `json:"priority"`
	Mark     uint32 `json:"mark,omitempty"`     // packets with this mark; 0: all
	NotMark  uint32 `json:"not_mark,omitempty"` // all packets but those with this mark; it goes with no other condition
	Proto    string `json:"proto,omitempty"`    // "tcp" or "udp"; "": any
	DstPort  uint16 `json:"dport,omitempty"`    // 0: any
	Table    int    `json:"table"`
	Specific bool   `json:"specific,omitempty"` // default routes of the table do not count (suppress_prefixlength 0)
}

// String is the rule as ip(8) takes it.
func (r Rule) String() string {
	var b strings.Builder
	if r.V6 {
		b.WriteString("-6 ")
	}
	fmt.Fprintf(&b, "rule priority %d", r.Priority)
	if r.Mark != 0 {
		fmt.Fprintf(&b, " fwmark %#x", r.Mark)
	}
	if r.NotMark != 0 {
		fmt.Fprintf(&b, " not fwmark %#x", r.NotMark)
	}
	if r.Proto != "" {
		b.WriteString(" ipproto " + r.Proto)
	}
	if r.DstPort != 0 {
		fmt.Fprintf(&b, " dport %d", r.DstPort)
	}
	if r.Table == Main {
		b.WriteString(" lookup main")
	} else {
		fmt.Fprintf(&b, " lookup %d", r.Table)
	}
	if r.Specific {
		b.WriteString(" suppress_prefixlength 0")
	}
	return b.String()
}

// Link is what we want of an interface that is there already.
type Link struct {
	Dev       string         `json:"dev"`
	MTU       int            `json:"mtu"`
	Addresses []netip.Prefix `json:"addresses"` // an address each, with the length of its subnet
}

// String is the wish as ip(8) takes it, more or less.
func (l Link) String() string {
	return fmt.Sprintf("link %s mtu %d up addresses %v", l.Dev, l.MTU, l.Addresses)
}

// Uplink is an interface with a default route in the main table.
type Uplink struct {
	Dev string
	V6  bool
}
