package chat

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/skycoin/viscript/messenger/chat/envelope"
	"github.com/skycoin/viscript/messenger/mailbox"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/node/wire"
)

const (
	maxCouriers = 8  // people to whom something is being sent at once
	maxBatch    = 25 // contents sealed in one transaction
	firstPause  = 100 * time.Millisecond
	longPause   = 30 * time.Second
)

// outItem is a content that waits to be sealed for a person's devices.
type outItem struct {
	to    identity.PubKey
	group bool // bytes are a message of a sender key, not a content
	ref   ref  // the message that it carries; zero: none
	bytes []byte
}

func (t tx) pushOut(o outItem) error {
	b := append(o.to[:], boolByte(o.group))
	b = append(append(b, o.ref.key()...), o.bytes...)
	return t.push(outBucket, t.v.token("person", o.to[:]), b)
}

func parseOut(b []byte) (o outItem, err error) {
	r := wire.NewReader(b)
	o.to, o.group = r.Key(), r.Bool()
	var at [refLen]byte
	r.Fixed(at[:])
	o.ref, o.bytes = readRef(at[:]), r.Rest()
	return o, r.Err()
}

func boolByte(v bool) byte {
	if v {
		return 1
	}
	return 0
}

// retry is how it goes with one person.
type retry struct {
	running bool
	pause   time.Duration
	at      time.Time // not before
}

// deliver sends what is in the outbox until ctx ends: one courier for each person, so that nobody waits for another's.
func (e *Engine) deliver(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, maxCouriers)
	for ctx.Err() == nil {
		people, err := e.addressees()
		if err != nil {
			e.log.Error("reading the outbox", "err", err)
		}
		next := min(longPause, e.patience)
		for _, k := range people {
			wait, ok := e.begin(k)
			if !ok {
				next = min(next, wait)
				continue
			}
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			wg.Go(func() {
				err := e.deliverTo(ctx, k)
				<-slots
				e.end(k, err)
			})
		}
		timer := time.NewTimer(max(next, 10*time.Millisecond))
		select {
		case <-ctx.Done():
		case <-e.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// addressees are the people for whom something waits.
func (e *Engine) addressees() (list []identity.PubKey, err error) {
	err = e.v.view(func(t tx) error {
		seen := map[identity.PubKey]bool{}
		for _, bucket := range []string{outBucket, wireBucket, keptBucket} {
			for _, q := range t.queues(bucket) {
				err := t.each(bucket, q[:], func(_, b []byte) (bool, error) {
					if bucket == keptBucket && !e.due(b) {
						return false, nil
					}
					if len(b) >= identity.PubKeyLen && !seen[identity.PubKey(b)] {
						seen[identity.PubKey(b)] = true
						list = append(list, identity.PubKey(b))
					}
					return false, nil
				})
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
	return list, err
}

// begin reports whether it is time to send to k, and otherwise how long until then.
func (e *Engine) begin(k identity.PubKey) (wait time.Duration, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.busy[k]
	if r == nil {
		r = &retry{}
		e.busy[k] = r
	}
	if r.running {
		return longPause, false
	}
	if wait = time.Until(r.at); wait > 0 {
		return wait, false
	}
	r.running = true
	return 0, true
}

func (e *Engine) end(k identity.PubKey, err error) {
	e.mu.Lock()
	r := e.busy[k]
	r.running = false
	if err == nil {
		delete(e.busy, k)
	} else {
		r.pause = min(max(2*r.pause, firstPause), longPause)
		r.at = time.Now().Add(r.pause)
	}
	e.mu.Unlock()
	if err != nil {
		e.log.Debug("sending", "peer", k.Short(), "err", err)
	}
	e.kick()
}

// deliverTo sends all that waits for a person.
func (e *Engine) deliverTo(ctx context.Context, k identity.PubKey) error {
	for {
		if err := e.flush(ctx, k); err != nil {
			return err
		}
		more, err := e.prepare(ctx, k)
		if err != nil || !more {
			return errors.Join(err, e.again(ctx, k))
		}
	}
}

// flush puts the envelopes that are ready.
func (e *Engine) flush(ctx context.Context, k identity.PubKey) error {
	for {
		b, err := e.nextPut(k)
		if err != nil || len(b.keys) == 0 {
			return err
		}
		list, err := e.officesOf(b.to)
		if err != nil {
			return err
		}
		var at *office
		err = e.try(ctx, list, func(o *office) error {
			if err := e.catchUp(ctx, b.to, o, list); err != nil {
				return err
			}
			at = o
			return o.post.Put(ctx, b.to, b.envelopes)
		})
		if errors.Is(err, ErrNobody) {
			at, err = nil, e.checkGone(ctx, b.to, err)
		}
		if err != nil {
			return err
		}
		if err := e.left(b, at, len(list) > 1); err != nil {
			return err
		}
	}
}

// putBatch is envelopes for one mailbox that follow each other in a person's queue.
type putBatch struct {
	to        mailbox.Address
	keys      [][]byte // in the queue
	refs      []ref
	envelopes [][]byte
}

const wireHead = identity.PubKeyLen + 4 + refLen

func (e *Engine) nextPut(k identity.PubKey) (b putBatch, err error) {
	q := e.v.token("person", k[:])
	sum := 0
	err = e.v.view(func(t tx) error {
		return t.each(wireBucket, q[:], func(key, v []byte) (bool, error) {
			if len(v) < wireHead {
				return false, ErrKey
			}
			to := mailbox.Address{Owner: k, Device: binary.BigEndian.Uint32(v[identity.PubKeyLen:])}
			sum += len(v) - wireHead
			if len(b.keys) > 0 && (to != b.to || sum > MaxPut) {
				return false, nil
			}
			b.to, b.keys = to, append(b.keys, key)
			b.refs = append(b.refs, readRef(v[wireHead-refLen:]))
			b.envelopes = append(b.envelopes, v[wireHead:])
			return len(b.keys) < MaxPutCount, nil
		})
	})
	return b, err
}

// left notes that the messenger at has a batch; nil: nobody wants it. If the device has other messengers, the envelopes are kept until it confirms.
func (e *Engine) left(b putBatch, at *office, others bool) error {
	var events []Event
	err := e.v.update(func(t tx) error {
		for i, k := range b.keys {
			ev, err := e.mark(t, b.refs[i], func(m *Message) bool {
				up := m.Status == Queued
				m.Status = max(m.Status, Sent)
				return up
			})
			if err = errors.Join(err, t.drop(wireBucket, k)); err != nil {
				return err
			}
			events = append(events, ev...)
			if at != nil && others && b.refs[i] != once() {
				if err := e.keepSent(t, b.to, at, b.envelopes[i]); err != nil {
					return err
				}
			}
		}
		return nil
	})
	e.changed(events...)
	return err
}

// checkGone is nil if the person says that they do not have the device any more: what waits for it has no reader.
func (e *Engine) checkGone(ctx context.Context, to mailbox.Address, why error) error {
	err := e.v.update(func(t tx) error {
		return e.editDevices(t, to.Owner, func(l *deviceList) bool { l.At = time.Time{}; return true })
	})
	if err != nil {
		return err
	}
	list, err := e.devices(ctx, to.Owner)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(list, func(d device) bool { return d.Device == to.Device }) {
		return why
	}
	return nil
}

// mark changes a message, and tells of it.
func (e *Engine) mark(t tx, r ref, f func(m *Message) bool) ([]Event, error) {
	if r.talk == (token{}) {
		return nil, nil
	}
	m, changed, err := t.change(r, f)
	if err != nil || !changed {
		return nil, err
	}
	var s talkState
	if _, err := t.load(talkBucket, r.talk[:], &s); err != nil {
		return nil, err
	}
	return []Event{{Kind: MessageChanged, Talk: s.Talk, Message: &m}}, nil
}

// prepare seals the next contents for a person's devices into envelopes; false if none waits.
func (e *Engine) prepare(ctx context.Context, k identity.PubKey) (bool, error) {
	q := e.v.token("person", k[:])
	waits := false
	err := e.v.view(func(t tx) error {
		return t.each(outBucket, q[:], func(_, _ []byte) (bool, error) { waits = true; return false, nil })
	})
	if err != nil || !waits {
		return false, err
	}
	list, err := e.devices(ctx, k)
	if err != nil {
		return false, err
	}
	if k == e.self.Owner {
		list = e.others(list)
	}
	for _, d := range list {
		if err := e.pair(ctx, mailbox.Address{Owner: k, Device: d.Device}); err != nil {
			return false, err
		}
	}
	return true, e.v.update(func(t tx) error { return e.sealBatch(t, k, q, list) })
}

// pair sees to it that there is a ratchet with a device.
func (e *Engine) pair(ctx context.Context, with mailbox.Address) error {
	there := false
	k := deviceKey(e.v, with)
	if err := e.v.view(func(t tx) error { there = t.has(sessionBucket, k[:]); return nil }); err != nil || there {
		return err
	}
	pre, err := e.takePrekey(ctx, with)
	if err != nil {
		return err
	}
	return e.v.update(func(t tx) error {
		if t.has(sessionBucket, k[:]) {
			return nil // they greeted meanwhile
		}
		return e.greet(t, with, pre)
	})
}

// sealBatch moves contents from the outbox to the mailboxes' queues.
func (e *Engine) sealBatch(t tx, k identity.PubKey, q token, list []device) error {
	var items []outItem
	var keys [][]byte
	err := t.each(outBucket, q[:], func(key, b []byte) (bool, error) {
		o, err := parseOut(b)
		items, keys = append(items, o), append(keys, key)
		return len(keys) < maxBatch, err
	})
	if err != nil {
		return err
	}
	if news, err := e.cardNews(t, k); err != nil {
		return err
	} else if news != nil {
		items = append(items, outItem{to: k, bytes: news})
	}
	for _, d := range list {
		if err := e.sealFor(t, mailbox.Address{Owner: k, Device: d.Device}, d.Box, items); err != nil {
			return err
		}
	}
	for _, key := range keys {
		if err := t.drop(outBucket, key); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) sealFor(t tx, to mailbox.Address, box []byte, items []outItem) error {
	b, err := envelope.ParseBox(box)
	if err != nil {
		return err
	}
	var contents [][]byte
	for _, o := range items {
		if !o.group {
			contents = append(contents, o.bytes)
		}
	}
	var bodies [][]byte
	if len(contents) > 0 {
		if bodies, err = e.seal(t, to, contents); err != nil {
			return err
		}
	}
	for _, o := range items {
		var body []byte
		if o.group {
			body = append(appendBody(nil, groupBody, e.self), o.bytes...)
		} else {
			body, bodies = bodies[0], bodies[1:]
		}
		sealed, err := envelope.Seal(b, body)
		if err != nil {
			return err
		}
		value := binary.BigEndian.AppendUint32(append([]byte(nil), to.Owner[:]...), to.Device)
		value = append(append(value, o.ref.key()...), sealed...)
		if err := t.push(wireBucket, t.v.token("person", to.Owner[:]), value); err != nil {
			return err
		}
	}
	return nil
}

// Waiting is how many contents and envelopes have not left yet.
func (e *Engine) Waiting() (n int, err error) {
	err = e.v.view(func(t tx) error {
		n = t.Bucket([]byte(outBucket)).Stats().KeyN + t.Bucket([]byte(wireBucket)).Stats().KeyN
		return nil
	})
	return n, err
}
