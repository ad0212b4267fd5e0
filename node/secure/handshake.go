package secure

import (
	"crypto/hmac"
	"crypto/mlkem"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/flynn/noise"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// Sizes in bytes. The three messages have one length each; any other length is refused
// before a key is touched.
const (
	// MaxHandshakeMsg bounds a handshake message on every carrier.
	MaxHandshakeMsg = 2 << 10

	macLen  = 16
	msg1Len = identity.PubKeyLen + mlkem.EncapsulationKeySize768 + wire.TagLen + macLen // 1249
	msg2Len = identity.PubKeyLen + mlkem.CiphertextSize768 + wire.TagLen                // 1137
	msg3Len = identity.PubKeyLen + wire.TagLen + wire.TagLen                            // 65
)

// ErrHandshake is wrapped by every failure that bytes of the peer caused: wrong key, network,
// kind or binding, a changed or replayed message, a length that is none of ours.
var ErrHandshake = errors.New("secure: handshake refused")

var errNoMac = errors.New("its mac is not made for our key")

// Result is a finished handshake. The keys are for AES-256 and independent of each other.
type Result struct {
	Send, Recv [32]byte
	Remote     identity.PubKey
	Transcript [32]byte // hash over the whole handshake, the same at both ends: a channel binding
}

type step uint8

const (
	stepStart step = iota // initiator, nothing sent
	stepMsg1              // responder, waits for message 1
	stepMsg2              // initiator, waits for message 2
	stepMsg3              // responder, waits for message 3
	stepDone
	stepFailed
)

// Handshake is one side of one handshake, without I/O or clock. The initiator calls Start
// and then Next once, the responder calls Next twice. The first error is final: later
// calls return it again. Not for concurrent use.
type Handshake struct {
	step   step
	err    error
	noise  *noise.HandshakeState
	macKey [sha256.Size]byte
	kem    *mlkem.DecapsulationKey768 // initiator, between messages 1 and 2
	result Result
}

// NewInitiator prepares our side of a handshake with the holder of remote.
func NewInitiator(cfg Config, remote identity.PubKey) (*Handshake, error) {
	if _, err := identity.ParsePubKey(remote[:]); err != nil {
		return nil, fmt.Errorf("secure: remote: %w", err)
	}
	return newHandshake(cfg, stepStart, remote)
}

// NewResponder prepares our side of a handshake that somebody else starts.
func NewResponder(cfg Config) (*Handshake, error) {
	return newHandshake(cfg, stepMsg1, identity.PubKey{})
}

func newHandshake(cfg Config, first step, remote identity.PubKey) (*Handshake, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	dh := &curve{static: cfg.Local}
	nc := noise.Config{
		CipherSuite:           noise.NewCipherSuite(dh, noise.CipherAESGCM, noise.HashSHA256),
		Pattern:               noise.HandshakeXK,
		Initiator:             first == stepStart,
		Prologue:              cfg.prologue(),
		PresharedKeyPlacement: 3, // set when message 2 is there: the ML-KEM secret
		StaticKeypair:         dh.staticPair(),
	}
	responder := cfg.Local.Public()
	if first == stepStart {
		responder = remote
		nc.PeerStatic = remote[:]
	}
	state, err := noise.NewHandshakeState(nc)
	if err != nil {
		return nil, fmt.Errorf("secure: preparing a handshake: %w", err)
	}
	return &Handshake{step: first, noise: state, macKey: macKey(responder), result: Result{Remote: remote}}, nil
}

func macKey(responder identity.PubKey) [sha256.Size]byte {
	return sha256.Sum256(append([]byte("mac1"), responder[:]...))
}

func mac1(key [sha256.Size]byte, msg []byte) []byte {
	h := hmac.New(sha256.New, key[:])
	h.Write(msg)
	return h.Sum(nil)[:macLen]
}

// Start returns message 1. Only the initiator calls it, once.
func (h *Handshake) Start() ([]byte, error) {
	if h.step != stepStart {
		return nil, h.misuse("Start")
	}
	kem, err := mlkem.GenerateKey768()
	if err != nil {
		return nil, h.fail(fmt.Errorf("secure: making an ML-KEM key: %w", err))
	}
	msg, _, _, err := h.noise.WriteMessage(make([]byte, 0, msg1Len), kem.EncapsulationKey().Bytes())
	if err != nil {
		return nil, h.fail(fmt.Errorf("secure: message 1: %w", err))
	}
	h.kem = kem
	h.step = stepMsg2
	return append(msg, mac1(h.macKey, msg)...), nil
}

// Next takes the peer's next message. A reply that is not nil goes to the peer; done means
// that Result is ready. Errors wrap ErrHandshake where the peer is the cause. It keeps no
// reference to msg and never panics.
func (h *Handshake) Next(msg []byte) (reply []byte, done bool, err error) {
	switch h.step {
	case stepMsg1:
		reply, err = h.answer(msg)
	case stepMsg2:
		reply, err = h.conclude(msg)
	case stepMsg3:
		err = h.finish(msg)
	default:
		return nil, false, h.misuse("Next")
	}
	if err != nil {
		return nil, false, h.fail(err)
	}
	return reply, h.step == stepDone, nil
}

// Result returns the keys. It panics before Next said done: there are no keys yet.
func (h *Handshake) Result() Result {
	if h.step != stepDone {
		panic("secure: Result of a handshake that is not done")
	}
	return h.result
}

// authentic tells whether msg is a message 1 written by somebody who knows our key. It
// costs a hash, and comes before anything that costs more.
func (h *Handshake) authentic(msg []byte) bool {
	if len(msg) != msg1Len {
		return false
	}
	body, mac := msg[:msg1Len-macLen], msg[msg1Len-macLen:]
	return subtle.ConstantTimeCompare(mac1(h.macKey, body), mac) == 1
}

// answer reads message 1 and writes message 2 (responder).
func (h *Handshake) answer(msg []byte) ([]byte, error) {
	if !h.authentic(msg) {
		return nil, refused(1, errNoMac)
	}
	payload, _, _, err := h.noise.ReadMessage(nil, msg[:msg1Len-macLen])
	if err != nil {
		return nil, refused(1, err)
	}
	kem, err := mlkem.NewEncapsulationKey768(payload)
	if err != nil {
		return nil, refused(1, err)
	}
	secret, ciphertext := kem.Encapsulate()
	if err := h.noise.SetPresharedKey(secret); err != nil {
		return nil, fmt.Errorf("secure: message 2: %w", err)
	}
	reply, _, _, err := h.noise.WriteMessage(make([]byte, 0, msg2Len), ciphertext)
	if err != nil {
		return nil, fmt.Errorf("secure: message 2: %w", err)
	}
	h.step = stepMsg3
	return reply, nil
}

// conclude reads message 2 and writes message 3 (initiator).
func (h *Handshake) conclude(msg []byte) ([]byte, error) {
	if len(msg) != msg2Len {
		return nil, refused(2, fmt.Errorf("%d bytes", len(msg)))
	}
	ciphertext, _, _, err := h.noise.ReadMessage(nil, msg)
	if err != nil {
		return nil, refused(2, err)
	}
	secret, err := h.kem.Decapsulate(ciphertext)
	if err != nil {
		return nil, refused(2, err)
	}
	if err := h.noise.SetPresharedKey(secret); err != nil {
		return nil, fmt.Errorf("secure: message 3: %w", err)
	}
	reply, send, recv, err := h.noise.WriteMessage(make([]byte, 0, msg3Len), nil)
	if err != nil {
		return nil, fmt.Errorf("secure: message 3: %w", err)
	}
	h.done(send, recv)
	return reply, nil
}

// finish reads message 3 (responder).
func (h *Handshake) finish(msg []byte) error {
	if len(msg) != msg3Len {
		return refused(3, fmt.Errorf("%d bytes", len(msg)))
	}
	_, recv, send, err := h.noise.ReadMessage(nil, msg)
	if err != nil {
		return refused(3, err)
	}
	h.result.Remote, err = identity.ParsePubKey(h.noise.PeerStatic())
	if err != nil {
		return refused(3, err)
	}
	h.done(send, recv)
	return nil
}

func (h *Handshake) done(send, recv *noise.CipherState) {
	h.result.Send, h.result.Recv = send.UnsafeKey(), recv.UnsafeKey()
	h.result.Transcript = [32]byte(h.noise.ChannelBinding())
	h.noise, h.kem = nil, nil
	h.step = stepDone
}

func refused(message int, why error) error {
	return fmt.Errorf("%w: message %d: %w", ErrHandshake, message, why)
}

func (h *Handshake) fail(err error) error {
	h.step, h.err = stepFailed, err
	h.noise, h.kem, h.result = nil, nil, Result{}
	return err
}

// misuse is the answer to a call out of turn: the first error again after a failure;
// otherwise the handshake stays as it is.
func (h *Handshake) misuse(call string) error {
	if h.err != nil {
		return h.err
	}
	return fmt.Errorf("secure: %s called out of turn", call)
}
