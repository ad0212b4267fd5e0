package gui

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/command"
	"github.com/skycoin/viscript/viscript/desktop"
	"github.com/skycoin/viscript/viscript/term"
)

// serveRequests does what the desktop wants to have done.
func (p *Program) serveRequests() {
	for _, r := range p.desk.Requests() {
		if r.Kind == desktop.SendKey || r.Kind == desktop.SendChar {
			p.typing.typed(string(r.Term), time.Now())
		}
		switch id := string(r.Term); r.Kind {
		case desktop.SendKey:
			if v := p.views[id]; r.Key == desktop.KeyEnter && v != nil && v.told.Prompt {
				p.entered = time.Now()
			}
			k := signal.TermKey{ID: id, Key: uint8(r.Key), Rune: r.Rune, Mods: uint8(r.Mods)}
			p.input(id, func(w *signal.WindowConn) { w.Key(k) })
		case desktop.SendChar:
			c := r.Rune
			p.input(id, func(w *signal.WindowConn) { w.Char(id, c) })
		case desktop.SendMouse:
			m := signal.TermMouse{
				ID: id, Action: uint8(r.Mouse.Action), Button: uint8(r.Mouse.Button), X: r.Mouse.X, Y: r.Mouse.Y, Mods: uint8(r.Mouse.Mods),
			}
			p.input(id, func(w *signal.WindowConn) { w.Mouse(m) })
		case desktop.TellFocus:
			on := r.On
			p.input(id, func(w *signal.WindowConn) { w.Focus(id, on) })
		case desktop.ResizeTerm:
			cols, rows := r.Cols, r.Rows
			p.tell(func(w *signal.WindowConn) { w.Resize(id, cols, rows) })
		case desktop.Complete:
			text := r.Text
			p.input(id, func(w *signal.WindowConn) { w.Take(id, text) })
		case desktop.NewTerm, desktop.CloseTerm, desktop.StartApp, desktop.AppAction, desktop.Search:
			p.askFor(r)
		case desktop.Act:
			p.act(r.Text)
		case desktop.Watch:
			p.watches.set(r.Content, r.App, r.On)
		case desktop.Copy:
			p.copyText(r)
		case desktop.Paste:
			p.paste(r)
		case desktop.Visit:
			p.visit(r.Text)
		}
	}
}

// askFor asks the daemon for something that takes a while.
func (p *Program) askFor(r desktop.Request) {
	p.askDaemon(func(ctx context.Context, l *link) {
		var err error
		switch r.Kind {
		case desktop.NewTerm:
			_, err = l.conn.New(ctx, signal.TermNew{Line: r.Text})
		case desktop.CloseTerm:
			err = l.conn.CloseTerm(ctx, string(r.Term))
		case desktop.StartApp:
			err = startApp(ctx, l.conn, string(r.Term), r.Text)
		case desktop.AppAction:
			var done string
			if done, err = appAction(ctx, l.op, signal.ID(r.App), r.Text); err == nil {
				p.notify(ctx, desktop.Notice{Title: done, Action: actionPage + strconv.FormatUint(r.App, 10)})
			}
		case desktop.Search:
			err = p.search(ctx, l.conn, r)
		}
		if err != nil && ctx.Err() == nil {
			p.notify(ctx, desktop.Notice{Title: what(r), Text: err.Error(), Level: desktop.Warning})
		}
	})
}

// what is the request in words, for the title of what went wrong.
func what(r desktop.Request) string {
	switch r.Kind {
	case desktop.NewTerm:
		return "New terminal"
	case desktop.CloseTerm:
		return "Closing " + string(r.Term)
	case desktop.StartApp:
		return "Starting " + r.Text
	case desktop.AppAction:
		return fmt.Sprintf("%s of app %d", r.Text, r.App)
	}
	return "Search"
}

func (p *Program) notify(ctx context.Context, n desktop.Notice) {
	p.inbox.post(ctx, func(d *desktop.Desktop) { d.Notify(n) })
}

// startApp types the command that starts an app at the prompt of a terminal, or of a new one. What was being
// typed there gives way.
func startApp(ctx context.Context, w *signal.WindowConn, id, app string) error {
	if id == "" {
		t, err := w.New(ctx, signal.TermNew{})
		if err != nil {
			return err
		}
		id = t.ID
	}
	for _, r := range "ek" { // to the end of the line, and everything before and behind away
		w.Key(signal.TermKey{ID: id, Key: uint8(term.Character), Rune: r, Mods: uint8(term.Ctrl)})
	}
	w.Key(signal.TermKey{ID: id, Key: uint8(term.Character), Rune: 'u', Mods: uint8(term.Ctrl)})
	for _, r := range "start " + command.Quote(app) {
		w.Char(id, r)
	}
	w.Key(signal.TermKey{ID: id, Key: uint8(term.Enter)})
	return nil
}

// appAction does what a button of a panel says and tells what came of it.
func appAction(ctx context.Context, op *signal.Operator, id signal.ID, action string) (string, error) {
	switch action {
	case "ping":
		r, err := op.Ping(ctx, id)
		return fmt.Sprintf("App %d answered in %.2f ms", id, r.RTTms), err
	case "restart":
		a, err := op.Restart(ctx, id)
		return fmt.Sprintf("App %d (%s) runs again", id, nameOf(a)), err
	case "stop":
		r, err := op.Stop(ctx, id)
		return fmt.Sprintf("App %d ended (%s), exit code %d", id, r.Rung, r.ExitCode), err
	}
	return "", fmt.Errorf("there is no %q", action)
}

func (p *Program) search(ctx context.Context, w *signal.WindowConn, r desktop.Request) error {
	f, err := w.Search(ctx, signal.TermSearch{ID: string(r.Term), Text: r.Text, From: signal.TermPos(r.From), Back: r.Back})
	p.inbox.post(ctx, func(d *desktop.Desktop) {
		d.Found(r.Term, r.Seq, desktop.Pos(f.From), desktop.Pos(f.To), err == nil && f.Found)
	})
	return err
}

// What a click on a notice does, in front of an id.
const (
	actionPage = "page "
	actionClip = "copy "
)

// act does what a notice that was clicked is about.
func (p *Program) act(action string) {
	if id, ok := strings.CutPrefix(action, actionPage); ok {
		if n, err := strconv.ParseUint(id, 10, 64); err == nil {
			p.desk.OpenPanel(desktop.AppContent, n)
			p.serveRequests()
		}
	}
	if id, ok := strings.CutPrefix(action, actionClip); ok {
		if n, err := strconv.Atoi(id); err == nil {
			p.takeClip(n)
		}
	}
}

// visit opens an address, which the desktop has checked.
func (p *Program) visit(address string) {
	open := p.cfg.Visit
	if open == nil {
		return
	}
	p.askDaemon(func(ctx context.Context, _ *link) {
		if err := open(ctx, address); err != nil {
			p.notify(ctx, desktop.Notice{Title: "Opening " + address, Text: err.Error(), Level: desktop.Warning})
		}
	})
}
