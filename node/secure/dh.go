package secure

import (
	"errors"
	"fmt"
	"io"

	"github.com/flynn/noise"
	"github.com/skycoin/viscript/node/identity"
)

// The Noise library hands private keys back to its DHFunc as bytes. Ours are names of keys
// that stay inside curve, so the secret of a node never leaves identity.Key, and the static
// key (blinded multiplication) is told from the ephemeral one (used a single time).
var (
	errNoKey   = errors.New("secure: no such private key in this handshake")
	staticName = [1]byte{'s'}
)

const ephemeralName = 'e'

// curve is the DH function "secp256k1" of one handshake: its output is SHA256 of the
// compressed shared point, 32 bytes, as in Lightning's BOLT 8 and in cipher.ECDH. It holds
// the two private keys of its side. Not for concurrent use.
type curve struct {
	static    *identity.Key
	ephemeral *identity.Key
}

// GenerateKeypair makes the ephemeral key of this handshake from rng, which is the system's
// random source except in tests.
func (c *curve) GenerateKeypair(rng io.Reader) (noise.DHKey, error) {
	var secret [identity.SecKeyLen]byte
	for {
		if _, err := io.ReadFull(rng, secret[:]); err != nil {
			return noise.DHKey{}, fmt.Errorf("secure: drawing an ephemeral key: %w", err)
		}
		k, err := identity.FromSecret(secret[:])
		if err != nil { // zero or beyond the group order: one draw in 2^127
			continue
		}
		c.ephemeral = k
		pub := k.Public()
		return noise.DHKey{Private: []byte{ephemeralName}, Public: pub[:]}, nil
	}
}

// DH multiplies the peer's point with the key that name names. A peer's bytes that are no
// point are an error.
func (c *curve) DH(name, point []byte) ([]byte, error) {
	if len(point) != identity.PubKeyLen || len(name) != 1 {
		return nil, errNoKey
	}
	var out [32]byte
	var err error
	switch {
	case name[0] == staticName[0] && c.static != nil:
		out, err = c.static.ECDH(identity.PubKey(point))
	case name[0] == ephemeralName && c.ephemeral != nil:
		out, err = c.ephemeral.ECDHOnce(identity.PubKey(point))
	default:
		return nil, errNoKey
	}
	if err != nil {
		return nil, err
	}
	return out[:], nil
}

// DHLen is the length of a public key. (DH outputs are 32 bytes; the library asks for this
// number only when it reads keys.)
func (c *curve) DHLen() int { return identity.PubKeyLen }

// DHName is the curve's part of the protocol name.
func (c *curve) DHName() string { return "secp256k1" }

// staticPair is what the Noise library may know of the static key.
func (c *curve) staticPair() noise.DHKey {
	pub := c.static.Public()
	return noise.DHKey{Private: staticName[:], Public: pub[:]}
}
