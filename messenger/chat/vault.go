package chat

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/skycoin/viscript/node/identity"
)

// StoreFile is the name of the store in its folder.
const StoreFile = "chat.db"

const (
	lockTimeout = 2 * time.Second
	fileMode    = 0o600
)

// ErrLocked: another process has the store open.
var ErrLocked = errors.New("chat: the store is in use by another process")

// ErrKey: the store was made with another identity, or is damaged.
var ErrKey = errors.New("chat: the store does not open with this key")

// The buckets.
const (
	metaBucket     = "meta"
	contactBucket  = "contacts"
	talkBucket     = "conversations"
	historyBucket  = "history"
	idBucket       = "ids"      // message → where it is in the history
	deviceBucket   = "devices"  // of others
	sessionBucket  = "sessions" // ratchets
	openedBucket   = "opened"   // openings that used prekey 0
	prekeyBucket   = "prekeys"
	outBucket      = "outbox" // contents that wait, by person
	wireBucket     = "wire"   // envelopes that wait, by mailbox
	groupBucket    = "groups"
	logBucket      = "logs"   // entries of groups
	chainBucket    = "chains" // sender keys of others
	sendingBucket  = "sending"
	parkedBucket   = "parked" // group messages whose chain is not known yet
	fileBucket     = "files"
	chunkBucket    = "chunks"
	transferBucket = "transfers"
	keptBucket     = "kept"     // envelopes that one messenger has and their reader has not confirmed, by person
	confirmBucket  = "confirm"  // envelope → where it is kept
	linkBucket     = "links"    // invitations of ours
	joinBucket     = "joins"    // groups that we have asked to join
	askingBucket   = "asking"   // people who ask to join groups of ours
	goneBucket     = "gone"     // last cards of devices of ours
	boxBucket      = "boxes"    // the mailbox's keys, by when they were made
	ownBucket      = "own"      // what is noted of our devices
	accountBucket  = "accounts" // what people have left in a day
)

func buckets() []string {
	return []string{metaBucket, contactBucket, talkBucket, historyBucket, idBucket, deviceBucket, sessionBucket, openedBucket, prekeyBucket,
		outBucket, wireBucket, groupBucket, logBucket, chainBucket, sendingBucket, parkedBucket, fileBucket, chunkBucket, transferBucket,
		keptBucket, confirmBucket, linkBucket, joinBucket, askingBucket, goneBucket, boxBucket, ownBucket, accountBucket}
}

// token stands for something in the keys of the store, without saying what.
type token [16]byte

// vault is the store: values sealed, keys blinded.
type vault struct {
	db    *bbolt.DB
	aead  cipher.AEAD
	index [32]byte
}

func openVault(dir string, key *identity.Key) (*vault, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("chat: making the folder of the store: %w", err)
	}
	path := filepath.Join(dir, StoreFile)
	db, err := bbolt.Open(path, fileMode, &bbolt.Options{Timeout: lockTimeout, FreelistType: bbolt.FreelistMapType})
	if errors.Is(err, bolterrors.ErrTimeout) {
		err = ErrLocked
	}
	if err != nil {
		return nil, fmt.Errorf("chat: opening %s: %w", path, err)
	}
	v := &vault{db: db, aead: randomGCM(key.Derive("chat store")), index: key.Derive("chat index")}
	if err := errors.Join(os.Chmod(path, fileMode), v.prepare()); err != nil {
		db.Close()
		return nil, err
	}
	return v, nil
}

// randomGCM is AES-256-GCM that puts a random nonce before what it seals; good for 2^32 values.
func randomGCM(key [32]byte) cipher.AEAD {
	block, err := aes.NewCipher(key[:])
	if err == nil {
		var aead cipher.AEAD
		if aead, err = cipher.NewGCMWithRandomNonce(block); err == nil {
			return aead
		}
	}
	panic("chat: AES-256-GCM with a key of 32 bytes: " + err.Error())
}

// prepare makes the buckets and checks that the key is the store's.
func (v *vault) prepare() error {
	return v.update(func(t tx) error {
		for _, b := range buckets() {
			if _, err := t.CreateBucketIfNotExists([]byte(b)); err != nil {
				return fmt.Errorf("chat: making bucket %s: %w", b, err)
			}
		}
		b, err := t.get(metaBucket, []byte("check"))
		if err != nil || b != nil {
			return err
		}
		return t.put(metaBucket, []byte("check"), []byte{1})
	})
}

// token blinds what the parts say.
func (v *vault) token(kind string, parts ...[]byte) (k token) {
	h := hmac.New(sha256.New, v.index[:])
	h.Write([]byte(kind))
	for _, p := range parts {
		h.Write([]byte{0})
		h.Write(p)
	}
	copy(k[:], h.Sum(nil))
	return k
}

// tx is a transaction on the vault. Slices that it returns belong to the caller.
type tx struct {
	*bbolt.Tx
	v *vault
}

func (v *vault) update(f func(t tx) error) error {
	return v.db.Update(func(b *bbolt.Tx) error { return f(tx{b, v}) })
}

func (v *vault) view(f func(t tx) error) error {
	return v.db.View(func(b *bbolt.Tx) error { return f(tx{b, v}) })
}

func (t tx) put(bucket string, key, value []byte) error {
	sealed := t.v.aead.Seal(nil, nil, value, place(bucket, key))
	return t.Bucket([]byte(bucket)).Put(key, sealed)
}

// place binds a value to where it is.
func place(bucket string, key []byte) []byte { return append([]byte(bucket+"\x00"), key...) }

// get returns nil for what is not there.
func (t tx) get(bucket string, key []byte) ([]byte, error) {
	sealed := t.Bucket([]byte(bucket)).Get(key)
	if sealed == nil {
		return nil, nil
	}
	return t.open(bucket, key, sealed)
}

func (t tx) open(bucket string, key, sealed []byte) ([]byte, error) {
	b, err := t.v.aead.Open([]byte{}, nil, sealed, place(bucket, key))
	if err != nil {
		return nil, ErrKey
	}
	return b, nil
}

func (t tx) has(bucket string, key []byte) bool { return t.Bucket([]byte(bucket)).Get(key) != nil }

func (t tx) drop(bucket string, key []byte) error { return t.Bucket([]byte(bucket)).Delete(key) }

// save and load keep values as JSON: they are ours alone.
func (t tx) save(bucket string, key []byte, value any) error {
	b, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("chat: writing to %s: %w", bucket, err)
	}
	return t.put(bucket, key, b)
}

func (t tx) load(bucket string, key []byte, into any) (found bool, err error) {
	b, err := t.get(bucket, key)
	if b == nil || err != nil {
		return false, err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return false, fmt.Errorf("chat: reading from %s: %w", bucket, err)
	}
	return true, nil
}

// each calls f for the values whose keys begin with prefix, in order, until it returns false.
func (t tx) each(bucket string, prefix []byte, f func(key, value []byte) (bool, error)) error {
	c := t.Bucket([]byte(bucket)).Cursor()
	for k, sealed := c.Seek(prefix); k != nil && hasPrefix(k, prefix); k, sealed = c.Next() {
		value, err := t.open(bucket, k, sealed)
		if err != nil {
			return err
		}
		if more, err := f(append([]byte(nil), k...), value); err != nil || !more {
			return err
		}
	}
	return nil
}

// count is how many values a bucket has, at most limit. (Bucket.Stats does not see what the transaction itself has put.)
func (t tx) count(bucket string, limit int) (n int) {
	c := t.Bucket([]byte(bucket)).Cursor()
	for k, _ := c.First(); k != nil && n < limit; k, _ = c.Next() {
		n++
	}
	return n
}

// queues lists the first keys' prefixes of a bucket of queues, one for each.
func (t tx) queues(bucket string) []token {
	var list []token
	c := t.Bucket([]byte(bucket)).Cursor()
	for k, _ := c.First(); len(k) >= len(token{}); {
		q := token(k)
		list = append(list, q)
		k, _ = c.Seek(queueKey(q, ^uint64(0)))
	}
	return list
}

func hasPrefix(b, prefix []byte) bool {
	return len(b) >= len(prefix) && string(b[:len(prefix)]) == string(prefix)
}

// queueKey is the key of the nth element of a queue.
func queueKey(q token, n uint64) []byte { return binary.BigEndian.AppendUint64(q[:], n) }

// push appends to a queue.
func (t tx) push(bucket string, q token, value []byte) error {
	n, err := t.Bucket([]byte(bucket)).NextSequence()
	if err != nil {
		return fmt.Errorf("chat: a number in %s: %w", bucket, err)
	}
	return t.put(bucket, queueKey(q, n), value)
}
