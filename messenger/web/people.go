package web

import (
	"errors"
	"net/http"

	"github.com/skycoin/viscript/messenger/chat"
	"github.com/skycoin/viscript/messenger/chat/group"
	"github.com/skycoin/viscript/node/identity"
)

var errAct = errors.New("no such act")

// person does something about one.
func (s *Server) person(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Key  identity.PubKey `json:"key"`
		Act  string          `json:"act"`
		Name string          `json:"name"`
	}
	if body(w, r, &q) {
		answer(w, struct{}{}, s.actOn(q.Key, q.Act, q.Name))
	}
}

func (s *Server) actOn(k identity.PubKey, act, name string) error {
	switch act {
	case "add":
		return s.e.AddContact(k, name)
	case "block":
		return s.e.Block(k)
	case "unblock":
		return s.e.Unblock(k)
	case "verify":
		return s.e.SetVerified(k, true)
	case "unverify":
		return s.e.SetVerified(k, false)
	case "forget":
		return s.e.Remove(k)
	}
	return errAct
}

// group begins one.
func (s *Server) group(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Name string `json:"name"`
	}
	if !body(w, r, &q) {
		return
	}
	id, err := s.e.CreateGroup(q.Name)
	answer(w, map[string]chat.Talk{"talk": chat.In(id)}, err)
}

// changes are the acts that are entries of a group's log.
func changes() map[string]group.Kind {
	return map[string]group.Kind{
		"add": group.Add, "remove": group.Remove, "promote": group.Promote, "demote": group.Demote, "rename": group.Rename, "leave": group.Leave,
	}
}

// change does something to a group.
func (s *Server) change(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Talk chat.Talk       `json:"talk"`
		Act  string          `json:"act"`
		Key  identity.PubKey `json:"key"`
		Name string          `json:"name"`
	}
	if !body(w, r, &q) {
		return
	}
	if done, err := s.actOnLink(q.Talk, q.Act, q.Key); done {
		s.hub.tell(event{Kind: "state", Talk: &q.Talk})
		answer(w, struct{}{}, err)
		return
	}
	kind, ok := changes()[q.Act]
	if !ok || !q.Talk.IsGroup() {
		answer(w, nil, errAct)
		return
	}
	answer(w, struct{}{}, s.e.Change(q.Talk.Group, group.Change{Kind: kind, Subject: q.Key, Name: q.Name}))
}
