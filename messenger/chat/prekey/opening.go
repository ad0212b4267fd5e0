package prekey

import (
	"crypto/mlkem"
	"encoding/binary"
	"errors"
	"time"

	"github.com/skycoin/viscript/messenger/chat/ratchet"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/secure"
)

const (
	// OpeningLen is the length of an opening in bytes.
	OpeningLen = openingHead + secure.LetterOverhead + deviceLen

	deviceLen   = 4
	openingHead = 1 + 4 + 4 + mlkem.CiphertextSize768
	prologue    = "viscript opening/1"
)

// ErrOpening is what Meet says to an opening that is not for this prekey, or forged.
var ErrOpening = errors.New("prekey: the opening does not open")

// Sender is the device that an opening comes from, proven.
type Sender struct {
	Key    identity.PubKey
	Device uint32
}

// Greet begins a conversation with the device of owner that p belongs to, after checking p.
// The opening is put before each message until the device has answered.
func Greet(local *identity.Key, device uint32, owner identity.PubKey, p *Public, now time.Time) ([]byte, *ratchet.Session, error) {
	if err := p.Verify(owner, now); err != nil {
		return nil, nil, err
	}
	secret, ciphertext := p.kem.Encapsulate()
	opening := make([]byte, 0, OpeningLen)
	opening = append(opening, version)
	opening = binary.BigEndian.AppendUint32(opening, p.Device)
	opening = binary.BigEndian.AppendUint32(opening, p.Number)
	opening = append(opening, ciphertext...)
	text := binary.BigEndian.AppendUint32(nil, device)
	letter, both, err := secure.SealLetter(local, p.curve, [32]byte(secret), context(owner, p, opening), text)
	if err != nil {
		return nil, nil, err
	}
	s, err := ratchet.Start(both.Secret, p.ratchet)
	if err != nil {
		return nil, nil, err
	}
	return append(opening, letter...), s, nil
}

// context is the prologue of the letter in an opening.
func context(owner identity.PubKey, p *Public, head []byte) []byte {
	b := append([]byte(prologue), owner[:]...)
	return append(p.Append(b), head...)
}

// Wanted tells which prekey of which device an opening needs.
func Wanted(opening []byte) (device, number uint32, err error) {
	if len(opening) != OpeningLen || opening[0] != version {
		return 0, 0, ErrOpening
	}
	return binary.BigEndian.Uint32(opening[1:]), binary.BigEndian.Uint32(opening[5:]), nil
}

// Meet takes an opening that was made with s, which is owner's. The caller sees to it that no opening
// is taken twice: it forgets s if s has a number, and remembers the opening otherwise.
func (s *Secret) Meet(owner identity.PubKey, opening []byte) (Sender, *ratchet.Session, error) {
	device, number, err := Wanted(opening)
	if err != nil || device != s.public.Device || number != s.public.Number {
		return Sender{}, nil, ErrOpening
	}
	head, letter := opening[:openingHead], opening[openingHead:]
	secret, err := s.kem.Decapsulate(head[openingHead-mlkem.CiphertextSize768:])
	if err != nil {
		return Sender{}, nil, ErrOpening
	}
	text, both, err := secure.OpenLetter(s.curve, [32]byte(secret), context(owner, &s.public, head), letter)
	if err != nil || len(text) != deviceLen {
		return Sender{}, nil, ErrOpening
	}
	conversation, err := ratchet.Accept(both.Secret, s.ratchet)
	if err != nil {
		return Sender{}, nil, err
	}
	return Sender{both.Sender, binary.BigEndian.Uint32(text)}, conversation, nil
}
