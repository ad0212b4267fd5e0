package web

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/skycoin/viscript/messenger/chat"
	"github.com/skycoin/viscript/node/identity"
)

// Limits of answers.
const (
	maxHistory = 200 // messages
	maxFound   = 100
	maxWords   = 200 // bytes to search for
	maxSearch  = 2   // searches at a time, which read all of the history; the others wait
)

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", page)
	mux.HandleFunc("GET /api/state", s.state)
	mux.HandleFunc("GET /api/history", s.history)
	mux.HandleFunc("GET /api/search", s.search)
	mux.HandleFunc("GET /api/safety", s.safety)
	mux.HandleFunc("GET /api/events", s.events)
	mux.HandleFunc("POST /api/send", s.send)
	mux.HandleFunc("POST /api/read", s.read)
	mux.HandleFunc("POST /api/person", s.person)
	mux.HandleFunc("POST /api/group", s.group)
	mux.HandleFunc("POST /api/change", s.change)
	mux.HandleFunc("POST /api/contact", s.contact)
	mux.HandleFunc("GET /api/links", s.links)
	mux.HandleFunc("POST /api/link", s.makeLink)
	mux.HandleFunc("POST /api/join", s.join)
	mux.HandleFunc("POST /api/fetch", s.fetch)
	mux.HandleFunc("GET /api/progress", s.progress)
	mux.HandleFunc("GET /api/file/{from}/{id}", s.file)
	mux.HandleFunc("POST /api/upload", s.beginUpload)
	mux.HandleFunc("PUT /api/upload/{id}", s.putPiece)
	mux.HandleFunc("GET /api/upload/{id}", s.uploadState)
	mux.HandleFunc("POST /api/upload/{id}", s.endUpload)
	mux.HandleFunc("DELETE /api/upload/{id}", s.dropUpload)
	mux.HandleFunc("GET /api/devices", s.devices)
	mux.HandleFunc("POST /api/device", s.device)
	mux.HandleFunc("POST /api/export", s.makeExport)
	mux.HandleFunc("GET /api/export/{id}", s.takeExport)
	mux.HandleFunc("POST /api/leave", s.leave)
	return mux
}

// answer writes v, or the error as one of the request.
func answer(w http.ResponseWriter, v any, err error) {
	if err != nil {
		fail(w, http.StatusBadRequest, strings.TrimPrefix(err.Error(), "chat: "))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the browser went
}

func fail(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": text})
}

var errBody = errors.New("want a JSON object with the fields of this request, as application/json")

// body reads a request; when it returns false, it has answered.
func body(w http.ResponseWriter, r *http.Request, into any) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		fail(w, http.StatusUnsupportedMediaType, errBody.Error())
		return false
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	err = d.Decode(into)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errBody
		}
	}
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		fail(w, http.StatusRequestEntityTooLarge, "too long")
	case err != nil:
		fail(w, http.StatusBadRequest, errBody.Error())
	}
	return err == nil
}

// talkOf reads a conversation's name.
func talkOf(text string) (t chat.Talk, err error) {
	err = t.UnmarshalText([]byte(text))
	return t, err
}

// number reads a number of a query; def if it is not there.
func number(r *http.Request, name string, def uint64) (uint64, error) {
	text := r.FormValue(name)
	if text == "" {
		return def, nil
	}
	return strconv.ParseUint(text, 10, 64)
}

func (s *Server) history(w http.ResponseWriter, r *http.Request) {
	t, err1 := talkOf(r.FormValue("talk"))
	before, err2 := number(r, "before", 0)
	n, err3 := number(r, "count", 50)
	if err := errors.Join(err1, err2, err3); err != nil {
		answer(w, nil, err)
		return
	}
	list, err := s.e.History(t, before, int(min(n, maxHistory)))
	rows := make([]message, len(list))
	for i := range list {
		rows[i] = rowOf(&list[i])
	}
	answer(w, rows, err)
}

// foundRow is a message that a search came upon.
type foundRow struct {
	Talk    chat.Talk `json:"talk"`
	Message message   `json:"message"`
}

func (s *Server) search(w http.ResponseWriter, r *http.Request) {
	words := r.FormValue("words")
	if len(words) > maxWords {
		fail(w, http.StatusBadRequest, "too long")
		return
	}
	select {
	case s.searches <- struct{}{}:
		defer func() { <-s.searches }()
	case <-r.Context().Done(): // they have typed on
		return
	}
	list, err := s.e.Search(words, maxFound)
	rows := make([]foundRow, len(list))
	for i := range list {
		rows[i] = foundRow{list[i].Talk, rowOf(&list[i].Message)}
	}
	answer(w, rows, err)
}

func (s *Server) safety(w http.ResponseWriter, r *http.Request) {
	k, err := identity.ParseHex(r.FormValue("key"))
	if err != nil {
		answer(w, nil, err)
		return
	}
	answer(w, map[string]string{"number": s.e.SafetyNumber(k)}, nil)
}

func (s *Server) send(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Talk  chat.Talk      `json:"talk"`
		Text  string         `json:"text"`
		Reply chat.MessageID `json:"reply"`
	}
	if !body(w, r, &q) {
		return
	}
	id, err := s.e.Send(q.Talk, q.Text, q.Reply)
	answer(w, map[string]chat.MessageID{"id": id}, err)
}

func (s *Server) read(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Talk chat.Talk `json:"talk"`
		N    uint64    `json:"n"`
	}
	if body(w, r, &q) {
		answer(w, struct{}{}, s.e.MarkRead(q.Talk, q.N))
	}
}

func (s *Server) leave(w http.ResponseWriter, r *http.Request) {
	k := r.Context().Value(sessionKey{}).(digest)
	s.doors.leave(k)
	s.hub.end(k)
	http.SetCookie(w, goneCookie())
	answer(w, struct{}{}, nil)
}
