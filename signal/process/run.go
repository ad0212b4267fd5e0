//go:build linux

package process

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/skycoin/viscript/signal"
)

const (
	firstDial   = 10 * time.Millisecond
	longestDial = time.Second
	stateTime   = 2 * time.Second // for a keeper to say how things stand
)

// run watches a child until it and its keeper have ended, or it is released. frames is the
// connection to the keeper, nil where there is none yet.
func (p *Process) run(frames *signal.Frames) {
	defer close(p.gone)
	defer p.closePidfd()
	defer p.closeTerminal()
	for {
		if frames != nil {
			p.serve(frames)
		}
		if p.ctx.Err() != nil {
			return
		}
		if !p.at.held() {
			break
		}
		if frames = p.redial(); frames == nil && p.replaced() {
			break
		}
	}
	reapKeeper(p.record.Keeper)
	if custody, _ := p.Custody(); custody == Unverified {
		p.resolve()
		return
	}
	p.withoutKeeper()
}

// serve lives as long as the connection.
func (p *Process) serve(frames *signal.Frames) {
	peer := signal.NewPeer(frames, signal.PeerOptions{Notify: p.heard})
	p.change(func() { p.peer = peer })
	ctx, cancel := context.WithCancel(p.ctx)
	var holding sync.WaitGroup
	holding.Go(func() { p.holdTerminal(ctx) })
	_ = peer.Run(p.ctx)
	cancel()
	holding.Wait()
	p.change(func() { p.peer = nil })
}

// change wakes those who wait for custody or connection.
func (p *Process) change(act func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	act()
	close(p.changed)
	p.changed = make(chan struct{})
}

// heard takes a keeper's notification.
func (p *Process) heard(method string, params json.RawMessage) {
	switch method {
	case methodEnded:
		var e Ending
		if signal.DecodeParams(params, &e) == nil && e.App == p.record.App {
			p.conclude(e)
		}
	case methodLost:
		var l lostParams
		if signal.DecodeParams(params, &l) == nil {
			p.mu.Lock()
			p.missed = max(p.missed, l.Lost)
			p.mu.Unlock()
		}
	}
}

// conclude takes the end of the child, as its keeper saw it.
func (p *Process) conclude(e Ending) {
	p.mu.Lock()
	p.ending = &e
	p.mu.Unlock()
	p.finish(e.Exit)
}

// redial connects to a keeper that lives. nil: it did not work this time.
func (p *Process) redial() *signal.Frames {
	for pause := firstDial; p.ctx.Err() == nil && p.at.held(); pause = min(2*pause, longestDial) {
		ctx, cancel := context.WithTimeout(p.ctx, stateTime)
		m, err := dialKeeper(ctx, p.at)
		cancel()
		if err == nil && p.meet(m) {
			return m.frames
		}
		if err == nil {
			m.frames.Close()
			if p.replaced() {
				return nil
			}
		}
		select {
		case <-time.After(pause):
		case <-p.ctx.Done():
		}
	}
	return nil
}

// replaced tells whether the id has another run by now: then its files are not ours any more.
func (p *Process) replaced() bool {
	r, err := p.at.readRecord()
	return err == nil && (r.Keeper != p.record.Keeper || r.Boot != p.record.Boot)
}

// meeting is a fresh connection to a keeper, with what it said on it.
type meeting struct {
	frames *signal.Frames
	state  keeperState
	notes  []note // that came before the state
}

type note struct {
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
}

// meet takes over what the keeper says; false when it keeps another run than ours.
func (p *Process) meet(m meeting) bool {
	s := m.state
	if s.Record.ID != p.at.id || p.record.App != s.Record.App {
		return false
	}
	p.change(func() {
		p.missed, p.held, p.stopping = s.Lost, s.Held, s.Stopping
	})
	p.verified(Kept)
	if s.Ending != nil {
		p.conclude(*s.Ending)
	}
	for _, n := range m.notes {
		p.heard(n.Method, n.Params)
	}
	return true
}

// dialKeeper asks a keeper how things stand, and from then on hears what it tells.
func dialKeeper(ctx context.Context, at place) (m meeting, err error) {
	conn, err := signal.DialSocket(ctx, at.path(socketExt))
	if err != nil {
		return m, err
	}
	m.frames = signal.NewFrames(conn)
	if err = m.ask(ctx); err != nil {
		m.frames.Close()
	}
	return m, err
}

// ask makes the one request that comes before there is a Peer.
func (m *meeting) ask(ctx context.Context) error {
	if late, ok := ctx.Deadline(); ok {
		_ = m.frames.SetReadDeadline(late)
	}
	if err := m.frames.Send([]byte(`{"jsonrpc":"2.0","id":0,"method":"` + methodState + `"}`)); err != nil {
		return err
	}
	for len(m.notes) < maxNotes {
		frame, err := m.frames.Recv()
		if err != nil {
			return err
		}
		var answer struct {
			note
			Result *keeperState  `json:"result"`
			Error  *signal.Error `json:"error"`
		}
		if err := json.Unmarshal(frame, &answer); err != nil {
			return err
		}
		switch {
		case answer.Error != nil:
			return answer.Error
		case answer.Method != "":
			m.notes = append(m.notes, answer.note)
		case answer.Result != nil:
			m.state = *answer.Result
			return m.frames.SetReadDeadline(time.Time{})
		}
	}
	return errors.New("process: the keeper does not answer")
}

// maxNotes is far above what a keeper tells within the time of one answer.
const maxNotes = 16
