package lan

import (
	"encoding/binary"
	"time"

	"github.com/skycoin/viscript/node/identity"
)

const (
	head      = "skylan/1"
	tag       = "skymesh/lan/1"
	signedLen = len(head) + meshLen + identity.PubKeyLen + 2 + 8
	packetLen = signedLen + identity.SigLen
	meshLen   = 8
	maxSkew   = 5 * time.Minute
)

// Mesh tells networks apart; it is no secret.
type Mesh [meshLen]byte

// announcement is what a node says of itself.
type announcement struct {
	mesh Mesh
	key  identity.PubKey
	port uint16
	at   time.Time
	sig  identity.Sig
}

// appendSigned appends what the signature covers.
func (a announcement) appendSigned(dst []byte) []byte {
	dst = append(append(append(dst, head...), a.mesh[:]...), a.key[:]...)
	dst = binary.BigEndian.AppendUint16(dst, a.port)
	return binary.BigEndian.AppendUint64(dst, uint64(a.at.UnixMilli()))
}

// append appends the datagram.
func (a announcement) append(dst []byte) []byte { return append(a.appendSigned(dst), a.sig[:]...) }

// sign fills in key and signature.
func (a announcement) sign(k *identity.Key) announcement {
	a.key = k.Public()
	a.sig = k.Sign(tag, a.appendSigned(nil))
	return a
}

// parse reads a datagram of our mesh; the key is not known to be one, and the signature not verified. false: it is none.
func parse(b []byte, mesh Mesh) (a announcement, ok bool) {
	if len(b) != packetLen || string(b[:len(head)]) != head || Mesh(b[len(head):]) != mesh {
		return a, false
	}
	a.mesh = mesh
	rest := b[len(head)+meshLen:]
	a.key, rest = identity.PubKey(rest[:identity.PubKeyLen]), rest[identity.PubKeyLen:]
	a.port = binary.BigEndian.Uint16(rest)
	a.at = time.UnixMilli(int64(binary.BigEndian.Uint64(rest[2:])))
	a.sig = identity.Sig(rest[10:])
	return a, a.port != 0
}

// verify checks time, key and signature.
func (a announcement) verify(now time.Time) bool {
	if d := now.Sub(a.at); d > maxSkew || d < -maxSkew {
		return false
	}
	key, err := identity.ParsePubKey(a.key[:])
	return err == nil && key.Verify(tag, a.appendSigned(nil), a.sig) == nil
}
