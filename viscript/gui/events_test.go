package gui

import (
	"context"
	"testing"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/command"
	"github.com/skycoin/viscript/viscript/desktop"
)

func TestNotices(t *testing.T) {
	f := newEventFeed(nil)
	for _, step := range []struct {
		event signal.Event
		want  desktop.Notice
	}{
		{signal.Event{Kind: "started", ID: 7, App: "web"}, desktop.Notice{}}, // somebody asked for it
		{signal.Event{Kind: "ready", ID: 7, App: "web"}, desktop.Notice{}},
		{signal.Event{Kind: "status", ID: 7, App: "web", Text: "a"}, desktop.Notice{}},
		{signal.Event{Kind: "failed", ID: 7, App: "web", Text: "exited with code 1"},
			desktop.Notice{Title: "web (app 7) failed", Text: "exited with code 1", Level: desktop.Alarm, Action: "page 7"}},
		{signal.Event{Kind: "started", ID: 7, App: "web", Text: "pid 8"}, desktop.Notice{Title: "web (app 7) was started again", Action: "page 7"}},
		{signal.Event{Kind: "started", ID: 7, App: "web"}, desktop.Notice{}},
		{signal.Event{Kind: "refused", Text: "pid 9: not the process"}, desktop.Notice{Title: "A program was refused", Text: "pid 9: not the process", Level: desktop.Warning}},
		{signal.Event{Kind: "app", ID: 3, App: "node", Text: "route: another way"}, desktop.Notice{Title: "node (app 3): a route changed", Text: "another way", Action: "page 3"}},
		{signal.Event{Kind: "app", ID: 3, App: "node", Text: "chatter: much"}, desktop.Notice{}},
		{signal.Event{Kind: "app", ID: 4, App: "chat", Text: "notice: ann: Ben wrote\x1b[2J"}, desktop.Notice{Title: "chat (app 4)", Text: "ann: Ben wrote\ufffd[2J", Action: "page 4"}},
		{signal.Event{Kind: "stopped", ID: 3, App: "node"}, desktop.Notice{}},
	} {
		step.event.Time = time.Unix(1, 0)
		got, ok := f.notice(step.event, step.event.App)
		if !ok {
			got = desktop.Notice{}
		}
		if got != step.want {
			t.Errorf("%+v: %+v, want %+v", step.event, got, step.want)
		}
	}
}

// The notices call an app as the list of apps does.
func TestNoticesNameMembers(t *testing.T) {
	f := newEventFeed(nil)
	f.names = command.NewNames(members{{ID: 4, App: "node", Member: "node1"}, {ID: 7, App: "web"}})
	for id, want := range map[signal.ID]string{4: "node1 (app 4) failed", 7: "web (app 7) failed", 9: "lost (app 9) failed"} {
		e := signal.Event{Kind: "failed", ID: id, App: map[signal.ID]string{4: "node", 7: "web", 9: "lost"}[id]}
		if n, ok := f.notice(e, f.name(t.Context(), e)); !ok || n.Title != want {
			t.Errorf("%+v, want %q", n, want)
		}
	}
}

type members []signal.App

func (m members) List(context.Context) ([]signal.App, error) { return m, nil }

func TestMenuIsRead(t *testing.T) {
	got := readApps([]byte(`[{"app":"a","desc":"b","path":"/x"},{"app":"c"}]`))
	if len(got) != 2 || got[0] != (desktop.App{Name: "a", Desc: "b"}) || got[1] != (desktop.App{Name: "c"}) {
		t.Errorf("%+v", got)
	}
	if got := readApps([]byte(`{`)); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}
