package chat

import (
	"errors"

	"github.com/skycoin/viscript/messenger/chat/group"
	"github.com/skycoin/viscript/node/identity"
)

// takeEntries takes in what somebody sends of a group's log.
func (e *Engine) takeEntries(in *inbox, from identity.PubKey, list [][]byte) error {
	entries, err := parseEntries(list)
	if err != nil {
		return err
	}
	id := entries[0].ID()
	if err := e.mayBring(in.t, from, id); err != nil {
		return err
	}
	l, err := e.groupLog(in.t, id)
	if err != nil {
		return err
	}
	fresh := l == nil && from != e.self.Owner && !in.t.awaited(id)
	count, n := news(l, entries)
	if err := e.admitEntries(in, from, id, fresh, count, n); err != nil {
		return err
	}
	were := e.isMember(in.t, id)
	dropped, err := e.mergeLog(in.t, id, entries)
	if err == nil || l != nil { // what stands before an entry that is refused counts
		if err := e.noteBringer(in.t, id, from, fresh, n, entries); err != nil {
			return err
		}
	}
	if errors.Is(err, group.ErrOrder) || errors.Is(err, group.ErrFinal) {
		return e.ask(in.t, from, id)
	}
	if err != nil {
		e.log.Debug("a group's log is not taken", "err", err)
		return errForeign
	}
	in.events = append(in.events, Event{Kind: GroupChanged, Talk: In(id)})
	if !were && e.isMember(in.t, id) { // those who have left are told nothing by a log that comes again
		in.events = append(in.events, e.invitation(id, entries)...)
	}
	if err := e.arrived(in.t, id); err != nil {
		return err
	}
	e.proposeAgain(in.t, id, dropped)
	return e.unpark(in, "share", id[:])
}

// parseEntries reads entries of one group's log, at least one. Errors: errForeign.
func parseEntries(list [][]byte) (entries []*group.Entry, err error) {
	for _, b := range list {
		entry, err := group.ParseEntry(b)
		if err != nil || (len(entries) > 0 && entry.ID() != entries[0].ID()) {
			return nil, errForeign
		}
		entries = append(entries, entry)
	}
	if len(entries) == 0 {
		return nil, errForeign
	}
	return entries, nil
}

// proposeAgain writes what was ours among entries that gave way, if it still fits.
func (e *Engine) proposeAgain(t tx, id group.Hash, dropped []*group.Entry) {
	for _, d := range dropped {
		if d.Author == e.self.Owner {
			if err := e.propose(t, id, d.Change); err != nil {
				e.log.Debug("a change of ours is dropped", "err", err)
			}
		}
	}
}

// news is how many of the entries are not in the log, and how long they are.
func news(l *group.Log, entries []*group.Entry) (count, n int) {
	for _, entry := range entries {
		if l != nil {
			if have := l.Entries(entry.Sequence); len(have) > 0 && have[0].Hash() == entry.Hash() {
				continue
			}
		}
		count++
		n += len(entry.Append(nil))
	}
	return count, n
}

// admitEntries: so many entries, of n bytes, that somebody sends of a group's log have room; fresh: the group is new here, and unasked.
func (e *Engine) admitEntries(in *inbox, from identity.PubKey, id group.Hash, fresh bool, count, n int) error {
	if from == e.self.Owner || n == 0 {
		return nil
	}
	p, _, err := in.t.contact(from)
	if err != nil {
		return err
	}
	s, err := in.t.groupState(id)
	if err != nil {
		return err
	}
	if fresh {
		err = e.mayWait(in, from, true, n)
	} else if s.waits() {
		err = e.mayWait(in, *s.By, false, n)
	}
	if err != nil {
		return err
	}
	talk := In(id)
	if fresh {
		talk = To(from)
	}
	return e.pay(in, &p, talk, n+count*entryCost)
}

// isMember: we are in the group, as far as we know.
func (e *Engine) isMember(t tx, id group.Hash) bool {
	g, err := e.state(t, id)
	if err != nil {
		return false
	}
	_, ok := g.Member(e.self.Owner)
	return ok
}

// invitation is the event for the entry among these by which somebody else has brought us into a group.
func (e *Engine) invitation(id group.Hash, entries []*group.Entry) (list []Event) {
	for _, entry := range entries {
		if entry.Kind == group.Add && entry.Subject == e.self.Owner && entry.Author != e.self.Owner {
			list = []Event{{Kind: GroupInvited, Talk: In(id), Message: e.noteOf(entry)}}
		}
	}
	return list
}

// mayBring: a new group only from contacts; more of its log from them and from whoever is in a group with us.
func (e *Engine) mayBring(t tx, from identity.PubKey, id group.Hash) error {
	if from == e.self.Owner {
		return nil // another device of ours
	}
	c, found, err := t.contact(from)
	if err != nil {
		return err
	}
	l, err := e.groupLog(t, id)
	if err != nil {
		return err
	}
	switch {
	case l != nil && found && !c.Request:
		return nil
	case l == nil && found && t.awaited(id): // from whoever: the group's name is its log's hash
	case l != nil || !found || !c.known():
		return errForeign
	}
	if t.count(groupBucket, MaxGroups) >= MaxGroups {
		return errForeign
	}
	return nil
}

// arrived forgets that we have asked to join, when we are in.
func (e *Engine) arrived(t tx, id group.Hash) error {
	if !t.awaited(id) {
		return nil
	}
	g, err := e.state(t, id)
	if err != nil {
		return ignore(err, ErrNoGroup)
	}
	if _, ok := g.Member(e.self.Owner); !ok {
		return nil
	}
	k := t.v.groupToken(id)
	return t.drop(joinBucket, k[:])
}

// ask asks somebody for what we do not have of a group's log, unless much waits for them already.
func (e *Engine) ask(t tx, from identity.PubKey, id group.Hash) error {
	if t.muchWaits(from) {
		return nil
	}
	c := content{kind: askKind, id: newID(), time: e.now(), group: id}
	if g, err := e.state(t, id); err == nil {
		c.length = g.Len() - min(g.Len(), group.MaxFork)
	} else if !errors.Is(err, ErrNoGroup) {
		return err
	}
	return t.pushOut(outItem{to: from, bytes: c.append(nil)})
}

// answerAsk sends a member the log from an entry on.
func (e *Engine) answerAsk(in *inbox, from identity.PubKey, c *content) error {
	l, err := e.groupLog(in.t, c.group)
	if err != nil || l == nil {
		return errors.Join(err, errForeign)
	}
	if in.t.muchWaits(from) {
		return errForeign
	}
	if _, ok := l.Group().Member(from); !ok && from != e.self.Owner {
		return errForeign
	}
	return e.pushEntries(in.t, from, l.Entries(c.length))
}
