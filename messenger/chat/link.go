package chat

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"github.com/skycoin/viscript/messenger/chat/group"
	"github.com/skycoin/viscript/messenger/mailbox"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// LinkPrefix begins the text of an invitation.
const LinkPrefix = "viscript:join/"

const (
	linkVersion = 1
	// maxLink is the longest link before it is text, in bytes.
	maxLink = 1 + 32 + identity.PubKeyLen + identity.SecKeyLen + 8 + 2 + mailbox.MaxHomes*(identity.PubKeyLen+2+mailbox.MaxHostPort)
)

// ErrLink: it is no invitation, or an altered one.
var ErrLink = errors.New("chat: not an invitation to a group: one begins with viscript:join/, and `link GROUP` of an admin makes it")

// Link is an invitation to a group: whoever has it may join, or ask to. It is
//
//	version:u8 = 1 │ group[32] │ inviter[33] │ secret[32] │ expiry:u64 (Unix seconds) │ homes
//
// big-endian, homes as in a card (of the inviter, may be none), in base64 for URLs without padding behind LinkPrefix. The secret is a key whose
// public half the group's log has.
type Link struct {
	Group   group.Hash
	Inviter identity.PubKey
	Expiry  time.Time
	Homes   []mailbox.Home
	secret  [identity.SecKeyLen]byte
	key     *identity.Key
}

// ParseLink reads what String gave. Errors: ErrLink.
func ParseLink(s string) (*Link, error) {
	text, ok := strings.CutPrefix(strings.TrimSpace(s), LinkPrefix)
	if !ok || len(text) > base64.RawURLEncoding.EncodedLen(maxLink) {
		return nil, ErrLink
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return nil, ErrLink
	}
	return parseLink(b)
}

func parseLink(b []byte) (*Link, error) {
	if len(b) < 1 || b[0] != linkVersion {
		return nil, ErrLink
	}
	r := wire.NewReader(b[1:])
	l := &Link{}
	r.Fixed(l.Group[:])
	l.Inviter = r.Key()
	r.Fixed(l.secret[:])
	expiry := r.U64()
	var err error
	if l.Homes, err = mailbox.ReadHomes(r); err != nil || r.Done() != nil || expiry > maxMillis/1000 {
		return nil, ErrLink
	}
	if l.key, err = identity.FromSecret(l.secret[:]); err != nil {
		return nil, ErrLink
	}
	l.Expiry = time.Unix(int64(expiry), 0)
	return l, nil
}

// Key names the link in the group's log.
func (l *Link) Key() identity.PubKey { return l.key.Public() }

// String is the link's text. It is secret: it lets in whoever reads it.
func (l *Link) String() string {
	return LinkPrefix + base64.RawURLEncoding.EncodeToString(l.append(nil))
}

func (l *Link) append(dst []byte) []byte {
	dst = append(append(dst, linkVersion), l.Group[:]...)
	dst = append(append(dst, l.Inviter[:]...), l.secret[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(l.Expiry.Unix()))
	return mailbox.AppendHomes(dst, l.Homes)
}
