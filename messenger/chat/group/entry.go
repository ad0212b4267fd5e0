package group

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// Limits.
const (
	MaxMembers = 1000
	MaxName    = 64   // bytes of UTF-8
	MaxLinks   = 20   // invitations at a time
	MaxUses    = 1000 // of one invitation
	MaxLog     = 20_000
	// MaxEntry is the longest entry in bytes.
	MaxEntry = headLen + MaxName + tailLen

	version = 1
	headLen = 1 + 32 + 8 + 32 + identity.PubKeyLen + 8 + 1 + identity.PubKeyLen + 2
	tailLen = 8 + 4 + 2*identity.SigLen

	entryTag      = "viscript group"
	invitationTag = "viscript invitation"
)

// Kind is what an entry changes; append only.
type Kind uint8

// The kinds, see the package comment.
const (
	Create Kind = iota + 1
	Add
	Remove
	Leave
	Promote
	Demote
	Rename
	Invite
	Revoke
	Join
	Offer
	Admit
)

var kindNames = [...]string{Create: "create", Add: "add", Remove: "remove", Leave: "leave", Promote: "promote",
	Demote: "demote", Rename: "rename", Invite: "invite", Revoke: "revoke", Join: "join", Offer: "offer", Admit: "admit"}

func (k Kind) String() string {
	if k >= Create && k <= Admit {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Hash names an entry, and by its first one a group.
type Hash [32]byte

// Change is what an entry says, without who and when.
type Change struct {
	Kind    Kind
	Subject identity.PubKey
	Name    string
	Expiry  time.Time // of an invitation, in whole seconds
	Uses    uint32    // of an invitation
	Proof   identity.Sig
}

// Entry is one step of a group's log.
type Entry struct {
	Group    Hash
	Sequence uint64
	Previous Hash
	Author   identity.PubKey
	Time     time.Time
	Change
	sig identity.Sig
}

// Append appends the entry.
func (e *Entry) Append(dst []byte) []byte { return append(e.appendSigned(dst), e.sig[:]...) }

func (e *Entry) appendSigned(dst []byte) []byte {
	dst = append(append(dst, version), e.Group[:]...)
	dst = binary.BigEndian.AppendUint64(dst, e.Sequence)
	dst = append(append(dst, e.Previous[:]...), e.Author[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.Time.Unix()))
	dst = append(append(dst, byte(e.Kind)), e.Subject[:]...)
	dst = wire.AppendString(dst, e.Name)
	expiry := uint64(0)
	if !e.Expiry.IsZero() {
		expiry = uint64(e.Expiry.Unix())
	}
	dst = binary.BigEndian.AppendUint64(dst, expiry)
	dst = binary.BigEndian.AppendUint32(dst, e.Uses)
	return append(dst, e.Proof[:]...)
}

// Hash is the entry's name.
func (e *Entry) Hash() Hash { return sha256.Sum256(e.Append(nil)) }

// ID is the group that the entry belongs to.
func (e *Entry) ID() Hash {
	if e.Sequence == 0 {
		return e.Hash()
	}
	return e.Group
}

// maxTime keeps times within what time.Unix and JSON can tell.
const maxTime = 1 << 40

// ParseEntry reads an entry, all of b. It has not been verified: Apply does.
func ParseEntry(b []byte) (*Entry, error) {
	if len(b) < headLen+tailLen || len(b) > MaxEntry || b[0] != version {
		return nil, wire.ErrMalformed
	}
	in := wire.NewReader(b[1:])
	e := &Entry{}
	in.Fixed(e.Group[:])
	e.Sequence = in.U64()
	in.Fixed(e.Previous[:])
	e.Author = in.Key()
	at := in.U64()
	e.Kind = Kind(in.U8())
	e.Subject = in.OptionalKey()
	e.Name = in.String(MaxName)
	expiry := in.U64()
	e.Uses = in.U32()
	e.Proof, e.sig = in.Sig(), in.Sig()
	if in.Done() != nil || at > maxTime || expiry > maxTime || !utf8.ValidString(e.Name) {
		return nil, wire.ErrMalformed
	}
	e.Time = time.Unix(int64(at), 0)
	if expiry > 0 {
		e.Expiry = time.Unix(int64(expiry), 0)
	}
	return e, nil
}

// ErrForm is what Apply says to an entry with fields that its kind does not have, or without those that it has.
var ErrForm = errors.New("group: an entry with fields that do not fit its kind")

// checkForm: which fields a kind uses.
func (c *Change) checkForm() error {
	subject, name, invitation := false, false, false
	switch c.Kind {
	case Create, Rename:
		name = true
	case Add, Remove, Promote, Demote, Revoke, Join, Admit:
		subject = true
	case Invite, Offer:
		subject, invitation = true, true
	case Leave:
	default:
		return ErrForm
	}
	if subject == c.Subject.IsZero() || name == (c.Name == "") || invitation == c.Expiry.IsZero() ||
		invitation == (c.Uses == 0) || c.Uses > MaxUses || (c.Kind == Join || c.Kind == Admit) == (c.Proof == identity.Sig{}) {
		return ErrForm
	}
	return nil
}

// less orders entries that nothing else decides between.
func (h Hash) less(o Hash) bool { return bytes.Compare(h[:], o[:]) < 0 }
