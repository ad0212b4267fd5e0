package chat

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"time"
	"unicode/utf8"

	"github.com/skycoin/viscript/messenger/chat/envelope"
	"github.com/skycoin/viscript/messenger/chat/group"
	"github.com/skycoin/viscript/messenger/chat/senderkey"
	"github.com/skycoin/viscript/messenger/mailbox"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// Limits of contents.
const (
	MaxText     = 16 << 10 // bytes of UTF-8
	MaxFileName = 255      // bytes of UTF-8
	ChunkLen    = 48 << 10 // of a file; the last one is shorter
	MaxFile     = 1 << 30  // bytes

	maxIDs     = 512 // in one receipt
	maxEntries = 64  // in one content
	maxWant    = 64  // chunks asked for at once
	maxContent = envelope.MaxBody - 4<<10
)

// MessageID names a message; who writes it picks it at random. Zeros: none.
type MessageID [16]byte

// IsZero reports whether id is none.
func (id MessageID) IsZero() bool { return id == MessageID{} }

// String is 32 hex digits.
func (id MessageID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText and UnmarshalText are String and its inverse.
func (id MessageID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (id *MessageID) UnmarshalText(b []byte) error {
	if len(b) != 2*len(id) {
		return errors.New("chat: a message's id is 32 hex digits")
	}
	_, err := hex.Decode(id[:], b)
	return err
}

// kind is what a content is; append only.
type kind uint8

const (
	textKind    kind = 1
	receiptKind kind = 2
	entriesKind kind = 3
	shareKind   kind = 4
	askKind     kind = 5
	fileKind    kind = 6
	chunkKind   kind = 7
	wantKind    kind = 8
	cardKind    kind = 9
	gotKind     kind = 10
	knockKind   kind = 11
	copyKind    kind = 12
	seenKind    kind = 13
	personKind  kind = 14
)

// What a receipt says.
const (
	deliveredReceipt = 1
	readReceipt      = 2
)

const contentVersion = 1

// content is one thing that is said, see the package comment; which fields count depends on the kind.
type content struct {
	kind    kind
	id      MessageID
	time    time.Time // to the millisecond
	group   group.Hash
	seq     uint64
	reply   MessageID
	text    string // text, or name of a file
	what    uint8
	ids     []MessageID
	entries [][]byte
	epoch   uint64
	length  uint64 // of a log, or of a file in bytes
	share   []byte
	sum     [32]byte
	file    MessageID
	index   uint32
	count   uint32
	bytes   []byte
	key     identity.PubKey
	sig     identity.Sig
	author  identity.PubKey
	changed time.Time
	homes   []mailbox.Home
}

func (c *content) append(dst []byte) []byte {
	dst = append(append(dst, contentVersion, byte(c.kind)), c.id[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(c.time.UnixMilli()))
	switch c.kind {
	case textKind:
		dst = wire.AppendString(c.appendPlace(dst), c.text)
	case receiptKind:
		dst = appendIDs(append(append(dst, c.group[:]...), c.what), c.ids)
	case entriesKind:
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(c.entries)))
		for _, e := range c.entries {
			dst = wire.AppendBytes(dst, e)
		}
	case shareKind:
		dst = binary.BigEndian.AppendUint64(append(dst, c.group[:]...), c.epoch)
		dst = append(binary.BigEndian.AppendUint64(dst, c.length), c.share...)
	case askKind:
		dst = binary.BigEndian.AppendUint64(append(dst, c.group[:]...), c.length)
	case fileKind:
		dst = binary.BigEndian.AppendUint64(c.appendPlace(dst), c.length)
		dst = wire.AppendString(append(dst, c.sum[:]...), c.text)
	case chunkKind:
		dst = binary.BigEndian.AppendUint32(append(dst, c.file[:]...), c.index)
		dst = wire.AppendBytes(dst, c.bytes)
	case wantKind:
		dst = binary.BigEndian.AppendUint32(append(dst, c.file[:]...), c.index)
		dst = binary.BigEndian.AppendUint32(dst, c.count)
	case cardKind:
		dst = wire.AppendBytes(dst, c.bytes)
	case gotKind:
		dst = appendIDs(dst, c.ids)
	case copyKind:
		dst = wire.AppendBytes(append(dst, c.key[:]...), c.bytes)
	case seenKind:
		dst = append(append(append(append(dst, c.key[:]...), c.group[:]...), c.author[:]...), c.file[:]...)
	case personKind:
		dst = binary.BigEndian.AppendUint64(append(append(dst, c.key[:]...), c.what), uint64(c.changed.UnixMilli()))
		dst = mailbox.AppendHomes(wire.AppendString(dst, c.text), c.homes)
	case knockKind:
		dst = append(append(append(dst, c.group[:]...), c.key[:]...), c.sig[:]...)
	}
	return dst
}

func appendIDs(dst []byte, ids []MessageID) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(ids)))
	for _, id := range ids {
		dst = append(dst, id[:]...)
	}
	return dst
}

func readIDs(r *wire.Reader) []MessageID {
	ids := make([]MessageID, r.Count(maxIDs, len(MessageID{})))
	for i := range ids {
		r.Fixed(ids[i][:])
	}
	return ids
}

// appendPlace appends what texts and files begin with.
func (c *content) appendPlace(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, c.group[:]...), c.seq)
	return append(dst, c.reply[:]...)
}

// parseContent reads a content, all of b; what it returns aliases b.
func parseContent(b []byte) (*content, error) {
	if len(b) < 2 || b[0] != contentVersion {
		return nil, wire.ErrMalformed
	}
	r := wire.NewReader(b[2:])
	c := &content{kind: kind(b[1])}
	r.Fixed(c.id[:])
	ms := r.U64()
	ok := ms <= maxMillis
	switch c.kind {
	case textKind:
		c.readPlace(r)
		c.text = r.String(MaxText)
		ok = ok && utf8.ValidString(c.text) && c.text != ""
	case receiptKind:
		r.Fixed(c.group[:])
		c.what = r.U8()
		c.ids = readIDs(r)
		ok = ok && (c.what == deliveredReceipt || c.what == readReceipt)
	case entriesKind:
		c.entries = make([][]byte, r.Count(maxEntries, 2))
		for i := range c.entries {
			c.entries[i] = r.Bytes(group.MaxEntry)
		}
	case shareKind:
		r.Fixed(c.group[:])
		c.epoch, c.length = r.U64(), r.U64()
		c.share = make([]byte, senderkey.ShareLen)
		r.Fixed(c.share)
	case askKind:
		r.Fixed(c.group[:])
		c.length = r.U64()
	case fileKind:
		c.readPlace(r)
		c.length = r.U64()
		r.Fixed(c.sum[:])
		c.text = r.String(MaxFileName)
		ok = ok && utf8.ValidString(c.text) && c.length <= MaxFile && c.text != ""
	case chunkKind:
		r.Fixed(c.file[:])
		c.index, c.bytes = r.U32(), r.Bytes(ChunkLen)
	case wantKind:
		r.Fixed(c.file[:])
		c.index, c.count = r.U32(), r.U32()
		ok = ok && c.count <= maxWant
	case cardKind:
		c.bytes = r.Bytes(mailbox.MaxCard)
	case gotKind:
		c.ids = readIDs(r)
	case copyKind:
		c.key, c.bytes = r.OptionalKey(), r.Bytes(maxContent)
	case seenKind:
		c.key = r.OptionalKey()
		r.Fixed(c.group[:])
		c.author = r.Key()
		r.Fixed(c.file[:])
	case personKind:
		var at uint64
		c.key, c.what, at, c.text = r.Key(), r.U8(), r.U64(), r.String(MaxName)
		var err error
		c.homes, err = mailbox.ReadHomes(r)
		ok = ok && err == nil && c.what <= maxFlags && at <= maxMillis && utf8.ValidString(c.text)
		c.changed = time.UnixMilli(int64(min(at, maxMillis)))
	case knockKind:
		r.Fixed(c.group[:])
		c.key, c.sig = r.Key(), r.Sig()
	default:
		ok = false
	}
	if r.Done() != nil || !ok {
		return nil, wire.ErrMalformed
	}
	c.time = time.UnixMilli(int64(ms))
	return c, nil
}

// maxMillis is the year 9999.
const maxMillis = 253402300799999

func (c *content) readPlace(r *wire.Reader) {
	r.Fixed(c.group[:])
	c.seq = r.U64()
	r.Fixed(c.reply[:])
}

// What is in an envelope.
const (
	bodyVersion = 1
	bodyLen     = 1 + 1 + identity.PubKeyLen + 4

	ratchetBody = 1
	openingBody = 2
	groupBody   = 3
)

func appendBody(dst []byte, kind byte, from mailbox.Address) []byte {
	dst = append(append(dst, bodyVersion, kind), from.Owner[:]...)
	return binary.BigEndian.AppendUint32(dst, from.Device)
}

func parseBody(b []byte) (kind byte, from mailbox.Address, rest []byte, err error) {
	if len(b) < bodyLen || b[0] != bodyVersion || b[1] < ratchetBody || b[1] > groupBody {
		return 0, from, nil, wire.ErrMalformed
	}
	r := wire.NewReader(b[2:])
	from = mailbox.Address{Owner: r.Key(), Device: r.U32()}
	rest = r.Rest()
	if r.Err() != nil || from.Device == 0 {
		return 0, from, nil, wire.ErrMalformed
	}
	return b[1], from, rest, nil
}

// bound is the additional data of the ratchet between two devices.
func bound(from, to mailbox.Address) []byte {
	b := append([]byte("viscript chat/1"), from.Owner[:]...)
	b = binary.BigEndian.AppendUint32(b, from.Device)
	b = append(b, to.Owner[:]...)
	return binary.BigEndian.AppendUint32(b, to.Device)
}
