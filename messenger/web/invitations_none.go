//go:build !chatlinks

package web

import (
	"errors"
	"time"

	"github.com/skycoin/viscript/messenger/chat"
	"github.com/skycoin/viscript/node/identity"
)

var errNoLinks = errors.New("this program cannot join groups by link")

const hasLinks = false

func (s *Server) linksOf(chat.Talk) ([]linkRow, error) { return nil, errNoLinks }

func (s *Server) newLink(chat.Talk, time.Duration, uint32, bool) (string, error) {
	return "", errNoLinks
}

func (s *Server) joinBy(string) error { return errNoLinks }

// actOnLink does what change does not: revoke, admit, refuse, cancel.
func (s *Server) actOnLink(chat.Talk, string, identity.PubKey) (done bool, err error) {
	return false, nil
}

func (s *Server) waitingForUs() (asking []askRow, joining []joinRow, err error) {
	return nil, nil, nil
}

func (s *Server) address() string { return s.e.Self().Owner.String() }

func (s *Server) addContact(address, name string) (identity.PubKey, error) {
	k, err := identity.ParseHex(address)
	if err != nil {
		return k, err
	}
	return k, s.e.AddContact(k, name)
}
