package mailbox

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/skycoin/viscript/messenger/chat/envelope"
	"github.com/skycoin/viscript/messenger/chat/prekey"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// Address is a mailbox: one of a person's devices.
type Address struct {
	Owner  identity.PubKey
	Device uint32 // never 0
}

// addressLen is the length of an Address in messages.
const addressLen = identity.PubKeyLen + 4

func (a Address) append(dst []byte) []byte {
	return binary.BigEndian.AppendUint32(append(dst, a.Owner[:]...), a.Device)
}

func readAddress(r *wire.Reader) Address { return Address{r.Key(), r.U32()} }

// ID names an envelope: it is SHA-256 of its bytes.
type ID [sha256.Size]byte

// IDOf is the envelope's name.
func IDOf(envelope []byte) ID { return sha256.Sum256(envelope) }

// Letter is an envelope that waits in a mailbox.
type Letter struct {
	ID       ID
	Envelope []byte
}

const (
	cardVersion = 1 // without homes
	homeVersion = 2 // with at least one
	cardTag     = "viscript mailbox card"
	cardSigned  = 1 + 4 + 8 + 8 + envelope.KeyLen
	// CardLen is the length of a card without homes in bytes, MaxCard that of the longest one.
	CardLen = cardSigned + identity.SigLen
	MaxCard = CardLen + 2 + MaxHomes*(identity.PubKeyLen+2+MaxHostPort)
	// MaxCardLife is how far ahead a card may expire.
	MaxCardLife = 90 * 24 * time.Hour
)

// Card is what a device says of itself, signed by its owner: the key that envelopes to it are sealed to, and at which messengers it
// fetches them. A card that expires when it is issued says that the device is gone.
type Card struct {
	Device uint32
	Issued time.Time // whole seconds; of two cards of a device the later one holds
	Expiry time.Time // whole seconds
	Box    [envelope.KeyLen]byte
	Homes  []Home // at most MaxHomes, in the order in which they are tried; none: where the card was found
	sig    identity.Sig
}

// Sign signs the card.
func (c Card) Sign(owner *identity.Key) Card {
	c.Issued, c.Expiry = time.Unix(c.Issued.Unix(), 0), time.Unix(c.Expiry.Unix(), 0)
	c.sig = owner.Sign(cardTag, c.appendSigned(nil))
	return c
}

// Gone reports whether the card is the device's last.
func (c *Card) Gone() bool { return !c.Expiry.After(c.Issued) }

// Append appends the card, CardLen to MaxCard bytes.
func (c *Card) Append(dst []byte) []byte { return append(c.appendSigned(dst), c.sig[:]...) }

func (c *Card) appendSigned(dst []byte) []byte {
	version := byte(cardVersion)
	if len(c.Homes) > 0 {
		version = homeVersion
	}
	dst = binary.BigEndian.AppendUint32(append(dst, version), c.Device)
	dst = binary.BigEndian.AppendUint64(dst, uint64(c.Issued.Unix()))
	dst = binary.BigEndian.AppendUint64(dst, uint64(c.Expiry.Unix()))
	dst = append(dst, c.Box[:]...)
	if version == homeVersion {
		dst = AppendHomes(dst, c.Homes)
	}
	return dst
}

// ParseCard reads a card, all of b. It is nobody's until Verify has said whose.
func ParseCard(b []byte) (Card, error) {
	if len(b) < CardLen || len(b) > MaxCard || b[0] < cardVersion || b[0] > homeVersion {
		return Card{}, wire.ErrMalformed
	}
	r := wire.NewReader(b[1:])
	c := Card{Device: r.U32()}
	issued, expiry := r.U64(), r.U64()
	r.Fixed(c.Box[:])
	if b[0] == homeVersion {
		var err error
		if c.Homes, err = ReadHomes(r); err != nil || len(c.Homes) == 0 {
			return Card{}, wire.ErrMalformed
		}
	}
	c.sig = r.Sig()
	if r.Done() != nil || c.Device == 0 || issued > 1<<40 || expiry > 1<<40 {
		return Card{}, wire.ErrMalformed
	}
	c.Issued, c.Expiry = time.Unix(int64(issued), 0), time.Unix(int64(expiry), 0)
	return c, nil
}

// Verify reports whether owner signed the card and it is valid now. ErrGone: it is the device's last.
func (c *Card) Verify(owner identity.PubKey, now time.Time) error {
	if owner.Verify(cardTag, c.appendSigned(nil), c.sig) != nil {
		return prekey.ErrSignature
	}
	if c.Gone() {
		return ErrGone
	}
	if !now.Before(c.Expiry) || c.Expiry.Sub(now) > MaxCardLife+24*time.Hour {
		return prekey.ErrExpired
	}
	return nil
}

// Device is what somebody gets who wants to write to a device for the first time.
type Device struct {
	Card   []byte
	Prekey []byte // prekey.Len bytes
}

// Bundle is what a device leaves at the messenger. Prekeys with a number are added to those that are
// there; number 0 and the card replace what was there.
type Bundle struct {
	Card    []byte
	Prekeys [][]byte // at most MaxPrekeys
}
