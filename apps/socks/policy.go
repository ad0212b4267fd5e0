package socks

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// portSMTP is closed unless a rule opens it: open relays for mail get an exit blocked.
const portSMTP = 25

// Policy says where an exit connects to. It judges addresses, after resolution; the caller
// dials exactly the address that was judged. The zero value allows public addresses on every
// port but 25. A Policy is read only and safe for concurrent use.
type Policy struct {
	// AllowPrivate admits RFC 1918, CGNAT (100.64.0.0/10) and ULA (fc00::/7).
	AllowPrivate bool
	// Allow admits what is otherwise denied, see Rule; it is the only way to loopback.
	Allow []Rule
	// Forbidden are listening addresses of our own (node, daemon, web pages) that nothing
	// admits. One on loopback, on every address (0.0.0.0, [::]) or without address closes its
	// port on loopback and on all addresses of this machine; any other closes itself.
	Forbidden []netip.AddrPort
	// Closed reports more ports of our own, which may change while we run; they are closed
	// as one of Forbidden without address is. nil: none.
	Closed func(port uint16) bool
	// LocalAddrs returns the addresses of this machine's interfaces; asked only about ports
	// that are Closed or in Forbidden. nil: net.InterfaceAddrs. After an error every address counts as ours.
	LocalAddrs func() ([]netip.Addr, error)
}

// Rule admits HOST:PORT or HOST:*. An address as HOST admits that one address, whatever its
// class and whichever name led to it; "localhost" stands for 127.0.0.1 and ::1. A name
// admits what it resolves to when the program asked by that name, if that is private or
// public. "*" as HOST admits nothing more but opens a closed port (25) everywhere.
type Rule struct {
	Name string     // lower case; "" when Addr is set or for any host
	Addr netip.Addr // unmapped
	Port uint16     // 0: every port
}

// ParseRule reads HOST:PORT or HOST:*; IPv6 addresses stand in brackets.
func ParseRule(s string) (Rule, error) {
	wrong := fmt.Errorf("socks: allowed target %.80q: want HOST:PORT or HOST:*, HOST being a name, an IPv4 address, [an IPv6 address] or *", s)
	host, portText, ok := splitHostPort(s)
	if !ok {
		return Rule{}, wrong
	}
	var r Rule
	if portText != "*" {
		if r.Port, ok = parsePort(portText); !ok {
			return Rule{}, wrong
		}
	}
	if host == "*" {
		return r, nil
	}
	t, err := newTarget(host, portSMTP) // the port plays no part
	if err != nil {
		return Rule{}, wrong
	}
	r.Name, r.Addr = strings.TrimSuffix(t.Name, "."), t.Addr
	return r, nil
}

// String returns what ParseRule reads.
func (r Rule) String() string {
	host, port := r.Name, "*"
	switch {
	case r.Addr.IsValid():
		host = r.Addr.String()
	case host == "":
		host = "*"
	}
	if r.Port != 0 {
		port = fmt.Sprint(r.Port)
	}
	return net.JoinHostPort(host, port)
}

// grant is how much the rules admit beyond the defaults.
type grant uint8

const (
	grantNothing grant = iota
	grantPort          // a closed port
	grantPrivate       // and private addresses
	grantHost          // and every address that is one host
)

// grant tells what the rule admits for an address that name led to (empty: asked by address).
func (r Rule) grant(name string, at netip.AddrPort) grant {
	switch {
	case r.Port != 0 && r.Port != at.Port():
		return grantNothing
	case r.Addr.IsValid() && r.Addr == at.Addr(), r.Name == "localhost" && isLocalhost(at.Addr()):
		return grantHost
	case r.Addr.IsValid():
		return grantNothing
	case r.Name == "":
		return grantPort
	case r.Name == strings.TrimSuffix(name, "."):
		return grantPrivate
	default:
		return grantNothing
	}
}

func isLocalhost(a netip.Addr) bool {
	return a == netip.AddrFrom4([4]byte{127, 0, 0, 1}) || a == netip.IPv6Loopback()
}

// Check judges one address that name led to; name is empty when the program asked by
// address. It returns nil or an *Error with reason Denied. It does not block, except on
// LocalAddrs.
func (p *Policy) Check(name string, at netip.AddrPort) error {
	at = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	if !at.IsValid() || at.Addr().Zone() != "" || at.Port() == 0 {
		return because(Denied, "%s is not the address of a service", at)
	}
	if p.forbidden(at) {
		return because(Denied, "%s belongs to this exit itself", at)
	}
	granted := grantNothing
	for _, r := range p.Allow {
		granted = max(granted, r.grant(name, at))
	}
	if at.Port() == portSMTP && granted == grantNothing {
		return because(Denied, "port %d is closed", at.Port())
	}
	switch c := classify(at.Addr()); {
	case c == classPublic,
		c == classPrivate && (p.AllowPrivate || granted >= grantPrivate),
		c != classNoHost && granted == grantHost:
		return nil
	default:
		return because(Denied, "%s is %s", at.Addr(), c)
	}
}

// forbidden tells whether an unmapped address is one of our own listeners, also in a form
// that a translator on the way would turn into it.
func (p *Policy) forbidden(at netip.AddrPort) bool {
	addrs := []netip.Addr{at.Addr()}
	if at.Addr().Is6() {
		inner, n := embedded(at.Addr().As16())
		for _, b := range inner[:n] {
			addrs = append(addrs, netip.AddrFrom4(b))
		}
	}
	if p.Closed != nil && p.Closed(at.Port()) && slices.ContainsFunc(addrs, p.local) { // asked last: listing the interfaces is dear
		return true
	}
	for _, f := range p.Forbidden {
		if f.Port() != at.Port() {
			continue
		}
		own := f.Addr().Unmap().WithZone("")
		if slices.Contains(addrs, own) {
			return true
		}
		everywhere := !own.IsValid() || own.IsUnspecified() || own.IsLoopback()
		if everywhere && slices.ContainsFunc(addrs, p.local) {
			return true
		}
	}
	return false
}

// local tells whether a connection to the address would stay on this machine.
func (p *Policy) local(a netip.Addr) bool {
	if a.IsLoopback() || a.IsUnspecified() {
		return true
	}
	ask := p.LocalAddrs
	if ask == nil {
		ask = interfaceAddrs
	}
	own, err := ask()
	return err != nil || slices.ContainsFunc(own, func(o netip.Addr) bool { return o.Unmap().WithZone("") == a })
}

// interfaceAddrs returns the addresses of all interfaces.
func interfaceAddrs() ([]netip.Addr, error) {
	nets, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("socks: listing our own addresses: %w", err)
	}
	addrs := make([]netip.Addr, 0, len(nets))
	for _, n := range nets {
		if prefix, err := netip.ParsePrefix(n.String()); err == nil {
			addrs = append(addrs, prefix.Addr().Unmap())
		}
	}
	return addrs, nil
}
