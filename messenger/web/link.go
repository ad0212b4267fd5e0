package web

import (
	"net/http"
	"time"

	"github.com/skycoin/viscript/messenger/chat"
	"github.com/skycoin/viscript/node/identity"
)

// linkRow is an invitation to a group that holds.
type linkRow struct {
	Key    identity.PubKey `json:"key"`
	Text   string          `json:"text,omitempty"` // "": another admin, or another device, made it
	Expiry time.Time       `json:"expiry"`
	Uses   uint32          `json:"uses"` // that are left
	Ask    bool            `json:"ask,omitempty"`
}

// askRow is somebody who asks to join a group of ours.
type askRow struct {
	Talk chat.Talk       `json:"talk"`
	Key  identity.PubKey `json:"key"`
	At   time.Time       `json:"at"`
}

// joinRow is a group that has not let us in yet.
type joinRow struct {
	Talk    chat.Talk       `json:"talk"`
	Inviter identity.PubKey `json:"inviter"`
	Expiry  time.Time       `json:"expiry"`
}

// links lists a group's invitations.
func (s *Server) links(w http.ResponseWriter, r *http.Request) {
	t, err := talkOf(r.FormValue("talk"))
	if err != nil {
		answer(w, nil, err)
		return
	}
	list, err := s.linksOf(t)
	answer(w, append([]linkRow{}, list...), err)
}

// makeLink makes an invitation.
func (s *Server) makeLink(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Talk   chat.Talk `json:"talk"`
		Hours  uint16    `json:"hours"`
		People uint32    `json:"people"`
		Ask    bool      `json:"ask"`
	}
	if !body(w, r, &q) {
		return
	}
	text, err := s.newLink(q.Talk, time.Duration(q.Hours)*time.Hour, q.People, q.Ask)
	answer(w, map[string]string{"link": text}, err)
}

// join asks to be let into a group.
func (s *Server) join(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Link string `json:"link"`
	}
	if body(w, r, &q) {
		answer(w, struct{}{}, s.joinBy(q.Link))
	}
}

// contact adds somebody by key or address.
func (s *Server) contact(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Address string `json:"address"`
		Name    string `json:"name"`
	}
	if !body(w, r, &q) {
		return
	}
	k, err := s.addContact(q.Address, q.Name)
	answer(w, map[string]identity.PubKey{"key": k}, err)
}
