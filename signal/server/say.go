//go:build linux

package server

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/skycoin/viscript/signal"
)

// maxTold bounds, in bytes, what is repeated of a peer's own words in errors and logs.
const maxTold = 256

// notify takes what a registered app says, the window size of an operator that is attached, and what
// a window says; of others nothing is heard.
func (c *conn) notify(method string, params json.RawMessage) {
	if method == signal.MethodAppSize {
		c.resize(params)
		return
	}
	if w := c.asWindow(); w != nil {
		w.Say(method, params)
		return
	}
	if c.registered() {
		_ = c.say(method, params)
	}
}

// say is quick: it runs on the goroutine that reads the connection.
func (c *conn) say(method string, params json.RawMessage) error {
	switch method {
	case signal.MethodReady:
		c.sayReady()
		return nil
	case signal.MethodStatus:
		var p signal.StatusParams
		return c.hear(params, &p, func() { c.sayStatus(p) })
	case signal.MethodEvent:
		var p signal.EventParams
		return c.hear(params, &p, func() { c.sayEvent(p) })
	case signal.MethodLog:
		var p signal.LogParams
		return c.hear(params, &p, func() { c.sayLog(p) })
	}
	return nil
}

// hear drops what comes faster than anyone could read it.
func (c *conn) hear(params json.RawMessage, p any, act func()) error {
	if !c.words.Allow() {
		c.mu.Lock()
		c.dropped++
		c.mu.Unlock()
		return nil
	}
	if err := signal.DecodeParams(params, p); err != nil {
		return err
	}
	act()
	return nil
}

func (c *conn) sayReady() {
	s := c.server
	s.mu.Lock()
	first := c.run.conn == c && !c.run.ready && !c.app.probed()
	if first {
		c.run.ready = true
		if c.run.alive() && !c.run.stopping {
			c.app.setState(signal.Ready)
		}
	}
	v := c.app.view()
	s.mu.Unlock()
	if first {
		s.emit(v, kindReady, "ready")
	}
}

func (c *conn) sayStatus(p signal.StatusParams) {
	s := c.server
	text := oneLine(p.Text, signal.MaxStatus)
	s.mu.Lock()
	changed := c.run.conn == c && c.app.status != text
	if changed {
		c.app.status = text
	}
	v := c.app.view()
	s.mu.Unlock()
	if changed {
		s.emit(v, kindStatus, text)
	}
}

func (c *conn) sayEvent(p signal.EventParams) {
	e := signal.Event{ID: c.app.id, App: c.app.request().App, Kind: kindApp}
	e.Text = oneLine(p.Kind, signal.MaxEventKind) + ": " + oneLine(p.Text, signal.MaxEventText)
	if p.Dropped > 0 {
		e.Text += fmt.Sprintf(" (events lost before it: %d)", p.Dropped)
	}
	if len(p.Fields) <= signal.MaxFields {
		e.Fields = p.Fields
	}
	c.server.events.add(e)
}

// sayLog puts a line into the app's log, between those it prints itself; without a keeper it is lost, as those are.
func (c *conn) sayLog(p signal.LogParams) {
	c.mu.Lock()
	lost := c.dropped + p.Dropped
	c.dropped = 0
	c.mu.Unlock()
	line := strings.ToValidUTF8(p.Line[:min(len(p.Line), signal.MaxLogLine)], "")
	line = strings.ReplaceAll(line, "\n", " ")
	if lost > 0 {
		line = fmt.Sprintf("(lines lost: %d)\n%s", lost, line)
	}
	ctx, cancel := context.WithTimeout(context.Background(), sayTime) // a keeper takes it at once
	defer cancel()
	if !c.run.proc.Say(ctx, line) {
		c.server.log.Debug("log line lost", "app", c.app.request().App)
	}
}

// sayTime bounds how long a line for the log may hold up the connection of its app.
const sayTime = time.Second
