// Package link keeps a node's neighbours: one encrypted record pipe to each.
//
// A link is an ordered, reliable stream of the records of package wire over some
// [Carrier] (TCP here; [Several] chooses by the address), after the handshake of package secure. Both ends count
// records; after 2^24 of them in one direction both derive the next key. Records of route 0 are
// the link's own.
//
// # Sending
//
// While the socket takes it, whoever sends seals and writes by himself ([Link.Send]). What does not
// fit is copied to the queue of its route, and one goroutine serves the queues:
//
//	link's own records ─────────────────────────────────────► first: pings, RouteDown, RouteBye
//	each route ┬ Control, Handshake, Join  (at most 256 KiB) ► next, up to a quantum ahead of the route's turns
//	           ├ Data                      (at most 8 MiB)   ► in turn, 32 KiB a route; marked after 5 ms
//	           └ Datagram                  (at most 1 MiB)   ► sharing the route's turns by bytes; dropped as RFC 8289 says
//
// Nothing but datagrams is dropped while its route lives. A route that meets a cap is dead: its
// sender is told and tears it down. All routes of one key ([Link.Announce]) may hold 32 MiB, all of a link 64 MiB (and
// a quarter of that in datagrams); beyond it the longest queue of the key that holds most has to go.
//
// # Watching
//
// A link whose routes are in use is pinged every second, and is dead when nothing came for three seconds (or round trips)
// after a ping; an idle one is pinged every 5 s and known dead within 10 s. Pings measure round trip and jitter; on Linux TCP
// tells loss and capacity, and the congestion control is BBR where the shortest round trip is over 1 ms, and only there. When this
// host's addresses change or it wakes from sleep, links whose address is gone close at once, the others have to answer
// within 1.5 s (or three round trips), and missing ones are dialed at once. Time in which this process stood still is not the neighbour's
// silence.
//
// # Neighbours
//
// [Neighbours] dials configured peers, with backoff, and those the node was told of, accepts
// what comes in, and keeps one link a neighbour: when both ends dialed within three seconds, the one that
// the lower key dialed stays, and both ends know that without a word; otherwise the newer one stays.
//
// # Punching
//
// Beside a link by Config.Relay the two ends agree, by records LinkCall of that link, to open a direct way ([Puncher]); call.go has the bytes.
// The one that dialed the relayed link calls, and the one with the lower key dials the direct one.
//
// What strangers can cost: 1024 half-open connections of about 20 KiB, of them 128 from one IPv4 /24 or IPv6
// /56 (see secure.Guard); 1024 links, which hold a few KiB each while nothing crosses them.
//
// What flows over links is not this package's business: a [Receiver] gets each record
// in place in the reader's buffer, and [Link.Send] takes records to go out.
package link
