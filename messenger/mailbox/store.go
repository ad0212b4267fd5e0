package mailbox

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/skycoin/viscript/messenger/chat/prekey"
	"github.com/skycoin/viscript/node/identity"
)

// StoreFile is the name of the store in its folder.
const StoreFile = "mailboxes.db"

// Limits of the store.
const (
	MaxLetters  = 20_000   // in one mailbox
	MaxBytes    = 64 << 20 // in one mailbox
	MaxTotal    = 8 << 30  // in the store
	MaxOwners   = 100_000  // in the store
	fetchBytes  = 60 << 10 // in one answer
	fetchCount  = MaxPutCount
	lockTimeout = 2 * time.Second
	batchDelay  = 2 * time.Millisecond
	sweepCount  = 1000 // in one transaction
)

// The buckets. Numbers are big-endian, so that keys come in order.
const (
	letterBucket = "letters" // address ‖ number → expiry:u64 ‖ envelope
	idBucket     = "ids"     // address ‖ id → number
	expiryBucket = "expiry"  // expiry:u64 ‖ address ‖ number → id
	usageBucket  = "usage"   // address → letters:u64 ‖ bytes:u64
	cardBucket   = "cards"   // address → card
	preBucket    = "prekeys" // address ‖ number:u32 → prekey
)

// store is the mailboxes on disk. Safe for concurrent use.
type store struct {
	db *bbolt.DB

	mu      sync.Mutex // guards the following
	total   uint64     // bytes of envelopes
	owners  int
	waiting map[Address]chan struct{} // closed when something comes
}

func openStore(dir string) (*store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("mailbox: making the folder of the store: %w", err)
	}
	path := filepath.Join(dir, StoreFile)
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockTimeout, FreelistType: bbolt.FreelistMapType})
	if errors.Is(err, bolterrors.ErrTimeout) {
		err = errors.New("in use by another process")
	}
	if err != nil {
		return nil, fmt.Errorf("mailbox: opening %s: %w", path, err)
	}
	db.MaxBatchDelay = batchDelay
	s := &store{db: db, waiting: map[Address]chan struct{}{}}
	if err := errors.Join(os.Chmod(path, 0o600), db.Update(s.prepare)); err != nil {
		return nil, errors.Join(fmt.Errorf("mailbox: preparing %s: %w", path, err), db.Close())
	}
	return s, nil
}

func (s *store) prepare(t *bbolt.Tx) error {
	for _, b := range []string{letterBucket, idBucket, expiryBucket, usageBucket, cardBucket, preBucket} {
		if _, err := t.CreateBucketIfNotExists([]byte(b)); err != nil {
			return err
		}
	}
	s.owners = t.Bucket([]byte(cardBucket)).Stats().KeyN
	return t.Bucket([]byte(usageBucket)).ForEach(func(_, v []byte) error {
		_, n := readUsage(v)
		s.total += n
		return nil
	})
}

func (s *store) close() error { return s.db.Close() }

func readUsage(b []byte) (letters, bytes uint64) {
	if len(b) != 16 {
		return 0, 0
	}
	return binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
}

func appendUsage(letters, bytes uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, letters), bytes)
}

// put adds envelopes to a mailbox; all or none. Errors: ErrNobody, ErrFull.
func (s *store) put(to Address, envelopes [][]byte, now time.Time) error {
	var added uint64
	at := to.append(nil)
	err := s.db.Batch(func(t *bbolt.Tx) error {
		added = 0
		if card := t.Bucket([]byte(cardBucket)).Get(at); card == nil || isGone(card) {
			return ErrNobody
		}
		letters, size := readUsage(t.Bucket([]byte(usageBucket)).Get(at))
		for _, e := range envelopes {
			fresh, err := putOne(t, at, e, now)
			if err != nil {
				return err
			}
			if fresh {
				letters, size, added = letters+1, size+uint64(len(e)), added+uint64(len(e))
			}
		}
		if letters > MaxLetters || size > MaxBytes || (added > 0 && s.sum()+added > MaxTotal) {
			return ErrFull
		}
		return t.Bucket([]byte(usageBucket)).Put(at, appendUsage(letters, size))
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total += added
	if c := s.waiting[to]; c != nil {
		close(c)
		delete(s.waiting, to)
	}
	return nil
}

func (s *store) sum() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

// putOne adds an envelope that is not there.
func putOne(t *bbolt.Tx, at, e []byte, now time.Time) (fresh bool, err error) {
	id := IDOf(e)
	ids, letters := t.Bucket([]byte(idBucket)), t.Bucket([]byte(letterBucket))
	idKey := append(bytes.Clone(at), id[:]...)
	if ids.Get(idKey) != nil {
		return false, nil
	}
	n, err := letters.NextSequence()
	if err != nil {
		return false, err
	}
	number := binary.BigEndian.AppendUint64(nil, n)
	expiry := binary.BigEndian.AppendUint64(nil, uint64(now.Add(TTL).Unix()))
	key := append(bytes.Clone(at), number...)
	return true, errors.Join(
		letters.Put(key, append(bytes.Clone(expiry), e...)),
		ids.Put(idKey, number),
		t.Bucket([]byte(expiryBucket)).Put(append(bytes.Clone(expiry), key...), id[:]),
	)
}

// fetch returns the oldest envelopes of a mailbox, and where to wait if there are none. Errors: ErrNobody.
func (s *store) fetch(a Address) (list [][]byte, wait <-chan struct{}, err error) {
	c := s.wait(a)
	at, sum := a.append(nil), 0
	err = s.db.View(func(t *bbolt.Tx) error {
		if card := t.Bucket([]byte(cardBucket)).Get(at); card == nil || isGone(card) {
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.waiting, a) // so that there are never more than mailboxes
			if card != nil {
				return ErrGone
			}
			return ErrNobody
		}
		cur := t.Bucket([]byte(letterBucket)).Cursor()
		for k, v := cur.Seek(at); bytes.HasPrefix(k, at) && len(v) > 8 && len(list) < fetchCount; k, v = cur.Next() {
			if sum += len(v) - 8; sum > fetchBytes && len(list) > 0 {
				break
			}
			list = append(list, bytes.Clone(v[8:]))
		}
		return nil
	})
	return list, c, err
}

// wait is a channel that is closed when something comes.
func (s *store) wait(a Address) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.waiting[a]
	if c == nil {
		c = make(chan struct{})
		s.waiting[a] = c
	}
	return c
}

// ack deletes envelopes; those that are not there are no error.
func (s *store) ack(a Address, ids []ID) error {
	at := a.append(nil)
	var freed uint64
	err := s.db.Batch(func(t *bbolt.Tx) error {
		freed = 0
		for _, id := range ids {
			n, err := drop(t, at, id)
			if err != nil {
				return err
			}
			freed += n
		}
		return nil
	})
	if err == nil {
		s.free(freed)
	}
	return err
}

func (s *store) free(n uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total -= min(n, s.total)
}

// drop deletes one envelope and returns its size.
func drop(t *bbolt.Tx, at []byte, id ID) (size uint64, err error) {
	ids, letters, usage := t.Bucket([]byte(idBucket)), t.Bucket([]byte(letterBucket)), t.Bucket([]byte(usageBucket))
	idKey := append(bytes.Clone(at), id[:]...)
	number := ids.Get(idKey)
	if number == nil {
		return 0, nil
	}
	key := append(bytes.Clone(at), number...)
	v := letters.Get(key)
	if len(v) < 8 {
		return 0, ids.Delete(idKey)
	}
	size = uint64(len(v) - 8)
	expiry := append(bytes.Clone(v[:8]), key...)
	count, sum := readUsage(usage.Get(at))
	return size, errors.Join(ids.Delete(idKey), letters.Delete(key), t.Bucket([]byte(expiryBucket)).Delete(expiry),
		usage.Put(at, appendUsage(count-min(1, count), sum-min(size, sum))))
}

// errBundle: a card or a prekey that is not the owner's, or not valid.
var errBundle = errors.New("mailbox: not a card with prekeys of this owner")

// publish takes in a device's card and prekeys; it returns how many prekeys with a number there are. Errors: ErrGone, ErrFull.
func (s *store) publish(owner identity.PubKey, b Bundle, now time.Time) (left int, err error) {
	card, err := ParseCard(b.Card)
	if err != nil {
		return 0, errBundle
	}
	if err := card.Verify(owner, now); errors.Is(err, ErrGone) {
		return 0, s.retire(Address{owner, card.Device}, b.Card)
	} else if err != nil {
		return 0, errBundle
	}
	numbers := make([]uint32, len(b.Prekeys))
	for i, raw := range b.Prekeys {
		p, err := prekey.Parse(raw)
		if err != nil || p.Device != card.Device || p.Verify(owner, now) != nil {
			return 0, errBundle
		}
		numbers[i] = p.Number
	}
	at := Address{owner, card.Device}.append(nil)
	grew := 0
	err = s.db.Batch(func(t *bbolt.Tx) error {
		grew = 0
		cards, pre := t.Bucket([]byte(cardBucket)), t.Bucket([]byte(preBucket))
		if cards.Get(at) == nil {
			if err := s.room(t, owner); err != nil {
				return err
			}
			grew = 1
		}
		if isGone(cards.Get(at)) {
			return ErrGone
		}
		if old, err := ParseCard(cards.Get(at)); err != nil || !old.Issued.After(card.Issued) {
			if err := cards.Put(at, b.Card); err != nil {
				return err
			}
		}
		left = countPrekeys(t, at)
		for i, raw := range b.Prekeys {
			key := binary.BigEndian.AppendUint32(bytes.Clone(at), numbers[i])
			if numbers[i] != 0 {
				if left >= MaxStock || pre.Get(key) != nil {
					continue
				}
				left++
			}
			if err := pre.Put(key, raw); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.owners += grew
	return left, nil
}

// isGone reports whether a kept card says that the device is gone.
func isGone(card []byte) bool {
	const issued = 1 + 4
	return len(card) >= CardLen && binary.BigEndian.Uint64(card[issued+8:]) <= binary.BigEndian.Uint64(card[issued:])
}

// retire keeps a device's last card, which nothing replaces, and deletes all else of it.
func (s *store) retire(a Address, card []byte) error {
	at := a.append(nil)
	grew := 0
	err := s.db.Update(func(t *bbolt.Tx) error {
		cards := t.Bucket([]byte(cardBucket))
		if cards.Get(at) == nil {
			if err := s.room(t, a.Owner); err != nil {
				return err
			}
			grew = 1
		}
		if isGone(cards.Get(at)) {
			return nil
		}
		return errors.Join(cards.Put(at, card), dropPrekeys(t, at))
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.owners += grew
	if c := s.waiting[a]; c != nil {
		close(c)
		delete(s.waiting, a)
	}
	s.mu.Unlock()
	for more := true; more && err == nil; {
		more, err = s.dropLetters(at)
	}
	return err
}

// dropLetters deletes some letters of a mailbox; more reports whether there may be others.
func (s *store) dropLetters(at []byte) (more bool, err error) {
	var freed uint64
	err = s.db.Update(func(t *bbolt.Tx) error {
		freed = 0
		var ids []ID
		c := t.Bucket([]byte(idBucket)).Cursor()
		for k, _ := c.Seek(at); bytes.HasPrefix(k, at) && len(ids) < sweepCount; k, _ = c.Next() {
			ids = append(ids, ID(k[len(at):]))
		}
		more = len(ids) == sweepCount
		for _, id := range ids {
			n, err := drop(t, at, id)
			if err != nil {
				return err
			}
			freed += n
		}
		return nil
	})
	if err == nil {
		s.free(freed)
	}
	return more, err
}

func dropPrekeys(t *bbolt.Tx, at []byte) (err error) {
	c := t.Bucket([]byte(preBucket)).Cursor()
	for k, _ := c.Seek(at); bytes.HasPrefix(k, at); k, _ = c.Seek(at) {
		err = errors.Join(err, c.Delete())
	}
	return err
}

// room: whether there is room for another device of owner.
func (s *store) room(t *bbolt.Tx, owner identity.PubKey) error {
	n := 0
	c := t.Bucket([]byte(cardBucket)).Cursor()
	for k, _ := c.Seek(owner[:]); bytes.HasPrefix(k, owner[:]); k, _ = c.Next() {
		n++
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n >= MaxDevices || s.owners >= MaxOwners {
		return ErrFull
	}
	return nil
}

func countPrekeys(t *bbolt.Tx, at []byte) (n int) {
	c := t.Bucket([]byte(preBucket)).Cursor()
	for k, _ := c.Seek(binary.BigEndian.AppendUint32(bytes.Clone(at), 1)); bytes.HasPrefix(k, at); k, _ = c.Next() {
		n++
	}
	return n
}

// cards returns the cards of somebody's devices. Errors: ErrNobody.
func (s *store) cards(owner identity.PubKey) (list [][]byte, err error) {
	err = s.db.View(func(t *bbolt.Tx) error {
		c := t.Bucket([]byte(cardBucket)).Cursor()
		for k, v := c.Seek(owner[:]); bytes.HasPrefix(k, owner[:]); k, v = c.Next() {
			list = append(list, bytes.Clone(v))
		}
		return nil
	})
	if err == nil && len(list) == 0 {
		err = ErrNobody
	}
	return list, err
}

// take gives a prekey away. Errors: ErrNobody.
func (s *store) take(a Address) (b []byte, err error) {
	at := a.append(nil)
	err = s.db.Batch(func(t *bbolt.Tx) error {
		pre := t.Bucket([]byte(preBucket))
		c := pre.Cursor()
		if k, v := c.Seek(binary.BigEndian.AppendUint32(bytes.Clone(at), 1)); bytes.HasPrefix(k, at) {
			b = bytes.Clone(v)
			return c.Delete()
		}
		if b = bytes.Clone(pre.Get(binary.BigEndian.AppendUint32(bytes.Clone(at), 0))); b == nil {
			return ErrNobody
		}
		return nil
	})
	return b, err
}

// sweep deletes what has expired; more reports whether there may be more of that.
func (s *store) sweep(now time.Time) (more bool, err error) {
	var freed uint64
	var gone int
	err = s.db.Update(func(t *bbolt.Tx) error {
		n := 0
		c := t.Bucket([]byte(expiryBucket)).Cursor()
		type letter struct {
			at []byte
			id ID
		}
		var old []letter
		for k, v := c.First(); len(k) > 8+addressLen && len(v) == len(ID{}) && n < sweepCount; k, v = c.Next() {
			if binary.BigEndian.Uint64(k) > uint64(now.Unix()) {
				break
			}
			old, n = append(old, letter{bytes.Clone(k[8 : 8+addressLen]), ID(v)}), n+1
		}
		for _, l := range old {
			size, err := drop(t, l.at, l.id)
			if err != nil {
				return err
			}
			freed += size
		}
		more = n == sweepCount
		gone, err = sweepCards(t, now)
		return err
	})
	if err != nil {
		return false, err
	}
	s.free(freed)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.owners -= gone
	return more, nil
}

// sweepCards deletes devices whose card expired so long ago that their letters have, too.
func sweepCards(t *bbolt.Tx, now time.Time) (gone int, err error) {
	var old [][]byte
	err = t.Bucket([]byte(cardBucket)).ForEach(func(k, v []byte) error {
		if c, err := ParseCard(v); err != nil || now.After(c.Expiry.Add(TTL)) {
			old = append(old, bytes.Clone(k))
		}
		return nil
	})
	for _, at := range old {
		err = errors.Join(err, t.Bucket([]byte(cardBucket)).Delete(at), t.Bucket([]byte(usageBucket)).Delete(at), dropPrekeys(t, at))
	}
	return len(old), err
}
