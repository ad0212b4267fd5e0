package chat

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/skycoin/viscript/messenger/chat/envelope"
	"github.com/skycoin/viscript/messenger/chat/group"
	"github.com/skycoin/viscript/messenger/chat/prekey"
	"github.com/skycoin/viscript/messenger/chat/ratchet"
	"github.com/skycoin/viscript/messenger/chat/senderkey"
	"github.com/skycoin/viscript/messenger/mailbox"
	"github.com/skycoin/viscript/node/identity"
)

// attacker is a device that says what it likes, without an engine.
type attacker struct {
	t       *testing.T
	e       *Engine // the victim's
	key     *identity.Key
	at      mailbox.Address
	to      mailbox.Address
	box     envelope.Box
	opening []byte
	r       *ratchet.Session
}

// attack greets an engine with its prekey 0, as whoever has key.
func attack(t *testing.T, key *identity.Key, device uint32, on *Engine) *attacker {
	t.Helper()
	b, err := on.bundle(0)
	if err != nil {
		t.Fatal(err)
	}
	p, err := prekey.Parse(b.Prekeys[0])
	if err != nil {
		t.Fatal(err)
	}
	a := &attacker{t: t, e: on, key: key, at: mailbox.Address{Owner: key.Public(), Device: device}, to: on.Self(), box: on.box().Box()}
	if a.opening, a.r, err = prekey.Greet(key, device, on.Self().Owner, p, time.Now()); err != nil {
		t.Fatal(err)
	}
	return a
}

// letter is an envelope with a content.
func (a *attacker) letter(c *content) mailbox.Letter {
	a.t.Helper()
	if c.id.IsZero() {
		c.id = newID()
	}
	if c.time.IsZero() {
		c.time = time.Now()
	}
	body, err := a.r.Seal(append(appendBody(nil, openingBody, a.at), a.opening...), c.append(nil), bound(a.at, a.to))
	if err != nil {
		a.t.Fatal(err)
	}
	return a.envelope(body)
}

// groupLetter is an envelope with a content of a sender key.
func (a *attacker) groupLetter(chain *senderkey.Sending, c *content) mailbox.Letter {
	a.t.Helper()
	c.id, c.time = newID(), time.Now()
	body, err := chain.Seal(appendBody(nil, groupBody, a.at), c.append(nil))
	if err != nil {
		a.t.Fatal(err)
	}
	return a.envelope(body)
}

func (a *attacker) envelope(body []byte) mailbox.Letter {
	a.t.Helper()
	e, err := envelope.Seal(a.box, body)
	if err != nil {
		a.t.Fatal(err)
	}
	return mailbox.Letter{ID: mailbox.IDOf(e), Envelope: e}
}

// victim is an engine that does not run.
func victim(t *testing.T) *Engine {
	t.Helper()
	e, err := Open(Config{Key: newIdentity(t), Dir: t.TempDir(), Post: Offline{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func newIdentity(t *testing.T) *identity.Key {
	t.Helper()
	k, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// give has an engine read letters; the acknowledgement goes nowhere.
func (e *Engine) give(t *testing.T, letters ...mailbox.Letter) {
	t.Helper()
	if err := e.read(t.Context(), e.own[0], letters); err != nil && !errors.Is(err, ErrOffline) {
		t.Fatal(err)
	}
}

// count is how many values a bucket has.
func (e *Engine) count(t *testing.T, bucket string) (n int) {
	t.Helper()
	err := e.v.view(func(t tx) error { n = t.Bucket([]byte(bucket)).Stats().KeyN; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestStrangersFlood: a crowd of keys that were made up gets as far as the request box is large; of those who say nothing that a stranger may
// say, nothing is kept.
func TestStrangersFlood(t *testing.T) {
	e := victim(t)
	var letters []mailbox.Letter
	for range 25 {
		a := attack(t, newIdentity(t), 1, e)
		letters = append(letters,
			a.letter(&content{kind: receiptKind, what: readReceipt, ids: []MessageID{newID()}}),
			a.letter(&content{kind: askKind, group: group.Hash{1}}),
			a.letter(&content{kind: shareKind, group: group.Hash{1}, share: make([]byte, senderkey.ShareLen)}),
			a.letter(&content{kind: wantKind, count: 8}),
			a.letter(&content{kind: knockKind, group: group.Hash{1}, key: aKey()}),
			a.letter(&content{kind: copyKind, key: aKey(), bytes: (&content{kind: textKind, text: "x"}).append(nil)}),
			a.letter(&content{kind: personKind, key: aKey(), changed: time.Now()}),
			a.letter(&content{kind: textKind, group: group.Hash{1}, text: "x"}))
	}
	e.give(t, letters...)
	for _, b := range []string{contactBucket, sessionBucket, openedBucket, historyBucket, parkedBucket, outBucket, groupBucket, deviceBucket} {
		if n := e.count(t, b); n != 0 {
			t.Errorf("%d values in %s", n, b)
		}
	}
	letters = nil
	for range MaxRequests + 15 {
		a := attack(t, newIdentity(t), 1, e)
		letters = append(letters, a.letter(&content{kind: textKind, text: "buy"}), a.letter(&content{kind: textKind, text: "now"}))
	}
	e.give(t, letters...)
	for _, b := range []string{contactBucket, sessionBucket} {
		if n := e.count(t, b); n != MaxRequests {
			t.Errorf("%d values in %s, want %d", n, b, MaxRequests)
		}
	}
	if n := e.count(t, historyBucket); n != 2*MaxRequests {
		t.Errorf("%d messages", n)
	}
	if n := e.count(t, outBucket); n != 0 {
		t.Errorf("%d answers to strangers", n)
	}
}

// TestMembersFlood: people who are known only from a group share the request box with everybody else.
func TestMembersFlood(t *testing.T) {
	e := victim(t)
	var keys []*identity.Key
	err := e.v.update(func(t2 tx) error {
		for range MaxRequests + 10 {
			k := newIdentity(t)
			keys = append(keys, k)
			if err := t2.saveContact(&Contact{Key: k.Public(), Met: true}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		e.give(t, attack(t, k, 1, e).letter(&content{kind: textKind, text: "buy"}))
	}
	if list, err := e.Conversations(true); err != nil || len(list) != MaxRequests {
		t.Errorf("%d requests, %v", len(list), err)
	}
}

// TestManyDevices: a contact who makes up devices without end takes no more room than one with many.
func TestManyDevices(t *testing.T) {
	e, key := victim(t), newIdentity(t)
	if err := e.AddContact(key.Public(), "eve"); err != nil {
		t.Fatal(err)
	}
	for i := range uint32(3 * mailbox.MaxDevices) {
		e.give(t, attack(t, key, i+1, e).letter(&content{kind: receiptKind, what: readReceipt, ids: []MessageID{newID()}}))
	}
	if n := e.count(t, sessionBucket); n > 2*mailbox.MaxDevices {
		t.Errorf("%d devices of one person have ratchets", n)
	}
	list, err := e.Contacts()
	if err != nil || len(list[0].Devices) > 2*mailbox.MaxDevices || list[0].Heard.IsZero() {
		t.Errorf("%+v, %v", list, err)
	}
	// And who greets again and again from one device.
	for range 3 * maxSessions {
		e.give(t, attack(t, key, 1, e).letter(&content{kind: textKind, text: "x"}))
	}
	err = e.v.view(func(t2 tx) error {
		list, err := t2.pairings(mailbox.Address{Owner: key.Public(), Device: 1})
		if len(list) > maxSessions {
			t.Errorf("%d ratchets with one device", len(list))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestParkedFlood: what comes too early is kept up to a limit; the log is asked for, and nothing large is sent to who asks without end.
func TestParkedFlood(t *testing.T) {
	e, key := victim(t), newIdentity(t)
	if err := e.AddContact(key.Public(), "eve"); err != nil {
		t.Fatal(err)
	}
	id, err := e.CreateGroup("Walks")
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Change(id, group.Change{Kind: group.Add, Subject: key.Public()}); err != nil {
		t.Fatal(err)
	}
	a := attack(t, key, 1, e)
	var letters []mailbox.Letter
	for i := range maxParked + 100 {
		letters = append(letters, a.letter(&content{kind: shareKind, group: group.Hash{byte(i), byte(i >> 8), 1}, share: make([]byte, senderkey.ShareLen)}))
	}
	for range 500 {
		letters = append(letters, a.letter(&content{kind: askKind, group: id}))
	}
	e.give(t, letters...)
	if n := e.count(t, parkedBucket); n > maxParked {
		t.Errorf("%d values are parked", n)
	}
	if n := e.count(t, outBucket); n > maxParked+100+maxWant+10 {
		t.Errorf("%d contents wait for who asks without end", n)
	}
	// Chains of one device in one group.
	letters = nil
	for i := range 20 {
		share := senderkey.New(senderkey.Place{Group: id, Epoch: uint64(i), Member: key.Public(), Device: 1}, time.Now()).Share()
		letters = append(letters, a.letter(&content{kind: shareKind, group: id, epoch: uint64(i), share: share}))
	}
	e.give(t, letters...)
	if n := e.count(t, chainBucket); n > maxChains+1 {
		t.Errorf("%d chains", n)
	}
}

// TestLyingFiles: a sender who sends other chunks than asked for, of other lengths, or other bytes than announced.
func TestLyingFiles(t *testing.T) {
	e, key := victim(t), newIdentity(t)
	if err := e.AddContact(key.Public(), "eve"); err != nil {
		t.Fatal(err)
	}
	a := attack(t, key, 1, e)
	offer := &content{kind: fileKind, id: newID(), seq: 1, length: 2*ChunkLen + 10, sum: [32]byte{1}, text: "../../.ssh/authorized_keys"}
	chunk := func(i uint32, n int) mailbox.Letter {
		return a.letter(&content{kind: chunkKind, file: offer.id, index: i, bytes: bytes.Repeat([]byte{7}, n)})
	}
	have := func() uint64 { n, _, _ := e.Progress(key.Public(), offer.id); return n }
	e.give(t, a.letter(offer), chunk(0, ChunkLen))
	if n := e.count(t, chunkBucket); n != 0 {
		t.Errorf("%d chunks that nobody has asked for", n)
	}
	list, err := e.History(To(key.Public()), 0, 10)
	if err != nil || len(list) != 1 || list[0].File.Name != "authorized_keys" {
		t.Fatalf("%+v, %v", list, err)
	}
	if err := e.FetchFile(To(key.Public()), key.Public(), offer.id); err != nil {
		t.Fatal(err)
	}
	e.give(t, chunk(1, ChunkLen), chunk(0, ChunkLen-1), chunk(0, 0), chunk(9, ChunkLen), chunk(1<<31, ChunkLen))
	if have() != 0 {
		t.Errorf("%d bytes of what was not asked for", have())
	}
	e.give(t, chunk(0, ChunkLen), chunk(0, ChunkLen), chunk(1, ChunkLen), chunk(2, 11), chunk(2, 10), chunk(3, 10))
	if _, done, err := e.Progress(key.Public(), offer.id); err != nil || done {
		t.Errorf("a file of another sum is whole: %v", err)
	}
	var out bytes.Buffer
	if err := e.ReadFile(key.Public(), offer.id, &out); !errors.Is(err, ErrFile) || out.Len() > 0 {
		t.Errorf("it is read: %v", err)
	}
	huge := &content{kind: fileKind, id: newID(), seq: 2, length: MaxFile + 1, text: "huge"}
	e.give(t, a.letter(huge))
	if list, err := e.History(To(key.Public()), 0, 10); err != nil || len(list) != 1 {
		t.Errorf("a file of more than the limit is offered: %d, %v", len(list), err)
	}
	// Offers cost no room; what is fetched is counted before it comes.
	for i := range maxHeldFiles/MaxFile + 1 {
		o := &content{kind: fileKind, id: newID(), seq: uint64(3 + i), length: MaxFile, text: fmt.Sprint(i)}
		e.give(t, a.letter(o))
		err := e.FetchFile(To(key.Public()), key.Public(), o.id)
		if i == maxHeldFiles/MaxFile && !errors.Is(err, ErrFileRoom) {
			t.Errorf("fetching file %d: %v", i, err)
		}
	}
}

// TestFarAhead: a message whose number is far ahead makes no keys for those before it.
func TestFarAhead(t *testing.T) {
	e, key := victim(t), newIdentity(t)
	if err := e.AddContact(key.Public(), "eve"); err != nil {
		t.Fatal(err)
	}
	a := attack(t, key, 1, e)
	e.give(t, a.letter(&content{kind: textKind, seq: 1, text: "first"}))
	var last mailbox.Letter
	for range 2*ratchet.MaxSkip + 2 {
		if _, err := a.r.Seal(nil, []byte("skipped"), nil); err != nil {
			t.Fatal(err)
		}
	}
	last = a.letter(&content{kind: textKind, seq: 3000, text: "far"})
	e.give(t, last)
	if list, err := e.History(To(key.Public()), 0, 10); err != nil || len(list) != 1 {
		t.Errorf("%d messages, %v", len(list), err)
	}
	// A new greeting goes on.
	e.give(t, attack(t, key, 1, e).letter(&content{kind: textKind, seq: 3001, text: "again"}))
	if list, err := e.History(To(key.Public()), 0, 10); err != nil || len(list) != 2 || !list[1].Gap {
		t.Errorf("%+v, %v", list, err)
	}
}
