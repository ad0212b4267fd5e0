// Package session carries streams and datagrams between two nodes, encrypted from end to end, over one or two routes;
// it survives the death of any of them.
//
// # Handshake
//
// The end that asked for the first route, the initiator, sends the messages of package secure (Kind "session") as
// records of type Handshake, one message a record. The responder checks that message 3 came from the key the
// route was laid for, and confirms with a PING; nothing is sent on streams before that. The key of this route is
// the session's name from then on.
//
// From each direction's transport key three keys are derived by HKDF-SHA256 (RFC 5869, expand only): info
// "data", "control" and "datagram".
//
// # Records
//
//	Data, Control, Datagram: epoch:u16 number:u48 │ AEAD(...)      nonce = the eight bytes, no additional data
//	Join: name:16 │ a Control record
//
// Numbers count from 0 for each type and direction, through all epochs. A sender begins the next epoch after 2^24
// records, 64 GiB or an hour; its key is HKDF-SHA256 (expand) of the former, info "next epoch". A receiver takes the current
// epoch or the next, of Control and Datagram also the one before. A record keeps its number, its epoch and its bytes
// when it is sent again, so no nonce ever seals two things.
//
// Data and Control hold frames. Data records are taken strictly in order; one that was taken before is dropped unopened. Control
// records may overtake each other by 960 numbers, and get lost with a path; none is taken twice, and every frame in them is
// harmless when it comes late. A record that does not open was changed by a node on the way: that path is dropped.
// A Data record may carry the flag AckNow, which asks for an ACK at once; else that comes within 25 ms.
//
// A Datagram holds port:u16 from:u16 and up to 65,568 bytes. None is taken twice (a window of 65,472 numbers).
//
// # Frames, big-endian
//
//	in Data records
//	  OPEN      1  sid:u32 port:u16 credit:u32 len:u16 target  a new stream; sids grow, the initiator's are odd
//	  OPENED    2  sid:u32 credit:u32                           the far app confirmed it
//	  DATA      3  sid:u32 len:u16 bytes
//	  FIN       4  sid:u32                                      the sender has no more
//	in Control records
//	  ACK       16 records:u64 bytes:u64 marked:u64             Data records taken so far, their bytes (of payload), and
//	                                                            how many of these came with the flag Congested
//	  CREDIT    17 sid:u32 offset:u64                           bytes of the stream that may be sent, counted from its start
//	  PING      18 opaque:u64     PONG 19 opaque:u64            answered on the path that it came on
//	  RESET     20 sid:u32 code:u16                             the stream is over, both ways; repeated until RESET_ACK
//	  RESET_ACK 21 sid:u32
//	  RESUME    22 switch:u64 records:u64                       the sender uses this path, and has so many Data records
//	  JOIN      23 route:16 opaque:u64                          alone, in a record of type Join; answered by PONG
//	  CLOSE     24 code:u16                                     the session is over
//	  APART     25                                              from the initiator: the session is kept apart, see below
//
// An unknown frame, a frame that is cut short, data beyond a stream's credit, an ACK or RESUME of what was never sent, or an
// ACK whose bytes are not those of its records ends the session. Frames for a stream that is
// gone are ignored, since they may have crossed its RESET; an OPENED for one is answered by RESET. A RESET
// that overtakes its OPEN is remembered.
//
// # Paths
//
// A session has one path that it sends on, and where the network allows another one that stands by; a third for
// a moment when it moves. Only the initiator has routes laid. On a further route its first record is Join, with the session's name
// and a JOIN frame with the key of this route. The responder takes it if the node manager laid the route for the session's
// peer and the record opens, else it closes the route; where it has four already it gives up the one of those not in use that has been silent for longest.
// An initiator without a path takes the session for unknown there when two routes in a row are closed by the far end before they were answered,
// each sooner than a silent one is given up. A fresh route on which neither handshake nor Join comes within ten seconds is closed.
//
// An end moves to another path when the one in use ends, or is silent: nothing was heard of it for max(3 round trips, 1 s)
// and half of that after a PING. While there are streams, a PING goes out after half that silence; a path that
// stands by gets one every five seconds, all paths of a session without streams one every 30. The initiator also moves to a route
// that the node manager calls better, and to one that stands by and was twice as fast three times in a row.
//
// To move is to send RESUME on the new path, with a switch number higher than any heard, and then every Data record that is not
// acknowledged, as it was sealed, from the first one. So on each path the order is right. The other end goes along, with a RESUME
// of the same number, if the number is new to it, or equal to its own and it is the responder. Both repeat the
// credit of all streams and the resets not acknowledged. The receiver goes on taking from the old path
// until the new one brings the next record. A record that comes too early is answered by a RESUME on its path, ten
// times a second at most.
//
// Without any path a session that has streams, or datagrams in the last ten seconds, lives for a minute (another one ends at once at the initiator,
// after five seconds at the responder): its streams stand still, the initiator asks for routes, from
// 50 ms on with doubling pauses, and keeps away from the nodes of a silent route for 30 s; where there is no other way, it tries what fell
// silent first, since that may have healed. When the far node closes two such routes at
// once in a row, it knows the session no more, and the session is over. A path that fell silent without another at hand stays
// in use, since it may come back. A route that ends with goodbye but without CLOSE is only a path less.
//
// # Sessions apart
//
// Two nodes have one session for all that asks nothing of its routes, begun by either, and one more for each set of Terms that apps
// or the node itself ask for. All routes of such a session meet its terms, those that stand by and those that come later included, and
// nothing else leaves on it here. Its initiator says APART before anything else, in a record with a PING, and waits for the PONG. The
// responder then uses it for answers only: on streams that came with it, and for datagrams to a port of the initiator from which the
// last datagram came on it. When it ends, such datagrams go nowhere until the port speaks again: the initiator lays the next one. A datagram from
// a port beyond the 256 that a session answers to, or the 16,384 of all, is dropped.
//
// # Windows
//
// CREDIT is granted as the app reads, so a lazy stream stops only itself. The session's window bounds the
// bytes in flight, freed when the far session receives, so that relays and what the sender retains stay bounded whatever
// the apps do; streams that wait for it are served in turn, one span of 64 KiB each. It begins with 256 KiB, after a move with 64 KiB,
// doubles each round trip until the first mark of congestion and then follows the marks as DCTCP does (RFC 8257),
// between 64 KiB and 1 MiB and what the path delivers in four of its least round trips of late: more would only wait in queues. It never
// exceeds 4 MiB, or a share of 8 MiB where many sessions have streams.
package session
