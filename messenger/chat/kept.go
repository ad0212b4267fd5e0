package chat

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/skycoin/viscript/messenger/mailbox"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

// An envelope for a device that has several messengers is kept when one of them has it, until the device confirms. If that takes long, or the
// messenger does not answer any more, the next one gets it too: a messenger that is gone for good takes nothing with it. What comes twice is
// recognized by its reader.
const (
	patience = 5 * time.Minute // without a confirmation the next messenger gets it
	maxKept  = 1000            // of one person; the oldest gives way
	keptHead = identity.PubKeyLen + 4 + 8 + 1
	tagLen   = 8 // of a messenger
)

// once marks what nobody confirms.
func once() ref { return ref{n: 1} }

// kept is an envelope on one or more messengers.
type kept struct {
	key      []byte // in its bucket
	to       mailbox.Address
	at       time.Time // when it was put last
	tags     []uint64  // of the messengers that have it
	envelope []byte
}

func (k *kept) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(append(dst, k.to.Owner[:]...), k.to.Device)
	dst = binary.BigEndian.AppendUint64(dst, uint64(k.at.UnixMilli()))
	dst = append(dst, byte(len(k.tags)))
	for _, tag := range k.tags {
		dst = binary.BigEndian.AppendUint64(dst, tag)
	}
	return append(dst, k.envelope...)
}

func parseKept(key, b []byte) (k kept, err error) {
	r := wire.NewReader(b)
	k = kept{key: key, to: mailbox.Address{Owner: r.Key(), Device: r.U32()}, at: time.UnixMilli(int64(r.U64()))}
	for range r.U8() {
		k.tags = append(k.tags, r.U64())
	}
	k.envelope = r.Rest()
	return k, r.Err()
}

// due: a kept value has waited too long.
func (e *Engine) due(value []byte) bool {
	if len(value) < keptHead {
		return true
	}
	at := time.UnixMilli(int64(binary.BigEndian.Uint64(value[identity.PubKeyLen+4:])))
	return e.now().Sub(at) >= e.patience
}

// tagOf stands for a messenger.
func (e *Engine) tagOf(o *office) uint64 {
	h, _ := e.homeOf(o)
	if h.Key.IsZero() {
		return uint64(slices.Index(e.own, o)) + 1
	}
	k := e.v.token("messenger", h.Key[:])
	return binary.BigEndian.Uint64(k[:])
}

func (v *vault) confirmToken(to mailbox.Address, id MessageID) token {
	return v.token("confirm", to.Owner[:], binary.BigEndian.AppendUint32(nil, to.Device), id[:])
}

// keepSent keeps an envelope that the messenger at has.
func (e *Engine) keepSent(t tx, to mailbox.Address, at *office, envelope []byte) error {
	q := t.v.token("person", to.Owner[:])
	if err := e.makeRoom(t, q); err != nil {
		return err
	}
	n, err := t.Bucket([]byte(keptBucket)).NextSequence()
	if err != nil {
		return err
	}
	k := kept{key: queueKey(q, n), to: to, at: e.now(), tags: []uint64{e.tagOf(at)}, envelope: envelope}
	id := mailbox.IDOf(envelope)
	c := t.v.confirmToken(to, MessageID(id[:]))
	if err := t.put(confirmBucket, c[:], k.key); err != nil {
		return err
	}
	return t.put(keptBucket, k.key, k.append(nil))
}

// makeRoom drops a person's oldest kept envelopes when there are too many.
func (e *Engine) makeRoom(t tx, q token) error {
	n := 0
	var first []byte
	c := t.Bucket([]byte(keptBucket)).Cursor()
	for key, _ := c.Seek(q[:]); hasPrefix(key, q[:]) && n < maxKept; key, _ = c.Next() {
		if n++; first == nil {
			first = slices.Clone(key)
		}
	}
	if n < maxKept {
		return nil
	}
	b, err := t.get(keptBucket, first)
	if err != nil {
		return err
	}
	k, err := parseKept(first, b)
	if err != nil {
		return t.drop(keptBucket, first)
	}
	return e.dropKept(t, k)
}

func (e *Engine) dropKept(t tx, k kept) error {
	id := mailbox.IDOf(k.envelope)
	c := t.v.confirmToken(k.to, MessageID(id[:]))
	if err := t.drop(confirmBucket, c[:]); err != nil {
		return err
	}
	return t.drop(keptBucket, k.key)
}

// confirm tells senders what has come, if we have several messengers.
func (e *Engine) confirm(in *inbox) error {
	if len(e.own) < 2 {
		return nil
	}
	for k, ids := range in.got {
		if in.t.muchWaits(k) {
			continue // they do not fetch; their envelopes come again, and do nothing
		}
		for part := range slices.Chunk(ids, maxIDs) {
			c := content{kind: gotKind, id: newID(), time: e.now(), ids: part}
			if err := in.t.pushOut(outItem{to: k, ref: once(), bytes: c.append(nil)}); err != nil {
				return err
			}
		}
	}
	return nil
}

// takeGot forgets envelopes that a device has.
func (e *Engine) takeGot(in *inbox, from mailbox.Address, c *content) error {
	if n := len(in.got[from.Owner]); n > 0 {
		in.got[from.Owner] = in.got[from.Owner][:n-1] // a confirmation is not confirmed
	}
	for _, id := range c.ids {
		k := in.t.v.confirmToken(from, id)
		at, err := in.t.get(confirmBucket, k[:])
		if err != nil {
			return err
		}
		if at == nil {
			continue
		}
		if err := in.t.drop(keptBucket, at); err != nil {
			return err
		}
		if err := in.t.drop(confirmBucket, k[:]); err != nil {
			return err
		}
	}
	return nil
}

// keptOf are a person's kept envelopes that ok wants, in order.
func (e *Engine) keptOf(p identity.PubKey, ok func(*kept) bool) (list []kept, err error) {
	q := e.v.token("person", p[:])
	err = e.v.view(func(t tx) error {
		sum := 0
		return t.each(keptBucket, q[:], func(key, b []byte) (bool, error) {
			k, err := parseKept(key, b)
			if err == nil && ok(&k) {
				sum += len(k.envelope)
				list = append(list, k)
			}
			return sum < MaxPut, err
		})
	})
	return list, err
}

// again puts what has waited for its confirmation for too long at the device's next messenger; where there is none, it is forgotten.
func (e *Engine) again(ctx context.Context, p identity.PubKey) error {
	for {
		list, err := e.keptOf(p, func(k *kept) bool { return e.now().Sub(k.at) >= e.patience })
		if err != nil || len(list) == 0 {
			return err
		}
		for _, k := range list {
			offices, err := e.officesOf(k.to)
			if err != nil {
				return err
			}
			next := e.inOrder(slices.DeleteFunc(offices, func(o *office) bool { return slices.Contains(k.tags, e.tagOf(o)) }))
			if len(next) == 0 {
				if err := e.v.update(func(t tx) error { return e.dropKept(t, k) }); err != nil {
					return err
				}
				continue
			}
			if err := e.putKept(ctx, next[0], k); err != nil {
				return err
			}
		}
	}
}

// putKept puts a kept envelope at another messenger. That nobody has a mailbox there counts as put.
func (e *Engine) putKept(ctx context.Context, o *office, k kept) error {
	err := o.post.Put(ctx, k.to, [][]byte{k.envelope})
	e.report(ctx, o, err)
	if err != nil && !errors.Is(err, ErrNobody) {
		return err
	}
	k.at, k.tags = e.now(), append(k.tags, e.tagOf(o))
	return e.v.update(func(t tx) error {
		if !t.has(keptBucket, k.key) {
			return nil // confirmed meanwhile
		}
		return t.put(keptBucket, k.key, k.append(nil))
	})
}

// catchUp gives a messenger what only others have that do not answer now, before it gets something newer.
func (e *Engine) catchUp(ctx context.Context, to mailbox.Address, o *office, offices []*office) error {
	if len(offices) < 2 {
		return nil
	}
	up, down := map[uint64]bool{}, 0
	for _, other := range offices {
		up[e.tagOf(other)] = !e.isDown(other)
		down += int(boolByte(e.isDown(other)))
	}
	if down == 0 {
		return nil
	}
	tag := e.tagOf(o)
	for {
		list, err := e.keptOf(to.Owner, func(k *kept) bool {
			return k.to == to && !slices.Contains(k.tags, tag) && !slices.ContainsFunc(k.tags, func(t uint64) bool { return up[t] })
		})
		if err != nil || len(list) == 0 {
			return err
		}
		for _, k := range list {
			if err := e.putKept(ctx, o, k); err != nil {
				return err
			}
		}
	}
}
