package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/skycoin/viscript/messenger/chat"
	"github.com/skycoin/viscript/node/identity"
	"github.com/skycoin/viscript/signal"
)

// What a person is told of new messages at the prompt and in the window.
const (
	noticesOff   = "off"
	noticesNames = "names" // who wrote
	noticesText  = "text"  // and the beginning of what
)

const (
	// noticePause is between two looks at what has come; noticeQuiet between two notices of one conversation.
	noticePause = 2 * time.Second
	noticeQuiet = 10 * time.Second
	// noticeTalks is of how many conversations one is told at once; of more only the number.
	noticeTalks = 3
	// noticeText bounds what is shown of a text, in characters.
	noticeText = 80
)

// teller tells a person that something came. Texts are told only if they asked for that.
type teller struct {
	mode string
	wake chan struct{} // holds one: something came

	mu       sync.Mutex // guards the following
	talks    map[chat.Talk]*arrived
	requests int
}

// arrived is what has come in one conversation and was not told.
type arrived struct {
	count int
	last  chat.Message
}

func newTeller(mode string) (*teller, error) {
	if !slices.Contains([]string{noticesOff, noticesNames, noticesText}, mode) {
		return nil, fmt.Errorf("--notices %q: want %s, %s or %s", mode, noticesNames, noticesText, noticesOff)
	}
	return &teller{mode: mode, wake: make(chan struct{}, 1), talks: map[chat.Talk]*arrived{}}, nil
}

// hear notes an event of the engine. It does not block.
func (n *teller) hear(ev chat.Event, self identity.PubKey) {
	if n.mode == noticesOff {
		return
	}
	n.mu.Lock()
	switch {
	case ev.Kind == chat.RequestAdded:
		n.requests++
	case ev.Kind == chat.GroupInvited || ev.Kind == chat.Refused:
		n.talks[ev.Talk] = &arrived{1, *ev.Message}
	case ev.Kind == chat.MessageAdded && ev.Message != nil && ev.Message.From != self && !ev.Message.Note:
		a := n.talks[ev.Talk]
		if a == nil {
			a = &arrived{}
			n.talks[ev.Talk] = a
		}
		a.count++
		a.last = *ev.Message
	default:
		n.mu.Unlock()
		return
	}
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// read forgets what has come in a conversation: it has been looked at.
func (n *teller) read(t chat.Talk) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.talks, t)
}

// tellNotices sends notices until ctx ends.
func (p *chatRoom) tellNotices(ctx context.Context, client *signal.Client) {
	told := map[chat.Talk]time.Time{}
	for {
		select {
		case <-p.tell.wake:
		case <-ctx.Done():
			return
		}
		for more := true; more; {
			var lines []string
			lines, more = p.notices(told, time.Now())
			for _, l := range lines {
				client.Event(signal.EventNotice, l, nil)
			}
			select {
			case <-time.After(noticePause):
			case <-ctx.Done():
				return
			}
		}
	}
}

// notices takes what is to be told now; more: there is something that waits until its conversation may be told of again. told is when that was,
// of conversations told of lately.
func (p *chatRoom) notices(told map[chat.Talk]time.Time, now time.Time) (lines []string, more bool) {
	for t, at := range told {
		if now.Sub(at) >= noticeQuiet {
			delete(told, t)
		}
	}
	p.tell.mu.Lock()
	ready := map[chat.Talk]*arrived{}
	for t, a := range p.tell.talks {
		if _, wait := told[t]; wait {
			more = true
			continue
		}
		ready[t] = a
		delete(p.tell.talks, t)
	}
	requests := p.tell.requests
	p.tell.requests = 0
	p.tell.mu.Unlock()
	lines = p.tellTalks(ready, told, now)
	if requests > 0 {
		lines = append(lines, plural(requests, "unknown person writes", "unknown people write")+" (inbox)")
	}
	return lines, more
}

// tellTalks is what is told of conversations; nothing of those of people who are not known.
func (p *chatRoom) tellTalks(ready map[chat.Talk]*arrived, told map[chat.Talk]time.Time, now time.Time) (lines []string) {
	if len(ready) == 0 {
		return nil
	}
	list, err := p.e.Conversations(false)
	if err != nil {
		return nil // the store says so elsewhere
	}
	names, err := p.names()
	if err != nil {
		return nil
	}
	sum := 0
	for _, c := range list {
		if a := ready[c.Talk]; a != nil {
			told[c.Talk] = now
			sum += a.count
			lines = append(lines, p.tell.line(c, a, names))
		}
	}
	if len(lines) > noticeTalks {
		lines = []string{fmt.Sprintf("%d messages in %d conversations", sum, len(lines))}
	}
	return lines
}

// line is what is told of one conversation.
func (n *teller) line(c chat.Conversation, a *arrived, names map[identity.PubKey]string) string {
	who, where := nameOr(names[a.last.From], a.last.From), ""
	if c.Talk.IsGroup() {
		where = " in " + c.Name
	}
	switch {
	case a.last.Note && refusedWords(a.last.Text) != "":
		return who + " " + refusedWords(a.last.Text)
	case a.last.Note:
		return who + " added you to " + c.Name
	case n.mode == noticesText && a.last.File == nil:
		return who + where + ": " + beginning(a.last.Text)
	case a.count > 1 && where != "":
		return fmt.Sprintf("%d messages%s", a.count, where)
	case a.count > 1:
		return fmt.Sprintf("%s wrote %d messages", who, a.count)
	case a.last.File != nil:
		return who + " sent a file" + where
	}
	return who + " wrote" + where
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// beginning is a text on one line, as much of it as a notice shows.
func beginning(text string) string {
	line := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsGraphic(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text[:min(len(text), 8*noticeText)], ""))
	line = strings.Join(strings.Fields(line), " ")
	if runes := []rune(line); len(runes) > noticeText {
		return string(runes[:noticeText-1]) + "…"
	}
	return line
}
