// Package wire is the data plane's bytes: the records that cross a link, and the
// bounded reader and appender that every protocol of the mesh uses.
//
// A record on a link is
//
//	len:u24 │ AEAD( type:u8 │ route:u32 │ payload )
//
// big-endian. len counts the sealed bytes, tag included. The AEAD is AES-256-GCM under
// the link's key for that direction, the nonce a counter of records that both ends keep,
// the additional data the three bytes of len. The route number belongs to one link and one
// direction: it was picked for the receiver of the record. Type is one of the constants
// below, with flags in its upper bits. A record that does not open, is longer than MaxSealed
// or shorter than MinSealed ends the link. A record of unknown type, or on an unknown route, is dropped.
package wire

import "encoding/binary"

// RouteID numbers a route on one link and in one direction; 0 addresses the neighbour itself.
type RouteID uint32

// Lengths in bytes.
const (
	LenLen     = 3        // length prefix
	HeaderLen  = 1 + 4    // type and route, sealed
	TagLen     = 16       // AES-GCM
	MaxPayload = 65 << 10 // a 64 KiB VPN packet, or 64 KiB of stream, with its headers
	MinSealed  = HeaderLen + TagLen
	MaxSealed  = HeaderLen + MaxPayload + TagLen
	MaxRecord  = LenLen + MaxSealed
	Overhead   = LenLen + HeaderLen + TagLen
)

// Type says what a record carries. Append-only.
type Type uint8

// The record types.
const (
	Data      Type = 1  // end-to-end stream record; lossless
	Datagram  Type = 2  // end-to-end datagram; may be dropped under load
	Handshake Type = 3  // end-to-end handshake message
	RouteDown Type = 4  // the route broke further on; payload: u8 reason
	RouteBye  Type = 5  // an end closed the route; every hop forgets it
	LinkPing  Type = 6  // route 0: u64 opaque; answered by LinkPong
	LinkPong  Type = 7  // route 0: the same u64
	Control   Type = 8  // end-to-end control record: ACK, CREDIT, PING, RESET; lossless
	Join      Type = 9  // end-to-end: the first record on a further route of a session; lossless
	LinkCall  Type = 10 // route 0: the ends of a relayed link agree to punch; see package link

	TypeMask  = 0x3f
	Congested = 0x80 // CE: the record waited too long in some queue (RFC 3168's meaning)
	AckNow    = 0x40 // on Data: the sender wants to hear at once that it arrived
)

// ParseHeader reads type, flags and route of an opened record and returns its payload,
// which aliases b. b is at least HeaderLen long: the opener checked MinSealed.
func ParseHeader(b []byte) (t Type, flags uint8, route RouteID, payload []byte) {
	return Type(b[0] & TypeMask), b[0] &^ TypeMask, RouteID(binary.BigEndian.Uint32(b[1:5])), b[HeaderLen:]
}

// PutHeader writes type, flags and route to the first HeaderLen bytes of b.
func PutHeader(b []byte, t Type, flags uint8, route RouteID) {
	b[0] = byte(t) | flags
	binary.BigEndian.PutUint32(b[1:5], uint32(route))
}

// PutLen writes the length prefix of n sealed bytes; n is at most MaxSealed.
func PutLen(b []byte, n int) {
	b[0], b[1], b[2] = byte(n>>16), byte(n>>8), byte(n)
}

// Len reads the length prefix and tells whether it is within the limits.
func Len(b []byte) (n int, ok bool) {
	n = int(b[0])<<16 | int(b[1])<<8 | int(b[2])
	return n, n >= MinSealed && n <= MaxSealed
}
