package web

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/skycoin/viscript/messenger/chat"
)

// GET /api/events answers with events of one line of JSON each, of the default type:
//
//	{"kind": "hello"}                                first; what was asked before it may be old
//	{"kind": "message", "talk": TALK, "message": …}  a new one, or one that has changed
//	{"kind": "state", "talk": TALK}                  people, groups, or what has been read have changed
//	{"kind": "file", "talk": TALK, "id": ID}         more of a file has come
//	{"kind": "device", "talk": TALK}                 a person uses a new device
//	{"kind": "reset"}                                events were lost, because the browser was too slow
//	{"kind": "moved"}                                last: this session has too many streams
const (
	streamQueue  = 256 // events; when it is full the stream gets a reset in their place
	maxStreams   = 16
	perSession   = 4 // the oldest one gives way; a browser holds six connections to a host
	heartbeat    = 20 * time.Second
	writeTimeout = 10 * time.Second // for one event
)

// event is what the page hears of.
type event struct {
	Kind    string          `json:"kind"`
	Talk    *chat.Talk      `json:"talk,omitempty"`
	Message *message        `json:"message,omitempty"`
	ID      *chat.MessageID `json:"id,omitempty"`
}

// stream is one browser's.
type stream struct {
	session digest
	queue   chan []byte // of the hub, which closes it; full: lost is set
	lost    bool        // guarded by the hub's mu
	moved   bool        // guarded by the hub's mu
}

// hub passes events on to all streams.
type hub struct {
	valid func(digest) bool

	mu     sync.Mutex // guards the following
	list   []*stream  // the oldest first
	closed bool
}

func newHub(valid func(digest) bool) *hub { return &hub{valid: valid} }

// join opens a stream; nil: no more streams.
func (h *hub) join(k digest) *stream {
	h.mu.Lock()
	defer h.mu.Unlock()
	own := 0
	var oldest *stream
	for _, s := range h.list {
		if s.session == k {
			if own++; oldest == nil {
				oldest = s
			}
		}
	}
	if own >= perSession {
		oldest.moved = true
		h.drop(oldest)
	}
	if h.closed || len(h.list) >= maxStreams {
		return nil
	}
	s := &stream{session: k, queue: make(chan []byte, streamQueue)}
	h.list = append(h.list, s)
	return s
}

// drop ends a stream. The caller holds mu.
func (h *hub) drop(s *stream) {
	for i, o := range h.list {
		if o == s {
			h.list = append(h.list[:i], h.list[i+1:]...)
			close(s.queue)
			return
		}
	}
}

func (h *hub) part(s *stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drop(s)
}

// end closes the streams of a session.
func (h *hub) end(k digest) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range append([]*stream(nil), h.list...) {
		if s.session == k {
			h.drop(s)
		}
	}
}

func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for len(h.list) > 0 {
		h.drop(h.list[0])
	}
}

// tell passes an event on; it does not block.
func (h *hub) tell(ev event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.list) == 0 {
		return
	}
	b, err := json.Marshal(ev)
	if err != nil {
		panic("web: an event that is not JSON: " + err.Error())
	}
	for _, s := range h.list {
		select {
		case s.queue <- b:
		default:
			s.lost = true
		}
	}
}

// took reports whether events were lost before the one that was taken just now, and forgets that.
func (h *hub) took(s *stream) (lost bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	lost, s.lost = s.lost, false
	return lost
}

func (h *hub) wasMoved(s *stream) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return s.moved
}

// Notify passes an engine's event on to the browsers; it does not block. Config.Notify of the engine is to call it.
func (s *Server) Notify(ev chat.Event) {
	talk := &ev.Talk
	if *talk == (chat.Talk{}) { // all may have changed
		talk = nil
	}
	switch ev.Kind {
	case chat.MessageAdded, chat.MessageChanged:
		row := rowOf(ev.Message)
		s.hub.tell(event{Kind: "message", Talk: talk, Message: &row})
		s.listen(ev)
	case chat.Refused:
		row := rowOf(ev.Message)
		s.hub.tell(event{Kind: "message", Talk: talk, Message: &row})
	case chat.NewDevice:
		s.hub.tell(event{Kind: "device", Talk: talk})
	case chat.FileProgress:
		s.hub.tell(event{Kind: "file", Talk: talk, ID: &ev.File})
	default: // people, groups, requests
		s.hub.tell(event{Kind: "state", Talk: talk})
	}
}

// listen notes whom an event lets us hear of.
func (s *Server) listen(ev chat.Event) {
	k, self := ev.Message.From, s.e.Self().Owner
	if k == self {
		if ev.Talk.IsGroup() || ev.Message.Status < chat.Delivered {
			return
		}
		k = ev.Talk.Key // a receipt
	}
	if !ev.Message.Note && s.heard.note(k, s.cfg.Now()) {
		s.hub.tell(event{Kind: "state", Talk: &ev.Talk})
	}
}

// events answers with a stream.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	st := s.hub.join(r.Context().Value(sessionKey{}).(digest))
	if st == nil {
		fail(w, http.StatusServiceUnavailable, "too many streams")
		return
	}
	defer s.hub.part(st)
	w.Header().Set("Content-Type", "text/event-stream")
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Time{}) // always can; the browser has no more to say
	put := func(line string) bool {
		_ = rc.SetWriteDeadline(time.Now().Add(writeTimeout)) // always can
		_, err := w.Write([]byte(line + "\n\n"))
		return err == nil && rc.Flush() == nil
	}
	ok := put(`data: {"kind":"hello"}`)
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for ok {
		select {
		case b, more := <-st.queue:
			if !more {
				if s.hub.wasMoved(st) {
					put(`data: {"kind":"moved"}`)
				}
				return
			}
			ok = put("data: " + string(b))
			if ok && s.hub.took(st) {
				ok = put(`data: {"kind":"reset"}`)
			}
		case <-beat.C:
			ok = s.doors.valid(st.session) && put(":")
		case <-r.Context().Done():
			return
		}
	}
}
