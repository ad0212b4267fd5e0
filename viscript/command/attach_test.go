package command

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skycoin/viscript/signal"
)

// fakeTerminal is a terminal in memory.
type fakeTerminal struct {
	input   chan []byte
	resized chan struct{}

	mu            sync.Mutex // guards the following
	shown         bytes.Buffer
	columns, rows int
}

func newFakeTerminal() *fakeTerminal {
	return &fakeTerminal{input: make(chan []byte), resized: make(chan struct{}, 1), columns: 80, rows: 24}
}

func (t *fakeTerminal) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.shown.Write(p)
}

func (t *fakeTerminal) Input() <-chan []byte     { return t.input }
func (t *fakeTerminal) Resized() <-chan struct{} { return t.resized }

func (t *fakeTerminal) Size() (int, int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.columns, t.rows
}

func (t *fakeTerminal) resize(columns, rows int) {
	t.mu.Lock()
	t.columns, t.rows = columns, rows
	t.mu.Unlock()
	t.resized <- struct{}{}
}

func (t *fakeTerminal) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.shown.String()
}

// sees waits for text on the screen.
func (t *fakeTerminal) sees(tb testing.TB, want string) {
	tb.Helper()
	for end := time.Now().Add(20 * time.Second); !strings.Contains(t.text(), want); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatalf("%q does not appear: %q", want, t.text())
		}
	}
}

// Borrow makes it the terminal of a prompt.
func (t *fakeTerminal) Borrow(context.Context) (Terminal, func(), error) { return t, func() {}, nil }

// attachHost is a host whose app echoes what is typed, in capitals, and ends at "exit".
type attachHost struct {
	*fakeHost
	sizes chan signal.WindowSize
	deaf  bool // it never reads
}

func (h attachHost) Attach(ctx context.Context, id signal.ID, in io.Reader, out io.Writer, size <-chan signal.WindowSize) error {
	io.WriteString(out, "scrollback\r\n")
	words, over := make(chan string), make(chan struct{})
	defer close(over)
	go func() {
		buf := make([]byte, 100)
		for !h.deaf {
			n, err := in.Read(buf)
			if errors.Is(err, io.EOF) {
				panic("a person who goes ended the app's input")
			}
			if err != nil {
				return
			}
			select {
			case words <- string(buf[:n]):
			case <-over:
				return
			}
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case s := <-size:
			h.sizes <- s
		case w := <-words:
			if w == "exit" {
				h.Kill(ctx, id)
				return nil
			}
			io.WriteString(out, strings.ToUpper(w))
		}
	}
}

// attached runs a command with a terminal.
func attached(b *bench, t *fakeTerminal, line string) (done <-chan int, out *bytes.Buffer) {
	h := attachHost{fakeHost: b.host, sizes: make(chan signal.WindowSize, 10)}
	b.env.Host = h
	words, err := Split(line)
	if err != nil {
		b.Fatal(err)
	}
	out = &bytes.Buffer{}
	ended := make(chan int, 1)
	go func() {
		ended <- b.table.Run(b.Context(), b.env, words, Output{Out: out, Err: out, Terminal: t})
	}()
	return ended, out
}

func TestAttach(t *testing.T) {
	b := newBench(t)
	b.run("start echo", OK)
	screen := newFakeTerminal()
	done, out := attached(b, screen, "attach 1")
	sizes := b.env.Host.(attachHost).sizes
	screen.sees(t, "scrollback")
	if got := <-sizes; got != (signal.WindowSize{Columns: 80, Rows: 24}) {
		t.Errorf("first size %+v", got)
	}
	screen.input <- []byte("hello")
	screen.sees(t, "HELLO")
	screen.resize(100, 40)
	if got := <-sizes; got != (signal.WindowSize{Columns: 100, Rows: 40}) {
		t.Errorf("second size %+v", got)
	}
	screen.input <- []byte("\x1a")
	if code := <-done; code != OK || out.String() != "detached; app 1 (echo) goes on\n" {
		t.Errorf("%d: %q", code, out)
	}
	if !strings.HasSuffix(screen.text(), attachEnd) {
		t.Errorf("the terminal is left as the app had it: %q", screen.text())
	}
}

func TestAttachEndsWithApp(t *testing.T) {
	b := newBench(t)
	screen := newFakeTerminal()
	done, out := attached(b, screen, "start -a echo")
	screen.sees(t, "scrollback")
	screen.input <- []byte("exit")
	if code := <-done; code != OK {
		t.Errorf("%d: %s", code, out)
	}
	has(t, out.String(), "Added external app (ID: 1", "app 1 (echo) has ended, exit code 137 (SIGKILL)")
	if !b.host.starts[0].Pty {
		t.Error("it was started without a terminal")
	}
	b.env.Host = b.host
	_, errs := b.runWith(screen, "attach 1", Failed)
	has(t, errs, "app 1 (echo) does not run; `why 1`")
	_, errs = b.runWith(screen, "start -a echo", Failed)
	has(t, errs, "this host cannot attach")
}

// runWith runs a line with a terminal.
func (b *bench) runWith(screen *fakeTerminal, line string, code int) (stdout, stderr string) {
	b.Helper()
	words, err := Split(line)
	if err != nil {
		b.Fatal(err)
	}
	var out, errs bytes.Buffer
	if got := b.table.Run(b.Context(), b.env, words, Output{Out: &out, Err: &errs, Terminal: screen}); got != code {
		b.Errorf("%s: code %d: %s", line, got, &errs)
	}
	return out.String(), errs.String()
}

func TestAttachTerminalGone(t *testing.T) {
	b := newBench(t)
	b.run("start echo", OK)
	screen := newFakeTerminal()
	h := attachHost{fakeHost: b.host, sizes: make(chan signal.WindowSize, 10), deaf: true}
	type result struct {
		detached bool
		err      error
	}
	ended := make(chan result, 1)
	go func() {
		detached, err := Attach(t.Context(), h, 1, screen)
		ended <- result{detached, err}
	}()
	for range 100 { // what an app never reads does not hold up Ctrl-Z
		screen.input <- bytes.Repeat([]byte("x"), 4096)
	}
	close(screen.input)
	if r := <-ended; !r.detached || r.err != nil {
		t.Errorf("%+v", r)
	}
}

func TestAttachInterrupted(t *testing.T) {
	b := newBench(t)
	b.run("start echo", OK)
	ctx, cancel := context.WithCancel(t.Context())
	h := attachHost{fakeHost: b.host, sizes: make(chan signal.WindowSize, 10)}
	go func() { <-h.sizes; cancel() }()
	detached, err := Attach(ctx, h, 1, newFakeTerminal())
	if detached || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", detached, err)
	}
}

func TestAttachNeedsTerminal(t *testing.T) {
	b := newBench(t)
	b.run("start echo", OK)
	_, errs := b.run("attach 1", Usage)
	has(t, errs, "use: viscript attach 1")
	_, errs = b.run("attach 9", Failed)
	has(t, errs, "there is no app with ID 9")
	_, errs = b.runAs(t.Context(), "attach 1", Usage, true)
	has(t, errs, "use: viscript attach 1")
}
