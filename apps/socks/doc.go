// Package socks carries the TCP connections of people's programs across the mesh.
//
// [Client] listens for SOCKS5 (RFC 1928, RFC 1929) and turns each CONNECT into one mesh
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
// BIND and UDP ASSOCIATE are answered with "command not supported".
//
// The package knows the mesh through [Dialer], [Stream] and [Incoming] only; a Conn of
// node/app is a Stream and an Incoming as it stands.
package socks
