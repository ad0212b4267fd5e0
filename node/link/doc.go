// Package link keeps a node's neighbours: one encrypted record pipe to each.
//
// A link is an ordered, reliable stream of the records of package wire over some
// [Carrier] (TCP here), after the handshake of package secure. Both ends count
// records; after 2^24 of them in one direction both derive the next key. Records of route 0 are
// the link's own: a ping every 5 s measures the round trip, and a neighbour
// that sent nothing for 16 s is gone.
//
// [Neighbours] dials configured peers, with backoff, and those the node was told of, accepts
// what comes in, and keeps one link a neighbour: when both ends dialed at once, the one that
// the lower key dialed stays, and both ends know that without a word.
//
// What flows over links is not this package's business: a [Receiver] gets each record
// in place in the reader's buffer, and [Link.Send] takes records to go out.
package link
