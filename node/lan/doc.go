// Package lan finds the nodes of the same mesh on the same network segment: each says now and then, by multicast, who it is and at which
// port it takes links.
//
//	err := lan.Run(ctx, lan.Config{Family: lan.IPv4, Key: key, Mesh: mesh, Port: port, Heard: heard})
//
// An announcement is one datagram to 239.255.83.77 or ff15::534c:4d, port 7983, that no router passes on, of 124 bytes, numbers big-endian:
//
//	"skylan/1" ‖ mesh[8] ‖ key[33] ‖ port:u16 ‖ time:u64 ‖ signature[65]
//
// mesh tells whose network it is, so that others need not verify it; time is milliseconds since 1970. The signature is that of package
// identity under the tag "skymesh/lan/1" over all that comes before it. The address is that from which the datagram came; it is not signed, and whoever
// sends another's announcement before it is heard has strangers dial a node that does not hold the key; later ones are nothing new. One of IPv6 that came from a link-local address has
// the interface as its zone.
package lan
