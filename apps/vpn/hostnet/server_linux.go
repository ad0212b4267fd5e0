package hostnet

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/skycoin/viscript/apps/vpn/hostnet/firewall"
)

// maxMembers bounds the addresses of clients.
const maxMembers = 65535

// AddClient admits packets with the source a from the tunnel. Before Server, and again, it is no error.
func (h *Host) AddClient(a netip.Addr) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	set := setsOf(a.Is6()).clients
	list := h.members[set.Name]
	switch {
	case !a.IsValid() || a.Is4In6() || a.Zone() != "":
		return fmt.Errorf("hostnet: client address %s", a)
	case slices.Contains(list, a):
		return nil
	case len(list) >= maxMembers:
		return errors.New("hostnet: too many clients")
	}
	if h.members == nil {
		h.members = map[string][]netip.Addr{}
	}
	h.members[set.Name] = append(list, a)
	if t, ok := h.tableLocked(); ok {
		return t.Allow(set, []netip.Addr{a})
	}
	return nil
}

// RemoveClient takes a client's address back; one that is not admitted is no error.
func (h *Host) RemoveClient(a netip.Addr) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	set := setsOf(a.Is6()).clients
	list := h.members[set.Name]
	i := slices.Index(list, a)
	if i < 0 {
		return nil
	}
	h.members[set.Name] = slices.Delete(list, i, i+1)
	if t, ok := h.tableLocked(); ok {
		return t.Deny(set, []netip.Addr{a})
	}
	return nil
}

// tableLocked is the firewall table, if it is in force.
func (h *Host) tableLocked() (firewall.Table, bool) {
	if h.planner == nil {
		return firewall.Table{}, false
	}
	for _, s := range h.done {
		if s.Table != nil && len(s.Table.full.Chains) > 0 {
			return s.Table.full, true
		}
	}
	return firewall.Table{}, false
}
