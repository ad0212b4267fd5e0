package hostnet

import (
	"fmt"
	"os"
	"strconv"
	"strings"

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

// MayMark tells whether the process pid, a node, may put the mesh's mark on its sockets, without which a full tunnel
// would swallow the links that carry it; nil if it may. A node that may does, always.
func MayMark(pid int) error {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return fmt.Errorf("asking for the node's rights: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		text, ok := strings.CutPrefix(line, "CapEff:")
		if !ok {
			continue
		}
		caps, err := strconv.ParseUint(strings.TrimSpace(text), 16, 64)
		if err == nil && caps&(1<<unix.CAP_NET_ADMIN|1<<unix.CAP_NET_RAW) != 0 {
			return nil
		}
	}
	return fmt.Errorf("the node (pid %d) may not mark its connections, so a tunnel would swallow the links that carry it: start the node as root, "+
		"or give it the right CAP_NET_RAW or CAP_NET_ADMIN (setcap cap_net_admin,cap_net_raw+ep FILE, or AmbientCapabilities of its service): %w", pid, unix.EPERM)
}
