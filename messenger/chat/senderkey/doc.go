// Package senderkey is how one member of a group writes to all others at once: each device has a chain of
// message keys of its own, whose start the others get over their conversations (messenger/chat/ratchet), and signs
// what it writes, so that no member can write as another. (Sender Keys, as first described by Signal.)
//
//	mine := senderkey.New(place, now)                     // place: group, epoch, member, device
//	shared := mine.Share()                                // to every member, one to one
//	m, _ := mine.Seal(nil, []byte("hello"))
//
//	theirs, _ := senderkey.Receive(place, shared)
//	text, err := theirs.Open(nil, m)
//
// A chain only goes forward: it does not heal after a theft. Therefore every removal begins a new epoch with new
// chains, and a chain ends after MaxMessages or MaxAge. Keep AppendTo's bytes before a message leaves.
//
// # Formats
//
//	message = version:u8 = 1 │ chain[8] │ number:u32 │ AEAD(text) │ signature[64]
//	share   = version:u8 = 1 │ chain key[32] │ number:u32 │ verify key[32]
//
// Big-endian. The AEAD is AES-256-GCM, its key and nonce
// HKDF-SHA256(HMAC-SHA256(chain key, 01), no salt, "viscript sender message", 44); the next chain key is
// HMAC-SHA256(chain key, 02). Its additional data is context ‖ all before it, with
//
//	context = "viscript sender/1" ‖ group[32] ‖ epoch:u64 ‖ member[33] ‖ device:u32
//
// The signature is Ed25519 (RFC 8032) over context ‖ all before it; chain is the first eight bytes of
// SHA-256(context ‖ verify key), by which a reader finds the chain.
package senderkey
