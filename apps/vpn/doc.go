// Package vpn carries a host's IP packets over the mesh to an exit, which sends them on.
//
//	host ── TUN ── client's node ══ mesh ══ server's node ── TUN ── server's host ── NAT ──► internet
//
// A [Client] keeps a control stream to one [Server]: it asks for addresses there, and hears when something changes. The packets
// travel beside it as datagrams of the same session, in the frames of node/packet, moved by the two nodes (node/tunnel), which are
// given the TUNs for that. What either host's routes, firewall and resolvers need is the caller's: package hostnet.
//
// # The control stream
//
// The client opens a stream to the server's port with the target "vpn/1". Messages are, big-endian,
//
//	type:u8 │ len:u16 │ body           body ≤ 4 KiB
//
//	HELLO   1  version:u8 offload:u8 families:u8 port:u16 proof:32       families: 1 IPv4, 2 IPv6; port: of the client's datagrams
//	WELCOME 2  version:u8 offload:u8 port:u16 mtu:u16 keepalive:u16 n:u16 { prefix } n:u16 { address } n:u16 { address } n:u16 { prefix }
//	           the client's addresses; the server's in the tunnel; resolvers; what is reached through it, nothing named: everything
//	REFUSAL 3  code:u8 len:u16 text                                      in place of WELCOME
//	PING    4  u64     PONG 5  the same                                  every keepalive seconds, from the client
//	BYE     6  code:u8 len:u16 text                                      either end
//
//	prefix: bits:u8 len:u16 address    address: len:u16 and 4 or 16 bytes
//
// Bytes after those known in HELLO, WELCOME, REFUSAL and BYE, and messages of unknown type, are ignored: they belong to later
// versions. offload is a packet.Offload: what that end's TUN takes unfinished; a frame that needs more is dropped by who gets it, so both ends
// send what both take. A HELLO on a stream that is up renews: it is answered by the WELCOME that holds now. A WELCOME that nobody asked
// for tells the client to begin anew.
//
// A client's addresses are pinned to its node's key, which the session has proven: IPv4 by a list that the server keeps, IPv6 by
// a hash of the key. One node has one client at a time; the newest has the place. A server hears of a client at least every
// minute or forgets it, its addresses excepted.
//
// proof is HMAC-SHA256(K, "client" ‖ client's key) with K = PBKDF2-HMAC-SHA256(passcode, "viscript vpn passcode 1" ‖ server's key, 200,000
// rounds), or zeros without a passcode. It is of use at that server only.
//
// # What the ends believe of each other
//
// The server drops packets from other sources than the client's addresses, and those for other clients unless that is allowed. The client
// drops packets that are not for its addresses. Both drop what node/packet refuses. A client calls itself connected once an echo
// has come back through both TUNs, and looks again every half minute and when the network has changed.
package vpn
