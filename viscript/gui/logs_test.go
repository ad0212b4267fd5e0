package gui

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/desktop"
	"github.com/skycoin/viscript/viscript/desktop/panel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParseLine(t *testing.T) {
	for in, want := range map[string]struct {
		time, text string
		bad        bool
	}{
		`time=2026-11-22T18:39:29.171Z level=INFO msg=serving status="a b"`:   {"18:39:29", `serving status="a b"`, false},
		`time=2026-11-22T18:39:29.171Z level=WARN msg="no \"route\"" peer=ab`: {"18:39:29", `WARN no "route" peer=ab`, true},
		`time=never level=INFO msg=x`:                                         {"", `time=never level=INFO msg=x`, false},
		"2026/11/22 18:39:29 begun":                                           {"18:39:29", "begun", false},
		"\x1b[31merror\x1b[0m: no\tfile\x07":                                  {"", "error: no    file", true},
		"\x1b]0;title\x07a\x1b]8;;x\x1b\\b\x1b":                               {"", "ab", false},
		"":                                                                    {"", "", false},
		"bad \xff":                                                            {"", "bad \uFFFD", false},
		"level=ERROR":                                                         {"", "ERROR ", true},
		`level=INFO msg="a\x1b[2J\a\tb\nc" d=e`:                               {"", "a    bc d=e", false},
	} {
		l := parseLine(in)
		got := ""
		if !l.at.IsZero() {
			got = l.at.Format(clock)
			if l.at.Location() == time.Local {
				got = want.time
			}
		}
		if got != want.time || l.text != want.text || l.bad != want.bad {
			t.Errorf("%q: %q %q %v, want %+v", in, got, l.text, l.bad, want)
		}
	}
}

func FuzzParseLine(f *testing.F) {
	f.Add(`time=2026-11-22T18:39:29.171Z level=INFO msg="a" b=c`)
	f.Add("\x1b]0;title\x07a\x1b[38;5;1mb\x1bP q")
	f.Fuzz(func(t *testing.T, s string) {
		l := parseLine(s)
		if strings.ContainsAny(l.text, "\x1b\x00\x07") {
			t.Errorf("%q became %q", s, l.text)
		}
		p := l.panel()
		panel.CleanLines([]panel.LogLine{p})
	})
}

// logbook is a daemon whose apps write what they are told.
type logbook struct {
	mu      sync.Mutex
	lines   map[signal.ID][]string
	more    map[signal.ID]chan struct{} // closed when there are more
	follows int
}

func (b *logbook) List(context.Context) ([]signal.App, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var apps []signal.App
	for id := range b.lines {
		apps = append(apps, signal.App{ID: id, App: fmt.Sprint("app", id), Pid: int(id), State: signal.Ready})
	}
	return apps, nil
}

func (b *logbook) write(id signal.ID, lines ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines[id] = append(b.lines[id], lines...)
	if c := b.more[id]; c != nil {
		close(c)
	}
	b.more[id] = make(chan struct{})
}

func (b *logbook) Logs(ctx context.Context, id signal.ID, r signal.LogsRequest, w io.Writer) error {
	b.mu.Lock()
	at := max(0, len(b.lines[id])-r.Lines)
	if r.Follow {
		b.follows++
	}
	b.mu.Unlock()
	for {
		b.mu.Lock()
		lines, more := b.lines[id][at:], b.more[id]
		at += len(lines)
		b.mu.Unlock()
		for _, l := range lines {
			if _, err := io.WriteString(w, l+"\n"); err != nil {
				return err
			}
		}
		if !r.Follow {
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func TestLogsAreFollowedWhileWatched(t *testing.T) {
	b := &logbook{lines: map[signal.ID][]string{}, more: map[signal.ID]chan struct{}{}}
	b.write(1, "time=2026-11-22T10:00:00Z level=INFO msg=first", "time=2026-11-22T10:00:02Z level=INFO msg=third")
	b.write(2, "time=2026-11-22T10:00:01Z level=INFO msg=second")
	w, store, box := newWatches(), newLogStore(), newInbox()
	f := newLogFeed(b, w, store)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); f.run(ctx, box) }()
	defer func() { cancel(); <-done }()

	var seen []string
	expect := func(n int) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); len(seen) < n && time.Now().Before(end); {
			time.Sleep(5 * time.Millisecond)
			seen = seen[:0]
			for _, id := range []signal.ID{1, 2} {
				for _, l := range store.last(id) {
					seen = append(seen, l.Name+" "+l.Text)
				}
			}
			box.take(desktop.New(desktop.Config{}))
		}
	}
	time.Sleep(20 * time.Millisecond)
	b.mu.Lock()
	if b.follows != 0 {
		t.Error("it follows though nobody looks")
	}
	b.mu.Unlock()
	w.set(desktop.LogsContent, 0, true)
	expect(3)
	if got, want := strings.Join(seen, "; "), "app1 first; app1 third; app2 second"; got != want {
		t.Fatalf("%q, want %q", got, want)
	}
	b.write(1, "third", "fourth")
	expect(5)
	w.set(desktop.LogsContent, 0, false)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		f.mu.Lock()
		n := len(f.follows)
		f.mu.Unlock()
		if n == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d logs are followed though nobody looks", n)
		}
	}
	b.write(1, "while nobody looked")
	w.set(desktop.LogsContent, 0, true)
	expect(6)
	want := "app1 first; app1 third; app1 third; app1 fourth; app1 while nobody looked; app2 second"
	if got := strings.Join(seen, "; "); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestFastWriterIsCut(t *testing.T) {
	w := &follower{ctx: context.Background(), to: newLogFeed(nil, newWatches(), newLogStore())}
	go func() {
		for range w.to.lines {
		}
	}()
	defer close(w.to.lines)
	var err error
	begin := time.Now()
	for i := 0; time.Since(begin) < 20*time.Second && err == nil; i++ { // on a machine that stands still a burst may take several seconds
		_, err = io.WriteString(w, fmt.Sprintln("line", i))
	}
	if err != errFast {
		t.Errorf("ended with %v", err)
	}
}

func TestLineSplitterBoundsLines(t *testing.T) {
	w := &lineSplitter{}
	for range 100 {
		_, _ = w.Write(make([]byte, 1000))
	}
	_, _ = w.Write([]byte("\nnext\r\nrest"))
	if len(w.lines) != 2 || len(w.lines[0]) != maxLine || w.lines[1] != "next" {
		t.Errorf("%d lines, the first of %d bytes", len(w.lines), len(w.lines[0]))
	}
}
