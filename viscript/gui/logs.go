package gui

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/desktop"
	"github.com/skycoin/viscript/viscript/desktop/panel"
)

const (
	// maxFollowed is how many logs are followed at once, those of the newest apps.
	maxFollowed = 64
	// tailLines is what is shown of a log from before; overlapLines may be written until it is followed.
	tailLines    = 60
	overlapLines = 20
	// pageLines is what a page shows at most.
	pageLines = 100
	// maxLine bounds a line; its rest is left out.
	maxLine = 4 << 10
	// flushEvery is how often new lines are shown.
	flushEvery = 100 * time.Millisecond
	// gatherTime is for the ends of many logs to come in, to be put in order.
	gatherTime = 400 * time.Millisecond
	// maxBurst is how many lines of an app are shown in a second; of a faster one some are left out.
	maxBurst = 500
	// lookEvery is how often it is seen whether there are other apps to follow.
	lookEvery = 2 * time.Second
)

// LogReader is what the logs are read from.
type LogReader interface {
	List(context.Context) ([]signal.App, error)
	Logs(context.Context, signal.ID, signal.LogsRequest, io.Writer) error
}

// A logStore keeps the last lines of apps, for their pages. Safe for concurrent use.
type logStore struct {
	mu    sync.Mutex // guards lines
	lines map[signal.ID][]logLine
}

func newLogStore() *logStore { return &logStore{lines: map[signal.ID][]logLine{}} }

func (s *logStore) add(l logLine) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := append(s.lines[l.app], l)
	if len(all) >= 2*pageLines {
		all = append(all[:0], all[len(all)-pageLines:]...)
	}
	s.lines[l.app] = all
}

// last are the lines that a page shows.
func (s *logStore) last(id signal.ID) []panel.LogLine {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.lines[id]
	out := make([]panel.LogLine, 0, pageLines)
	for _, l := range all[max(0, len(all)-pageLines):] {
		out = append(out, l.panel())
	}
	return out
}

// newest is the text of the last line that is known of an app.
func (s *logStore) newest(id signal.ID) (text string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.lines[id]
	if len(all) == 0 {
		return "", false
	}
	return all[len(all)-1].text, true
}

// A logFeed follows the logs of apps while somebody looks at them: all for the logs panel, else those whose
// pages are open.
type logFeed struct {
	daemon  LogReader
	watches *watches
	store   *logStore
	lines   chan logLine
	mu      sync.Mutex                       // guards follows
	follows map[signal.ID]context.CancelFunc // one for each log that is followed
	work    sync.WaitGroup
}

func newLogFeed(daemon LogReader, w *watches, store *logStore) *logFeed {
	return &logFeed{daemon: daemon, watches: w, store: store, lines: make(chan logLine, 256), follows: map[signal.ID]context.CancelFunc{}}
}

// run follows until ctx ends.
func (f *logFeed) run(ctx context.Context, to *inbox) {
	f.work.Go(func() { f.flush(ctx, to) })
	defer f.work.Wait()
	for ctx.Err() == nil {
		changed := f.watches.state()
		all, pages := f.watches.on(desktop.LogsContent), f.watches.pageList()
		pause := lookEvery
		if !all && len(pages) == 0 {
			pause = 0
		}
		f.follow(ctx, f.wanted(ctx, all, pages))
		if !waitFor(ctx, changed, pause) {
			return
		}
	}
}

// wanted are the running apps to follow; of an app that has ended the tail is read once.
func (f *logFeed) wanted(ctx context.Context, all bool, pages []signal.ID) map[signal.ID]signal.App {
	want := map[signal.ID]signal.App{}
	if !all && len(pages) == 0 {
		return want
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	apps, err := f.daemon.List(ctx)
	if err != nil {
		return want
	}
	slices.Reverse(apps)
	for _, a := range apps {
		_, known := f.store.newest(a.ID)
		if len(want) < maxFollowed && (all && a.Pid != 0 || slices.Contains(pages, a.ID) && (a.Pid != 0 || !known)) {
			want[a.ID] = a
		}
	}
	return want
}

// follow begins to follow those that are wanted and ends the others.
func (f *logFeed) follow(ctx context.Context, want map[signal.ID]signal.App) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, cancel := range f.follows {
		if _, ok := want[id]; !ok {
			cancel()
		}
	}
	for id, a := range want {
		if f.follows[id] != nil {
			continue
		}
		ctx, cancel := context.WithCancel(ctx)
		f.follows[id] = cancel
		f.work.Go(func() {
			f.one(ctx, a)
			f.mu.Lock()
			defer f.mu.Unlock()
			cancel()
			delete(f.follows, id)
		})
	}
}

// errFast: an app writes faster than anybody reads.
var errFast = errors.New("gui: too many lines")

// one shows the end of an app's log and follows it until it or ctx ends. After a burst it goes on at the end.
func (f *logFeed) one(ctx context.Context, a signal.App) {
	for ctx.Err() == nil {
		tail := &lineSplitter{}
		if f.daemon.Logs(ctx, a.ID, signal.LogsRequest{Lines: tailLines}, tail) != nil {
			return
		}
		f.old(ctx, a, tail.lines)
		w := &follower{ctx: ctx, app: a, to: f, tail: tail.lines[max(0, len(tail.lines)-overlapLines):]}
		err := f.daemon.Logs(ctx, a.ID, signal.LogsRequest{Lines: overlapLines, Follow: true}, w)
		if !errors.Is(err, errFast) {
			return
		}
		f.emit(ctx, a, logLine{text: "... lines left out: it writes too fast", at: time.Now(), bad: true})
		if !waitFor(ctx, nil, time.Second) {
			return
		}
	}
}

// old shows lines from before, but for those that are known.
func (f *logFeed) old(ctx context.Context, a signal.App, lines []string) {
	parsed := make([]logLine, len(lines))
	newest, known := f.store.newest(a.ID)
	from := 0
	for i, s := range lines {
		parsed[i] = parseLine(s)
		if known && parsed[i].text == newest {
			from = i + 1
		}
		if i > 0 && parsed[i].at.IsZero() {
			parsed[i].at = parsed[i-1].at
		}
	}
	for _, l := range parsed[from:] {
		f.emit(ctx, a, l)
	}
}

// emit keeps a line of a and has it shown.
func (f *logFeed) emit(ctx context.Context, a signal.App, l logLine) {
	l.app, l.name = a.ID, nameOf(a)
	f.store.add(l)
	select {
	case f.lines <- l:
	case <-ctx.Done():
	}
}

// A lineSplitter makes lines of what is written to it. A line is cut at maxLine bytes; one without its end is
// not there yet.
type lineSplitter struct {
	lines []string
	rest  []byte
}

func (w *lineSplitter) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) {
		text, whole := bytes.CutSuffix(line, []byte("\n"))
		w.rest = append(w.rest, text[:min(len(text), maxLine-len(w.rest))]...)
		if whole {
			w.lines = append(w.lines, string(bytes.TrimRight(w.rest, "\r")))
			w.rest = w.rest[:0]
		}
	}
	return len(p), nil
}

// A follower shows the lines that are written to it, but for the first ones as far as they are those of tail.
type follower struct {
	ctx    context.Context
	app    signal.App
	to     *logFeed
	split  lineSplitter
	tail   []string
	begun  bool
	burst  int
	second time.Time // when the burst began
}

func (w *follower) Write(p []byte) (int, error) {
	_, _ = w.split.Write(p)
	lines := w.split.lines
	w.split.lines = lines[:0]
	for _, s := range lines {
		if w.repeated(s) {
			continue
		}
		now := time.Now()
		if now.Sub(w.second) > time.Second {
			w.second, w.burst = now, 0
		}
		if w.burst++; w.burst > maxBurst {
			return 0, errFast
		}
		l := parseLine(s)
		if l.at.IsZero() {
			l.at = now
		}
		w.to.emit(w.ctx, w.app, l)
	}
	return len(p), nil
}

// repeated: s is the next line of the tail that was shown already.
func (w *follower) repeated(s string) bool {
	if !w.begun {
		w.begun = true
		w.tail = w.tail[max(0, slices.Index(w.tail, s)):]
	}
	if len(w.tail) == 0 || w.tail[0] != s {
		w.tail = nil
		return false
	}
	w.tail = w.tail[1:]
	return true
}

// flush shows lines, in the order of their times, some at once.
func (f *logFeed) flush(ctx context.Context, to *inbox) {
	pause := gatherTime // the ends of many logs come at first
	for {
		var batch []logLine
		select {
		case l := <-f.lines:
			batch = append(batch, l)
		case <-ctx.Done():
			return
		}
		batch = f.gather(ctx, batch, pause)
		slices.SortStableFunc(batch, func(a, b logLine) int { return a.at.Compare(b.at) })
		lines := make([]panel.LogLine, len(batch))
		for i := range batch {
			lines[i] = batch[i].panel()
		}
		if !to.post(ctx, func(d *desktop.Desktop) { d.Logs(lines) }) {
			return
		}
		pause = flushEvery
	}
}

// gather takes the lines of the next moment.
func (f *logFeed) gather(ctx context.Context, batch []logLine, d time.Duration) []logLine {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for len(batch) < panel.MaxLines {
		select {
		case l := <-f.lines:
			batch = append(batch, l)
		case <-timer.C:
			return batch
		case <-ctx.Done():
			return batch
		}
	}
	return batch
}
