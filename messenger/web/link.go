package web

import (
	"errors"
	"net/http"

	"github.com/skycoin/viscript/messenger/chat"
)

var errNoLinks = errors.New("this program cannot join groups by link")

// linker is what an engine does that knows links to groups.
type linker interface{}

func (s *Server) linker() linker { return nil }

func (s *Server) link(w http.ResponseWriter, _ chat.Talk) { answer(w, nil, errNoLinks) }

func (s *Server) join(w http.ResponseWriter, _ *http.Request) { answer(w, nil, errNoLinks) }
