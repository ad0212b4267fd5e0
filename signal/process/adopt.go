//go:build linux

package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
	"time"
)

// ErrNothing is returned for an id of which there is nothing to adopt.
var ErrNothing = errors.New("process: nothing is known of it")

// Adopt finds what was started as id by a caller that is gone, which may have been killed. What it
// returns may run still, kept or not, may have ended, or be Unverified; it is never
// another process that got the same number. It takes at most a few seconds.
func Adopt(run string, id uint64, reader *Reader) (*Process, error) {
	at := place{run, id}
	lock, err := at.lock(0)
	if errors.Is(err, ErrHeld) {
		return adoptKept(at, reader)
	}
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	p, err := adoptAlone(at, reader)
	_ = remove(at.path(socketExt))
	_ = remove(at.path(lockExt))
	return p, err
}

// adoptKept asks the keeper. One that was just started may need a moment until it listens.
func adoptKept(at place, reader *Reader) (*Process, error) {
	ctx, cancel := context.WithTimeout(context.Background(), birthTime) // nothing of a caller's bounds it
	defer cancel()
	known := time.Now().Add(adoptTime)
	for pause, try := firstDial, 1; ; try++ {
		asking, cancel := context.WithTimeout(ctx, adoptTime/adoptTries)
		m, err := dialKeeper(asking, at)
		cancel()
		if err == nil {
			return adoptMet(at, m, reader), nil
		}
		if !at.held() {
			return Adopt(at.run, at.id, reader)
		}
		if try >= adoptTries && time.Now().After(known) && at.settled() {
			return doubtful(at, reader, "its keeper does not answer"), nil
		}
		select {
		case <-time.After(pause):
			pause = min(2*pause, lastLook)
		case <-ctx.Done():
			return doubtful(at, reader, "its keeper does not answer"), nil
		}
	}
}

// How long keepers may take to answer when a daemon starts: those whose record tells what they keep, and
// those that are still starting it, or whose record cannot be read.
const (
	adoptTime  = 3 * time.Second
	adoptTries = 3 // at least: a machine that stood still meanwhile has asked only once
	birthTime  = 15 * time.Second
)

// settled tells whether the record is that of the keeper that lives, and has the app: then what is found can
// be compared with it later.
func (p place) settled() bool {
	r, err := p.readRecord()
	if err != nil || r.App.Pid <= 0 {
		return false
	}
	s, err := readStat(r.Keeper.Pid)
	return err == nil && s.Start == r.Keeper.Start && s.alive()
}

func adoptMet(at place, m meeting, reader *Reader) *Process {
	p := newProcess(at, m.state.Record, reader)
	p.pidfd, _ = openPidfd(m.state.Record.App)
	p.meet(m)
	go p.run(m.frames)
	return p
}

// doubtful is a child whose keeper holds the lock and says nothing. run goes on trying.
func doubtful(at place, reader *Reader, why string) *Process {
	r, err := at.readRecord()
	if err != nil {
		r = Record{ID: at.id}
	}
	p := newProcess(at, r, reader)
	p.custody, p.why = Unverified, why
	if err == nil && r.App.Pid > 0 {
		go p.run(nil)
	} else {
		close(p.gone) // nothing to compare with when it answers
	}
	return p
}

// adoptAlone looks at what the record says when there is no keeper.
func adoptAlone(at place, reader *Reader) (*Process, error) {
	r, err := at.readRecord()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(ErrNothing, remove(at.path(endingExt)))
	}
	if err != nil {
		p := newProcess(at, Record{ID: at.id}, reader)
		p.custody, p.why = Unverified, fmt.Sprintf("its record %s cannot be read: %v", filepath.Base(at.path(recordExt)), err)
		close(p.gone)
		return p, nil
	}
	reapKeeper(r.Keeper) // ours, if it ended while this process took the place of the daemon before
	if r.App.Pid == 0 {
		if app, found := awaitStarted(r); found {
			r.App = app
			_ = at.writeRecord(r) // or the next one finds it in the same way
		}
	}
	p := newProcess(at, r, reader)
	go func() {
		defer close(p.gone)
		defer p.closePidfd()
		p.resolve()
	}()
	<-p.judged
	return p, nil
}

// resolve is what run does for a child that has neither keeper nor custody.
func (p *Process) resolve() {
	e, why := p.judge()
	switch {
	case e != nil:
		p.verified(Over)
		p.past(*e)
	case why != "":
		p.change(func() { p.custody, p.why = Unverified, why })
	default:
		p.verified(Lost)
	}
	p.judgedOnce.Do(func() { close(p.judged) })
	if e == nil && why == "" {
		p.watchFromAfar()
	}
}

// judge compares the record with the machine: how the child ended, or why nobody can tell;
// neither when it runs.
func (p *Process) judge() (*Ending, string) {
	r := p.record
	if e, ok := p.at.readEnding(r); ok {
		return &e, ""
	}
	boot, err := bootID()
	switch {
	case err == nil && r.Boot != "" && r.App == (Identity{}) && r.Keeper.Start > 0:
		return unknownEnding(r, "its keeper was killed as it was being started, and nothing runs that it started"), ""
	case err != nil || r.Boot == "" || r.App.Pid <= 0 || r.App.Start == 0:
		return nil, "its record does not say which process it is"
	case boot != r.Boot:
		return unknownEnding(r, "the machine was started anew meanwhile"), ""
	}
	p.pidfd, err = openPidfd(r.App)
	switch {
	case errors.Is(err, syscall.ESRCH):
		return unknownEnding(r, "its keeper was killed, and it ended while no daemon was there"), ""
	case err != nil:
		return nil, fmt.Sprintf("process %d cannot be looked at: %v", r.App.Pid, err)
	}
	return nil, ""
}

// verified is called when it is certain what the child is.
func (p *Process) verified(c Custody) {
	p.change(func() {
		if p.custody == Unverified || c != Kept {
			p.custody, p.why = c, ""
		}
		select {
		case <-p.known:
		default:
			close(p.known)
		}
	})
}

func unknownEnding(r Record, why string) *Ending {
	return &Ending{App: r.App, Boot: r.Boot, Exit: Exit{Code: -1, Unknown: true, Why: why, At: time.Now()}}
}

// past takes the end of a child that ended before anybody looked. What it left behind may run.
func (p *Process) past(e Ending) {
	p.change(func() {
		p.empty = e.Report != nil && len(e.Report.Survivors) == 0
		p.tree.group = 0
	})
	p.conclude(e)
	if _, ok := p.at.readEnding(p.record); !ok {
		_ = p.at.writeEnding(e)
	}
}

// awaitStarted is findStarted; where a process has no environment, which is so while it becomes
// another program, it looks again, as long as bornWait.
func awaitStarted(r Record) (app Identity, found bool) {
	for end := time.Now().Add(bornWait); ; time.Sleep(lockLook) {
		late := time.Now().After(end)
		app, found, unborn := findStarted(r)
		if found || !unborn || late {
			return app, found
		}
	}
}

// findStarted looks for the app of a record that its keeper could not complete: the process, first
// of its session, that has the mark and began after the keeper. unborn: there is one without an environment.
func findStarted(r Record) (app Identity, found, unborn bool) {
	if boot, err := bootID(); err != nil || boot != r.Boot || r.Mark == "" || r.Keeper.Start == 0 {
		return app, false, false
	}
	t, err := ReadTable()
	if err != nil {
		return app, false, false
	}
	for _, s := range t.byPid {
		if s.Session != s.Pid || s.Start < r.Keeper.Start || !s.alive() || found && s.Start >= app.Start {
			continue
		}
		switch has, empty := marked(s, r.Mark); {
		case has:
			app, found = Identity{s.Pid, s.Start}, true
		case empty:
			unborn = true
		}
	}
	return app, found, unborn
}
