package firewall

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

// Replace puts the table into the kernel in place of the one of that name, at once and whole. members fill its sets
// by name.
func (t Table) Replace(members map[string][]netip.Addr) error {
	c := &nftables.Conn{}
	nt := t.handle()
	c.AddTable(nt) // so that the deletion finds one
	c.DelTable(nt)
	c.AddTable(nt)
	for i, s := range t.Sets {
		if err := c.AddSet(s.handle(nt, uint32(i+1)), elements(members[s.Name])); err != nil {
			return fmt.Errorf("firewall table %s: set %s: %w", t.Name, s.Name, err)
		}
	}
	for _, ch := range t.Chains {
		policy := nftables.ChainPolicyAccept
		nc := c.AddChain(&nftables.Chain{Name: ch.Name, Table: nt, Type: nftables.ChainType(ch.Type), Policy: &policy,
			Hooknum: ch.Hook.number(), Priority: nftables.ChainPriorityRef(nftables.ChainPriority(ch.Priority))})
		for _, r := range ch.Rules {
			c.AddRule(&nftables.Rule{Table: nt, Chain: nc, Exprs: r.compile()})
		}
	}
	if err := c.Flush(); err != nil {
		return fmt.Errorf("firewall table %s: %w", t.Name, err)
	}
	return nil
}

// Present tells whether the kernel has the table with as many rules in each chain as t has.
func (t Table) Present() (bool, error) {
	there, err := Exists(t.Name)
	if err != nil || !there {
		return false, err
	}
	c := &nftables.Conn{}
	for _, ch := range t.Chains {
		rules, err := c.GetRules(t.handle(), &nftables.Chain{Name: ch.Name, Table: t.handle()})
		if err != nil || len(rules) != len(ch.Rules) {
			return false, nil // a chain that is gone answers an error
		}
	}
	return true, nil
}

// Allow puts addresses into a set of the table; Deny takes them out.
func (t Table) Allow(s Set, addrs []netip.Addr) error {
	c := &nftables.Conn{}
	if err := c.SetAddElements(s.handle(t.handle(), 0), elements(addrs)); err != nil {
		return fmt.Errorf("firewall set %s: %w", s.Name, err)
	}
	return flush(c, "adding to", s.Name, unix.EEXIST)
}

// Deny takes addresses out of a set of the table; those that are not in are no error.
func (t Table) Deny(s Set, addrs []netip.Addr) error {
	for _, a := range addrs { // one by one: one that is not in would undo the others
		c := &nftables.Conn{}
		if err := c.SetDeleteElements(s.handle(t.handle(), 0), elements([]netip.Addr{a})); err != nil {
			return fmt.Errorf("firewall set %s: %w", s.Name, err)
		}
		if err := flush(c, "taking from", s.Name, unix.ENOENT); err != nil {
			return err
		}
	}
	return nil
}

func flush(c *nftables.Conn, act, set string, fine error) error {
	if err := c.Flush(); err != nil && !errors.Is(err, fine) {
		return fmt.Errorf("%s firewall set %s: %w", act, set, err)
	}
	return nil
}

// Remove deletes a table by name; there tells whether it existed.
func Remove(name string) (there bool, err error) {
	if there, err = Exists(name); err != nil || !there {
		return there, err
	}
	c := &nftables.Conn{}
	c.DelTable(Table{Name: name}.handle())
	if err := c.Flush(); err != nil && !errors.Is(err, unix.ENOENT) {
		return true, fmt.Errorf("removing firewall table %s: %w", name, err)
	}
	return true, nil
}

// Exists tells whether there is a table of that name.
func Exists(name string) (bool, error) {
	names, err := Names(name)
	for _, n := range names {
		if n == name {
			return true, err
		}
	}
	return false, err
}

// Names lists the tables whose name begins with prefix.
func Names(prefix string) (names []string, err error) {
	tables, err := (&nftables.Conn{}).ListTablesOfFamily(nftables.TableFamilyINet)
	if err != nil {
		return nil, fmt.Errorf("listing firewall tables: %w", err)
	}
	for _, t := range tables {
		if strings.HasPrefix(t.Name, prefix) {
			names = append(names, t.Name)
		}
	}
	return names, nil
}

func (t Table) handle() *nftables.Table {
	return &nftables.Table{Name: t.Name, Family: nftables.TableFamilyINet}
}

func (s Set) handle(t *nftables.Table, id uint32) *nftables.Set {
	kind := nftables.TypeIPAddr
	if s.V6 {
		kind = nftables.TypeIP6Addr
	}
	return &nftables.Set{Table: t, ID: id, Name: s.Name, KeyType: kind, Dynamic: s.Dynamic, Size: s.Size,
		HasTimeout: s.Timeout > 0, Timeout: s.Timeout}
}

func elements(addrs []netip.Addr) (list []nftables.SetElement) {
	for _, a := range addrs {
		list = append(list, nftables.SetElement{Key: a.AsSlice()})
	}
	return list
}

func (h Hook) number() *nftables.ChainHook {
	switch h {
	case Prerouting:
		return nftables.ChainHookPrerouting
	case Input:
		return nftables.ChainHookInput
	case Forward:
		return nftables.ChainHookForward
	case Output:
		return nftables.ChainHookOutput
	case Postrouting:
		return nftables.ChainHookPostrouting
	default:
		panic("firewall: hook " + string(h))
	}
}
