package chat

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"

	"github.com/skycoin/viscript/messenger/chat/prekey"
	"github.com/skycoin/viscript/messenger/mailbox"
)

// How many prekeys lie at the messenger, and for how long.
const (
	stockLow     = 20
	stockFull    = 60
	prekeyLife   = 30 * 24 * time.Hour
	renewAfter   = 7 * 24 * time.Hour
	publishEvery = time.Hour
	publishPause = time.Second // after a failure; doubles to publishEvery
)

// publish keeps our card and prekeys at a messenger, until ctx ends.
func (e *Engine) publish(ctx context.Context, o *office) {
	pause := publishPause
	for ctx.Err() == nil {
		wait := publishEvery
		if err := e.publishOnce(ctx, o); err != nil {
			e.log.Debug("publishing prekeys", "err", err)
			wait, pause = pause, min(2*pause, time.Minute)
		} else {
			pause = publishPause
		}
		select {
		case <-ctx.Done():
		case <-o.stock:
			sleep(ctx, publishPause) // openings come together
		case <-time.After(wait):
		}
	}
}

// restock wakes the publishers.
func (e *Engine) restock() {
	for _, o := range e.own {
		select {
		case o.stock <- struct{}{}:
		default:
		}
	}
}

// publishOnce leaves card and prekey 0, and prekeys with numbers until there are enough: each number at one messenger only.
func (e *Engine) publishOnce(ctx context.Context, o *office) error {
	homes := len(e.Homes())
	b, err := e.bundle(0)
	if err != nil {
		return err
	}
	left, err := o.post.Publish(ctx, b)
	e.report(ctx, o, err)
	if err == nil && len(e.Homes()) > homes {
		e.restock() // with a card that names this messenger too
	}
	if err == nil {
		err = errors.Join(e.publishGone(ctx, o), e.meetOwn(ctx, o))
	}
	if err != nil || left >= stockLow {
		return err
	}
	for missing := stockFull - left; missing > 0; missing -= mailbox.MaxPrekeys {
		if b, err = e.bundle(min(missing, mailbox.MaxPrekeys-1)); err != nil {
			return err
		}
		if _, err = o.post.Publish(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// bundle makes our card and n prekeys with numbers; prekey 0 is renewed when it is due. The secrets are on disk before anybody sees the keys.
func (e *Engine) bundle(n int) (b mailbox.Bundle, err error) {
	now := e.now()
	err = e.v.update(func(t tx) error {
		if err := e.renewBox(t); err != nil {
			return err
		}
		zero, err := e.zero(t, now)
		if err != nil {
			return err
		}
		b.Prekeys = [][]byte{zero}
		next, err := t.number(n)
		for i := 0; err == nil && i < n; i++ {
			var s *prekey.Secret
			if s, err = prekey.New(e.cfg.Key, e.self.Device, next+uint32(i), now.Add(prekeyLife)); err != nil {
				return err
			}
			b.Prekeys = append(b.Prekeys, s.Public().Append(nil))
			err = t.put(prekeyBucket, prekeyKey(next+uint32(i)), s.AppendSecret(nil))
		}
		return errors.Join(err, e.sweep(t, now))
	})
	if err != nil {
		return b, errors.Join(err, e.v.view(e.loadBoxes))
	}
	b.Card = e.card(now)
	return b, nil
}

// card is what we say of this device. One that says something else than the one before is a second younger at least, or nobody would believe it.
func (e *Engine) card(now time.Time) []byte {
	c := mailbox.Card{Device: e.self.Device, Issued: now.Truncate(time.Second), Expiry: now.Add(prekeyLife), Homes: e.Homes()}
	copy(c.Box[:], e.box().Box().Bytes())
	says := sha256.Sum256(mailbox.AppendHomes(c.Box[:], c.Homes))
	e.mu.Lock()
	if says != e.cardSays && !c.Issued.After(e.cardIssued) {
		c.Issued = e.cardIssued.Add(time.Second)
	}
	e.cardSays, e.cardIssued = says, c.Issued
	e.mu.Unlock()
	c = c.Sign(e.cfg.Key)
	return c.Append(nil)
}

// number takes n numbers for prekeys; they begin at 1.
func (t tx) number(n int) (uint32, error) {
	b, err := t.get(metaBucket, []byte("number"))
	if err != nil {
		return 0, err
	}
	next := uint32(1)
	if len(b) == 4 {
		next = binary.BigEndian.Uint32(b)
	}
	return next, t.put(metaBucket, []byte("number"), binary.BigEndian.AppendUint32(nil, next+uint32(n)))
}

// zero is the public half of prekey 0, a new one every week.
func (e *Engine) zero(t tx, now time.Time) ([]byte, error) {
	list, err := t.lasting()
	if err != nil {
		return nil, err
	}
	if len(list) > 0 {
		s, err := prekey.ParseSecret(list[0])
		if err == nil && s.Public().Expiry.Sub(now) > prekeyLife-renewAfter {
			return s.Public().Append(nil), nil
		}
	}
	s, err := prekey.New(e.cfg.Key, e.self.Device, 0, now.Add(prekeyLife))
	if err != nil {
		return nil, err
	}
	key := binary.BigEndian.AppendUint64([]byte("lasting"), uint64(now.UnixMilli()))
	return s.Public().Append(nil), t.put(prekeyBucket, key, s.AppendSecret(nil))
}

// sweep forgets the secrets of prekeys that have expired a while ago, and openings of these.
func (e *Engine) sweep(t tx, now time.Time) error {
	var gone [][]byte
	err := t.each(prekeyBucket, nil, func(k, b []byte) (bool, error) {
		if s, err := prekey.ParseSecret(b); err != nil || now.After(s.Public().Expiry.Add(mailbox.TTL)) {
			gone = append(gone, k)
		}
		return len(gone) < 200, nil
	})
	for _, k := range gone {
		err = errors.Join(err, t.drop(prekeyBucket, k))
	}
	gone = nil
	err = errors.Join(err, t.each(openedBucket, nil, func(k, b []byte) (bool, error) {
		if len(b) != 8 || now.Unix() > int64(binary.BigEndian.Uint64(b)) {
			gone = append(gone, k)
		}
		return true, nil
	}))
	for _, k := range gone {
		err = errors.Join(err, t.drop(openedBucket, k))
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
