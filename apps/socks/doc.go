// Package socks carries the TCP connections and UDP datagrams of people's programs across the mesh.
//
// [Client] is the proxy beside the programs: SOCKS5 (RFC 1928, RFC 1929) with CONNECT, UDP ASSOCIATE and BIND, SOCKS 4 and 4a, and
// HTTP with CONNECT and with requests of whole URLs; a connection's first byte tells which. It turns each CONNECT into one mesh
// stream that is opened with the target's text; [Server] is the exit: it accepts such
// streams, applies a [Policy], resolves, dials and pipes.
//
//	program ── SOCKS5 ──► Client ── OPEN{target, early data} ──► mesh ──► Server ── TCP ──► target
//	program ◄── reply ─── Client ◄──── confirmed or reason ───── mesh ◄── Server
//
// SOCKS is parsed at the client, so a connection costs one mesh round trip. Names are
// never resolved at the client. The target's text is NAME:PORT, IPV4:PORT or [IPV6]:PORT,
// see [ParseTarget]. Bytes, half closes and resets pass both ways: a stream or connection
// that broke ends as a reset on the other side too, so that a truncated download is never
// mistaken for a complete one.
//
// A target whose name ends in .mesh is an app on the mesh, see [ParseMesh]; the Dialer reaches it without an exit.
//
// # Errands
//
// Two other texts ask an exit for something else:
//
//	udp/PORT     a UDP association; PORT is the mesh port from which the client sends its datagrams. After it confirmed, the exit
//	             says port:u16, the mesh port that takes them, and association:u64. Nothing else is said on the stream; the association
//	             ends with it. A datagram between them, either way, is association:u64 │ place │ data; the exit takes those
//	             only that come from the key that opened the stream, the client those of the exit.
//	bind/TARGET  BIND: one connection from the target's host to the exit. After it confirmed, the exit says place, where it listens, and
//	             when the connection is there place, where it came from; the connection's bytes follow. Before that
//	             the opener says nothing.
//
//	place = ATYP:u8 ADDR PORT:u16, as RFC 1928 has it; from an exit always an address
//
// The package knows the mesh through [Dialer], [Stream], [Incoming] and [Packets] only; a Conn of
// node/app is a Stream and an Incoming as it stands.
package socks
