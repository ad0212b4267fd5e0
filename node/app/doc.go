// Package app lets a program use the mesh through the node on its host: dial an app by its node's key and
// port, listen on a port, and find apps by name or type.
//
//	c, err := app.Connect("127.0.0.1:19000")
//	ln, err := c.Listen(ctx, app.ListenOptions{Port: 7, Name: "echo", Type: "echo"})
//	conn, err := ln.Accept(ctx)       // conn.Peer() is a proven key
//	err = conn.Confirm()              // or conn.Reject(app.CodeDenied)
//
//	conn, err := c.Dial(ctx, key, 7, app.DialOptions{Target: "anything the far app understands"})
//
// What the routes of a program must meet, whatever else the node's sessions do, is said with [Client.Over] or in
// [DialOptions]: it holds while a stream, a [PacketConn] or a [Tun] lives, also after a route has died or a shorter one appeared,
// or it is refused with the reason.
//
// What the standard library serves and dials works over the mesh as it is: [Listener.Net] is a net.Listener,
// [Client.DialContext] a dial function for "KEY:PORT" and "NAME:PORT", a [Conn] a net.Conn, a [PacketConn] a
// net.PacketConn.
//
// # The protocol
//
// One connection per stream and per listener, unless the node carries a program's streams (see CARRY), to the abstract Unix socket "viscript/app/PORT" of the
// network namespace, or to 127.0.0.1:PORT. Each end checks by the kernel's word that the other runs as
// the same user, before it reads a byte. Frames are
//
//	type:u8 │ len:u24 │ body           body ≤ 64 KiB, big-endian
//
// The program speaks first, with one request; every request begins with the version, u8 = 1:
//
//	DIAL    1  version key:33 port:u16 len:u16 target first…     answered by OK (the far app confirmed) or ERR
//	LISTEN  2  version port:u16 (0: any) len:u16 name len:u16 type   answered by OK port:u16, then INCOMING…; or ERR, also later
//	ACCEPT  3  version id:u64                                    answered by OK or ERR; the stream follows
//	FIND    4  version len:u16 name len:u16 type key:33 or zeros     answered by APPS
//	INFO    5  version                                           answered by NODE
//	RESOLVE 6  version len:u16 name                              answered by NODE
//	LISTENPACKET 7 version port:u16 (0: any)                     answered by OK key:33 port:u16, ours, or ERR; then DATAGRAM both ways
//	TUNNEL  8  version port:u16 (0: any) offload:u8              with a descriptor of a TUN; answered by OK key:33 port:u16 or ERR, see below
//	OVER    9  version min:u8 max:u8 n:u8 { key:33 } n:u8 { key:33 }   before DIAL, LISTENPACKET, TUNNEL or CARRY: see below
//	CARRY   10  version                                          answered by OK or ERR, see below
//	LISTENCARRY 11 as LISTEN                                     the same, for streams that the node may carry: see below
//	OK      16 …     ERR 17  code:u16 len:u16 text
//	APPS    18 n:u16 { len:u16 name len:u16 type key:33 port:u16 }      NODE 19 key:33 len:u16 name n:u16 { port:u16 }
//	DATA    32 bytes    FIN 33    RESET 34 code:u16    CONFIRM 35       on a stream, both ways
//	BEGIN   36                                                   the program takes what arrives from now on; before it the node sends no DATA
//	COUNT   37  up:u64 down:u64 code:u16 = 0     DONE 38 the same    of a descriptor, see below
//	DATAGRAM 49 key:33 port:u16 bytes                            after LISTENPACKET: to, or from, an app's port; at most 65501 bytes
//	INCOMING 48 id:u64 key:33 len:u16 target                     to a listener, which answers on a new connection with ACCEPT
//
// OVER says what the routes of the request after it must meet, on the same connection, and of a CARRY all its streams. Its fields are
// the least and the most links (0: any), the nodes to pass, in this order, and those to avoid, ascending; package route has
// the limits. It is not answered by itself; what cannot be met is the request's ERR.
//
// After TUNNEL, which works over the Unix socket only, the node moves packets between the TUN and the datagrams of that port
// (package tunnel) until the connection ends. The program says of whom and what, and each of these is answered by TUNNELDONE or ERR,
// TUNNELASK by its counters, the last of which say more = 0; an ERR that nothing asked for is the end.
//
//	TUNNELRULES  50 n:u16 { prefix } n:u16 { prefix }            welcome, refused      prefix: bits:u8 len:u16 (4 or 16) address
//	TUNNELPEER   51 key:33 port:u16 rate:u64 n:u16 { prefix }    no prefix: it is removed
//	TUNNELDONE   52
//	TUNNELASK    53
//	TUNNELCOUNTS 54 more:u8 4 x u64 n:u16 { key:33 port:u16 8 x u64 }
//
// CARRY and LISTENCARRY, over the Unix socket only, begin a connection that stands for many streams whose bytes the node moves itself
// between the mesh and TCP sockets, half closes and resets included; none of them has a connection of its own. After CARRY the program
// dials with CARRYDIAL, under a number of its choice that no other stream of the connection has, never 0. After LISTENCARRY every INCOMING has
// an id, and the program answers it with CARRYON on the same connection, refuses it with CARRYEND, or takes it as a stream
// with ACCEPT on a new one, within a minute.
//
//	CARRYDIAL  55 id:u64 len:u16 hello  DIAL's body              with a socket: dial, write hello to it when the far app has confirmed, carry
//	CARRYON    56 id:u64                                         with a socket: confirm INCOMING id, carry
//	CARRYEND   57 id:u64 code:u16                                break the stream, or refuse it
//	CARRYING   58 id:u64                                         from the node: confirmed; or it goes without, if that cannot be, to
//	CARRYCOUNT 59 id:u64 up:u64 down:u64 code:u16 = 0            bytes moved so far to the mesh and from it, now and then
//	CARRYDONE  60 id:u64 up:u64 down:u64 code:u16 len:u16 text   it is over: code 0 when both directions came to their end. Without
//	                                                             CARRYING before it nothing was written to the socket
//
// The node tells these things within 10 ms and not each by itself; what went wrong, at once. A number that is not, or no more, is
// ignored. A frame without its descriptor, because the node has as many as it may, is answered by CARRYDONE with the code of
// being busy. When the connection ends, so do all of its streams. A node that is older than these requests answers them with ERR,
// and the SDK does without.
//
// An INCOMING with an id is else answered on a new connection, with ACCEPT. On the Unix socket its id is 0 and the
// connection for the stream comes along as a descriptor (SCM_RIGHTS): it begins where an accepted one stands after OK.
//
// The program of an accepted stream sends CONFIRM, or RESET with a code, before anything else. A connection
// that ends without FIN or RESET is a RESET.
//
// On the Unix socket a BEGIN may carry one descriptor of a connected TCP socket (SCM_RIGHTS). The node then
// moves the stream's bytes between the mesh and that socket itself, half closes and resets included, which spares both
// the copies through this one. It says COUNT now and then and DONE, with a code unless both directions
// came to their end, at last; the program says nothing more, and breaks the stream by hanging up.
package app
