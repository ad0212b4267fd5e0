package chat

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/skycoin/viscript/messenger/chat/group"
	"github.com/skycoin/viscript/node/identity"
)

// Limits of what others leave on our disk without our asking.
const (
	// DefaultDaily is how many bytes one contact may leave in a day of UTC, see Config.Daily; MinDaily is the least that can be chosen.
	DefaultDaily = 64 << 20
	MinDaily     = 1 << 20
	// MaxInvitations is how many groups wait, into which others have brought us and where we have neither looked nor written;
	// MaxInvitationsOf of one contact. Beyond MaxInvitations a contact of whom none waits may still bring one.
	MaxInvitations   = 256
	MaxInvitationsOf = 32

	maxInvitedLog = 1 << 20 // bytes of the logs of the groups of one contact that wait; the rest comes when we have looked

	// What is kept beside the text of something, in bytes: seals, names, times, indices, pages that are not full.
	messageCost  = 768
	entryCost    = 1536 // in the log, in the history, and a person who may be new
	greetingCost = 1024
)

// ErrAllowance: somebody has left as much as one contact may in a day.
var ErrAllowance = errors.New("chat: so much has come from this person today that no more is fetched unasked")

// bounds are limits that tests lower.
type bounds struct {
	daily      uint64
	invited    int
	invitedOf  int
	invitedLog uint64
}

// purse names an account: a contact's, that of a group, or, of the zero Talk, of all who are not known. guests: of those whom we do not know, in
// the groups that this contact has brought.
type purse struct {
	of     Talk
	guests bool
}

// account is what has been left in a day on one account.
type account struct {
	Day   int64 // since 1970
	Bytes uint64
	Told  bool // that it is used up
	Full  bool // told that no more groups may wait

	purse purse
}

func (v *vault) accountToken(p purse) token {
	if p.guests {
		return v.token("guests", p.of.Key[:])
	}
	return v.token("account", p.of.Key[:], p.of.Group[:])
}

// account reads how it stands today.
func (e *Engine) account(t tx, p purse) (*account, error) {
	a := &account{}
	k := t.v.accountToken(p)
	_, err := t.load(accountBucket, k[:], a)
	if today := e.now().Unix() / int64(24*time.Hour/time.Second); a.Day != today {
		*a = account{Day: today}
	}
	a.purse = p
	return a, err
}

func (t tx) saveAccount(a *account) error {
	k := t.v.accountToken(a.purse)
	return t.save(accountBucket, k[:], a)
}

// account is an account during a batch, which saves it at its end.
func (in *inbox) account(e *Engine, p purse) (*account, error) {
	if a := in.accounts[p]; a != nil {
		return a, nil
	}
	a, err := e.account(in.t, p)
	if err == nil {
		in.accounts[p] = a
	}
	return a, err
}

func (in *inbox) saveAccounts() error {
	for _, a := range in.accounts {
		if err := in.t.saveAccount(a); err != nil {
			return err
		}
	}
	return nil
}

// payer is on whose account something of a person in a conversation goes. Members of groups whom we do not know share one for all the groups
// that a contact has brought: nobody gets more than once as much again by making people up, and no member of a group has the contact who brought it unheard.
func (e *Engine) payer(t tx, p *Contact, talk Talk) (purse, error) {
	switch {
	case p.known():
		return purse{of: To(p.Key)}, nil
	case !talk.IsGroup():
		return purse{}, nil
	}
	s, err := t.groupState(talk.Group)
	if err != nil || s.By == nil {
		return purse{of: talk}, err
	}
	by, found, err := t.contact(*s.By)
	if err != nil || !found || !by.known() {
		return purse{of: talk}, err
	}
	return purse{To(*s.By), true}, nil
}

// pay puts n bytes of a person in a conversation on their account. errForeign: there is no room today, which is told once.
func (e *Engine) pay(in *inbox, p *Contact, talk Talk, n int) error {
	from, err := e.payer(in.t, p, talk)
	if err != nil {
		return err
	}
	a, err := in.account(e, from)
	if err != nil {
		return err
	}
	if a.Bytes+uint64(n) <= e.bounds.daily {
		a.Bytes += uint64(n)
		return nil
	}
	if !a.Told && talk != (Talk{}) {
		a.Told = true
		if err := e.tellRefused(in, p.Key, talk, fmt.Sprintf("%s %d", from.fullNote(), e.bounds.daily)); err != nil {
			return err
		}
	}
	return errForeign
}

// What notes about what is not kept begin with; a number follows.
const (
	fullNote    = "full"    // the bytes of a day of a contact
	guestsNote  = "guests"  // those of people of groups whom we do not know, all of an account
	invitedNote = "invited" // the groups that may wait
)

// fullNote is what the note begins with that tells of a day's bytes.
func (p purse) fullNote() string {
	if p.guests || p.of.IsGroup() {
		return guestsNote
	}
	return fullNote
}

// tellRefused puts a note about what is not kept into a conversation.
func (e *Engine) tellRefused(in *inbox, from identity.PubKey, talk Talk, text string) error {
	s, err := in.t.talk(talk)
	if err != nil {
		return err
	}
	m := &Message{ID: newID(), From: from, Time: e.now(), At: e.now(), Note: true, Text: text}
	if _, err := in.t.add(&s, m); err != nil {
		return err
	}
	in.events = append(in.events, Event{Kind: Refused, Talk: talk, Message: m})
	return in.t.saveTalk(&s)
}

// payUnasked puts a file that is fetched without the person's word on its sender's account. Errors: ErrAllowance.
func (e *Engine) payUnasked(t tx, from identity.PubKey, size uint64) error {
	p, found, err := t.contact(from)
	if err != nil {
		return err
	}
	if !found || !p.known() {
		return ErrAllowance
	}
	a, err := e.account(t, purse{of: To(from)})
	if err != nil {
		return err
	}
	if a.Bytes+size > e.bounds.daily {
		return ErrAllowance
	}
	a.Bytes += size
	return t.saveAccount(a)
}

// Invitation is a group into which a contact has brought us, and where we have neither looked nor written.
type Invitation struct {
	Group group.Hash
	By    identity.PubKey
	At    time.Time
}

// Invitations lists the groups that wait, at most MaxInvitations and one of each further contact. MarkRead, Send and Change in a group end that.
func (e *Engine) Invitations() (list []Invitation, err error) {
	err = e.v.view(func(t tx) error {
		list, _, err = t.invitations()
		return err
	})
	return list, err
}

// invitations also sums up the bytes of the logs, by who has brought them.
func (t tx) invitations() (list []Invitation, logs map[identity.PubKey]uint64, err error) {
	logs = map[identity.PubKey]uint64{}
	err = t.each(groupBucket, nil, func(_, b []byte) (bool, error) {
		var s groupState
		err := json.Unmarshal(b, &s)
		if s.waits() {
			list = append(list, Invitation{s.ID, *s.By, s.At})
			logs[*s.By] += s.Bytes
		}
		return true, err
	})
	return list, logs, err
}

// mayWait: a contact may bring a group that is new, or n bytes more of the log of one that waits. errForeign: not before we have looked at others.
func (e *Engine) mayWait(in *inbox, from identity.PubKey, fresh bool, n int) error {
	list, logs, err := in.t.invitations()
	if err != nil {
		return err
	}
	of := 0
	for _, i := range list {
		if i.By == from {
			of++
		}
	}
	switch {
	case logs[from]+uint64(n) > e.bounds.invitedLog:
	case fresh && (of >= e.bounds.invitedOf || of > 0 && len(list) >= e.bounds.invited):
	default:
		return nil
	}
	a, err := in.account(e, purse{of: To(from)})
	if err != nil {
		return err
	}
	if !a.Full {
		a.Full = true
		if err := e.tellRefused(in, from, To(from), fmt.Sprintf("%s %d", invitedNote, max(of, 1))); err != nil {
			return err
		}
	}
	return errForeign
}

// noteBringer notes who has brought a group, or n bytes more of the log of one that waits. What another device of ours brings does not wait, and what
// was changed there has been looked at; letting somebody in may have been done by itself.
func (e *Engine) noteBringer(t tx, id group.Hash, by identity.PubKey, fresh bool, n int, entries []*group.Entry) error {
	if by == e.self.Owner {
		if slices.ContainsFunc(entries, func(entry *group.Entry) bool { return entry.Author == by && entry.Kind != group.Admit }) {
			return e.looked(t, id)
		}
		return nil
	}
	s, err := t.groupState(id)
	if err != nil {
		return err
	}
	if fresh {
		s.By, s.At = &by, e.now()
	} else if !s.waits() {
		return nil
	}
	s.Bytes += uint64(n)
	return t.saveGroupState(&s)
}

// looked ends the waiting of a group: we have looked at it, written there, or changed it, on any of our devices. What was left out of its log is asked for.
func (e *Engine) looked(t tx, id group.Hash) error {
	s, err := t.groupState(id)
	if err != nil || !s.waits() {
		return err
	}
	s.Looked = true
	if err := t.saveGroupState(&s); err != nil {
		return err
	}
	if e.isMember(t, id) {
		return nil
	}
	return e.ask(t, *s.By, id)
}
