package web

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/skycoin/viscript/messenger/chat"
)

// listener is a browser that hears events.
type listener struct {
	t    *testing.T
	resp *http.Response
	in   *bufio.Scanner
}

func (s *site) listener() *listener {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	s.t.Cleanup(cancel)
	resp, err := client(s.t).Do(s.request("GET", "/api/events", nil).WithContext(ctx))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		s.t.Fatalf("%s %v", resp.Status, resp.Header)
	}
	l := &listener{s.t, resp, bufio.NewScanner(resp.Body)}
	if ev := l.next(); ev.Kind != "hello" {
		s.t.Fatalf("first comes %+v", ev)
	}
	return l
}

// next is the next event; the zero one at the end.
func (l *listener) next() (ev event) {
	l.t.Helper()
	for l.in.Scan() {
		text, ok := strings.CutPrefix(l.in.Text(), "data: ")
		if !ok {
			continue
		}
		if err := json.Unmarshal([]byte(text), &ev); err != nil {
			l.t.Fatalf("%q: %v", text, err)
		}
		return ev
	}
	return ev
}

func TestEvents(t *testing.T) {
	s := open(t)
	l := s.listener()
	ben := s.contact("Ben")
	if ev := l.next(); ev.Kind != "state" || *ev.Talk != ben {
		t.Errorf("%+v", ev)
	}
	s.say(ben, "one\ntwo\r\n\r\ndata: three")
	if ev := l.next(); ev.Kind != "message" || *ev.Talk != ben || ev.Message.Text != "one\ntwo\r\n\r\ndata: three" {
		t.Errorf("%+v", ev)
	}
	s.Notify(chat.Event{Kind: chat.FileProgress, Talk: ben, File: chat.MessageID{1}})
	if ev := l.next(); ev.Kind != "file" || ev.ID == nil || *ev.ID != (chat.MessageID{1}) {
		t.Errorf("%+v", ev)
	}
	s.Notify(chat.Event{Kind: chat.NewDevice, Talk: ben})
	if ev := l.next(); ev.Kind != "device" {
		t.Errorf("%+v", ev)
	}
	s.ask("POST", "/api/leave", struct{}{}, nil)
	if ev := l.next(); ev.Kind != "" {
		t.Errorf("after signing out: %+v", ev)
	}
}

// TestStreamStays: the time that a request has does not end a stream.
func TestStreamStays(t *testing.T) {
	s := open(t, func(s *Server) { s.timeout.body = 200 * time.Millisecond })
	l := s.listener()
	time.Sleep(time.Second)
	s.Notify(chat.Event{Kind: chat.NewDevice})
	if ev := l.next(); ev.Kind != "device" {
		t.Errorf("%+v", ev)
	}
}

// TestHeard: when a person was last heard of comes from what they sent and confirmed.
func TestHeard(t *testing.T) {
	s := open(t)
	ben := s.contact("Ben")
	heard := func() bool {
		var st stateRow
		s.ask("GET", "/api/state", nil, &st)
		return st.People[0].Heard != nil
	}
	m := &chat.Message{From: s.e.Self().Owner, Status: chat.Sent}
	s.Notify(chat.Event{Kind: chat.MessageChanged, Talk: ben, Message: m})
	if heard() {
		t.Error("that the messenger has it says nothing of Ben")
	}
	m = &chat.Message{From: m.From, Status: chat.Delivered}
	s.Notify(chat.Event{Kind: chat.MessageChanged, Talk: ben, Message: m})
	if !heard() {
		t.Error("his receipt was not noted")
	}
}

func TestStreamsAreBounded(t *testing.T) {
	s := open(t)
	first := s.listener()
	for range perSession {
		s.listener()
	}
	if ev := first.next(); ev.Kind != "moved" {
		t.Errorf("the oldest stream hears %+v", ev)
	}
	if _, err := io.ReadAll(first.resp.Body); err != nil {
		t.Errorf("and ends with %v", err)
	}
	s.hub.mu.Lock()
	n := len(s.hub.list)
	s.hub.mu.Unlock()
	if n != perSession {
		t.Errorf("%d streams", n)
	}
	for range maxStreams/perSession - 1 {
		s.secret = s.enter(s.Link())
		for range perSession {
			s.listener()
		}
	}
	s.secret = s.enter(s.Link())
	if code, _ := s.status("GET", "/api/events", ""); code != http.StatusServiceUnavailable {
		t.Errorf("one too many: %d", code)
	}
}

// TestSlowListener: who does not keep up hears that events were lost; nobody waits for them.
func TestSlowListener(t *testing.T) {
	h := newHub(func(digest) bool { return true })
	st := h.join(digest{})
	for range streamQueue + 1 {
		h.tell(event{Kind: "state"})
	}
	if len(st.queue) != streamQueue {
		t.Errorf("%d events wait", len(st.queue))
	}
	<-st.queue
	if !h.took(st) || h.took(st) {
		t.Error("that events were lost is to be told once")
	}
	h.close()
	if h.join(digest{}) != nil {
		t.Error("a stream after the end")
	}
}
