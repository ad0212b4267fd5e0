//go:build linux

package server

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/skycoin/viscript/signal"
)

const (
	// partingGrace is how long a registration waits for the app's lost connection to be
	// noticed: an app that connects again may be faster than the news of its loss.
	partingGrace = 250 * time.Millisecond
	// Refused registrations are told of at this rate, since others can cause them.
	refusedPerSecond = 5
	refusedAtOnce    = 50
)

// hello lets a process of the app's tree see that we have its token. Others learn nothing.
func (c *conn) hello(params json.RawMessage) (any, error) {
	var p signal.HelloParams
	if err := signal.DecodeParams(params, &p); err != nil {
		return nil, err
	}
	if p.Protocol != signal.Protocol {
		return nil, signal.Errorf(signal.CodeProtocol, "protocol %d is not spoken here, %d is", p.Protocol, signal.Protocol)
	}
	if len(p.Nonce) != signal.NonceLen {
		return nil, signal.Errorf(signal.CodeParams, "a nonce has %d bytes", signal.NonceLen)
	}
	if !c.becomeClient() {
		return nil, signal.Errorf(signal.CodeRequest, "hello comes first and once")
	}
	a, r, v, err := c.server.runOf(p.ID)
	if err != nil {
		return nil, err
	}
	if !c.isFrom(r) {
		c.server.refuse(v, "a process outside its tree ("+c.who()+") tried to register as it")
		return nil, signal.Errorf(signal.CodeRefused, "not a process of app %d", p.ID)
	}
	if err := c.server.vacant(a, r); err != nil {
		c.server.refuse(v, "a second registration ("+c.who()+") while the first is alive")
		return nil, err
	}
	ours := signal.NewNonce()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.app, c.run, c.mine, c.their = a, r, ours, p.Nonce
	return signal.HelloResult{
		Protocol: signal.Protocol,
		Nonce:    ours,
		Proof:    signal.Proof(r.token, signal.RoleServer, p.Nonce, ours),
	}, nil
}

func (c *conn) becomeClient() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.role != stranger {
		return false
	}
	c.role = client
	return true
}

// who names the other end for a log.
func (c *conn) who() string {
	if cred, ok := c.credentials(); ok {
		return fmt.Sprintf("pid %d", cred.Pid)
	}
	return c.net.RemoteAddr().String()
}

// runOf finds the live run of an id.
func (s *Server) runOf(id signal.ID) (*app, *run, signal.App, error) {
	s.awaitBirth(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.apps[id]
	if a == nil || !a.run.alive() {
		return nil, nil, signal.App{}, signal.Errorf(signal.CodeNoApp, "no app with id %d runs", id)
	}
	return a, a.run, a.view(), nil
}

// vacant returns when the run has no connection.
func (s *Server) vacant(a *app, r *run) error {
	s.mu.Lock()
	other := r.conn
	s.mu.Unlock()
	if other == nil {
		return nil
	}
	late := time.NewTimer(partingGrace)
	defer late.Stop()
	select {
	case <-other.gone:
		return nil
	case <-late.C:
		return taken(a)
	}
}

func taken(a *app) error {
	return signal.Errorf(signal.CodeTaken, "app %d has a live connection already", a.id)
}

// refuse tells of a refused registration.
func (s *Server) refuse(v signal.App, text string) {
	if !s.refusals.Allow() {
		return
	}
	s.log.Warn("registration refused", "app", v.App, "id", v.ID, "why", text)
	s.emit(v, kindRefused, text)
}

// register checks that the process has the token too, and enters its connection.
func (c *conn) register(params json.RawMessage) (any, error) {
	var p signal.RegisterParams
	if err := signal.DecodeParams(params, &p); err != nil {
		return nil, err
	}
	c.mu.Lock()
	a, r, mine, their, again := c.app, c.run, c.mine, c.their, c.entry
	c.mine = nil // one try
	c.mu.Unlock()
	if mine == nil || again {
		return nil, signal.Errorf(signal.CodeRequest, "register comes after hello and once")
	}
	if !signal.CheckProof(p.Proof, r.token, signal.RoleClient, their, mine) {
		_, v, err := c.server.find(a.id)
		if err == nil {
			c.server.refuse(v, "a process of it ("+c.who()+") without the token tried to register")
		}
		return nil, signal.Errorf(signal.CodeRefused, "wrong proof")
	}
	v, err := c.server.enroll(c, a, r, p)
	if err != nil {
		return nil, err
	}
	c.server.emit(v, kindRegistered, fmt.Sprintf("registered by pid %d (%s)", p.Pid, oneLine(p.Library, maxTold)))
	if v.State == signal.Ready {
		c.server.emit(v, kindReady, "ready")
	}
	return signal.AfterAnswer(signal.RegisterResult{ID: v.ID, App: v.App}, func() { close(c.told) }), nil
}

// ask asks the app behind a registered connection.
func (c *conn) ask(ctx context.Context, method string, params, result any) error {
	select {
	case <-c.told:
	case <-c.gone:
	case <-ctx.Done():
		return ctx.Err()
	}
	return c.peer.Call(ctx, method, params, result)
}

// enroll enters a connection that showed who it is, unless another was faster or the app
// has ended meanwhile.
func (s *Server) enroll(c *conn, a *app, r *run, p signal.RegisterParams) (signal.App, error) {
	words := wordsOf(p.Commands)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !r.alive():
		return signal.App{}, notRunning(a.view())
	case r.conn != nil:
		return signal.App{}, taken(a)
	case !s.gate.known(c, false):
		return signal.App{}, signal.Errorf(signal.CodeBusy, "too many connections, try again")
	}
	r.conn = c
	r.ready = r.ready || p.Ready && !a.probed()
	r.words, a.private = words, p.Private
	first := !a.speaks && !r.comesBack
	a.speaks, r.comesBack = true, false
	if first {
		s.work.Go(func() { s.noteSpoke(a, r) })
	}
	switch {
	case r.stopping:
		a.notifyLocked() // its stop may wait for it
	case r.ready:
		a.setState(signal.Ready)
	default:
		a.setState(signal.Starting)
	}
	c.settle()
	return a.view(), nil
}

// noteSpoke lets a later daemon know that the app speaks signal.
func (s *Server) noteSpoke(a *app, r *run) {
	ctx, cancel := context.WithTimeout(context.Background(), wantTime)
	defer cancel()
	if err := s.note(ctx, a, r); err != nil {
		s.log.Warn("not noted that an app speaks signal", "app", a.request().App, "id", a.id, "err", err)
	}
}

// settle lifts what holds for those who have not said who they are.
func (c *conn) settle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entry = true
	c.frames.SetLimit(signal.MaxFrame)
	_ = c.frames.SetReadDeadline(time.Time{})
}

// disconnected takes the connection out of the table.
func (s *Server) disconnected(c *conn) {
	close(c.gone)
	c.mu.Lock()
	a, r, entry := c.app, c.run, c.entry
	c.mu.Unlock()
	if !entry {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.conn != c {
		return
	}
	r.conn = nil
	if r.alive() && !r.stopping {
		a.setState(signal.Unreachable)
	}
}
