package group

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/skycoin/viscript/node/identity"
)

// Errors of Apply; they name the reason for a refusal.
var (
	ErrSignature = errors.New("group: the entry is not signed by its author")
	ErrOrder     = errors.New("group: the entry does not follow the last one")
	ErrRights    = errors.New("group: its author may not do that")
	ErrSubject   = errors.New("group: it does not fit who is in the group")
	ErrFull      = errors.New("group: the group is full")
	ErrLastAdmin = errors.New("group: it would leave the group without an admin")
	ErrInvited   = errors.New("group: the invitation is not valid")
)

// Member is somebody in a group.
type Member struct {
	Key   identity.PubKey
	Since uint64 // the entry by which they came
	admin uint64 // the entry by which they became an admin, plus one; 0: they are none
}

// Admin reports whether the member may change the group.
func (m Member) Admin() bool { return m.admin > 0 }

// link is an invitation that can still be used.
type link struct {
	expiry time.Time
	uses   uint32
	ask    bool // an Offer
	author identity.PubKey
}

// Link is an invitation that can still be used, as the log says.
type Link struct {
	Key    identity.PubKey // the public half of its secret
	Author identity.PubKey // who made it
	Expiry time.Time
	Uses   uint32 // that are left
	Ask    bool   // an admin lets people in; otherwise the secret does
}

// Links are the invitations that can be used now, by key.
func (g *Group) Links(now time.Time) (list []Link) {
	for k, l := range g.links {
		if now.Before(l.expiry) && g.time.Before(l.expiry) {
			list = append(list, Link{k, l.author, l.expiry, l.uses, l.ask})
		}
	}
	slices.SortFunc(list, func(a, b Link) int { return slices.Compare(a.Key[:], b.Key[:]) })
	return list
}

// CheckInvitation reports whether proof is that of the link for who, and the link can be used now.
func (g *Group) CheckInvitation(key, who identity.PubKey, proof identity.Sig, now time.Time) (Link, error) {
	l, ok := g.links[key]
	if !ok || !now.Before(l.expiry) || !g.time.Before(l.expiry) || !g.proven(key, who, proof) {
		return Link{}, ErrInvited
	}
	return Link{key, l.author, l.expiry, l.uses, l.ask}, nil
}

func (g *Group) proven(key, who identity.PubKey, proof identity.Sig) bool {
	return key.Verify(invitationTag, append(g.id[:], who[:]...), proof) == nil
}

// Group is the state after an entry. It is a value that does not change: Apply returns another one.
type Group struct {
	id      Hash
	name    string
	next    uint64 // sequence number of the next entry
	head    Hash   // of the last one
	time    time.Time
	epoch   uint64
	members map[identity.PubKey]Member
	links   map[identity.PubKey]link
}

// ID, Name and Epoch are what they say; Name is visible text, Epoch changes when somebody has gone.
func (g *Group) ID() Hash      { return g.id }
func (g *Group) Name() string  { return Visible(g.name) }
func (g *Group) Epoch() uint64 { return g.epoch }

// Len is how many entries the log has.
func (g *Group) Len() uint64 { return g.next }

// Head is the hash of the last entry: members who have the same agree on everything.
func (g *Group) Head() Hash { return g.head }

// Member returns the member with key k.
func (g *Group) Member(k identity.PubKey) (Member, bool) {
	m, ok := g.members[k]
	return m, ok
}

// Members are all, in the order in which they came.
func (g *Group) Members() []Member {
	return slices.SortedFunc(maps.Values(g.members), func(a, b Member) int {
		if a.Since != b.Since {
			return int(a.Since) - int(b.Since)
		}
		return slices.Compare(a.Key[:], b.Key[:])
	})
}

// Visible is a name as it can be shown: what is no visible character, or turns the direction of text, is U+FFFD.
func Visible(name string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return unicode.ReplacementChar
		}
		return r
	}, name)
}

// New begins a group with author as its admin.
func New(author *identity.Key, name string, now time.Time) (*Group, *Entry, error) {
	var blank Group
	rand.Read(blank.head[:]) // so that no two groups are the same; never fails
	e, err := blank.Propose(author, Change{Kind: Create, Name: name}, now)
	if err != nil {
		return nil, nil, err
	}
	g, err := Open(e)
	return g, e, err
}

// Open is the group that its first entry makes.
func Open(first *Entry) (*Group, error) {
	if first.Sequence != 0 || first.Group != (Hash{}) || first.Kind != Create {
		return nil, ErrOrder
	}
	if err := first.verify(); err != nil {
		return nil, err
	}
	id := first.Hash()
	return &Group{
		id: id, name: first.Name, next: 1, head: id, time: first.Time,
		members: map[identity.PubKey]Member{first.Author: {Key: first.Author, admin: 1}},
		links:   map[identity.PubKey]link{},
	}, nil
}

func (e *Entry) verify() error {
	if err := e.checkForm(); err != nil {
		return err
	}
	if e.Author.Verify(entryTag, e.appendSigned(nil), e.sig) != nil {
		return ErrSignature
	}
	return nil
}

// Propose writes the entry that would make the change; Apply says whether it is allowed.
func (g *Group) Propose(author *identity.Key, c Change, now time.Time) (*Entry, error) {
	if len(c.Name) > MaxName {
		return nil, fmt.Errorf("group: a name of %d bytes; %d are allowed", len(c.Name), MaxName)
	}
	if g.next >= MaxLog {
		return nil, ErrFull
	}
	e := &Entry{Group: g.id, Sequence: g.next, Previous: g.head, Author: author.Public(), Time: time.Unix(now.Unix(), 0), Change: c}
	if !e.Expiry.IsZero() {
		e.Expiry = time.Unix(e.Expiry.Unix(), 0)
	}
	if err := e.checkForm(); err != nil {
		return nil, err
	}
	e.sig = author.Sign(entryTag, e.appendSigned(nil))
	return e, nil
}

// Invitation is what the secret half of a link signs for key to join.
func Invitation(link *identity.Key, group Hash, key identity.PubKey) identity.Sig {
	return link.Sign(invitationTag, append(group[:], key[:]...))
}

// Apply is the group after e, which must follow the last entry.
func (g *Group) Apply(e *Entry) (*Group, error) {
	if e.Group != g.id || e.Sequence != g.next || e.Previous != g.head || g.next >= MaxLog {
		return nil, ErrOrder
	}
	if err := e.verify(); err != nil {
		return nil, err
	}
	next := &Group{
		id: g.id, name: g.name, next: g.next + 1, head: e.Hash(), time: g.time, epoch: g.epoch,
		members: maps.Clone(g.members), links: maps.Clone(g.links),
	}
	if g.members[e.Author].Admin() && e.Time.After(next.time) {
		next.time = e.Time // that of others would let them end every invitation
	}
	if err := next.change(e); err != nil {
		return nil, err
	}
	return next, nil
}

func (g *Group) change(e *Entry) error {
	author, member := g.members[e.Author]
	switch e.Kind {
	case Join:
		return g.join(e)
	case Leave:
		if !member {
			return ErrRights
		}
		return g.drop(author)
	}
	if !author.Admin() {
		return ErrRights
	}
	subject, known := g.members[e.Subject]
	switch e.Kind {
	case Add:
		return g.add(e)
	case Remove:
		if !known {
			return ErrSubject
		}
		return g.drop(subject)
	case Promote, Demote:
		if !known || subject.Admin() == (e.Kind == Promote) {
			return ErrSubject
		}
		return g.setAdmin(subject, e)
	case Rename:
		g.name = e.Name
	case Invite, Offer:
		return g.invite(e)
	case Admit:
		return g.admit(e)
	case Revoke:
		if _, ok := g.links[e.Subject]; !ok {
			return ErrSubject
		}
		delete(g.links, e.Subject)
	default:
		return ErrForm
	}
	return nil
}

func (g *Group) add(e *Entry) error {
	who := e.Subject
	if e.Kind == Join {
		who = e.Author
	}
	if _, ok := g.members[who]; ok {
		return ErrSubject
	}
	if len(g.members) >= MaxMembers {
		return ErrFull
	}
	g.members[who] = Member{Key: who, Since: e.Sequence}
	return nil
}

func (g *Group) drop(m Member) error {
	if m.Admin() && g.admins() == 1 && len(g.members) > 1 {
		return ErrLastAdmin
	}
	delete(g.members, m.Key)
	g.epoch++
	return nil
}

func (g *Group) setAdmin(m Member, e *Entry) error {
	if e.Kind == Demote && g.admins() == 1 {
		return ErrLastAdmin
	}
	m.admin = 0
	if e.Kind == Promote {
		m.admin = e.Sequence + 1
	}
	g.members[m.Key] = m
	return nil
}

func (g *Group) admins() int {
	n := 0
	for _, m := range g.members {
		if m.Admin() {
			n++
		}
	}
	return n
}

func (g *Group) invite(e *Entry) error {
	maps.DeleteFunc(g.links, func(_ identity.PubKey, l link) bool { return !g.time.Before(l.expiry) })
	if _, ok := g.links[e.Subject]; ok {
		return ErrSubject
	}
	if len(g.links) >= MaxLinks {
		return ErrFull
	}
	g.links[e.Subject] = link{e.Expiry, e.Uses, e.Kind == Offer, e.Author}
	return nil
}

// join lets the author in who has the secret half of a link. Times are those of admins' entries, which never go
// back: whoever joins cannot make an invitation younger than the newest entry says.
func (g *Group) join(e *Entry) error {
	l, ok := g.links[e.Subject]
	if !ok || l.ask || !g.time.Before(l.expiry) || !g.proven(e.Subject, e.Author, e.Proof) {
		return ErrInvited
	}
	return g.use(e, e.Subject, l)
}

// admit lets in whom a link's proof is for.
func (g *Group) admit(e *Entry) error {
	for k, l := range g.links {
		if g.time.Before(l.expiry) && g.proven(k, e.Subject, e.Proof) {
			return g.use(e, k, l)
		}
	}
	return ErrInvited
}

// use adds somebody by a link.
func (g *Group) use(e *Entry, key identity.PubKey, l link) error {
	if err := g.add(e); err != nil {
		return err
	}
	if l.uses--; l.uses == 0 {
		delete(g.links, key)
	} else {
		g.links[key] = l
	}
	return nil
}
