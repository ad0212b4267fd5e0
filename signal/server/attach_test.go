//go:build linux

package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	sig "github.com/skycoin/viscript/signal"
)

// screen collects what a viewer is shown.
type screen struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) has(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(s.text.String(), text)
}

type attacher interface {
	Attach(ctx context.Context, id sig.ID, in io.Reader, out io.Writer, size <-chan sig.WindowSize) error
}

// viewer attaches until the test or the output ends.
type viewer struct {
	screen
	keys  *io.PipeWriter
	sizes chan sig.WindowSize
	leave context.CancelFunc
	done  chan error
}

func attachTo(t *testing.T, a attacher, id sig.ID) *viewer {
	t.Helper()
	in, keys := io.Pipe()
	ctx, leave := context.WithCancel(context.Background())
	v := &viewer{keys: keys, sizes: make(chan sig.WindowSize, 1), leave: leave, done: make(chan error, 1)}
	v.sizes <- sig.WindowSize{Columns: 90, Rows: 30}
	go func() { v.done <- a.Attach(ctx, id, in, v, v.sizes); in.Close() }()
	t.Cleanup(leave)
	return v
}

func (v *viewer) sees(t *testing.T, text string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%q on the screen", text), func() bool { return v.has(text) })
}

func TestAttach(t *testing.T) {
	s := serve(t, nil)
	o := operatorOf(t, s)
	r := shell(`echo hello; stty size; while read word; do echo "you said $word"; stty size; test "$word" != bye || exit 3; done`)
	r.Pty = true
	v := launch(t, s, r)
	awaitLog(t, v, "hello\r")
	near := attachTo(t, s, v.ID)
	near.sees(t, "hello\r\n") // scrollback first
	io.WriteString(near.keys, "one\n")
	near.sees(t, "you said one\r\n30 90\r\n")

	far := attachTo(t, o, v.ID)
	far.sees(t, "you said one\r\n")
	far.sizes <- sig.WindowSize{Columns: 101, Rows: 41}
	for i := 0; !far.has("41 101"); i++ { // the size and the keys go different ways
		io.WriteString(far.keys, fmt.Sprintf("far%d\n", i))
		far.sees(t, fmt.Sprintf("you said far%d\r\n", i))
	}
	near.sees(t, "41 101")
	far.leave()
	if err := <-far.done; !errors.Is(err, context.Canceled) {
		t.Errorf("detached: %v", err)
	}
	if !runs(v.Pid) {
		t.Fatal("the app ended with its viewer")
	}
	far = attachTo(t, o, v.ID)
	far.sees(t, "you said one\r\n")
	io.WriteString(near.keys, "bye\n")
	for _, viewer := range []*viewer{near, far} {
		viewer.sees(t, "you said bye\r\n")
		if err := <-viewer.done; err != nil {
			t.Errorf("at the end: %v", err)
		}
	}
	if got := awaitState(t, s, v.ID, sig.Failed); *got.ExitCode != 3 {
		t.Errorf("%+v", got)
	}
	_, run, err := s.current(v.ID)
	if err != nil {
		t.Fatal(err)
	}
	<-run.proc.Gone() // until then there is scrollback
	for _, a := range []attacher{s, o} {
		wantCode(t, "of an ended app", a.Attach(t.Context(), v.ID, nil, io.Discard, nil), sig.CodeNotRunning)
		wantCode(t, "of no app", a.Attach(t.Context(), 99, nil, io.Discard, nil), sig.CodeNoApp)
	}
}

// Ctrl-C at the terminal of an app is the app's affair.
func TestAttachInterrupts(t *testing.T) {
	s := serve(t, nil)
	r := shell("echo up; sleep 600; echo after")
	r.Pty = true
	v := launch(t, s, r)
	viewer := attachTo(t, operatorOf(t, s), v.ID)
	viewer.sees(t, "up")
	// A shell that is about to start a program may make nothing of it.
	eventually(t, "the program runs", func() bool {
		below, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", v.Pid, v.Pid))
		name, err := os.ReadFile(fmt.Sprintf("/proc/%s/comm", strings.TrimSpace(string(below))))
		return err == nil && string(name) == "sleep\n"
	})
	io.WriteString(viewer.keys, "\x03")
	if got := awaitState(t, s, v.ID, sig.Failed); got.ExitCode == nil || *got.ExitCode != 130 {
		t.Errorf("%+v", got)
	}
}

// Without a terminal there is something to see, and nothing to type at.
func TestAttachToPipes(t *testing.T) {
	s := serve(t, nil)
	v := launch(t, s, helper("counter"))
	for _, a := range []attacher{s, operatorOf(t, s)} {
		viewer := attachTo(t, a, v.ID)
		viewer.sees(t, "line 20\r\n")
		io.WriteString(viewer.keys, "x")
		viewer.sees(t, "line 100\r\n")
		viewer.leave()
		<-viewer.done
	}
}

func TestLineEnds(t *testing.T) {
	var b bytes.Buffer
	l := &lineEnds{out: &b}
	for _, p := range []string{"a\nb\r", "\nc\r\n", "", "\n\n", "d"} {
		if n, err := io.WriteString(l, p); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
	}
	if got, want := b.String(), "a\r\nb\r\nc\r\n\r\n\r\nd"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A viewer that stands still holds nothing up and is cut off.
func TestSlowViewer(t *testing.T) {
	s := serve(t, nil)
	v := launch(t, s, shell("seq -f %099.0f 0 99999; echo done; exec sleep 600"))
	stuck := make(chan struct{})
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		done <- s.Attach(ctx, v.ID, nil, writerFunc(func(p []byte) (int, error) { <-stuck; return len(p), nil }), nil)
	}()
	awaitLog(t, v, "done")
	other := attachTo(t, s, v.ID)
	other.sees(t, "done\r\n")
	cancel()
	close(stuck)
	<-done
	if rep, err := s.Stop(t.Context(), v.ID); err != nil || rep.Rung != sig.RungTerm {
		t.Errorf("%+v, %v", rep, err)
	}
}

// A keeper that is asked to end takes its app with it, in order.
func TestKeeperAskedToEnd(t *testing.T) {
	s := serve(t, nil)
	v := launch(t, s, shell("trap 'exit 9' TERM; echo up; while :; do sleep 0.01; done"))
	awaitLog(t, v, "up")
	if err := syscall.Kill(parentOf(t, v.Pid), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := awaitState(t, s, v.ID, sig.Exited); *got.ExitCode != 9 {
		t.Errorf("%+v", got)
	}
	eventually(t, "the event tells the rung", func() bool {
		ks := kinds(t, s, v.ID)
		return ks[len(ks)-1] == kindStopped && strings.Contains(row(t, s, v.ID).Reason, "by term")
	})
}

func TestLogsAcrossRotation(t *testing.T) {
	s := serve(t, nil)
	r := shell("seq -f %099.0f 0 399; exec sleep 600")
	r.Log = sig.LogCaps{Size: 5000, Count: 10}
	v := launch(t, s, r)
	awaitLog(t, v, fmt.Sprintf("%099d", 399))
	var out strings.Builder
	if err := s.Logs(t.Context(), v.ID, sig.LogsRequest{Lines: 120}, &out); err != nil {
		t.Fatal(err)
	}
	want := &strings.Builder{}
	for i := 280; i < 400; i++ {
		fmt.Fprintf(want, "%099d\n", i)
	}
	if out.String() != want.String() {
		t.Errorf("%d bytes, want %d", out.Len(), want.Len())
	}
}

// Who follows a log goes on into the next file.
func TestFollowAcrossRotation(t *testing.T) {
	s := serve(t, nil)
	goFile := t.TempDir() + "/go"
	r := shell(`echo first; while test ! -e "$0"; do sleep 0.01; done; for i in 1 2 3 4 5 6; do seq -f $i.%097.0f 0 40; sleep 0.1; done`, goFile)
	r.Log = sig.LogCaps{Size: 5000, Count: 10}
	v := launch(t, s, r)
	awaitLog(t, v, "first")
	var out strings.Builder
	err := s.Logs(t.Context(), v.ID, sig.LogsRequest{Follow: true}, writerFunc(func(p []byte) (int, error) {
		if out.Len() == 0 {
			os.WriteFile(goFile, nil, 0o600)
		}
		return out.Write(p)
	}))
	want := &strings.Builder{}
	want.WriteString("first\n")
	for i := 1; i <= 6; i++ {
		for j := range 41 {
			fmt.Fprintf(want, "%d.%097d\n", i, j)
		}
	}
	if err != nil || out.String() != want.String() {
		t.Errorf("%d bytes, want %d; %v", out.Len(), want.Len(), err)
	}
}
