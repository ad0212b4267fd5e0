package web

import (
	"net/http"
	"sync"
	"time"

	"github.com/skycoin/viscript/messenger/chat"
	"github.com/skycoin/viscript/messenger/chat/group"
	"github.com/skycoin/viscript/node/identity"
)

// message is chat.Message for the page.
type message struct {
	N      uint64            `json:"n"`
	ID     chat.MessageID    `json:"id"`
	From   identity.PubKey   `json:"from"`
	Time   time.Time         `json:"time"`
	At     time.Time         `json:"at"`
	Text   string            `json:"text,omitempty"`
	Reply  *chat.MessageID   `json:"reply,omitempty"`
	Status string            `json:"status"`
	Gap    bool              `json:"gap,omitempty"`
	Note   bool              `json:"note,omitempty"`
	File   *fileRow          `json:"file,omitempty"`
	Want   int               `json:"want,omitempty"`
	Got    []identity.PubKey `json:"got,omitempty"`
	Seen   []identity.PubKey `json:"seen,omitempty"`
}

type fileRow struct {
	Name string `json:"name"`
	Size uint64 `json:"size"`
}

func rowOf(m *chat.Message) message {
	row := message{N: m.N, ID: m.ID, From: m.From, Time: m.Time, At: m.At, Text: m.Text, Status: m.Status.String(), Gap: m.Gap, Note: m.Note,
		Want: m.Want, Got: m.Got, Seen: m.Seen}
	if !m.Reply.IsZero() {
		row.Reply = &m.Reply
	}
	if m.File != nil {
		row.File = &fileRow{m.File.Name, m.File.Size}
	}
	return row
}

// personRow is a contact.
type personRow struct {
	Key      identity.PubKey `json:"key"`
	Name     string          `json:"name"`
	Verified bool            `json:"verified,omitempty"`
	Blocked  bool            `json:"blocked,omitempty"`
	Request  bool            `json:"request,omitempty"`
	Met      bool            `json:"met,omitempty"` // only in groups
	Added    time.Time       `json:"added"`
	Heard    *time.Time      `json:"heard,omitempty"` // when something of theirs came last
	Devices  int             `json:"devices,omitempty"`
}

// groupRow is a group.
type groupRow struct {
	Talk    chat.Talk   `json:"talk"`
	Name    string      `json:"name"`
	Role    string      `json:"role"` // our part: admin, member, left
	Members []memberRow `json:"members"`
	// By has brought us here, and we have not looked; nil: we have.
	By *identity.PubKey `json:"by,omitempty"`
}

type memberRow struct {
	Key   identity.PubKey `json:"key"`
	Admin bool            `json:"admin,omitempty"`
}

// talkRow is a conversation.
type talkRow struct {
	Talk    chat.Talk `json:"talk"`
	Unread  int       `json:"unread"`
	Time    time.Time `json:"time"`
	Last    *message  `json:"last,omitempty"`
	Request bool      `json:"request,omitempty"`
}

// meRow is who we are.
type meRow struct {
	Key     identity.PubKey `json:"key"`
	Address string          `json:"address"` // to give to others: the key, or with where our messengers are
	Name    string          `json:"name"`
	// What the server and the engine bear.
	MaxText int    `json:"maxText"` // bytes
	MaxFile uint64 `json:"maxFile"`
	Piece   int    `json:"piece"`
	Links   bool   `json:"links"` // groups can be joined by link
}

// stateRow is all that the page shows but histories.
type stateRow struct {
	Me     meRow       `json:"me"`
	People []personRow `json:"people"`
	Groups []groupRow  `json:"groups"`
	Talks  []talkRow   `json:"talks"`
	// Who asks to join groups of ours, and which groups we have asked to join.
	Asking  []askRow  `json:"asking,omitempty"`
	Joining []joinRow `json:"joining,omitempty"`
}

func (s *Server) state(w http.ResponseWriter, _ *http.Request) {
	st, err := s.whole()
	answer(w, st, err)
}

func (s *Server) whole() (st stateRow, err error) {
	st.Me = meRow{Key: s.e.Self().Owner, Name: s.cfg.Name, MaxText: chat.MaxText, MaxFile: chat.MaxFile, Piece: MaxPiece, Links: hasLinks, Address: s.address()}
	if st.People, err = s.people(); err != nil {
		return st, err
	}
	if st.Groups, err = s.groups(); err != nil {
		return st, err
	}
	if st.Asking, st.Joining, err = s.waitingForUs(); err != nil {
		return st, err
	}
	st.Talks = []talkRow{}
	for _, requests := range []bool{false, true} {
		list, err := s.e.Conversations(requests)
		if err != nil {
			return st, err
		}
		for i := range list {
			row := talkRow{Talk: list[i].Talk, Unread: list[i].Unread, Time: list[i].Time, Request: requests}
			if list[i].Last.N > 0 {
				m := rowOf(&list[i].Last)
				row.Last = &m
			}
			st.Talks = append(st.Talks, row)
		}
	}
	return st, nil
}

func (s *Server) people() ([]personRow, error) {
	list, err := s.e.Contacts()
	rows := make([]personRow, len(list))
	for i, c := range list {
		rows[i] = personRow{c.Key, c.Name, c.Verified, c.Blocked, c.Request, c.Met, c.Added, s.heard.of(c.Key), len(c.Devices)}
	}
	return rows, err
}

func (s *Server) groups() ([]groupRow, error) {
	waiting, err := s.e.Invitations()
	if err != nil {
		return nil, err
	}
	by := map[group.Hash]*identity.PubKey{}
	for _, i := range waiting {
		by[i.Group] = &i.By
	}
	list, err := s.e.Groups()
	rows := make([]groupRow, len(list))
	for i, g := range list {
		rows[i] = s.groupOf(g)
		rows[i].By = by[g.ID()]
	}
	return rows, err
}

func (s *Server) groupOf(g *group.Group) groupRow {
	row := groupRow{Talk: chat.In(g.ID()), Name: g.Name(), Role: "left", Members: []memberRow{}}
	for _, m := range g.Members() {
		row.Members = append(row.Members, memberRow{m.Key, m.Admin()})
		switch {
		case m.Key != s.e.Self().Owner:
		case m.Admin():
			row.Role = "admin"
		default:
			row.Role = "member"
		}
	}
	return row
}

// recentMessages is how many of a conversation are looked at to find when a person was last heard of.
const recentMessages = 20

// heard is when something of each person came last, as far as that is known: a message, or a receipt since we are here.
type heard struct {
	mu   sync.Mutex // guards the following
	last map[identity.PubKey]time.Time
}

// load looks at the newest messages of people.
func (h *heard) load(e *chat.Engine) error {
	list, err := e.Conversations(false)
	if err != nil {
		return err
	}
	for _, c := range list {
		recent, err := e.History(c.Talk, 0, recentMessages)
		if err != nil {
			return err
		}
		for _, m := range recent {
			if m.From != e.Self().Owner && !m.Note {
				h.note(m.From, m.At)
			}
		}
	}
	return nil
}

// note says that something of somebody came; it reports whether that is more than a minute later than before.
func (h *heard) note(k identity.PubKey, at time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.last == nil {
		h.last = map[identity.PubKey]time.Time{}
	}
	before := h.last[k]
	if at.Before(before) {
		return false
	}
	h.last[k] = at
	return at.Sub(before) > time.Minute
}

func (h *heard) of(k identity.PubKey) *time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t, ok := h.last[k]; ok {
		return &t
	}
	return nil
}
