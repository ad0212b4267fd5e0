package chat

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/skycoin/viscript/messenger/mailbox"
	"github.com/skycoin/viscript/node/identity"
)

// RemoveDevice ends another device of ours: messengers delete what waits for it, the people whom we write to stop writing to it (at once when they
// write, at the latest a day later), and groups get new keys from them. It is for devices that are not used any more: whoever has our key can make
// another one. Errors: ErrDevice.
func (e *Engine) RemoveDevice(number uint32) error {
	now := e.now()
	err := e.v.update(func(t tx) error {
		ours := false
		err := e.editDevices(t, e.self.Owner, func(l *deviceList) bool {
			i := slices.IndexFunc(l.List, func(d device) bool { return d.Device == number })
			if ours = i >= 0 && number != e.self.Device; ours {
				d := &l.List[i]
				d.Gone, d.Issued, d.Expiry = true, now, now
			}
			return ours
		})
		if err == nil && !ours {
			err = ErrDevice
		}
		if err != nil {
			return err
		}
		last := mailbox.Card{Device: number, Issued: now, Expiry: now}.Sign(e.cfg.Key)
		card := last.Append(nil)
		if err := t.put(goneBucket, binary.BigEndian.AppendUint32(nil, number), card); err != nil {
			return err
		}
		return errors.Join(e.tellOwn(t, &content{kind: cardKind, bytes: card}), e.tellPeople(t, card))
	})
	if err == nil {
		e.restock() // the publishers tell
		e.changed(Event{Kind: NewDevice, Talk: To(e.self.Owner)})
		e.kick()
	}
	return err
}

// publishGone leaves the last cards of devices of ours that are gone.
func (e *Engine) publishGone(ctx context.Context, o *office) error {
	var cards, old [][]byte
	err := e.v.view(func(t tx) error {
		return t.each(goneBucket, nil, func(k, b []byte) (bool, error) {
			if c, err := mailbox.ParseCard(b); err == nil && e.now().Before(c.Expiry.Add(mailbox.TTL)) {
				cards = append(cards, b)
			} else {
				old = append(old, k)
			}
			return true, nil
		})
	})
	for _, c := range cards {
		if err == nil {
			_, err = o.post.Publish(ctx, mailbox.Bundle{Card: c})
		}
	}
	if err != nil || len(old) == 0 {
		return err
	}
	return e.v.update(func(t tx) error {
		for _, k := range old {
			if err := t.drop(goneBucket, k); err != nil {
				return err
			}
		}
		return nil
	})
}

// meetOwn asks a messenger for our own devices, and greets those that are new.
func (e *Engine) meetOwn(ctx context.Context, o *office) error {
	cards, err := o.post.Cards(ctx, e.self.Owner)
	if err != nil {
		return err
	}
	var fresh [][]byte
	err = e.v.update(func(t tx) error {
		fresh = nil
		err := e.editDevices(t, e.self.Owner, func(l *deviceList) bool {
			before := slices.Clone(l.List)
			for _, b := range cards[:min(len(cards), mailbox.MaxDevices)] {
				c, err := mailbox.ParseCard(b)
				if err != nil {
					continue
				}
				l.List = newest(l.List, e.self.Owner, c, e.now())
				if c.Device != e.self.Device && !has(before, c.Device) && has(l.List, c.Device) {
					fresh = append(fresh, b)
				}
			}
			l.At = e.now()
			return true
		})
		if err != nil || len(fresh) == 0 {
			return err
		}
		for _, card := range fresh {
			err = errors.Join(err, e.tellPeople(t, card))
		}
		return errors.Join(err, e.tellOwn(t, &content{kind: cardKind, bytes: e.card(e.now())}))
	})
	if err == nil && len(fresh) > 0 {
		e.changed(Event{Kind: NewDevice, Talk: To(e.self.Owner)})
		e.kick()
	}
	return err
}

// tellPeople sends a card of another device of ours to those who write to us, so that they write to it, or do not any more, without waiting until
// they ask for our cards again.
func (e *Engine) tellPeople(t tx, card []byte) error {
	list, err := t.contacts()
	if err != nil {
		return err
	}
	for _, p := range list {
		at := t.v.token("devices", p.Key[:])
		if p.Request || p.Blocked || !t.has(deviceBucket, at[:]) {
			continue
		}
		c := content{kind: cardKind, id: newID(), time: e.now(), bytes: card}
		if err := t.pushOut(outItem{to: p.Key, bytes: c.append(nil)}); err != nil {
			return err
		}
	}
	return nil
}

// takeOwnCard takes in the card of another device of ours; the people whom we write to are to know it, too.
func (e *Engine) takeOwnCard(in *inbox, c *content) error {
	before, err := in.t.devices(e.self.Owner)
	if err != nil {
		return err
	}
	card, err := mailbox.ParseCard(c.bytes)
	if err != nil {
		return errForeign
	}
	if err := e.takeCard(in, e.self.Owner, c); err != nil {
		return err
	}
	in.events = append(in.events, Event{Kind: NewDevice, Talk: To(e.self.Owner)})
	after, err := in.t.devices(e.self.Owner)
	if err != nil || card.Device == e.self.Device || has(before.List, card.Device) == has(after.List, card.Device) {
		return err
	}
	return e.tellPeople(in.t, c.bytes)
}

// hasOthers: we have other devices, which are to hear what this one does.
func (e *Engine) hasOthers(t tx) (bool, error) {
	at := t.v.token("devices", e.self.Owner[:])
	var l deviceList
	if _, err := t.load(deviceBucket, at[:], &l); err != nil {
		return false, err
	}
	return slices.ContainsFunc(l.alive(e.now()), func(d device) bool { return d.Device != e.self.Device }), nil
}

// tellOwn sends a content to our other devices, if there are any.
func (e *Engine) tellOwn(t tx, c *content) error {
	others, err := e.hasOthers(t)
	if err != nil || !others {
		return err
	}
	c.id, c.time = newID(), e.now()
	return t.pushOut(outItem{to: e.self.Owner, bytes: c.append(nil)})
}

// others are the devices without this one.
func (e *Engine) others(list []device) []device {
	return slices.DeleteFunc(slices.Clone(list), func(d device) bool { return d.Device == e.self.Device })
}

// openOwn reads what another device of ours has sent.
func (e *Engine) openOwn(in *inbox, from mailbox.Address, kind byte, rest []byte) (err error) {
	if from.Device == e.self.Device || kind == groupBody {
		return errForeign
	}
	known, err := in.t.devices(e.self.Owner)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(known.List, func(d device) bool { return d.Device == from.Device && d.Gone }) {
		return errForeign
	}
	text, err := e.openPair(in.t, from, kind, rest, nil)
	if err == nil {
		err = e.noteOwn(in.t, from.Device, true)
	}
	if err != nil {
		return err
	}
	c, err := parseContent(text)
	if err != nil {
		return errForeign
	}
	return e.applyOwn(in, from, c)
}

func (t tx) devices(k identity.PubKey) (l deviceList, err error) {
	at := t.v.token("devices", k[:])
	_, err = t.load(deviceBucket, at[:], &l)
	return l, err
}

// applyOwn does what another device of ours has done.
func (e *Engine) applyOwn(in *inbox, from mailbox.Address, c *content) error {
	switch c.kind {
	case cardKind:
		return e.takeOwnCard(in, c)
	case gotKind:
		return e.takeGot(in, from, c)
	case entriesKind:
		return e.takeEntries(in, from.Owner, c.entries)
	case askKind:
		return e.answerAsk(in, from.Owner, c)
	case chunkKind:
		return e.takeChunk(in, from.Owner, c)
	case wantKind:
		return e.giveChunks(in, from.Owner, c)
	case copyKind:
		return e.takeCopy(in, c)
	case seenKind:
		return e.takeSeen(in, c)
	case personKind:
		return e.takePerson(in, c)
	}
	return errForeign
}

// takeCopy puts what another device of ours has said into the history.
func (e *Engine) takeCopy(in *inbox, c *content) error {
	said, err := parseContent(c.bytes)
	if err != nil || (said.kind != textKind && said.kind != fileKind) || c.key == e.self.Owner {
		return errForeign
	}
	to := Talk{Key: c.key, Group: said.group}
	if to.IsGroup() != c.key.IsZero() {
		return errForeign
	}
	if _, again, err := in.t.find(e.self.Owner, said.id); err != nil || again {
		return err
	}
	m := &Message{ID: said.id, From: e.self.Owner, Time: said.time, At: e.now(), Reply: said.reply, Status: Sent, Want: 1, Text: said.text}
	if said.kind == fileKind {
		m.File, m.Text = &File{Name: cleanFileName(said.text), Size: said.length, Sum: said.sum}, ""
	}
	if to.IsGroup() {
		if m.Want, err = e.groupSize(in.t, to.Group); errors.Is(err, ErrNoGroup) || errors.Is(err, ErrNotMember) {
			return errForeign
		}
	} else {
		err = e.writtenTo(in.t, to.Key)
	}
	if err != nil {
		return err
	}
	s, err := in.t.talk(to)
	if err != nil {
		return err
	}
	if _, err := in.t.add(&s, m); err != nil {
		return err
	}
	in.events = append(in.events, Event{Kind: MessageAdded, Talk: to, Message: m})
	if err := in.t.saveTalk(&s); err != nil {
		return err
	}
	if to.IsGroup() {
		if err := e.looked(in.t, to.Group); err != nil {
			return err
		}
	}
	return e.unpark(in, "receipt", said.id[:])
}

// writtenTo makes whom another device of ours has written to a contact.
func (e *Engine) writtenTo(t tx, k identity.PubKey) error {
	c, found, err := t.contact(k)
	if err != nil || (found && (c.known() || c.Blocked)) {
		return err
	}
	return e.accepted(t, &c)
}

// Removed reports whether a messenger says that this device was removed: it gets nothing there any more.
func (e *Engine) Removed() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.removed
}

// takeSeen marks as read what has been read on another device of ours.
func (e *Engine) takeSeen(in *inbox, c *content) error {
	of := Talk{Group: c.group}
	if !of.IsGroup() {
		of = To(c.key)
	}
	r, found, err := in.t.find(c.author, c.file)
	if err != nil || !found || r.talk != in.t.v.talkToken(of) {
		return errors.Join(err, errForeign)
	}
	if _, err := e.markRead(in.t, of, r.n); err != nil {
		return err
	}
	if of.IsGroup() {
		if err := e.looked(in.t, of.Group); err != nil {
			return err
		}
	}
	in.events = append(in.events, Event{Kind: ContactChanged, Talk: of})
	return nil
}

// What a content of type 14 says of a person.
const (
	verifiedFlag = 1 << iota
	blockedFlag
	requestFlag
	metFlag
	removedFlag
	maxFlags = removedFlag<<1 - 1
)

// tellPerson tells our other devices what has become of a contact; c is changed now.
func (e *Engine) tellPerson(t tx, c *Contact, removed bool) error {
	c.Changed = time.UnixMilli(max(e.now().UnixMilli(), c.Changed.UnixMilli()+1))
	others, err := e.hasOthers(t)
	if err != nil || !others {
		return err
	}
	p := &content{kind: personKind, key: c.Key, text: c.Name, changed: c.Changed, homes: c.Homes}
	for flag, on := range map[uint8]bool{verifiedFlag: c.Verified, blockedFlag: c.Blocked, requestFlag: c.Request, metFlag: c.Met, removedFlag: removed} {
		if on {
			p.what |= flag
		}
	}
	return e.tellOwn(t, p)
}

// takePerson takes over what another device of ours has done with a contact, unless it was done again here later.
func (e *Engine) takePerson(in *inbox, c *content) error {
	if c.key == e.self.Owner {
		return errForeign
	}
	p, found, err := in.t.contact(c.key)
	if err != nil || (found && !c.changed.After(p.Changed)) {
		return err
	}
	in.events = append(in.events, Event{Kind: ContactChanged, Talk: To(c.key)})
	if c.what&removedFlag != 0 {
		return in.t.forget(c.key)
	}
	if name, err := cleanName(c.text); err == nil && name == c.text {
		if err := in.t.checkName(c.key, name, found); errors.Is(err, ErrMany) {
			return nil
		} else if err == nil {
			p.Name = name
		}
	}
	p.Verified, p.Blocked, p.Changed = c.what&verifiedFlag != 0, c.what&blockedFlag != 0, c.changed
	if len(c.homes) > 0 {
		p.Homes = c.homes
	}
	if accepted := c.what&(requestFlag|metFlag) == 0; accepted && (p.Request || p.Met) {
		return e.accepted(in.t, &p)
	} else if !accepted && !found {
		p.Request, p.Met = c.what&requestFlag != 0, c.what&metFlag != 0
	}
	if p.Added.IsZero() {
		p.Added = e.now()
	}
	return in.t.saveContact(&p)
}

// rekey has our chains in groups with somebody shared anew: with a new device of theirs the same ones, and others when one is gone, which
// must not read on.
func (e *Engine) rekey(t tx, k identity.PubKey, gone bool) error {
	type change struct {
		key []byte
		s   sendingState
	}
	var list []change
	err := t.each(sendingBucket, nil, func(key, b []byte) (bool, error) {
		s, err := parseSending(b)
		if err == nil && slices.Contains(s.Shared, k) {
			list = append(list, change{key, s})
		}
		return true, err
	})
	for _, c := range list {
		if err != nil {
			return err
		}
		if gone {
			err = t.drop(sendingBucket, c.key)
			continue
		}
		c.s.Shared = slices.DeleteFunc(c.s.Shared, func(o identity.PubKey) bool { return o == k })
		err = t.save(sendingBucket, c.key, c.s)
	}
	return err
}
