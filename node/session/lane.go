package session

import (
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/skycoin/viscript/node/secure"
)

// A lane is one sequence of sealed records: of one type and direction, under a key of its own. The eight bytes
// before the sealed ones are epoch:u16 and number:u48, and the nonce. The number counts from 0 and goes on
// through the epochs; each epoch has the next key.
const (
	numberBits = 48
	maxEpoch   = 1<<16 - 1
)

// When a sender moves on to the next epoch: AES-GCM bears 2^24.5 full records (RFC 8446 section 5.5).
const (
	epochRecords = 1 << 24
	epochBytes   = 64 << 30
	epochTime    = time.Hour
)

var errKeysUsedUp = errors.New("session: the keys are used up")

func numberOf(seq uint64) uint64 { return seq & (1<<numberBits - 1) }

func epochOf(seq uint64) uint64 { return seq >> numberBits }

// expand derives a key of 32 bytes (RFC 5869, expand only).
func expand(key [32]byte, info string) ([32]byte, error) {
	b, err := hkdf.Expand(sha256.New, key[:], info, 32)
	if err != nil {
		return [32]byte{}, fmt.Errorf("session: deriving a key: %w", err)
	}
	return [32]byte(b), nil
}

// nextKey is the key of the epoch after key's.
func nextKey(key [32]byte) ([32]byte, error) { return expand(key, "next epoch") }

// sealLane is the sending side of a lane. Not for concurrent use.
type sealLane struct {
	key     [32]byte
	sealer  *secure.Sealer
	epoch   uint64
	number  uint64 // of the next record
	records uint64 // in this epoch
	bytes   uint64
	since   time.Time
}

func newSealLane(key [32]byte, now time.Time) *sealLane {
	return &sealLane{key: key, sealer: secure.NewSealer(key), since: now}
}

// draw returns the sequence number of a record of n bytes, under which alone it must be sealed. It moves on to
// the next epoch when that is due.
func (l *sealLane) draw(n int, now time.Time) (seq uint64, err error) {
	if l.records >= epochRecords || l.bytes >= epochBytes || l.records > 0 && now.Sub(l.since) >= epochTime {
		if err := l.turn(now); err != nil {
			return 0, err
		}
	}
	seq = l.epoch<<numberBits | l.number
	l.number++
	l.records++
	l.bytes += uint64(n)
	return seq, nil
}

// turn begins the next epoch.
func (l *sealLane) turn(now time.Time) error {
	if l.epoch == maxEpoch {
		return errKeysUsedUp
	}
	key, err := nextKey(l.key)
	if err != nil {
		return err
	}
	*l = sealLane{key: key, sealer: secure.NewSealer(key), epoch: l.epoch + 1, number: l.number, since: now}
	return nil
}

// openLane is the receiving side of a lane: it opens records of the epoch before the current one, of the current one
// and of the next, which becomes the current one with the first record that opens. Not for concurrent use.
type openLane struct {
	key     [32]byte // of next
	before  *secure.Opener
	current *secure.Opener
	next    *secure.Opener
	epoch   uint64 // current's
}

func newOpenLane(key [32]byte) (*openLane, error) {
	next, err := nextKey(key)
	if err != nil {
		return nil, err
	}
	return &openLane{key: next, current: secure.NewOpener(key), next: secure.NewOpener(next)}, nil
}

// open opens sealed in place. Error: secure.ErrOpen.
func (l *openLane) open(seq uint64, sealed []byte) ([]byte, error) {
	o := l.current
	switch epoch := epochOf(seq); {
	case epoch == l.epoch:
	case epoch == l.epoch+1:
		o = l.next
	case epoch+1 == l.epoch && l.before != nil:
		o = l.before
	default:
		return nil, secure.ErrOpen
	}
	plain, err := o.OpenAt(seq, sealed[:0], sealed, nil)
	if err == nil && o == l.next {
		err = l.turn()
	}
	return plain, err
}

func (l *openLane) turn() error {
	key, err := nextKey(l.key)
	if err != nil {
		return err
	}
	l.before, l.current, l.next = l.current, l.next, secure.NewOpener(key)
	l.key = key
	l.epoch++
	return nil
}

// lanes are the six lanes of a session.
type lanes struct {
	sealData, sealCtl, sealGram *sealLane
	openData, openCtl, openGram *openLane
}

// deriveLanes makes the lanes of a finished handshake: each direction's transport key gives one key a lane.
func deriveLanes(r secure.Result, now time.Time) (*lanes, error) {
	k := new(lanes)
	for _, d := range []struct {
		info string
		seal **sealLane
		open **openLane
	}{{"data", &k.sealData, &k.openData}, {"control", &k.sealCtl, &k.openCtl}, {"datagram", &k.sealGram, &k.openGram}} {
		send, err := expand(r.Send, d.info)
		if err != nil {
			return nil, err
		}
		recv, err := expand(r.Recv, d.info)
		if err != nil {
			return nil, err
		}
		*d.seal = newSealLane(send, now)
		if *d.open, err = newOpenLane(recv); err != nil {
			return nil, err
		}
	}
	return k, nil
}
