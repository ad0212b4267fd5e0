package gui

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/desktop"
	"github.com/skycoin/viscript/viscript/desktop/scene"
)

// A Config is what a window is made of.
type Config struct {
	// Dial reaches the daemon; it is called again when the daemon has gone.
	Dial func(context.Context) (*signal.Operator, error)
	// Layout is the file that remembers where everything stands, "": nothing is remembered.
	Layout string
	// Theme is the name of a theme, "": the one remembered, else dark.
	Theme string
	// Size is that of the font in window units, 0: 14.
	Size float32
	// Metrics are those of the font, zero: those of DejaVu Sans Mono.
	Metrics scene.Metrics
	// Visit opens an http, https, ftp or mailto address; nil: nothing is opened.
	Visit func(ctx context.Context, address string) error
	Log   *slog.Logger // nil: discarded
}

// A Screen is what the window draws on. Its methods are called on the goroutine that draws.
type Screen interface {
	// Copy puts text into the clipboard, or makes it the primary selection.
	Copy(text string, primary bool)
	// Paste gets it, once and on the goroutine that draws, now or later: "" if there is none, or soon if nobody answers.
	Paste(primary bool, got func(text string))
}

// A Program is a window on a daemon. Run may be called on any goroutine, the other methods belong to the one
// that draws.
type Program struct {
	cfg     Config
	desk    *desktop.Desktop
	screen  Screen
	inbox   *inbox
	out     chan saying
	watches *watches
	life    uint64 // of the daemon that what is told goes to, 0: there is none
	views   map[string]*view
	held    map[string]*held // input that waits for a paste, by terminal
	clips   clips            // what programs want to have copied
	entered time.Time        // when a line was entered at a prompt here
	typing  typing
	layout  layout
	sized   bool // the size of the window is known, and so is where everything may stand
}

// A link is the connection to a daemon, of one daemon's life.
type link struct {
	op   *signal.Operator
	conn *signal.WindowConn
	life uint64         // counts connections
	work sync.WaitGroup // what waits for answers
}

// A saying is something for the daemon; one of another life is dropped.
type saying struct {
	life uint64
	do   func(context.Context, *link)
}

const (
	// maxOut is how much for the daemon waits. When it is full input is dropped: the daemon has hung for long.
	maxOut = 4096
	// redialEvery is how often a daemon that has gone is looked for.
	redialEvery = 500 * time.Millisecond
	// goneEvery is how often the window says that it has; the notice stands a little longer.
	goneEvery = 15 * time.Second
)

// New makes a window; Run starts it.
func New(cfg Config) (*Program, error) {
	if cfg.Dial == nil {
		return nil, errors.New("gui: a window needs a daemon")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	p := &Program{
		cfg: cfg, inbox: newInbox(), out: make(chan saying, maxOut), watches: newWatches(),
		views: map[string]*view{}, held: map[string]*held{}, layout: layout{file: cfg.Layout},
	}
	p.desk = desktop.New(desktop.Config{Theme: scene.Named(cfg.Theme), Size: cfg.Size, Metrics: cfg.Metrics, Lines: p})
	return p, nil
}

// Run feeds the window until ctx ends; then all it started has ended.
func (p *Program) Run(ctx context.Context) error {
	var gone time.Time // when it was last said that there is no daemon
	for life := uint64(1); ctx.Err() == nil; life++ {
		l, err := p.connect(ctx, life)
		if err == nil {
			p.serve(ctx, l)
			gone = time.Time{}
			continue
		}
		p.cfg.Log.Debug("no daemon", "err", err)
		if time.Since(gone) > goneEvery {
			gone = time.Now()
			p.inbox.post(ctx, p.gone)
		}
		waitFor(ctx, nil, redialEvery)
	}
	return nil
}

// connect reaches a daemon and makes this a window of it.
func (p *Program) connect(ctx context.Context, life uint64) (*link, error) {
	dialing, cancel := context.WithTimeout(ctx, answerTime)
	op, err := p.cfg.Dial(dialing)
	cancel()
	if err != nil {
		return nil, err
	}
	l := &link{op: op, life: life}
	l.conn, err = op.Window(ctx, signal.WindowParams{Name: "window", Desktop: true}, p.handler(ctx, life))
	return l, err
}

// serve runs the feeds of one daemon's life, and says to it what there is to say.
func (p *Program) serve(ctx context.Context, l *link) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(ctx, func() { l.conn.Close() })
	defer stop()
	store := newLogStore()
	apps := newAppFeed(l.op, p.watches, store)
	var work sync.WaitGroup
	for _, feed := range [...]func(context.Context, *inbox){
		apps.run, newMeshFeed(l.op, p.watches).run, newLogFeed(l.op, p.watches, store).run, newEventFeed(l.op).run, newMenuFeed(l.op).run,
	} {
		work.Go(func() { feed(ctx, p.inbox) })
	}
	work.Go(func() { p.speak(ctx, l) })
	<-l.conn.Done()
	cancel()
	l.conn.Close()
	work.Wait()
	l.work.Wait()
}

// speak says what the goroutine that draws has for the daemon.
func (p *Program) speak(ctx context.Context, l *link) {
	for {
		select {
		case s := <-p.out:
			if s.life == l.life {
				s.do(ctx, l)
			}
		case <-ctx.Done():
			return
		}
	}
}

// tell queues something for the daemon that does not wait for an answer.
func (p *Program) tell(do func(*signal.WindowConn)) {
	p.queue(func(_ context.Context, l *link) { do(l.conn) })
}

// askDaemon queues something that does; it runs on a goroutine of its own.
func (p *Program) askDaemon(do func(context.Context, *link)) {
	p.queue(func(ctx context.Context, l *link) {
		l.work.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, askTime)
			defer cancel()
			do(ctx, l)
		})
	})
}

// askTime bounds what a person asked for; an app may take its time to stop.
const askTime = 90 * time.Second

func (p *Program) queue(do func(context.Context, *link)) {
	if p.life == 0 {
		return
	}
	select {
	case p.out <- saying{p.life, do}:
	default:
		p.cfg.Log.Warn("the daemon takes no input")
	}
}

// daemonGone stands while there is no daemon.
func daemonGone() desktop.Notice {
	return desktop.Notice{Title: "The daemon has gone", Text: "this window waits for it to come back", Level: desktop.Alarm}
}

// gone says that there is no daemon.
func (p *Program) gone(d *desktop.Desktop) {
	p.life = 0
	clear(p.held)
	d.Notify(daemonGone())
}

// back takes in that there is one.
func (p *Program) back(d *desktop.Desktop, life uint64) {
	p.life = life
	clear(p.held)
	d.Withdraw(daemonGone())
}

// Start says where to draw and how to have a function called on the goroutine that draws, from any other.
func (p *Program) Start(s Screen, post func(func()) bool) {
	p.screen = s
	p.inbox.onPost(func() { post(p.update) })
}

// Handle takes an input in.
func (p *Program) Handle(in desktop.Input) {
	p.typing.clock(in.At, time.Now())
	p.desk.Handle(in)
	if in.Kind == desktop.Resized && !p.sized {
		p.sized = true
		p.layout.restore(p.desk, p.cfg.Theme)
		p.update()
	}
	p.serveRequests()
	p.layout.touch(in)
	if at, due := p.layout.due(); due && in.At >= at {
		if err := p.Close(); err != nil {
			p.cfg.Log.Warn("the layout is not remembered", "err", err)
		}
	}
}

// update takes in what was posted.
func (p *Program) update() {
	p.inbox.woken()
	if p.sized { // before that it is not known where windows may stand
		p.inbox.take(p.desk)
		p.serveRequests()
	}
}

// Scene draws into s; what is in it counts as seen.
func (p *Program) Scene(s *scene.Scene) {
	p.desk.Scene(s)
	now := time.Now()
	p.typing.next = time.Time{}
	for i := range s.Grids {
		c := &s.Grids[i]
		v := p.views[c.Term]
		if v == nil {
			continue
		}
		if v.unseen != 0 && p.typing.mayGoOn(c.Term, v.shown, now) {
			id, version := c.Term, v.unseen
			v.unseen, v.shown = 0, now
			p.tell(func(w *signal.WindowConn) { w.Shown(id, version) })
		}
		if from, n, ok := v.missing(c.Top); ok {
			p.fetch(c.Term, v, from, n)
		}
	}
}

// Content is what is to be drawn for c, valid until the next call for that terminal.
func (p *Program) Content(c *scene.Cells) scene.Content {
	v := p.views[c.Term]
	if v == nil || !v.framed {
		return scene.Content{}
	}
	return scene.Content{Screen: &v.snap, Older: v.linesFrom(c.Top), Stamp: v.version}
}

// NextTick is the time of the next desktop.Tick, in the time of the inputs; false: none is needed.
func (p *Program) NextTick() (at time.Duration, ok bool) {
	at, ok = p.desk.NextTick()
	if t, waits := p.typing.due(); waits && (!ok || t < at) {
		at, ok = t, true
	}
	if t, due := p.layout.due(); due && (!ok || t < at) {
		return t, true
	}
	return at, ok
}

// Close remembers where everything stands.
func (p *Program) Close() error { return p.layout.save(p.desk) }

// fetch gets lines from above the screen.
func (p *Program) fetch(id string, v *view, from uint64, n int) {
	v.asking = true
	p.askDaemon(func(ctx context.Context, l *link) {
		rows, err := l.conn.Lines(ctx, signal.TermLines{ID: id, From: from, N: n})
		p.inbox.post(ctx, func(d *desktop.Desktop) {
			if err != nil {
				v.asking = false
				return
			}
			v.fetched(from, rows)
			d.TermChanged(v.term())
		})
	})
}

// Line is for the desktop: the text of a line.
func (p *Program) Line(id desktop.TermID, n uint64, into *desktop.Line) bool {
	v := p.views[string(id)]
	return v != nil && v.line(n, into)
}

// Link is for the desktop: the address of a link.
func (p *Program) Link(id desktop.TermID, n uint32) string {
	if v := p.views[string(id)]; v != nil {
		return v.address(n)
	}
	return ""
}
