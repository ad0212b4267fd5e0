package chat

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"

	"github.com/skycoin/viscript/messenger/chat/group"
	"github.com/skycoin/viscript/node/identity"
)

// Talk is a conversation: with one person, or in a group.
type Talk struct {
	Key   identity.PubKey // zero in a group
	Group group.Hash      // zero between two
}

// To is the conversation with a person, In the one of a group.
func To(k identity.PubKey) Talk { return Talk{Key: k} }

// In is the conversation of a group.
func In(g group.Hash) Talk { return Talk{Group: g} }

// IsGroup reports whether it is a group's.
func (t Talk) IsGroup() bool { return t.Group != group.Hash{} }

// String is the person's key, or "group:" and 64 hex digits.
func (t Talk) String() string {
	if t.IsGroup() {
		return "group:" + hex.EncodeToString(t.Group[:])
	}
	return t.Key.String()
}

// MarshalText and UnmarshalText are String and its inverse.
func (t Talk) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (t *Talk) UnmarshalText(b []byte) error {
	if id, ok := strings.CutPrefix(string(b), "group:"); ok {
		raw, err := hex.DecodeString(id)
		if err != nil || len(raw) != len(group.Hash{}) {
			return ErrNoGroup
		}
		*t = In(group.Hash(raw))
		return nil
	}
	k, err := identity.ParseHex(string(b))
	*t = To(k)
	return err
}

func (v *vault) talkToken(t Talk) token { return v.token("talk", t.Key[:], t.Group[:]) }

// Status is how far a message of ours has got. Append only.
type Status uint8

// The states of a message.
const (
	Received  Status = iota // it is somebody else's
	Queued                  // on this disk
	Sent                    // the messenger has it
	Delivered               // by all who were in the conversation
	Read
)

var statusNames = [...]string{"received", "queued", "sent", "delivered", "read"}

func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return "unknown"
}

// Message is one line of a conversation's history.
type Message struct {
	N      uint64 // number in the history, from 1
	ID     MessageID
	From   identity.PubKey
	Time   time.Time // the sender's word
	At     time.Time // when it came or was written here
	Text   string
	Reply  MessageID
	Status Status
	Gap    bool  `json:",omitempty"` // messages of the sender before this one are missing, or come later
	Note   bool  `json:",omitempty"` // it is not the sender's text, but what happened
	File   *File `json:",omitempty"`
	// Of ours: how many have to receive it, and who has.
	Want int               `json:",omitempty"`
	Got  []identity.PubKey `json:",omitempty"`
	Seen []identity.PubKey `json:",omitempty"`
}

// File is what a message with a file says of it.
type File struct {
	Name string
	Size uint64
	Sum  [32]byte // SHA-256
}

// talkState is what is kept of a conversation besides its history.
type talkState struct {
	Talk   Talk
	Last   uint64 // newest number in the history
	Sent   uint64 // our messages, for seq
	Read   uint64 // up to this number
	Unread int
	Time   time.Time // of the last change
	// Seqs is the newest number of each sender and device.
	Seqs map[string]uint64 `json:",omitempty"`
}

// Conversation is an overview of one.
type Conversation struct {
	Talk   Talk
	Name   string
	Unread int
	Time   time.Time
	Last   Message
}

func (t tx) talk(of Talk) (s talkState, err error) {
	k := t.v.talkToken(of)
	_, err = t.load(talkBucket, k[:], &s)
	s.Talk = of
	return s, err
}

func (t tx) saveTalk(s *talkState) error {
	k := t.v.talkToken(s.Talk)
	return t.save(talkBucket, k[:], s)
}

// add appends a message to a conversation's history.
func (t tx) add(s *talkState, m *Message) (ref, error) {
	s.Last++
	m.N = s.Last
	s.Time = m.At
	r := ref{t.v.talkToken(s.Talk), m.N}
	if err := t.save(historyBucket, r.key(), m); err != nil {
		return r, err
	}
	k := t.v.token("message", m.From[:], m.ID[:])
	return r, t.put(idBucket, k[:], r.key())
}

// ref is where a message is.
type ref struct {
	talk token
	n    uint64
}

const refLen = len(token{}) + 8

func (r ref) key() []byte { return queueKey(r.talk, r.n) }

func readRef(b []byte) ref { return ref{token(b), binary.BigEndian.Uint64(b[len(token{}):refLen])} }

// find is where somebody's message is.
func (t tx) find(from identity.PubKey, id MessageID) (r ref, found bool, err error) {
	k := t.v.token("message", from[:], id[:])
	b, err := t.get(idBucket, k[:])
	if len(b) != refLen || err != nil {
		return r, false, err
	}
	return readRef(b), true, nil
}

// change rewrites a message, if f says that it has changed.
func (t tx) change(r ref, f func(m *Message) bool) (m Message, changed bool, err error) {
	found, err := t.load(historyBucket, r.key(), &m)
	if !found || err != nil || !f(&m) {
		return m, false, err
	}
	return m, true, t.save(historyBucket, r.key(), &m)
}

// History returns up to n messages before the one numbered before (0: the newest), oldest first.
func (e *Engine) History(of Talk, before uint64, n int) ([]Message, error) {
	var list []Message
	err := e.v.view(func(t tx) error {
		s, err := t.talk(of)
		if err != nil {
			return err
		}
		last := s.Last
		if before > 0 {
			last = min(last, before-1)
		}
		first := uint64(1)
		if last > uint64(max(n, 0)) {
			first = last - uint64(max(n, 0)) + 1
		}
		for at := first; at <= last; at++ {
			var m Message
			if found, err := t.load(historyBucket, ref{t.v.talkToken(of), at}.key(), &m); err != nil {
				return err
			} else if found {
				list = append(list, m)
			}
		}
		return nil
	})
	return list, err
}
