package link

import (
	"crypto/hmac"
	"crypto/sha256"

	"github.com/skycoin/viscript/node/secure"
)

// rekeyAfter records under one key, the next key is derived from it by both ends, who
// count alike. AES-GCM with full records is safe for 2^24.5 of them (RFC 8446 section 5.5).
const rekeyAfter = 1 << 24

// ratchet is one direction's key: it seals on one end and opens on the other, where it has the one and not the other.
type ratchet struct {
	key    [32]byte
	used   int
	sealer *secure.Sealer
	opener *secure.Opener
}

func sealing(key [32]byte) ratchet { return ratchet{key: key, sealer: secure.NewSealer(key)} }

func opening(key [32]byte) ratchet { return ratchet{key: key, opener: secure.NewOpener(key)} }

// turn moves on to the next key when this one has been used up.
func (r *ratchet) turn() {
	if r.used++; r.used <= rekeyAfter {
		return
	}
	mac := hmac.New(sha256.New, r.key[:])
	mac.Write([]byte("skymesh/link rekey"))
	mac.Sum(r.key[:0])
	r.used = 1
	if r.sealer != nil {
		r.sealer = secure.NewSealer(r.key)
	}
	if r.opener != nil {
		r.opener = secure.NewOpener(r.key)
	}
}

// seal seals plain in place; 16 bytes of room follow it.
func (r *ratchet) seal(plain, aad []byte) {
	r.turn()
	r.sealer.Seal(plain[:0], plain, aad)
}

// sealTo appends plain, sealed, to dst; plain stays as it is.
func (r *ratchet) sealTo(dst, plain, aad []byte) []byte {
	r.turn()
	return r.sealer.Seal(dst, plain, aad)
}

// open opens sealed in place and returns the plaintext.
func (r *ratchet) open(sealed, aad []byte) ([]byte, error) {
	r.turn()
	return r.opener.Open(sealed[:0], sealed, aad)
}
