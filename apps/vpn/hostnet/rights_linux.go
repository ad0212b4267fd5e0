package hostnet

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Rights tells which right this process lacks to change the host's network, and how to give it; nil if none.
func Rights() error {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&hdr, &data[0]); err != nil {
		return fmt.Errorf("asking for our rights: %w", err)
	}
	if data[0].Effective&(1<<unix.CAP_NET_ADMIN) == 0 {
		return fmt.Errorf("a VPN changes routes and the firewall of this host, and this process lacks the right CAP_NET_ADMIN: "+
			"start it as root, or give the right to the program (setcap cap_net_admin+ep FILE) or to the service "+
			"(AmbientCapabilities=CAP_NET_ADMIN): %w", unix.EPERM)
	}
	return nil
}
