// Package relay is what a node and a messenger say to each other: the protocol's bytes, and the node's end of it. A
// messenger passes bytes between keys that cannot reach each other, and keeps the records by which keys are found. The
// server is in messenger/relay and messenger/discovery.
//
//	c, err := relay.NewClient(relay.Config{Key: key, Messengers: addrs, Pins: pins, ...})
//	go c.Run(ctx)
//	nc, err := c.Dial(ctx, far.String())     // Client is a link.Carrier: the two ends run a link's handshake inside
//	rec, err := c.Lookup(ctx, far)
//
// What follows is enough to write the other end. Numbers are big-endian, lengths in bytes, key is 33 bytes of a
// compressed point, string and bytes are u16 length and contents, list is u16 count and elements.
//
// # Connection
//
// A TCP connection, a handshake of package secure of kind "messenger" (the messenger answers WHO), then records of package
// wire, sealed and counted as on a link of package link: records of route 0 are pings and their answers, which the client
// sends every 5 s, every second while it is busy; a messenger drops a client that was silent for 30 s. Records of other
// routes are of three types; others are dropped:
//
//	Data       bytes of a circuit     key | circuit:u32 | bytes, at most 64 KiB
//	Control    word of a circuit      key | circuit:u32 | kind:u8 | body
//	Handshake  request or answer      id:u32 | kind:u8 | body, on route 1
//
// # Circuits
//
// A circuit is an ordered stream of bytes between two keys. The messenger knows nothing of it: in each Data and Control
// record it replaces the key, which is that of the receiver, by that of the sender, picks a route number for the receiver's
// queue of that sender, and passes the record on. Route numbers of the client are its own choice; records
// of one route stay in order, and routes share the connection. The circuit's number is random, picked by who dials; its
// highest bit is set in what the other end sends. Words of a circuit:
//
//	1 open    credit:u32    wants a circuit, and takes so many bytes
//	2 accept  credit:u32    the answer
//	3 credit  offset:u64    takes bytes up to that offset of the stream; never decreases
//	4 reset   code:u8       it is over; of circuit 0 (or 1<<31): all circuits between the two keys are
//
// An end that gets more than it gave credit for, or bytes of a circuit that it does not know, answers reset. The messenger sends
// reset in the name of the other end: with code 2 when that key is not connected, with code 3 when its quota is spent, with
// code 4 to both ends when it dropped what waited for a slow reader. A Data record
// may have the flag wire.Congested: it waited; the receiver lets its window shrink.
// There is no end of one direction, and the end is not authenticated: what runs inside says goodbye itself.
//
// # Requests
//
// An answer repeats the id and has kind request|0x80; a failure has kind 255 and the body code:u16 | text:string. A client has at
// most 16 requests in flight; a messenger answers them in order, and with code 2 what is beyond its quotas. Kinds 64 and above come from the messenger, with id 0.
//
//	1 publish   record                                         -> (empty)
//	2 lookup    key                                            -> found:bool | record if found
//	3 find      type:string | list(attribute) | after:key? | limit:u8 -> next:key? | list(record)
//	4 watch     list(key)                                      -> (empty), and a changed for each record that is known
//	5 page      after:key?                                     -> next:key? | list(record)
//	6 follow    (empty)                                        -> (empty)
//	64 welcome  public:string | observed:string
//	65 changed  record
//
// Welcome comes first: under which HOST:PORT the messenger wants to be known ("" for the one that was dialed), and from
// which the client seems to come. Watch replaces what was watched before. Page and follow are for messengers that this one has as peers: page
// goes through all records in the order of keys, follow asks for every change. Records in a list come in the order of keys after
// "after" (33 zero bytes: from the first); next is where to go on, 33 zero bytes at the end; limit is 1 to 32. A find without a type finds any, and is for peers; attributes must all be there.
// A changed record may be older than one that the client has.
//
// # Records
//
//	record = key | seq:u64 | issued:time | expires:time | homes:list(key | address:string) | addrs:list(address:string) |
//	         services:list(type:string | name:string | port:u16) | attrs:list(name:string | value:string) | sig:65
//
// time is u64 milliseconds since 1970. The signature is that of package identity under the tag "skymesh/presence/1" over
// network:string and the fields before it. Of two records of one key the one with the higher seq holds. One that expires when it is
// issued takes the key's record back. It lives at most an hour. Homes are the messengers at which the key is connected.
package relay
