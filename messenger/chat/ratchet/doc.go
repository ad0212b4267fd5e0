// Package ratchet is one conversation between two devices: every message has a key of its own, which is
// gone when it has been used, and keys heal after a theft as soon as both sides have spoken. It is the
// Double Ratchet with header encryption (Signal, "The Double Ratchet Algorithm", revision 1, section 4).
//
//	alice, _ := ratchet.Start(root, bobsPrekey)  // whoever writes first
//	bob, _ := ratchet.Accept(root, prekey)       // the secret half of that prekey
//	m, _ := alice.Seal(nil, []byte("hello"), ad)
//	text, err := bob.Open(nil, m, ad)
//
// The root is a secret of 32 bytes that both have from a key agreement; a Session neither
// makes nor authenticates it. A Session does no I/O; keep AppendTo's bytes before a message
// leaves, or the same key may serve two messages after a crash.
//
// # A message
//
//	version:u8 = 1 │ nonce[12] │ AEAD(header)[56] │ AEAD(body)
//	header = ratchet key[32] │ previous chain's length:u32 │ number:u32
//
// AES-256-GCM, big-endian. The header is sealed under the chain's header key with the nonce, which is
// random, and the caller's additional data; the body under the message's key and nonce, with the
// additional data followed by everything before it as its own. Whoever has no header key sees no
// key, no number and no link between two messages.
//
// # Keys
//
//	start:   HKDF-SHA256(ikm root, salt 32 zeros, info "viscript ratchet start", 96)   root' ‖ header A ‖ header B
//	step:    HKDF-SHA256(ikm X25519(a, B), salt root, info "viscript ratchet step", 96) root' ‖ chain ‖ next header
//	chain:   message secret = HMAC-SHA256(chain, 01), chain' = HMAC-SHA256(chain, 02)
//	message: HKDF-SHA256(ikm message secret, no salt, info "viscript ratchet message", 44) key[32] ‖ nonce[12]
//
// Who starts sends its first chain under header A and receives its first under header B.
package ratchet
