//go:build linux

package server

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/signal/process"
)

// app is one row of the table. Its fields are guarded by Server.mu, but for the first group.
type app struct {
	id    signal.ID
	asked atomic.Pointer[signal.StartRequest] // what it was started with; SetPolicy replaces it as a whole
	log   string                              // path
	op    chan struct{}                       // holds one token: whoever has it may start or stop the app

	run      *run // the current run or the last one
	state    signal.State
	started  time.Time
	ended    time.Time
	exitCode int // -1: not known
	reason   string
	status   string
	speaks   bool               // it registered in this run
	private  bool               // what it is told is not to be recorded
	hurry    context.CancelFunc // of the stop under way, nil when there is none
	keep     upkeep
	down     bool          // stopped by request, and to stay so
	again    bool          // an earlier daemon was killed while it restarted it: to be started when it has ended
	changed  chan struct{} // closed, and replaced, when state changes
}

// run is one start of an app. The first group does not change; the rest is guarded by
// Server.mu.
type run struct {
	proc      *process.Process
	token     []byte
	tokenFile string
	over      chan struct{} // closed when its end is in the table
	left      chan struct{} // closed when this server no longer watches it, though it may run
	noted     process.Want  // what an earlier server was asked for, of one that was adopted

	conn     *conn            // its registered connection, nil when there is none
	ready    bool             // it said so
	stopping bool             // its end is wanted
	followed bool             // it is being restarted: another run follows
	unwell   bool             // its end is wanted because its health probe gave it up
	words    []signal.Command // that it offers the console
	// comesBack: it was adopted, has registered with an earlier daemon, and not yet with this one.
	comesBack bool
	adopted   time.Time
	cpu       time.Duration
	cpuAt     time.Time
}

// request is what the app was started with, not to be changed.
func (a *app) request() *signal.StartRequest { return a.asked.Load() }

// name is what people call the app: its member of a group, where it is one.
func (a *app) name() string { return nameOf(a.request().Member, a.request().App) }

func nameOf(member, app string) string { return cmp.Or(member, app) }

// recorded is what the record of an app holds for a later daemon: Record.Request.
type recorded struct {
	signal.StartRequest
	Spoke   bool `json:"spoke,omitempty"` // it has registered in this run
	Private bool `json:"private,omitempty"`
}

// note puts into the record what the app was started with and whether it has registered.
func (s *Server) note(ctx context.Context, a *app, r *run) error {
	for {
		s.mu.Lock()
		rec := recorded{*a.request(), a.speaks || r.comesBack, a.private}
		asked := a.request()
		s.mu.Unlock()
		text, err := json.Marshal(rec)
		if err != nil {
			return err
		}
		if err := r.proc.SetRequest(ctx, text); err != nil {
			return err
		}
		s.mu.Lock()
		same := asked == a.request() && rec.Spoke == (a.speaks || r.comesBack)
		s.mu.Unlock()
		if same { // else another, who was faster, may have been overwritten
			return nil
		}
	}
}

// alive is false once the end of the run is in the table.
func (r *run) alive() bool {
	select {
	case <-r.over:
		return false
	default:
		return true
	}
}

func (a *app) setState(to signal.State) {
	if a.state == to {
		return
	}
	a.state = to
	close(a.changed)
	a.changed = make(chan struct{})
}

// view is the row as others see it.
func (a *app) view() signal.App {
	v := signal.App{
		ID:      a.id,
		App:     a.request().App,
		State:   a.state,
		Command: commandLine(a.request().Path, a.request().Args),
		Started: a.started,
		Reason:  a.reason,
		Signal:  a.speaks,
		Private: a.private,
		Status:  a.status,
		Log:     a.log,

		LogDropped: a.run.proc.Missed(),

		Group: a.request().Group, Member: a.request().Member, Health: a.keep.health, Down: a.down,
		WaitsFor: a.keep.note,
	}
	if a.keep.restarter != nil {
		v.Restarts = a.keep.restarter.Restarts()
	}
	if a.keep.due() {
		next := a.keep.next
		v.NextStart = &next
	}
	if a.run.alive() {
		v.Pid, v.Limits = a.run.proc.Pid(), process.HeldText(a.run.proc.Held())
		if a.request().User == "" { // who was given less trust than we have gets no word beside ours
			v.Words = a.run.words
		}
		return v
	}
	ended, code := a.ended, a.exitCode
	v.Ended = &ended
	if code >= 0 {
		v.ExitCode = &code
	}
	return v
}

// find returns the app and its row.
func (s *Server) find(id signal.ID) (*app, signal.App, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.apps[id]
	if a == nil {
		return nil, signal.App{}, noApp(id)
	}
	return a, a.view(), nil
}

// List returns the table by id: what runs, and the last that ended.
func (s *Server) List(context.Context) ([]signal.App, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]signal.App, 0, len(s.apps))
	for _, a := range s.apps {
		out = append(out, a.view())
	}
	slices.SortFunc(out, func(a, b signal.App) int { return int(int64(a.ID) - int64(b.ID)) })
	return out, nil
}

// pruneLocked forgets the oldest apps above the limit that have ended for good.
func (s *Server) pruneLocked() {
	var ended []*app
	for _, a := range s.apps {
		if !a.run.alive() && len(a.op) > 0 && !a.keep.due() {
			ended = append(ended, a)
		}
	}
	over := len(ended) - s.cfg.Limits.History
	if over <= 0 {
		return
	}
	slices.SortFunc(ended, func(a, b *app) int { return a.ended.Compare(b.ended) })
	for _, a := range ended[:over] {
		delete(s.apps, a.id)
		s.work.Go(func() { s.forget(a) })
	}
}

// forget removes the files of an app that left the table, once its keeper has ended.
func (s *Server) forget(a *app) {
	select {
	case <-a.run.proc.Gone():
	case <-s.over:
		return // the next daemon does it
	}
	if err := process.Forget(filepath.Join(s.cfg.Dir, runName), uint64(a.id), a.log); err != nil {
		s.log.Warn("files of an app remain", "app", a.request().App, "id", a.id, "err", err)
	}
}

// WaitReady returns when the app is ready or, where it does not speak signal, was seen to
// live; with an error when it ends before that, or ctx does.
func (s *Server) WaitReady(ctx context.Context, id signal.ID) error {
	for {
		s.mu.Lock()
		a := s.apps[id]
		if a == nil {
			s.mu.Unlock()
			return noApp(id)
		}
		v, changed := a.view(), a.changed
		ready, _ := a.metLocked(signal.OnReady, v)
		comes := a.comesLocked()
		s.mu.Unlock()
		if ready {
			return nil
		}
		if (v.Pid == 0 || v.State == signal.Stopping) && !comes {
			return notRunning(v)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting for app %d (%s) to be ready: %w", id, nameOf(v.Member, v.App), ctx.Err())
		case <-s.over:
			return signal.Errorf(signal.CodeStopping, "the daemon is ending")
		}
	}
}

// commandLine quotes where a shell would want it.
func commandLine(path string, args []string) string {
	words := make([]string, 0, len(args)+1)
	for _, w := range append([]string{path}, args...) {
		words = append(words, quote(w))
	}
	return strings.Join(words, " ")
}

func quote(w string) string {
	plain := w != "" && !strings.ContainsFunc(w, func(r rune) bool {
		return !(unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_./:,=+@%^", r))
	})
	if plain {
		return w
	}
	if !strings.ContainsFunc(w, unicode.IsControl) {
		return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
	}
	return fmt.Sprintf("$%s", strings.ReplaceAll("'"+strings.Trim(fmt.Sprintf("%q", w), `"`)+"'", `\"`, `"`))
}

// logPath names the log so that a person finds it, whatever the app is called.
func (s *Server) logPath(id signal.ID, name string) string {
	name = strings.Map(func(r rune) rune {
		if r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_.", r)) {
			return r
		}
		return '_'
	}, name)
	return filepath.Join(s.cfg.Dir, logsName, fmt.Sprintf("%d-%s.log", id, name))
}
