package ratchet

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
)

const (
	infoStart   = "viscript ratchet start"
	infoStep    = "viscript ratchet step"
	infoMessage = "viscript ratchet message"
)

// derive is HKDF-SHA256 (RFC 5869) into as many secrets as into has.
func derive(ikm, salt []byte, info string, into ...*secret) {
	out, err := hkdf.Key(sha256.New, ikm, salt, info, len(into)*len(secret{}))
	if err != nil {
		panic("ratchet: HKDF of a fixed length failed: " + err.Error())
	}
	for i, s := range into {
		copy(s[:], out[i*len(s):])
	}
	clear(out)
}

// begin is where both sides start from: the first root and the header keys of either side.
func begin(root [32]byte) (next, headerA, headerB secret) {
	var zeros secret
	derive(root[:], zeros[:], infoStart, &next, &headerA, &headerB)
	return next, headerA, headerB
}

// step turns the root by what own and theirs agree on, and returns a new chain's key and the header
// key of the chain after it.
func (s *state) step(own *ecdh.PrivateKey, theirs *ecdh.PublicKey) (key, nextHeader secret, err error) {
	if theirs == nil || theirs.Curve() != ecdh.X25519() {
		return key, nextHeader, errors.New("ratchet: a ratchet key is an X25519 key")
	}
	shared, err := own.ECDH(theirs)
	if err != nil {
		return key, nextHeader, ErrMessage // a point of low order
	}
	derive(shared, s.root[:], infoStep, &s.root, &key, &nextHeader)
	clear(shared)
	return key, nextHeader, nil
}

// advance returns the next message's secret and forgets how it came about.
func (c *chain) advance() (message secret) {
	h := hmac.New(sha256.New, c.key[:])
	h.Write([]byte{1})
	h.Sum(message[:0])
	h.Reset()
	h.Write([]byte{2})
	h.Sum(c.key[:0])
	c.n++
	return message
}

// gcm is AES-256-GCM under key.
func gcm(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err == nil {
		var aead cipher.AEAD
		if aead, err = cipher.NewGCM(block); err == nil {
			return aead
		}
	}
	panic("ratchet: AES-256-GCM with a key of 32 bytes: " + err.Error())
}

// messageCipher is the AEAD of one message and its nonce.
func messageCipher(message secret) (cipher.AEAD, []byte) {
	out, err := hkdf.Key(sha256.New, message[:], nil, infoMessage, len(secret{})+nonceLen)
	if err != nil {
		panic("ratchet: HKDF of a fixed length failed: " + err.Error())
	}
	aead := gcm(out[:len(secret{})])
	clear(out[:len(secret{})])
	return aead, out[len(secret{}):]
}
