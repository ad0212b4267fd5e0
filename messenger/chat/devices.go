package chat

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	"github.com/skycoin/viscript/messenger/mailbox"
	"github.com/skycoin/viscript/node/identity"
)

// cardLife is how long a list of somebody's devices is good without asking again.
const cardLife = 24 * time.Hour

// deviceList is what we know of somebody's devices.
type deviceList struct {
	At   time.Time // when a messenger was asked
	List []device
	Told [32]byte // what we have told them of our homes, hashed
}

// device is one of them, as its card says.
type device struct {
	Device uint32
	Box    []byte
	Issued time.Time
	Expiry time.Time
	Homes  []mailbox.Home `json:",omitempty"`
	Gone   bool           `json:",omitempty"` // for good
}

// alive are the devices that can be written to.
func (l *deviceList) alive(now time.Time) (list []device) {
	for _, d := range l.List {
		if !d.Gone && now.Before(d.Expiry) {
			list = append(list, d)
		}
	}
	return list
}

// devices are a person's, asked for when what we know is old. Errors: ErrNobody.
func (e *Engine) devices(ctx context.Context, k identity.PubKey) ([]device, error) {
	known, err := e.knownDevices(k)
	if err != nil {
		return nil, err
	}
	now := e.now()
	if list := known.alive(now); len(list) > 0 && now.Sub(known.At) < cardLife && now.After(known.At.Add(-time.Hour)) {
		return list, nil
	}
	found, reached, err := e.askCards(ctx, k, known)
	if err != nil {
		if list := known.alive(now); len(list) > 0 && !errors.Is(err, ErrNobody) {
			return list, nil // nobody can be asked; their messengers may be back when we put
		}
		return nil, err
	}
	var list []device
	err = e.v.update(func(t tx) error {
		return e.editDevices(t, k, func(l *deviceList) bool {
			l.List, l.At = e.merge(l.List, found, reached, now), now
			list = l.alive(now)
			return true
		})
	})
	if err == nil && len(list) == 0 {
		err = ErrNobody
	}
	return list, err
}

// merge is what counts of the devices that we knew and of those that messengers told of. A messenger cannot bring an older card back, nor a
// device that is gone; a device whose messengers do not answer stays.
func (e *Engine) merge(old, found []device, reached []*office, now time.Time) []device {
	list := slices.Clone(found)
	for _, o := range old {
		i := slices.IndexFunc(list, func(d device) bool { return d.Device == o.Device })
		switch {
		case i >= 0 && (o.Gone || (!list[i].Gone && o.Issued.After(list[i].Issued))):
			list[i] = o
		case i >= 0 || len(list) >= mailbox.MaxDevices:
		case o.Gone && now.Before(o.Expiry.Add(mailbox.TTL)):
			list = append(list, o)
		case now.Before(o.Expiry) && len(o.Homes) > 0 && !slices.ContainsFunc(e.offices(o.Homes), func(at *office) bool { return slices.Contains(reached, at) }):
			list = append(list, o)
		}
	}
	return list
}

// editDevices changes what is kept of somebody's devices, if f says so.
func (e *Engine) editDevices(t tx, k identity.PubKey, f func(l *deviceList) bool) error {
	at := t.v.token("devices", k[:])
	var l deviceList
	if _, err := t.load(deviceBucket, at[:], &l); err != nil {
		return err
	}
	before := slices.Clone(l.List)
	if !f(&l) {
		return nil
	}
	fresh := slices.ContainsFunc(l.List, func(d device) bool { return !d.Gone && !has(before, d.Device) })
	gone := slices.ContainsFunc(before, func(d device) bool { return !d.Gone && !has(l.List, d.Device) })
	if fresh {
		l.Told = [32]byte{} // it does not know
	}
	if (fresh && len(before) > 0) || gone {
		if err := e.rekey(t, k, gone); err != nil {
			return err
		}
	}
	return errors.Join(e.noteCards(t, k, l.List), t.save(deviceBucket, at[:], l))
}

func has(list []device, number uint32) bool {
	return slices.ContainsFunc(list, func(d device) bool { return d.Device == number && !d.Gone })
}

// cardNews is the content that tells a person where our mailbox is, if they have not been told; nil if there is nothing to tell.
func (e *Engine) cardNews(t tx, k identity.PubKey) (news []byte, err error) {
	homes := e.Homes()
	if len(homes) == 0 {
		return nil, nil
	}
	told := sha256.Sum256(mailbox.AppendHomes(nil, homes))
	err = e.editDevices(t, k, func(l *deviceList) bool {
		if l.Told == told {
			return false
		}
		l.Told = told
		c := content{kind: cardKind, id: newID(), time: e.now(), bytes: e.card(e.now())}
		news = c.append(nil)
		return true
	})
	return news, err
}

// takeCard takes in what a device says of where it is, or of another one of the same person.
func (e *Engine) takeCard(in *inbox, from identity.PubKey, c *content) error {
	card, err := mailbox.ParseCard(c.bytes)
	if err != nil {
		return errForeign
	}
	return e.editDevices(in.t, from, func(l *deviceList) bool {
		found := newest(slices.Clone(l.List), from, card, e.now())
		if slices.EqualFunc(found, l.List, func(a, b device) bool { return a.Device == b.Device && a.Issued.Equal(b.Issued) && a.Gone == b.Gone }) {
			return false
		}
		l.List = found
		return true
	})
}
