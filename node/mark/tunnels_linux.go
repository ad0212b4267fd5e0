package mark

import (
	"strings"
	"syscall"
)

// Attributes of an interface (linux/if_link.h).
const (
	iflaName  = 3
	iflaAlias = 20
)

// Tunnels are the names of the interfaces that a VPN over the mesh has marked as its own. Their addresses are no place
// where a node is reached, and their coming and going is no change of place. Nil if the kernel does not tell.
func Tunnels() map[string]bool {
	rib, err := syscall.NetlinkRIB(syscall.RTM_GETLINK, syscall.AF_UNSPEC)
	if err != nil {
		return nil
	}
	messages, err := syscall.ParseNetlinkMessage(rib)
	if err != nil {
		return nil
	}
	ours := map[string]bool{}
	for i := range messages {
		if messages[i].Header.Type != syscall.RTM_NEWLINK {
			continue
		}
		attrs, err := syscall.ParseNetlinkRouteAttr(&messages[i])
		if err != nil {
			continue
		}
		var name, alias string
		for _, a := range attrs {
			switch a.Attr.Type {
			case iflaName:
				name = strings.TrimRight(string(a.Value), "\x00")
			case iflaAlias:
				alias = strings.TrimRight(string(a.Value), "\x00")
			}
		}
		if alias == TunnelAlias {
			ours[name] = true
		}
	}
	return ours
}
