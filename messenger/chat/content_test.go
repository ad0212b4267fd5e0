package chat

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"github.com/skycoin/viscript/messenger/chat/senderkey"
	"github.com/skycoin/viscript/messenger/mailbox"
	"github.com/skycoin/viscript/node/identity"
)

func samples() []*content {
	at := time.UnixMilli(1_800_000_000_123)
	id, sum := MessageID{1, 2, 3}, [32]byte{9}
	return []*content{
		{kind: textKind, id: id, time: at, seq: 7, reply: MessageID{4}, text: "hé"},
		{kind: receiptKind, id: id, time: at, what: readReceipt, ids: []MessageID{{5}, {6}}},
		{kind: entriesKind, id: id, time: at, entries: [][]byte{{1}, {2, 3}}},
		{kind: shareKind, id: id, time: at, group: [32]byte{8}, epoch: 2, length: 3, share: make([]byte, senderkey.ShareLen)},
		{kind: askKind, id: id, time: at, group: [32]byte{8}, length: 3},
		{kind: fileKind, id: id, time: at, seq: 1, length: 5, sum: sum, text: "a.png"},
		{kind: chunkKind, id: id, time: at, file: id, index: 3, bytes: []byte("data")},
		{kind: wantKind, id: id, time: at, file: id, index: 3, count: 4},
		{kind: cardKind, id: id, time: at, bytes: []byte("card")},
		{kind: gotKind, id: id, time: at, ids: []MessageID{{5}, {6}}},
		{kind: copyKind, id: id, time: at, key: aKey(), bytes: []byte("content")},
		{kind: seenKind, id: id, time: at, group: [32]byte{8}, author: aKey(), file: MessageID{4}},
		{kind: personKind, id: id, time: at, key: aKey(), what: verifiedFlag | blockedFlag, changed: at, text: "Bob"},
		{kind: knockKind, id: id, time: at, group: [32]byte{8}, key: aKey()},
	}
}

// aKey is the same key each time.
func aKey() identity.PubKey {
	k, err := identity.FromSecret(bytes.Repeat([]byte{7}, identity.SecKeyLen))
	if err != nil {
		panic(err)
	}
	return k.Public()
}

func TestContents(t *testing.T) {
	for _, c := range samples() {
		b := c.append(nil)
		got, err := parseContent(b)
		if err != nil || !bytes.Equal(got.append(nil), b) {
			t.Errorf("kind %d: %v", c.kind, err)
		}
		for n := range b {
			if _, err := parseContent(b[:n]); err == nil {
				t.Errorf("kind %d: %d of %d bytes are taken", c.kind, n, len(b))
			}
		}
		if _, err := parseContent(append(b, 0)); err == nil {
			t.Errorf("kind %d: a byte too many is taken", c.kind)
		}
	}
	var all []byte
	for _, c := range samples() {
		all = c.append(all)
	}
	const sum = "86cc7d40031f8cd7fa792d0dc8dd04e0c63cb7a97b8a26b00b00f7783b84ef37"
	if got := sha256.Sum256(all); hex.EncodeToString(got[:]) != sum {
		t.Errorf("the samples have SHA-256 %x, want %s: a format has changed", got, sum)
	}
	const golden = "010101020300000000000000000000000000000001a3185c507b" +
		"0000000000000000000000000000000000000000000000000000000000000000" +
		"0000000000000007" + "04000000000000000000000000000000" + "000368c3a9"
	if got := hex.EncodeToString(samples()[0].append(nil)); got != golden {
		t.Errorf("a text is\n%s, want\n%s", got, golden)
	}
}

func FuzzContent(f *testing.F) {
	for _, c := range samples() {
		f.Add(c.append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := parseContent(b); err == nil && !bytes.Equal(c.append(nil), b) {
			t.Errorf("%x is read as %x", b, c.append(nil))
		}
	})
}

func FuzzBody(f *testing.F) {
	key, err := identity.Generate()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(appendBody(nil, openingBody, mailbox.Address{Owner: key.Public(), Device: 3}), 1, 2, 3))
	f.Fuzz(func(t *testing.T, b []byte) {
		if kind, from, rest, err := parseBody(b); err == nil && !bytes.Equal(append(appendBody(nil, kind, from), rest...), b) {
			t.Errorf("%x is read as something else", b)
		}
	})
}
