package gui

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/command"
	"github.com/skycoin/viscript/viscript/desktop"
)

// An eventFeed makes notices of what happens to apps.
type eventFeed struct {
	op    *signal.Operator
	names *command.Names
	ends  map[signal.ID]time.Time // when an app ended by itself, so that its next start is news
	told  command.AppNotices
}

func newEventFeed(op *signal.Operator) *eventFeed {
	return &eventFeed{op: op, names: command.NewNames(op), ends: map[signal.ID]time.Time{}}
}

// run tells of what happens until ctx ends. What happened before is left out.
func (f *eventFeed) run(ctx context.Context, to *inbox) {
	since := uint64(0)
	err := f.op.Events(ctx, 0, false, func(e signal.Event) error { since = max(since, e.Seq); return nil })
	for err == nil && ctx.Err() == nil {
		err = f.op.Events(ctx, since, true, func(e signal.Event) error {
			since = max(since, e.Seq)
			if n, ok := f.notice(e, f.name(ctx, e)); ok {
				to.post(ctx, func(d *desktop.Desktop) { d.Notify(n) })
			}
			return nil
		})
		if err != nil && waitFor(ctx, nil, time.Second) {
			err = nil
		}
	}
}

// name is what the list of apps calls the app of an event; it may ask the daemon.
func (f *eventFeed) name(ctx context.Context, e signal.Event) string {
	asking, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	return f.names.Of(asking, e)
}

// notice is what people should know of an event of an app of that name.
func (f *eventFeed) notice(e signal.Event, name string) (n desktop.Notice, ok bool) {
	app := fmt.Sprintf("%s (app %d)", name, e.ID)
	n = desktop.Notice{Text: e.Text, Action: actionPage + strconv.FormatUint(uint64(e.ID), 10)}
	switch e.Kind {
	case "failed":
		f.ends[e.ID] = e.Time
		n.Title, n.Level = app+" failed", desktop.Alarm
	case "exited":
		f.ends[e.ID] = e.Time
		n.Title = app + " has ended"
	case "started":
		if _, again := f.ends[e.ID]; !again {
			return n, false
		}
		delete(f.ends, e.ID)
		n.Title, n.Text = app+" was started again", ""
	case "unhealthy":
		n.Title, n.Level = app+" is not healthy", desktop.Warning
	case "healthy":
		n.Title = app + " is healthy again"
	case "refused":
		n.Title, n.Level = "A program was refused", desktop.Warning
		if e.ID == 0 {
			n.Action = ""
		}
	case "orphaned":
		n.Title, n.Level = app+" has lost its keeper", desktop.Warning
	case "app": // what it says itself
		if text, ok := f.told.Of(e); ok {
			n.Title, n.Text = app, text
			return n, true
		}
		text, ok := strings.CutPrefix(e.Text, routeEvent)
		n.Title, n.Text = app+": a route changed", text
		return n, ok
	default:
		return n, false
	}
	return n, true
}

// routeEvent begins what a node tells when a session of it goes another way.
const routeEvent = "route: "

// menuEvery is how often the menu is brought up to date with the configuration.
const menuEvery = idleEvery

// A menuFeed tells which apps can be started.
type menuFeed struct {
	op *signal.Operator
}

func newMenuFeed(op *signal.Operator) *menuFeed { return &menuFeed{op} }

func (f *menuFeed) run(ctx context.Context, to *inbox) {
	var before []byte
	for ctx.Err() == nil {
		var out bytes.Buffer
		asking, cancel := context.WithTimeout(ctx, answerTime)
		code, err := f.op.Exec(asking, signal.ExecRequest{Args: []string{"apps"}, JSON: true}, &out, io.Discard)
		cancel()
		if err == nil && code == 0 && !bytes.Equal(before, out.Bytes()) {
			before = out.Bytes()
			apps := readApps(before)
			to.post(ctx, func(d *desktop.Desktop) { d.Apps(apps) })
		}
		if !waitFor(ctx, nil, menuEvery) {
			return
		}
	}
}

// readApps reads what the command apps answers.
func readApps(answer []byte) []desktop.App {
	rows := read[[]struct{ App, Desc string }](json.RawMessage(answer))
	apps := make([]desktop.App, 0, len(rows))
	for _, r := range rows {
		apps = append(apps, desktop.App{Name: r.App, Desc: r.Desc})
	}
	return apps
}
