package secure

import (
	"fmt"

	"github.com/flynn/noise"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// LetterOverhead is how much longer a letter is than its text, in bytes.
const LetterOverhead = 2*identity.PubKeyLen + 2*wire.TagLen

// Letter is what both ends of a letter have in common besides its text.
type Letter struct {
	Sender identity.PubKey
	Secret [32]byte // of these two keys and this letter only
}

// SealLetter writes text from local to whoever holds the secret half of to, and of psk, who need not be there:
// one message of Noise_Xpsk0_secp256k1_AESGCM_SHA256. It hides the sender and proves
// them to the reader, who can prove it to nobody else. A letter alone is no protection against being
// repeated, and whoever gets to's secret half later can read it: use keys once. The prologue is
// authenticated and not sent; at most 64 KiB of letter in all.
func SealLetter(local *identity.Key, to identity.PubKey, psk [32]byte, prologue, text []byte) ([]byte, Letter, error) {
	if _, err := identity.ParsePubKey(to[:]); err != nil {
		return nil, Letter{}, fmt.Errorf("secure: addressee: %w", err)
	}
	state, err := letterState(local, to[:], psk, prologue)
	if err != nil {
		return nil, Letter{}, err
	}
	letter, keys, _, err := state.WriteMessage(make([]byte, 0, LetterOverhead+len(text)), text)
	if err != nil {
		return nil, Letter{}, fmt.Errorf("secure: writing a letter: %w", err)
	}
	return letter, Letter{local.Public(), keys.UnsafeKey()}, nil
}

// OpenLetter reads a letter with the secret half of the key that it was sealed to. Errors
// wrap ErrHandshake.
func OpenLetter(key *identity.Key, psk [32]byte, prologue, letter []byte) ([]byte, Letter, error) {
	if len(letter) < LetterOverhead {
		return nil, Letter{}, fmt.Errorf("%w: a letter of %d bytes", ErrHandshake, len(letter))
	}
	state, err := letterState(key, nil, psk, prologue)
	if err != nil {
		return nil, Letter{}, err
	}
	text, keys, _, err := state.ReadMessage(nil, letter)
	if err != nil {
		return nil, Letter{}, fmt.Errorf("%w: letter: %w", ErrHandshake, err)
	}
	sender, err := identity.ParsePubKey(state.PeerStatic())
	if err != nil {
		return nil, Letter{}, fmt.Errorf("%w: letter: %w", ErrHandshake, err)
	}
	return text, Letter{sender, keys.UnsafeKey()}, nil
}

// letterState is one side of a letter: that of its sender if to is given.
func letterState(local *identity.Key, to []byte, psk [32]byte, prologue []byte) (*noise.HandshakeState, error) {
	dh := &curve{static: local}
	state, err := noise.NewHandshakeState(noise.Config{
		CipherSuite:   noise.NewCipherSuite(dh, noise.CipherAESGCM, noise.HashSHA256),
		Pattern:       noise.HandshakeX,
		Initiator:     to != nil,
		Prologue:      prologue,
		PresharedKey:  psk[:],
		StaticKeypair: dh.staticPair(),
		PeerStatic:    to,
	})
	if err != nil {
		return nil, fmt.Errorf("secure: preparing a letter: %w", err)
	}
	return state, nil
}
