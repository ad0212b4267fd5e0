package ratchet

import (
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"fmt"
)

// Limits.
const (
	// MaxSkip is how many messages of one chain may be missing in front of the one that is opened.
	MaxSkip = 1000
	// MaxKept is how many keys of missing messages are kept in all; the oldest give way.
	MaxKept = 2000
	// maxChains bounds the chains that have such keys, and so the header keys tried for a message.
	maxChains = 8

	// Overhead is how much longer a message is than its text.
	Overhead = headLen + tagLen

	version   = 1
	nonceLen  = 12
	tagLen    = 16
	headerLen = 32 + 4 + 4
	headLen   = 1 + nonceLen + headerLen + tagLen // of a message, before its body
)

// Errors of Open. None of them changes the Session.
var (
	ErrMessage = errors.New("ratchet: not a message of this conversation, or altered")
	ErrUsed    = errors.New("ratchet: the message's key is gone: it was opened before, or is too old")
	ErrGap     = fmt.Errorf("ratchet: more than %d messages are missing before this one", MaxSkip)
)

// ErrSilent is what Seal says on the side that accepted, before it has opened a message.
var ErrSilent = errors.New("ratchet: the other side has to write first")

// secret is a key of 32 bytes.
type secret [32]byte

// state is all of a Session but for the keys of missing messages: small, and copied so that a
// message that does not open leaves no trace.
type state struct {
	root     secret
	own      *ecdh.PrivateKey // X25519
	theirs   *ecdh.PublicKey  // nil on the side that accepted, until it has opened a message
	send     chain
	recv     chain
	nextSend secret // header keys of the chains after these
	nextRecv secret
	before   uint32 // length of the sending chain before this one
}

// chain is one direction between two changes of ratchet keys.
type chain struct {
	on     bool
	key    secret // of the chain; the next message's secret comes from it
	header secret
	n      uint32 // messages so far
}

// Session is one end of a conversation. Not safe for concurrent use.
type Session struct {
	state
	kept     keptKeys
	generate func() (*ecdh.PrivateKey, error)
}

// Start begins a conversation with the owner of prekey, an X25519 key. It can Seal at once.
func Start(root [32]byte, prekey *ecdh.PublicKey) (*Session, error) {
	return start(root, prekey, newKey)
}

func start(root [32]byte, prekey *ecdh.PublicKey, generate func() (*ecdh.PrivateKey, error)) (*Session, error) {
	s := &Session{generate: generate}
	var first secret
	s.root, first, s.nextRecv = begin(root)
	s.theirs = prekey
	var err error
	if s.own, err = generate(); err != nil {
		return nil, err
	}
	if s.send.key, s.nextSend, err = s.step(s.own, prekey); err != nil {
		return nil, err
	}
	s.send.on, s.send.header = true, first
	return s, nil
}

// Accept is the other end: prekey is the secret half of what Start was given. It has to Open
// a message before it can Seal one.
func Accept(root [32]byte, prekey *ecdh.PrivateKey) (*Session, error) {
	return accept(root, prekey, newKey)
}

func accept(root [32]byte, prekey *ecdh.PrivateKey, generate func() (*ecdh.PrivateKey, error)) (*Session, error) {
	if prekey == nil || prekey.Curve() != ecdh.X25519() {
		return nil, errors.New("ratchet: a prekey is an X25519 key")
	}
	s := &Session{generate: generate}
	s.root, s.nextRecv, s.nextSend = begin(root)
	s.own = prekey
	return s, nil
}

func newKey() (*ecdh.PrivateKey, error) { return ecdh.X25519().GenerateKey(rand.Reader) }

// CanSeal reports whether Seal may be called.
func (s *Session) CanSeal() bool { return s.send.on }

// Kept is how many keys of missing messages are kept, at most MaxKept.
func (s *Session) Kept() int { return s.kept.count }
