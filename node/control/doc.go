// Package control is what nodes, the node manager and the app tracker say to each
// other: the protocol's bytes, and the client ends of manager and tracker. The
// servers are in nodemanager.
//
//	c, err := control.NewClient(control.ClientConfig{Manager: addr, Key: key, ...})
//	go c.Run(ctx)
//	route, err := c.Route(ctx, control.RouteRequest{Dst: far})
//
// # Transport
//
// Messages travel on one connection of node/secure, of kind "control" between a
// node and its manager and of kind "tracker" between a manager (or anybody) and
// the tracker. One message of the pipe is
//
//	version:u8 = 1 | type:u8 | id:u32 | body
//
// big-endian, at most 64 KiB. Both ends send requests (type 1 to 126) and answer
// them; each end numbers its own requests, any number that no request of its own
// in flight has. An answer repeats the id and has type request|0x80; a failure has
// type 255 and the body code:u16 | text. An answer nobody waits for is dropped. An
// unknown request type is answered with code 1 (bad request); a body with fields
// beyond their limits or bytes left over likewise. Another version, type 0, 127 or
// 128 to 254 without its request's meaning, or a message shorter than its header
// ends the connection.
//
// An end has at most 64 requests in flight and waits with more. One that gets more than it
// takes answers code 4 (busy); one that gets more and more while its answers are not read
// ends the connection. A request is given up after 10 s, at both ends.
//
// Fields: string and bytes are u16 length and contents; key is 33 bytes of a
// compressed point (an optional key may be 33 zero bytes); sig is 65 bytes; time is
// u64 milliseconds since 1970 (0: none); list is u16 count and elements. Text is
// UTF-8 of at most 256 bytes and only for people.
//
// # Requests of a node to its manager
//
//	1 register    instance:16 | node-record             -> ask:bool
//	2 report      node-record | list(link)              -> ask:bool
//	3 route       dst:key | min:u8 | max:u8 | via, avoid, beside, instead: 4 list(key)
//	                                                    -> route
//	4 close       route:16                              -> (empty)
//	5 name        string                                -> key
//	6 address     string                                -> key
//	7 app         app-record                            -> (empty)
//	8 app-bye     app-removal                           -> (empty)
//	9 apps        name:string | type:string | key?      -> list(app-record)
//	10 member     key                                   -> (empty)
//	11 keep       list(route:16)                        -> list(route:16)
//	12 recall     route                                 -> (empty)
//	13 node-name  key                                   -> string
//
// Register comes first and once; until it is answered every other request is
// refused. Instance is random per process: another one tells the manager that the
// rules of the former process are gone. The record's key is the connection's key.
// Report replaces all links reported before and refreshes the record; it is sent
// when links change and every 20 s, and doubles as the sign of life: the manager
// drops a connection silent for 90 s. Ask true in an answer means that not everybody may be in this
// network: a node asks "member" before it links to a key that it did not choose and was not named.
//
// Route: of the paths that meet min, max, via (in that order) and avoid, the one that shares the
// fewest nodes, then links, with the path "beside", and of these the cheapest. With "instead" the
// answer is code 18 unless that path is gone, breaks the conditions, or costs so much that the new
// one costs at most 70 % of it. The text of a refusal names the condition that cannot be met.
//
// Node-name is what a live node is called, without the domain; an empty string is a node without a name. It is for people.
//
// Keep says every 20 s which routes that begin here are in use, at most 512; the answer is those of
// them that the manager does not know, and for each of these the node sends a recall: the route as
// a manager of this key signed it. What its source does not keep for 90 s the manager takes back.
//
// # Requests of the manager to a node
//
//	16 install     hop                                   -> (empty)
//	17 remove      route:16                              -> (empty)
//	18 neighbours  list(key | list(address))             -> (empty)
//	19 reroute     route:16 | reason:u8                  -> (empty)
//
// A node carries them out in the order of arrival. Install is refused unless the
// hop's signature is the manager's and the hop's node is the receiver; code 10
// (collision) asks for other route numbers. Reroute is a hint to the source of a route that a link of
// it is gone (reason 1) or that another path costs at most half by now (2); others may be added. It
// comes at most every 10 s for one route; the source asks for a route "instead" when it likes.
//
// # Requests to the tracker
//
// 7, 8 and 9, as above. A manager passes on what its nodes send; signatures, not the
// connection, say whose a record is.
//
// # Signed bodies
//
// Every signature is node/identity's, over network:string followed by the fields
// without the signature, under the tag named here:
//
//	node-record  "skymesh/node/1"     key | name:string | list(address:string) | connect:bool | seq:u64 | issued:time | expires:time | sig
//	app-record   "skymesh/app/1"      name:string | type:string | node:key | port:u16 | issued:time | expires:time | sig
//	app-removal  "skymesh/app-bye/1"  name:string | node:key | issued:time | sig
//	hop          "skymesh/hop/1"      route:16 | node:key | src:key | dst:key | prev:key? | next:key? |
//	                                  prev-in:u32 | prev-out:u32 | next-in:u32 | next-out:u32 | idle:u32 ms | issued:time | sig
//	route        "skymesh/route/1"    route:16 | list(key) | issued:time | sig
//	link         (not signed apart)   peer:key | rtt:u32 us | jitter:u32 us | loss:u32 per million | capacity:u64 bytes/s | up:time | sent:u64 | received:u64 | carrier:string
//
// The clocks of both ends may differ by [MaxSkew].
package control
