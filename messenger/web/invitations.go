package web

import (
	"time"

	"github.com/skycoin/viscript/messenger/chat"
	"github.com/skycoin/viscript/node/identity"
)

const hasLinks = true

func (s *Server) linksOf(t chat.Talk) (rows []linkRow, err error) {
	list, err := s.e.Links(t.Group)
	for _, l := range list {
		rows = append(rows, linkRow{l.Key, l.Text, l.Expiry, l.Uses, l.Ask})
	}
	return rows, err
}

func (s *Server) newLink(t chat.Talk, life time.Duration, people uint32, ask bool) (string, error) {
	l, err := s.e.CreateLink(t.Group, life, people, ask)
	if err != nil {
		return "", err
	}
	return l.String(), nil
}

func (s *Server) joinBy(link string) error {
	_, err := s.e.JoinLink(link)
	return err
}

// actOnLink does what change does not: revoke, admit, refuse, cancel.
func (s *Server) actOnLink(t chat.Talk, act string, k identity.PubKey) (done bool, err error) {
	switch act {
	case "revoke":
		return true, s.e.RevokeLink(t.Group, k)
	case "admit":
		return true, s.e.Admit(t.Group, k)
	case "refuse":
		return true, s.e.Refuse(t.Group, k)
	case "cancel":
		return true, s.e.CancelJoin(t.Group)
	}
	return false, nil
}

// waitingForUs are people who ask to join groups of ours, and groups that we have asked to join.
func (s *Server) waitingForUs() (asking []askRow, joining []joinRow, err error) {
	people, err := s.e.Asking()
	if err != nil {
		return nil, nil, err
	}
	for _, a := range people {
		asking = append(asking, askRow{chat.In(a.Group), a.Key, a.At})
	}
	groups, err := s.e.Joining()
	for _, j := range groups {
		joining = append(joining, joinRow{chat.In(j.Group), j.Inviter, j.Expiry})
	}
	return asking, joining, err
}

func (s *Server) address() string { return s.e.Address() }

// addContact adds somebody by key, or by key and messengers.
func (s *Server) addContact(address, name string) (identity.PubKey, error) {
	k, homes, err := chat.ParseAddress(address)
	if err != nil {
		return k, err
	}
	return k, s.e.AddContactAt(k, name, homes)
}
