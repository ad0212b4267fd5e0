package chat

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/skycoin/viscript/messenger/mailbox"
	"github.com/skycoin/viscript/node/identity"
)

// Limits of contacts.
const (
	MaxName     = 64 // bytes of UTF-8
	MaxContacts = 10_000
	// MaxRequests is how many unknown people may have written; MaxRequestTexts how much each.
	MaxRequests     = 100
	MaxRequestTexts = 20

	maxPeople = 2*MaxContacts + MaxRequests // with those who are only members of groups
)

// Errors about contacts.
var (
	ErrSelf      = errors.New("chat: that is our own key")
	ErrBlocked   = errors.New("chat: this person is blocked")
	ErrUnknown   = errors.New("chat: no such person")
	ErrNameTaken = errors.New("chat: another key has this name: if it is the same person, compare safety numbers, then rename or remove the former")
	ErrName      = errors.New("chat: a name is 1 to 64 bytes of visible text, and no key")
	ErrMany      = errors.New("chat: too many contacts")
)

// Contact is a person.
type Contact struct {
	Key      identity.PubKey
	Name     string
	Verified bool // the safety number was compared
	Blocked  bool
	Request  bool // they wrote first and have not been accepted
	Met      bool // only as a member of a group
	Added    time.Time
	Devices  []uint32 `json:",omitempty"` // that have written
	// Homes are where their mailbox is, as somebody told us; their card says better.
	Homes []mailbox.Home `json:",omitempty"`
	// Heard is when a device of theirs was last heard of, to the minute: that they are there now nobody says.
	Heard time.Time
	// Changed is when we did something with the contact last, on any of our devices.
	Changed time.Time
}

// known reports whether the contact's messages go to conversations.
func (c *Contact) known() bool { return !c.Request && !c.Met && !c.Blocked }

func (t tx) contact(k identity.PubKey) (c Contact, found bool, err error) {
	at := t.v.token("contact", k[:])
	found, err = t.load(contactBucket, at[:], &c)
	c.Key = k
	return c, found, err
}

func (t tx) saveContact(c *Contact) error {
	at := t.v.token("contact", c.Key[:])
	return t.save(contactBucket, at[:], c)
}

func (t tx) contacts() (list []Contact, err error) {
	err = t.each(contactBucket, nil, func(_, b []byte) (bool, error) {
		var c Contact
		err := json.Unmarshal(b, &c)
		list = append(list, c)
		return true, err
	})
	slices.SortFunc(list, func(a, b Contact) int {
		if n := strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)); n != 0 {
			return n
		}
		return bytes.Compare(a.Key[:], b.Key[:])
	})
	return list, err
}

// Contacts lists all people, requests and blocked ones too, by name.
func (e *Engine) Contacts() (list []Contact, err error) {
	err = e.v.view(func(t tx) (err error) {
		list, err = t.contacts()
		return err
	})
	return list, err
}

// cleanName checks a name of a person or a group.
func cleanName(s string) (string, error) {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > MaxName || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsGraphic(r) }) {
		return "", ErrName
	}
	if _, err := identity.ParseHex(s); err == nil {
		return "", ErrName
	}
	return s, nil
}

// AddContact makes a person known under a name, which is ours alone; "" leaves it as it is. It accepts a request.
func (e *Engine) AddContact(k identity.PubKey, name string) error {
	if k == e.self.Owner {
		return ErrSelf
	}
	if name != "" {
		var err error
		if name, err = cleanName(name); err != nil {
			return err
		}
	}
	err := e.v.update(func(t tx) error {
		c, found, err := t.contact(k)
		if err != nil {
			return err
		}
		if err := t.checkName(k, name, found); err != nil {
			return err
		}
		if name != "" {
			c.Name = name
		}
		return e.accept(t, &c)
	})
	if err == nil {
		e.changed(Event{Kind: ContactChanged, Talk: To(k)})
		e.kick()
	}
	return err
}

func (t tx) checkName(k identity.PubKey, name string, found bool) error {
	list, err := t.contacts()
	if err != nil {
		return err
	}
	known := 0
	for _, c := range list {
		if !c.Met {
			known++ // members of groups take nobody's place
		}
	}
	if !found && known >= MaxContacts {
		return ErrMany
	}
	for _, c := range list {
		if name != "" && c.Key != k && strings.EqualFold(c.Name, name) {
			return ErrNameTaken
		}
	}
	return nil
}

// accept makes somebody a contact; what a request has brought is confirmed now. Our other devices hear of it.
func (e *Engine) accept(t tx, c *Contact) error {
	wasRequest, wasMet := c.Request, c.Met
	c.Request, c.Met = false, false
	if err := e.tellPerson(t, c, false); err != nil {
		return err
	}
	c.Request, c.Met = wasRequest, wasMet
	return e.accepted(t, c)
}

// accepted is accept on this device.
func (e *Engine) accepted(t tx, c *Contact) error {
	was := c.Request
	c.Request, c.Met = false, false
	if c.Added.IsZero() {
		c.Added = e.now()
	}
	if err := t.saveContact(c); err != nil || !was {
		return err
	}
	var ids []MessageID
	talk := t.v.talkToken(To(c.Key))
	err := t.each(historyBucket, talk[:], func(_, b []byte) (bool, error) {
		var m Message
		err := json.Unmarshal(b, &m)
		if m.From == c.Key {
			ids = append(ids, m.ID)
		}
		return true, err
	})
	if err != nil {
		return err
	}
	return e.pushReceipt(t, To(c.Key), c.Key, deliveredReceipt, ids)
}

// edit changes a contact that is there.
func (e *Engine) edit(k identity.PubKey, f func(t tx, c *Contact) error) error {
	err := e.v.update(func(t tx) error {
		c, found, err := t.contact(k)
		if err == nil && !found {
			err = ErrUnknown
		}
		if err == nil {
			err = f(t, &c)
		}
		if err == nil {
			err = e.tellPerson(t, &c, false)
		}
		if err != nil {
			return err
		}
		return t.saveContact(&c)
	})
	if err == nil {
		e.changed(Event{Kind: ContactChanged, Talk: To(k)})
		e.kick()
	}
	return err
}

// Block refuses all that a person sends from now on, without telling; Unblock ends that.
func (e *Engine) Block(k identity.PubKey) error {
	if k == e.self.Owner {
		return ErrSelf
	}
	err := e.v.update(func(t tx) error {
		c, _, err := t.contact(k)
		if err != nil {
			return err
		}
		c.Blocked = true
		return errors.Join(e.tellPerson(t, &c, false), t.saveContact(&c))
	})
	if err == nil {
		e.changed(Event{Kind: ContactChanged, Talk: To(k)})
		e.kick()
	}
	return err
}

// Unblock undoes Block.
func (e *Engine) Unblock(k identity.PubKey) error {
	return e.edit(k, func(_ tx, c *Contact) error { c.Blocked = false; return nil })
}

// SetVerified notes that the safety number was compared, or that it is not to be trusted any more.
func (e *Engine) SetVerified(k identity.PubKey, yes bool) error {
	return e.edit(k, func(_ tx, c *Contact) error { c.Verified = yes; return nil })
}

// Remove forgets a person and the conversation with them. What they write then is a request.
func (e *Engine) Remove(k identity.PubKey) error {
	err := e.v.update(func(t tx) error {
		c, _, err := t.contact(k)
		if err == nil {
			err = e.tellPerson(t, &c, true)
		}
		return errors.Join(err, t.forget(k))
	})
	if err == nil {
		e.changed(Event{Kind: ContactChanged, Talk: To(k)})
		e.kick()
	}
	return err
}

func (t tx) forget(k identity.PubKey) error {
	at, talk := t.v.token("contact", k[:]), t.v.talkToken(To(k))
	err := errors.Join(t.drop(contactBucket, at[:]), t.drop(talkBucket, talk[:]))
	c := t.Bucket([]byte(historyBucket)).Cursor()
	for key, _ := c.Seek(talk[:]); err == nil && hasPrefix(key, talk[:]); key, _ = c.Seek(talk[:]) {
		err = c.Delete()
	}
	return err
}

// Person finds a contact by name, in either case, or by key or address. Errors: ErrUnknown.
func (e *Engine) Person(s string) (identity.PubKey, error) {
	if k, _, err := ParseAddress(s); err == nil {
		return k, nil
	}
	list, err := e.Contacts()
	if err != nil {
		return identity.PubKey{}, err
	}
	for _, c := range list {
		if c.Name != "" && strings.EqualFold(c.Name, s) {
			return c.Key, nil
		}
	}
	return identity.PubKey{}, fmt.Errorf("%w: %.70q", ErrUnknown, s)
}

// SafetyNumber is what two people compare to know that each has the other's key: 60 digits in groups of five, the same for both.
func (e *Engine) SafetyNumber(k identity.PubKey) string { return SafetyNumber(e.self.Owner, k) }

// SafetyNumber is 12 groups of five digits: 40 bits each of SHA-256("viscript safety/1" ‖ n ‖ lower key ‖ higher key), modulo
// 100,000; n is 0 for the first six groups and 1 for the others.
func SafetyNumber(a, b identity.PubKey) string {
	if bytes.Compare(a[:], b[:]) > 0 {
		a, b = b, a
	}
	var groups []string
	for n := range byte(2) {
		sum := sha256.Sum256(slices.Concat([]byte("viscript safety/1"), []byte{n}, a[:], b[:]))
		for i := range 6 {
			var eight [8]byte
			copy(eight[3:], sum[5*i:5*i+5])
			groups = append(groups, fmt.Sprintf("%05d", binary.BigEndian.Uint64(eight[:])%100_000))
		}
	}
	return strings.Join(groups, " ")
}
