package signal

import (
	"fmt"
	"testing"
)

// drain takes everything and says it in short.
func drain(o *outbox) string {
	var all string
	for {
		n, ok := o.next()
		if !ok {
			return all
		}
		switch p := n.params.(type) {
		case StatusParams:
			all += " status:" + p.Text
		case EventParams:
			all += fmt.Sprintf(" event:%s-%d", p.Text, p.Dropped)
		case LogParams:
			all += fmt.Sprintf(" log:%s-%d", p.Line, p.Dropped)
		default:
			all += " " + n.method
		}
	}
}

func TestOutboxOrder(t *testing.T) {
	var o outbox
	o.registered(false)
	o.addLog("l1")
	o.addEvent(EventParams{Text: "e1"})
	o.addLog("l2")
	o.status, o.statusSent = "s", false
	o.ready = true
	if got, want := drain(&o), " status:s ready event:e1-0 log:l1-0 log:l2-0"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	o.registered(true)
	if got, want := drain(&o), " status:s"; got != want {
		t.Errorf("after a new registration %q, want %q", got, want)
	}
}

func TestOutboxDropsOldestAndCounts(t *testing.T) {
	var o outbox
	o.registered(true)
	for i := range maxLogs + 3 {
		o.addLog(fmt.Sprint(i))
		o.addEvent(EventParams{Text: fmt.Sprint(i)})
	}
	for range 2 { // an event, and again after it was put back
		n, _ := o.next()
		if e := n.params.(EventParams); e.Text != "3" || e.Dropped != 3 {
			t.Fatalf("got %+v", e)
		}
		o.putBack(n)
	}
	n, _ := o.next()
	o.addEvent(EventParams{Text: "new"})
	o.putBack(n) // no room for it now
	n, _ = o.next()
	if e := n.params.(EventParams); e.Text != "4" || e.Dropped != 4 {
		t.Errorf("got %+v", e)
	}
	if len(o.logs) != maxLogs || o.lostLogs != 3 {
		t.Errorf("%d lines, %d lost", len(o.logs), o.lostLogs)
	}
}

func TestOutboxPutBack(t *testing.T) {
	var o outbox
	o.registered(false)
	o.ready, o.status, o.statusSent = true, "s", false
	o.addEvent(EventParams{Text: "e"})
	o.addLog("l")
	want := " status:s ready event:e-0 log:l-0"
	for taken := range 4 {
		var notes []note
		for range taken + 1 {
			n, _ := o.next()
			notes = append(notes, n)
		}
		for i := len(notes) - 1; i >= 0; i-- {
			o.putBack(notes[i])
		}
	}
	if got := drain(&o); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
