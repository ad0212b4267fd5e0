package chat

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/skycoin/viscript/node/identity"
)

// OwnDevice is one of our devices: an engine with our key and a store of its own.
type OwnDevice struct {
	Device uint32
	Name   string // what it is called here; "" if nothing
	This   bool   // the one that is asked
	Since  time.Time
	Seen   time.Time // that it was running, to the minute: something of it came, or its card was renewed
	Issued time.Time
	Expiry time.Time // of its card, which it renews
	Gone   bool      // removed; nothing goes there, and messengers take no card of it
}

// ErrDevice: no such device of ours, or this one.
var ErrDevice = errors.New("chat: no other device of ours has this number")

// ownNote is what this device notes of one of ours. Nobody else learns it.
type ownNote struct {
	Name  string    `json:",omitempty"`
	Since time.Time `json:",omitzero"` // when it was heard of first; of this one when it was made, or zero before that was kept
	Seen  time.Time `json:",omitzero"`
}

func ownKey(number uint32) []byte { return binary.BigEndian.AppendUint32(nil, number) }

func (t tx) ownNote(number uint32) (n ownNote, err error) {
	_, err = t.load(ownBucket, ownKey(number), &n)
	return n, err
}

// noteOwn notes that a device of ours is there; seen: something of it came.
func (e *Engine) noteOwn(t tx, number uint32, seen bool) error {
	n, err := t.ownNote(number)
	now := e.now().Truncate(time.Minute)
	if err != nil || !n.Since.IsZero() && (!seen || !now.After(n.Seen)) {
		return err
	}
	if n.Since.IsZero() {
		n.Since = now
	}
	if seen {
		n.Seen = now
	}
	return t.save(ownBucket, ownKey(number), n)
}

// Devices lists our devices, as far as this one has heard of them; this one first.
func (e *Engine) Devices() (list []OwnDevice, err error) {
	err = e.v.view(func(t tx) error {
		known, err := t.devices(e.self.Owner)
		if err != nil {
			return err
		}
		list = []OwnDevice{{Device: e.self.Device, This: true, Seen: e.now().Truncate(time.Minute)}}
		for _, d := range known.List {
			o := OwnDevice{Device: d.Device, This: d.Device == e.self.Device, Issued: d.Issued, Expiry: d.Expiry, Gone: d.Gone}
			if o.This {
				o.Seen, list[0] = list[0].Seen, o
			} else {
				list = append(list, o)
			}
		}
		for i := range list {
			n, err := t.ownNote(list[i].Device)
			if err != nil {
				return err
			}
			o := &list[i]
			o.Name, o.Since = n.Name, n.Since
			if o.Seen = later(o.Seen, n.Seen); !o.Gone { // the card of one that is gone is from who has removed it
				o.Seen = later(o.Seen, o.Issued.Truncate(time.Minute))
			}
		}
		return nil
	})
	return list, err
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// NameDevice says what a device of ours is called here, on this device; "" forgets it. Errors: ErrDevice, ErrName.
func (e *Engine) NameDevice(number uint32, name string) error {
	if name != "" {
		var err error
		if name, err = cleanName(name); err != nil {
			return err
		}
	}
	err := e.v.update(func(t tx) error {
		known, err := t.devices(e.self.Owner)
		if err != nil {
			return err
		}
		if number != e.self.Device && !slices.ContainsFunc(known.List, func(d device) bool { return d.Device == number }) {
			return ErrDevice
		}
		n, err := t.ownNote(number)
		if err != nil {
			return err
		}
		n.Name = name
		return t.save(ownBucket, ownKey(number), n)
	})
	if err == nil {
		e.changed(Event{Kind: ContactChanged, Talk: To(e.self.Owner)})
	}
	return err
}

// noteCards notes our devices whose cards have come.
func (e *Engine) noteCards(t tx, k identity.PubKey, list []device) error {
	if k != e.self.Owner {
		return nil
	}
	for _, d := range list {
		if err := e.noteOwn(t, d.Device, false); err != nil {
			return err
		}
	}
	return nil
}
