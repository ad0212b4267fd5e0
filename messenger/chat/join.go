package chat

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/skycoin/viscript/messenger/chat/group"
	"github.com/skycoin/viscript/messenger/mailbox"
	"github.com/skycoin/viscript/node/identity"
)

// Limits of joining.
const (
	MaxLinkLife = 90 * 24 * time.Hour
	maxJoins    = 50  // groups that we have asked to join
	maxAsked    = 100 // people who ask to join groups of ours
)

// Errors about joining.
var (
	ErrExpired = errors.New("chat: the invitation has expired")
	ErrJoined  = errors.New("chat: we are in this group")
	ErrJoins   = fmt.Errorf("chat: %d groups have been asked already", maxJoins)
)

// GroupLink is an invitation to a group that can still be used.
type GroupLink struct {
	Group group.Hash
	group.Link
	Text string // what to give to others; "" if another admin, or another device, made it
}

// Joining is a group that we have asked to join.
type Joining struct {
	Group   group.Hash
	Inviter identity.PubKey
	Asked   time.Time
	Expiry  time.Time
}

// Asking is somebody who asks to join a group of ours.
type Asking struct {
	Group group.Hash
	Key   identity.PubKey
	Link  identity.PubKey
	Proof identity.Sig
	At    time.Time
}

// CreateLink makes an invitation to a group of ours, for life (at most MaxLinkLife) and so many people (at most group.MaxUses). With ask set nobody is
// let in before Admit; otherwise this engine lets in who comes with the link, while it runs. Errors: those of Change.
func (e *Engine) CreateLink(id group.Hash, life time.Duration, uses uint32, ask bool) (*Link, error) {
	if life <= 0 || life > MaxLinkLife || uses < 1 || uses > group.MaxUses {
		return nil, fmt.Errorf("chat: an invitation is for at most %v and %d people", MaxLinkLife, group.MaxUses)
	}
	l := &Link{Group: id, Inviter: e.self.Owner, Expiry: time.Unix(e.now().Add(life).Unix(), 0), Homes: e.Homes()}
	for l.key == nil { // a draw is no key once in 2^127
		rand.Read(l.secret[:]) // never fails
		l.key, _ = identity.FromSecret(l.secret[:])
	}
	kind := group.Invite
	if ask {
		kind = group.Offer
	}
	err := e.updateGroup(id, func(t tx) error {
		if err := e.propose(t, id, group.Change{Kind: kind, Subject: l.Key(), Expiry: l.Expiry, Uses: uses}); err != nil {
			return err
		}
		k := t.v.linkToken(l.Key())
		return t.put(linkBucket, k[:], []byte(l.String()))
	})
	return l, err
}

func (v *vault) linkToken(k identity.PubKey) token { return v.token("link", k[:]) }

// Links are a group's invitations. Errors: ErrNoGroup.
func (e *Engine) Links(id group.Hash) (list []GroupLink, err error) {
	err = e.v.view(func(t tx) error {
		g, err := e.state(t, id)
		if err != nil {
			return err
		}
		for _, l := range g.Links(e.now()) {
			k := t.v.linkToken(l.Key)
			text, err := t.get(linkBucket, k[:])
			if err != nil {
				return err
			}
			list = append(list, GroupLink{id, l, string(text)})
		}
		return nil
	})
	return list, err
}

// RevokeLink makes an invitation void; those who have joined stay. Errors: those of Change.
func (e *Engine) RevokeLink(id group.Hash, key identity.PubKey) error {
	return e.updateGroup(id, func(t tx) error {
		if err := e.propose(t, id, group.Change{Kind: group.Revoke, Subject: key}); err != nil {
			return err
		}
		k := t.v.linkToken(key)
		return t.drop(linkBucket, k[:])
	})
}

// JoinLink asks the inviter to let us in. The group appears when they have, which may need them to be there, or to agree. Asked again, it asks again.
// Errors: ErrLink, ErrExpired, ErrJoined, ErrJoins, ErrSelf, ErrBlocked.
func (e *Engine) JoinLink(text string) (id group.Hash, err error) {
	l, err := ParseLink(text)
	if err != nil {
		return id, err
	}
	if !e.now().Before(l.Expiry) {
		return id, ErrExpired
	}
	if err = e.v.update(func(t tx) error { return e.knock(t, l) }); err != nil {
		return id, err
	}
	e.changed(Event{Kind: GroupChanged, Talk: In(l.Group)})
	e.kick()
	return l.Group, nil
}

// knock notes that we wait to be let in, and asks for it.
func (e *Engine) knock(t tx, l *Link) error {
	if l.Inviter == e.self.Owner {
		return ErrSelf
	}
	if g, err := e.state(t, l.Group); err == nil {
		if _, member := g.Member(e.self.Owner); member {
			return ErrJoined
		}
	} else if !errors.Is(err, ErrNoGroup) {
		return err
	}
	joins, err := e.joining(t)
	if err != nil {
		return err
	}
	if len(joins) >= maxJoins {
		return ErrJoins
	}
	c, found, err := t.contact(l.Inviter)
	if err != nil {
		return err
	}
	if c.Blocked {
		return ErrBlocked
	}
	if !found || c.Request {
		c.Met, c.Request = true, false // they may send us the group
		c.Added = e.now()
	}
	if len(c.Homes) == 0 {
		c.Homes = l.Homes
	}
	k := t.v.groupToken(l.Group)
	err = errors.Join(t.saveContact(&c), t.save(joinBucket, k[:], Joining{l.Group, l.Inviter, e.now(), l.Expiry}))
	if err != nil {
		return err
	}
	k2 := content{kind: knockKind, id: newID(), time: e.now(), group: l.Group, key: l.Key(), sig: group.Invitation(l.key, l.Group, e.self.Owner)}
	return t.pushOut(outItem{to: l.Inviter, bytes: k2.append(nil)})
}

// joining lists what we wait for, and forgets what has expired.
func (e *Engine) joining(t tx) (list []Joining, err error) {
	var gone [][]byte
	err = t.each(joinBucket, nil, func(k, b []byte) (bool, error) {
		var j Joining
		if err := json.Unmarshal(b, &j); err != nil {
			return false, err
		}
		if e.now().Before(j.Expiry.Add(mailbox.TTL)) {
			list = append(list, j)
		} else {
			gone = append(gone, k)
		}
		return true, nil
	})
	for _, k := range gone {
		if t.Writable() {
			err = errors.Join(err, t.drop(joinBucket, k))
		}
	}
	return list, err
}

// Joining lists the groups that we have asked to join and that have not let us in yet.
func (e *Engine) Joining() (list []Joining, err error) {
	err = e.v.view(func(t tx) error {
		list, err = e.joining(t)
		return err
	})
	return list, err
}

// CancelJoin forgets that we have asked.
func (e *Engine) CancelJoin(id group.Hash) error {
	return e.v.update(func(t tx) error {
		k := t.v.groupToken(id)
		return t.drop(joinBucket, k[:])
	})
}

// awaited: we have asked to join the group.
func (t tx) awaited(id group.Hash) bool {
	k := t.v.groupToken(id)
	return t.has(joinBucket, k[:])
}

// checkKnock: whether somebody asks to join a group of ours, with a link that holds.
func (e *Engine) checkKnock(t tx, from identity.PubKey, c *content) (link group.Link, member bool, err error) {
	g, err := e.state(t, c.group)
	if err != nil {
		return link, false, err
	}
	if me, ok := g.Member(e.self.Owner); !ok || !me.Admin() {
		return link, false, ErrNotMember
	}
	_, member = g.Member(from)
	link, err = g.CheckInvitation(c.key, from, c.sig, e.now())
	return link, member, err
}

// takeKnock lets somebody in, or keeps the wish until Admit.
func (e *Engine) takeKnock(in *inbox, from identity.PubKey, c *content) error {
	link, member, err := e.checkKnock(in.t, from, c)
	switch {
	case errors.Is(err, ErrNoGroup), errors.Is(err, ErrNotMember), errors.Is(err, group.ErrInvited):
		return errForeign
	case err != nil:
		return err
	case member && in.t.muchWaits(from):
		return errForeign
	case member: // they have lost it
		l, err := e.groupLog(in.t, c.group)
		if err != nil {
			return err
		}
		return e.pushEntries(in.t, from, l.Entries(0))
	}
	p, found, err := in.t.contact(from)
	if err != nil {
		return err
	}
	if !found {
		p.Met, p.Added = true, e.now()
		if err := in.t.saveContact(&p); err != nil {
			return err
		}
	}
	a := Asking{c.group, from, c.key, c.sig, e.now()}
	in.events = append(in.events, Event{Kind: GroupChanged, Talk: In(c.group)})
	back, err := e.removedSince(in.t, a)
	if err != nil {
		return err
	}
	if link.Ask || back {
		return e.keepAsking(in, a)
	}
	if err := e.propose(in.t, c.group, a.change()); err != nil {
		e.log.Debug("somebody with a link is not let in", "peer", from.Short(), "err", err)
		return errForeign
	}
	return nil
}

// removedSince: an admin has removed them after the link was made: it does not bring them back unasked.
func (e *Engine) removedSince(t tx, a Asking) (bool, error) {
	l, err := e.groupLog(t, a.Group)
	if err != nil {
		return false, err
	}
	for _, entry := range slices.Backward(l.Entries(0)) {
		switch {
		case entry.Kind == group.Remove && entry.Subject == a.Key:
			return true, nil
		case (entry.Kind == group.Invite || entry.Kind == group.Offer) && entry.Subject == a.Link:
			return false, nil
		}
	}
	return false, nil
}

func (a *Asking) change() group.Change {
	return group.Change{Kind: group.Admit, Subject: a.Key, Proof: a.Proof}
}

func (v *vault) askingToken(id group.Hash, k identity.PubKey) token {
	return v.token("asking", id[:], k[:])
}

func (e *Engine) keepAsking(in *inbox, a Asking) error {
	k := in.t.v.askingToken(a.Group, a.Key)
	if !in.t.has(askingBucket, k[:]) {
		if in.t.count(askingBucket, maxAsked) >= maxAsked {
			return errForeign
		}
		in.events = append(in.events, Event{Kind: JoinAsked, Talk: In(a.Group)})
	}
	return in.t.save(askingBucket, k[:], a)
}

// Asking lists who asks to join groups of ours, at most 100; those whose link holds no longer too.
func (e *Engine) Asking() (list []Asking, err error) {
	err = e.v.view(func(t tx) error {
		return t.each(askingBucket, nil, func(_, b []byte) (bool, error) {
			var a Asking
			err := json.Unmarshal(b, &a)
			list = append(list, a)
			return true, err
		})
	})
	return list, err
}

// Admit lets somebody in who has asked; Refuse forgets them, without telling. Errors: ErrUnknown, those of Change.
func (e *Engine) Admit(id group.Hash, who identity.PubKey) error { return e.decide(id, who, true) }

// Refuse forgets that somebody has asked to join.
func (e *Engine) Refuse(id group.Hash, who identity.PubKey) error { return e.decide(id, who, false) }

func (e *Engine) decide(id group.Hash, who identity.PubKey, yes bool) error {
	return e.updateGroup(id, func(t tx) error {
		var a Asking
		k := t.v.askingToken(id, who)
		found, err := t.load(askingBucket, k[:], &a)
		if err == nil && !found {
			err = ErrUnknown
		}
		if err == nil && yes {
			err = e.propose(t, id, a.change())
		}
		if err != nil {
			return err
		}
		return t.drop(askingBucket, k[:])
	})
}
