// Package secure makes authenticated, encrypted channels between two Skycoin keys: the
// handshake as a state machine without I/O, the sealing of records, and thin connections
// for protocols of small messages. It knows nothing of routes, links or managers, and
// there is no plaintext mode, no negotiation and no fallback.
//
//	nc, _ := net.Dial("tcp", addr)
//	r, err := secure.Dial(ctx, nc, secure.Config{Local: key, Kind: secure.KindControl}, remote)
//	c := secure.NewConn(nc, r)
//	c.WriteMsg([]byte("hello"))
//	answer, err := c.ReadMsg()
//
// What follows is enough to write the other end. Numbers are big-endian, lengths in bytes,
// ‖ joins.
//
// # Handshake
//
// The protocol is Noise_XKpsk3_secp256k1_AESGCM_SHA256 (Noise specification, revision 34).
// secp256k1 as a DH function: public keys are compressed points, 33 bytes; DH returns
// SHA256(compressed shared point), 32 bytes, as in Lightning's BOLT 8. The responder's
// static key is known to the initiator beforehand. The prologue is four fields, each a u16
// length and its bytes:
//
//	"skymesh/1"  kind  network  binding
//
// kind is one of the Kind constants; network is the mesh's id, empty unless the user names
// one; binding is a value of the carrier below (a TLS exporter), empty on TCP. The psk is
// the shared secret of an ML-KEM-768 exchange (FIPS 203) inside the handshake, so the
// transport keys stand if either problem stands:
//
//	message 1 →  e[33] ‖ AEAD(encapsulation key[1184])[1200] ‖ mac1[16]    1249
//	message 2 ←  e[33] ‖ AEAD(ciphertext[1088])[1104]                      1137
//	message 3 →  AEAD(initiator's key[33])[49] ‖ AEAD(empty)[16]           65
//
//	mac1 = first 16 bytes of HMAC-SHA256(key = SHA256("mac1" ‖ responder's key), message 1 before mac1)
//
// mac1 is no part of the Noise message. Any other length, a mac1 that is wrong, a point off
// the curve, a payload that does not open or is no key: the handshake is over, nothing is
// answered, nothing is tried again on this connection. The responder acts on nothing before
// message 3, which proves the initiator's key. Transport keys are the two of Noise's
// Split, used with AES-256-GCM; the nonce is four zero bytes and a u64 number.
//
// On a stream each message is a frame
//
//	len:u16 ‖ message
//
// of at most 2 KiB, and all three together take at most 5 seconds. The initiator may send
// records right behind message 3. It learns that the responder does not want its key, or
// did not accept message 3, by the end of the stream.
//
// # What a stranger can cost
//
// Before mac1 is right (one HMAC): a connection among a bounded number of half-open ones,
// with a share per network, for 5 seconds. With the right mac1: a token of the bucket of
// its /24 or /56, and then one of 2 x cores places where arithmetic is done. See [Guard].
//
// # WHO
//
// A service whose key clients may not know (manager, tracker, messenger; never a node)
// takes, in place of message 1, the frame
//
//	len:u16 = 128 ‖ "skywho/1" ‖ nonce[32] ‖ zero[88]
//
// and answers
//
//	len:u16 = 98 ‖ key[33] ‖ signature[65]
//
// and closes. The signature is that of package identity under the tag "skymesh/1 who" over
// the nonce. The answer is shorter than the question and spends a token like a handshake.
// The client connects again, runs the handshake with that key, and pins it. See [Pins].
//
// # Letters
//
// [SealLetter] writes to somebody who is not there, one message of Noise_Xpsk0_secp256k1_AESGCM_SHA256:
//
//	e[33] ‖ AEAD(sender's key[33])[49] ‖ AEAD(text)
//
// The secret of both ends is the first key of Split. Prologue and psk are the caller's.
//
// # Message pipe
//
// [Conn] carries messages of 0 to 65,536 bytes, each as
//
//	len:u24 ‖ AEAD(message)
//
// len counts the sealed bytes, message + 16, and is the additional data; the nonce number
// counts the messages of a direction from 0. A length out of range or a message that does
// not open ends the connection. The end of the stream is not authenticated.
package secure
