package route

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/skycoin/viscript/node/mark"
)

// dumpTries is how often a listing is asked for again that changed while the kernel wrote it.
const dumpTries = 5

var families = []int{netlink.FAMILY_V4, netlink.FAMILY_V6}

// Add puts the route in; one that is there already is no error. Without the interface the error is os.ErrNotExist.
func (r Route) Add() error {
	n, err := r.netlink()
	if err == nil {
		err = netlink.RouteAdd(&n)
	}
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("adding %s: %w", r, err)
	}
	return nil
}

// Remove takes the route out; there tells whether it was in.
func (r Route) Remove() (there bool, err error) {
	n, err := r.netlink()
	if errors.Is(err, os.ErrNotExist) {
		return false, nil // the route went with its interface
	}
	if err == nil {
		err = netlink.RouteDel(&n)
	}
	if errors.Is(err, unix.ESRCH) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("removing %s: %w", r, err)
	}
	return true, nil
}

// Present tells whether the route is in.
func (r Route) Present() (bool, error) {
	all, err := Routes(r.Table)
	return slices.Contains(all, r.shown()), err
}

// shown is r as the kernel lists it: IPv6 routes have metric 1024 where none was asked for.
func (r Route) shown() Route {
	if r.Metric == 0 && r.Dst.Addr().Is6() {
		r.Metric = 1024
	}
	return r
}

func (r Route) netlink() (n netlink.Route, err error) {
	n = netlink.Route{Dst: ipNet(r.Dst), Table: r.Table, Priority: r.Metric, Protocol: Protocol}
	switch r.Kind {
	case Throw:
		n.Type = unix.RTN_THROW
	case Unreachable:
		n.Type = unix.RTN_UNREACHABLE
	case Unicast:
		n.Type = unix.RTN_UNICAST
		link, err := linkByName(r.Dev)
		if err != nil {
			return n, err
		}
		n.LinkIndex = link.Attrs().Index
		if r.Dst.Addr().Is4() {
			n.Scope = netlink.SCOPE_LINK
		}
	default:
		return n, fmt.Errorf("route kind %q", r.Kind)
	}
	return n, nil
}

// Routes lists our routes in a table; 0 stands for all tables.
func Routes(table int) (list []Route, err error) {
	names := map[int]string{}
	for _, family := range families {
		before := len(list)
		err := retry(func() error {
			list = list[:before]
			return netlink.RouteListFilteredIter(family, &netlink.Route{Table: table, Protocol: Protocol}, netlink.RT_FILTER_TABLE, func(n netlink.Route) bool {
				if n.Protocol != Protocol {
					return true
				}
				r := Route{Table: n.Table, Metric: n.Priority, Dst: prefix(n.Dst, family)}
				switch n.Type {
				case unix.RTN_THROW:
					r.Kind = Throw
				case unix.RTN_UNREACHABLE:
					r.Kind = Unreachable
				default:
					r.Kind, r.Dev = Unicast, nameOf(names, n.LinkIndex)
				}
				list = append(list, r)
				return true
			})
		})
		if err != nil {
			return nil, fmt.Errorf("listing routes: %w", err)
		}
	}
	return list, nil
}

func nameOf(known map[int]string, index int) string {
	if name, ok := known[index]; ok {
		return name
	}
	name := fmt.Sprintf("#%d", index)
	if link, err := netlink.LinkByIndex(index); err == nil {
		name = link.Attrs().Name
	}
	known[index] = name
	return name
}

// Add puts the rule in; one that is there already is no error.
func (r Rule) Add() error {
	err := netlink.RuleAdd(r.netlink())
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("adding %s: %w", r, err)
	}
	return nil
}

// Remove takes the rule out; there tells whether it was in.
func (r Rule) Remove() (there bool, err error) {
	err = netlink.RuleDel(r.netlink())
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("removing %s: %w", r, err)
	}
	return true, nil
}

// Present tells whether the rule is in.
func (r Rule) Present() (bool, error) {
	all, err := Rules()
	return slices.Contains(all, r), err
}

func (r Rule) netlink() *netlink.Rule {
	n := netlink.NewRule()
	n.Family, n.Priority, n.Table, n.Protocol = netlink.FAMILY_V4, r.Priority, r.Table, Protocol
	if r.V6 {
		n.Family = netlink.FAMILY_V6
	}
	n.Mark = r.Mark
	if r.NotMark != 0 { // the kernel turns the whole condition round
		n.Mark, n.Invert = r.NotMark, true
	}
	switch r.Proto {
	case "tcp":
		n.IPProto = unix.IPPROTO_TCP
	case "udp":
		n.IPProto = unix.IPPROTO_UDP
	}
	if r.DstPort != 0 {
		n.Dport = netlink.NewRulePortRange(r.DstPort, r.DstPort)
	}
	if r.Specific {
		n.SuppressPrefixlen = 0
	}
	return n
}

// Rules lists our rules.
func Rules() (list []Rule, err error) {
	for _, family := range families {
		var all []netlink.Rule
		err := retry(func() (err error) {
			all, err = netlink.RuleListFiltered(family, nil, 0)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("listing rules: %w", err)
		}
		for _, n := range all {
			if n.Protocol != Protocol {
				continue
			}
			r := Rule{V6: family == netlink.FAMILY_V6, Priority: n.Priority, Table: n.Table, Specific: n.SuppressPrefixlen == 0}
			r.Mark = n.Mark
			if n.Invert {
				r.Mark, r.NotMark = 0, n.Mark
			}
			switch n.IPProto {
			case unix.IPPROTO_TCP:
				r.Proto = "tcp"
			case unix.IPPROTO_UDP:
				r.Proto = "udp"
			}
			if n.Dport != nil {
				r.DstPort = n.Dport.Start
			}
			list = append(list, r)
		}
	}
	return list, nil
}

// Up gives the interface its alias, MTU and addresses and brings it up. Addresses of others stay.
func (l Link) Up() error {
	link, err := linkByName(l.Dev)
	if err != nil {
		return err
	}
	if err := netlink.LinkSetAlias(link, mark.TunnelAlias); err != nil { // first, so that nodes never see an address of it
		return fmt.Errorf("marking %s: %w", l.Dev, err)
	}
	if link.Attrs().MTU != l.MTU {
		if err := netlink.LinkSetMTU(link, l.MTU); err != nil {
			return fmt.Errorf("setting the MTU of %s to %d: %w", l.Dev, l.MTU, err)
		}
	}
	for _, p := range l.Addresses {
		a := &netlink.Addr{IPNet: addrNet(p)}
		if p.Addr().Is6() {
			a.Flags = unix.IFA_F_NODAD // nobody else is on the tunnel
		}
		if err := netlink.AddrReplace(link, a); err != nil {
			return fmt.Errorf("giving %s the address %s: %w", l.Dev, p, err)
		}
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("bringing up %s: %w", l.Dev, err)
	}
	return nil
}

// Present tells whether the interface is up, with that MTU and those addresses.
func (l Link) Present() (bool, error) {
	link, err := linkByName(l.Dev)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if link.Attrs().Flags&net.FlagUp == 0 || link.Attrs().MTU != l.MTU {
		return false, nil
	}
	var have []netlink.Addr
	err = retry(func() (err error) {
		have, err = netlink.AddrList(link, netlink.FAMILY_ALL)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("listing addresses of %s: %w", l.Dev, err)
	}
	for _, p := range l.Addresses {
		if !slices.ContainsFunc(have, func(a netlink.Addr) bool { return a.IPNet.String() == addrNet(p).String() }) {
			return false, nil
		}
	}
	return true, nil
}

// Remove takes the addresses from the interface and brings it down; there tells whether it exists.
func (l Link) Remove() (there bool, err error) {
	link, err := linkByName(l.Dev)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, p := range l.Addresses {
		if err := netlink.AddrDel(link, &netlink.Addr{IPNet: addrNet(p)}); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
			return true, fmt.Errorf("taking %s from %s: %w", p, l.Dev, err)
		}
	}
	return true, netlink.LinkSetDown(link)
}

// Uplinks lists where the host reaches the internet, and the prefixes that lie directly on its wires.
func Uplinks() (uplinks []Uplink, onLink []netip.Prefix, err error) {
	names := map[int]string{}
	for _, family := range families {
		err := retry(func() error {
			return netlink.RouteListFilteredIter(family, &netlink.Route{Table: Main}, netlink.RT_FILTER_TABLE, func(n netlink.Route) bool {
				dst := prefix(n.Dst, family)
				indexes := []int{n.LinkIndex}
				for _, hop := range n.MultiPath {
					indexes = append(indexes, hop.LinkIndex)
				}
				switch {
				case n.Type != unix.RTN_UNICAST || n.Protocol == Protocol:
				case dst.Bits() == 0:
					for _, i := range indexes {
						if u := (Uplink{nameOf(names, i), family == netlink.FAMILY_V6}); i != 0 && !slices.Contains(uplinks, u) {
							uplinks = append(uplinks, u)
						}
					}
				case n.Gw == nil && n.Via == nil && len(n.MultiPath) == 0:
					onLink = append(onLink, dst)
				}
				return true
			})
		})
		if err != nil {
			return nil, nil, fmt.Errorf("listing routes: %w", err)
		}
	}
	return uplinks, onLink, nil
}

// Get asks the kernel by which interface a packet with mark would leave for dst; dev is "" where it is unreachable.
func Get(dst netip.Addr, mark uint32) (dev string, err error) {
	routes, err := netlink.RouteGetWithOptions(dst.AsSlice(), &netlink.RouteGetOptions{Mark: mark})
	var no syscall.Errno
	if errors.As(err, &no) && (no == unix.ENETUNREACH || no == unix.EHOSTUNREACH || no == unix.EACCES || no == unix.EINVAL) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("asking for the route to %s: %w", dst, err)
	}
	for _, r := range routes {
		if r.Type == unix.RTN_UNREACHABLE || r.LinkIndex == 0 {
			continue
		}
		return nameOf(map[int]string{}, r.LinkIndex), nil
	}
	return "", nil
}

// retry asks again for a listing that changed meanwhile.
func retry(list func() error) (err error) {
	for range dumpTries {
		if err = list(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			return err
		}
	}
	return err
}

func linkByName(name string) (netlink.Link, error) {
	link, err := netlink.LinkByName(name)
	var missing netlink.LinkNotFoundError
	if errors.As(err, &missing) {
		return nil, fmt.Errorf("interface %s: %w", name, os.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("interface %s: %w", name, err)
	}
	return link, nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	p = p.Masked()
	return addrNet(p)
}

func addrNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func prefix(n *net.IPNet, family int) netip.Prefix {
	zero := netip.IPv4Unspecified()
	if family == netlink.FAMILY_V6 {
		zero = netip.IPv6Unspecified()
	}
	if n == nil {
		return netip.PrefixFrom(zero, 0)
	}
	a, ok := netip.AddrFromSlice(n.IP)
	bits, _ := n.Mask.Size()
	if !ok || family == netlink.FAMILY_V4 && !a.Unmap().Is4() {
		return netip.PrefixFrom(zero, 0)
	}
	if family == netlink.FAMILY_V4 {
		a = a.Unmap()
	}
	return netip.PrefixFrom(a, bits)
}
