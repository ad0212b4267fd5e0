// Package prekey lets somebody write first to a device that is not there. The device leaves signed
// prekeys with a messenger; whoever takes one greets it: with the prekey and their own key they make the root
// of a conversation (messenger/chat/ratchet) and an opening that leads its owner to the same root.
//
//	secret, _ := prekey.New(owner, device, 1, expiry)           // on bob's device; secret.Public() goes to the messenger
//	opening, conversation, _ := prekey.Greet(alice, 1, bob, public, now) // on alice's
//	from, conversation, err := secret.Meet(bob, opening)        // on bob's, when it is back
//
// The opening goes along with every message until the owner has answered, for any of them may be lost.
// A prekey with a number is used once and its secret half forgotten; number 0 stays until it
// expires, for when the others are used up: then the first messages, until the ratchet has turned, are as safe as that key.
//
// # Formats
//
// Big-endian; keys as in FIPS 203 (ML-KEM-768), RFC 7748 (X25519), and compressed points.
//
//	prekey  = version:u8 = 1 │ device:u32 │ number:u32 │ expiry:u64 (Unix seconds) │ curve[33] │ kem[1184] │ ratchet[32] │ signature[65]
//	opening = version:u8 = 1 │ device:u32 │ number:u32 │ ciphertext[1088] │ letter[102]
//
// The signature is package identity's, of the prekey's owner under the tag "viscript prekey", over all before
// it. The letter (node/secure) is sealed to curve with the ML-KEM secret as psk; its text is the number
// of the sender's device, u32; its prologue is
//
//	"viscript opening/1" ‖ owner's key[33] ‖ prekey, signature included ‖ opening before the letter
//
// The letter's secret is the root; ratchet is the prekey of the conversation.
package prekey
