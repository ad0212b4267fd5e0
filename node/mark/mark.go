// Package mark puts the mesh's mark on sockets: the number by which a host's routing rules and firewall tell the
// mesh's own traffic, which must leave by the host's uplink, from traffic that a VPN over the mesh takes into its
// tunnel. Without it the VPN would carry the links that carry the VPN.
//
// Every socket of a node that leaves this host gets it, whether a VPN runs or not: a VPN may start later than the
// node, and in another process. It changes nothing as long as no rule asks for it. The kernel lets a process set it
// that has CAP_NET_ADMIN, or CAP_NET_RAW since Linux 5.17; for others [Control] does nothing, and a VPN client with a
// full tunnel refuses to start beside such a node. Sockets that a marked listener accepts have the mark too.
package mark

// Mesh is SO_MARK of the mesh's sockets. It shares no bit with the marks of Kubernetes (0x4000, 0x8000) and
// Tailscale (0xff0000).
const Mesh = 0x76000073

// TunnelAlias is the alias (ip link set alias) of the TUN interfaces of VPNs over the mesh.
const TunnelAlias = "viscript vpn over the mesh"
