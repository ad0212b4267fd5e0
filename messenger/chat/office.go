package chat

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/skycoin/viscript/messenger/chat/prekey"
	"github.com/skycoin/viscript/messenger/mailbox"
	"github.com/skycoin/viscript/node/identity"
)

// Limits of messengers.
const (
	MaxPosts   = mailbox.MaxHomes // of our own
	maxVisited = 16               // of others that are kept connected
	downPause  = 5 * time.Second  // how long a messenger that failed is tried last; doubles to longDown
	longDown   = 2 * time.Minute
)

// homed is a Post that knows what others call it.
type homed interface{ Home() (mailbox.Home, bool) }

// office is a messenger as we reach it: one of ours, or one at which somebody else has a mailbox. Engine.mu guards what changes.
type office struct {
	post  Post
	home  mailbox.Home  // zero: one of ours that does not know it yet
	stock chan struct{} // of ours; holds one: a prekey was used
	used  time.Time
	down  time.Time // until then others are tried first
	pause time.Duration
}

// homeOf is where the office is, if that is known.
func (e *Engine) homeOf(o *office) (mailbox.Home, bool) {
	h, known := o.post.(homed)
	if !known {
		return o.home, o.home != mailbox.Home{}
	}
	at, ok := h.Home()
	return at, ok
}

// Homes are the messengers at which our mailbox is, as far as their keys are known: the first one is where others try first.
func (e *Engine) Homes() (list []mailbox.Home) {
	for _, o := range e.own {
		h, ok := e.homeOf(o)
		if ok && !slices.ContainsFunc(list, func(other mailbox.Home) bool { return other.Key == h.Key }) {
			list = append(list, h)
		}
	}
	return list[:min(len(list), mailbox.MaxHomes)]
}

// offices are the messengers of these names that we can reach; ours if there are none.
func (e *Engine) offices(homes []mailbox.Home) (list []*office) {
	for _, h := range homes {
		if o := e.visit(h); o != nil && !slices.Contains(list, o) {
			list = append(list, o)
		}
	}
	if len(list) == 0 {
		return slices.Clone(e.own)
	}
	return list
}

// visit is the messenger at h; nil if it cannot be had.
func (e *Engine) visit(h mailbox.Home) *office {
	for _, o := range e.own {
		if at, ok := e.homeOf(o); ok && at.Key == h.Key {
			return o
		}
	}
	if e.cfg.Dial == nil {
		return nil
	}
	e.mu.Lock()
	o := e.visited[h]
	if o != nil {
		o.used = time.Now()
	}
	e.mu.Unlock()
	if o != nil {
		return o
	}
	post, err := e.cfg.Dial(h)
	if err != nil {
		e.log.Debug("another messenger is not used", "peer", h.Key.Short(), "err", err)
		return nil
	}
	return e.enter(h, &office{post: post, home: h, used: time.Now()})
}

// enter keeps a messenger of others; the one that was used least recently is left.
func (e *Engine) enter(h mailbox.Home, fresh *office) *office {
	var left *office
	e.mu.Lock()
	o := e.visited[h]
	if o != nil {
		left = fresh
	} else {
		o, e.visited[h] = fresh, fresh
		if len(e.visited) > maxVisited {
			left = e.oldestLocked(h)
			delete(e.visited, left.home)
		}
	}
	e.mu.Unlock()
	if left != nil {
		closePost(left.post)
	}
	return o
}

func (e *Engine) oldestLocked(but mailbox.Home) (oldest *office) {
	for h, o := range e.visited {
		if h != but && (oldest == nil || o.used.Before(oldest.used)) {
			oldest = o
		}
	}
	return oldest
}

func closePost(p Post) {
	if c, ok := p.(io.Closer); ok {
		c.Close()
	}
}

// leaveAll ends the connections to messengers of others.
func (e *Engine) leaveAll() {
	e.mu.Lock()
	var list []*office
	for h, o := range e.visited {
		list = append(list, o)
		delete(e.visited, h)
	}
	e.mu.Unlock()
	for _, o := range list {
		closePost(o.post)
	}
}

// report notes how it went with a messenger. What it says of a mailbox is no failure of it.
func (e *Engine) report(ctx context.Context, o *office, err error) {
	if errors.Is(err, ErrGone) {
		e.noteRemoved()
	}
	failed := err != nil && !answered(err)
	if failed && ctx.Err() != nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !failed {
		o.down, o.pause = time.Time{}, 0
		return
	}
	o.pause = min(max(2*o.pause, downPause), longDown)
	o.down = time.Now().Add(o.pause)
}

func (e *Engine) noteRemoved() {
	e.mu.Lock()
	was := e.removed
	e.removed = true
	e.mu.Unlock()
	if !was {
		e.log.Warn("this device was removed by another one of the same person")
		e.changed(Event{Kind: DeviceRemoved, Talk: To(e.self.Owner)})
	}
}

// answered: the messenger is there, whatever it said.
func answered(err error) bool {
	return err == nil || errors.Is(err, ErrNobody) || errors.Is(err, ErrFull) || errors.Is(err, ErrGone)
}

func (e *Engine) isDown(o *office) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return time.Now().Before(o.down)
}

// inOrder puts those that failed lately behind the others.
func (e *Engine) inOrder(list []*office) []*office {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b *office) int {
		return int(boolByte(e.isDown(a))) - int(boolByte(e.isDown(b)))
	})
	return list
}

// Reachable is how many of our messengers have not failed lately, and how many there are.
func (e *Engine) Reachable() (up, all int) {
	for _, o := range e.own {
		up += 1 - int(boolByte(e.isDown(o)))
	}
	return up, len(e.own)
}

// try asks one messenger after the other until one does it. The error is ErrNobody only if all say so.
func (e *Engine) try(ctx context.Context, list []*office, f func(o *office) error) error {
	var why error
	for _, o := range e.inOrder(list) {
		err := f(o)
		e.report(ctx, o, err)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if why == nil || errors.Is(why, ErrNobody) {
			why = err
		}
	}
	return why
}

// officesOf are the messengers at which a device fetches.
func (e *Engine) officesOf(to mailbox.Address) (list []*office, err error) {
	known, err := e.knownDevices(to.Owner)
	if err != nil {
		return nil, err
	}
	for _, d := range known.List {
		if d.Device == to.Device {
			return e.offices(d.Homes), nil
		}
	}
	return slices.Clone(e.own), nil
}

// knownDevices is what is on disk.
func (e *Engine) knownDevices(k identity.PubKey) (known deviceList, err error) {
	at := e.v.token("devices", k[:])
	err = e.v.view(func(t tx) error {
		_, err := t.load(deviceBucket, at[:], &known)
		return err
	})
	return known, err
}

// askCards gathers a person's cards from the messengers where they may be; reached are those that answered. Errors: ErrNobody.
func (e *Engine) askCards(ctx context.Context, k identity.PubKey, known deviceList) (list []device, reached []*office, err error) {
	var homes []mailbox.Home
	for _, d := range known.List {
		homes = append(homes, d.Homes...)
	}
	err = e.v.view(func(t tx) error {
		c, _, err := t.contact(k)
		homes = append(homes, c.Homes...)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	places := e.offices(homes)
	for _, o := range e.own {
		if !slices.Contains(places, o) {
			places = append(places, o)
		}
	}
	var why error
	for _, o := range e.inOrder(places) {
		if len(list) > 0 && e.isDown(o) {
			continue
		}
		cards, err := o.post.Cards(ctx, k)
		e.report(ctx, o, err)
		if answered(err) {
			reached = append(reached, o)
		} else {
			why = err
		}
		for _, b := range cards[:min(len(cards), mailbox.MaxDevices)] {
			if c, err := mailbox.ParseCard(b); err == nil {
				list = e.foundAt(newest(list, k, c, e.now()), c, o)
			}
		}
	}
	switch {
	case len(list) > 0:
		return list, reached, nil
	case why != nil:
		return nil, reached, why
	}
	return nil, reached, ErrNobody
}

// foundAt notes where a card was found that does not say where its device fetches.
func (e *Engine) foundAt(list []device, c mailbox.Card, o *office) []device {
	h, known := e.homeOf(o)
	i := slices.IndexFunc(list, func(d device) bool { return d.Device == c.Device && d.Issued.Equal(c.Issued) })
	if i < 0 || len(c.Homes) > 0 || !known || len(list[i].Homes) >= mailbox.MaxHomes || slices.Contains(list[i].Homes, h) {
		return list
	}
	list[i].Homes = append(slices.Clone(list[i].Homes), h)
	return list
}

// newest adds a card to those of a person, if they signed it and none of the device is newer.
func newest(list []device, k identity.PubKey, c mailbox.Card, now time.Time) []device {
	err := c.Verify(k, now)
	if err != nil && !errors.Is(err, mailbox.ErrGone) {
		return list
	}
	d := device{Device: c.Device, Box: c.Box[:], Issued: c.Issued, Expiry: c.Expiry, Homes: c.Homes, Gone: err != nil}
	i := slices.IndexFunc(list, func(o device) bool { return o.Device == c.Device })
	switch {
	case i < 0 && len(list) < mailbox.MaxDevices:
		return append(list, d)
	case i >= 0 && !list[i].Gone && (d.Gone || d.Issued.After(list[i].Issued)):
		list[i] = d
	}
	return list
}

// takePrekey gets a prekey of a device that is its own, from the first messenger that has one.
func (e *Engine) takePrekey(ctx context.Context, of mailbox.Address) (pre []byte, err error) {
	list, err := e.officesOf(of)
	if err != nil {
		return nil, err
	}
	err = e.try(ctx, list, func(o *office) error {
		b, err := o.post.TakePrekey(ctx, of)
		if err != nil {
			return err
		}
		p, err := prekey.Parse(b)
		if err != nil || p.Device != of.Device || p.Verify(of.Owner, e.now()) != nil {
			return errForeign
		}
		pre = b
		return nil
	})
	return pre, err
}
