package gui

import (
	"context"
	"encoding/json"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/desktop"
)

// notebook is a daemon with terminals t1 and t2 that notes what is typed and pasted there.
type notebook struct {
	mu    sync.Mutex // guards noted
	noted map[string]string
}

func (n *notebook) note(method string, params json.RawMessage) {
	var p struct {
		ID   string
		Rune rune
		Text []byte
	}
	if json.Unmarshal(params, &p) != nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch method {
	case signal.MethodTermChar:
		n.noted[p.ID] += string(p.Rune)
	case signal.MethodTermKey:
		n.noted[p.ID] += "|"
	case signal.MethodTermPaste:
		n.noted[p.ID] += "(" + string(p.Text) + ")"
	}
}

func (n *notebook) of(id string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.noted[id]
}

// serve answers on path until ctx ends.
func (n *notebook) serve(t *testing.T, ctx context.Context, path string) (wait func()) {
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			work.Go(func() { n.peer(ctx, conn) })
		}
	})
	return func() { listener.Close(); work.Wait() }
}

func (n *notebook) peer(ctx context.Context, conn net.Conn) {
	var p *signal.Peer
	p = signal.NewPeer(signal.NewFrames(conn), signal.PeerOptions{
		Notify: n.note,
		Handle: func(ctx context.Context, method string, _ json.RawMessage) (any, error) {
			if method != signal.MethodWindow {
				return nil, signal.NoMethod(method)
			}
			all := []signal.Term{{ID: "t1", Cols: 20, Rows: 5}, {ID: "t2", Cols: 20, Rows: 5}}
			if err := p.Notify(ctx, signal.MethodTermList, all); err != nil {
				return nil, err
			}
			<-ctx.Done()
			return struct{}{}, nil
		},
	})
	_ = p.Run(ctx)
}

// slowScreen has a clipboard whose owner answers when the test says so.
type slowScreen struct{ asked []func(string) }

func (s *slowScreen) Copy(string, bool)              {}
func (s *slowScreen) Paste(_ bool, got func(string)) { s.asked = append(s.asked, got) }

// TestKeysWaitForAPaste: what is typed behind a paste comes behind it, in that terminal; elsewhere it waits for nothing.
func TestKeysWaitForAPaste(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	path := filepath.Join(t.TempDir(), "s")
	daemon := &notebook{noted: map[string]string{}}
	wait := daemon.serve(t, ctx, path)
	p, err := New(Config{Dial: func(ctx context.Context) (*signal.Operator, error) { return signal.DialOperator(ctx, path) }})
	if err != nil {
		t.Fatal(err)
	}
	screen, posts := &slowScreen{}, make(chan func(), 1000)
	p.Start(screen, func(f func()) bool { posts <- f; return true })
	p.Handle(desktop.Input{Kind: desktop.Resized, X: 1000, Y: 700, Scale: 1})
	var running sync.WaitGroup
	running.Go(func() { _ = p.Run(ctx) })
	defer func() { cancel(); running.Wait(); wait() }()
	until := func(what string, ok func() bool) {
		t.Helper()
		late := time.After(30 * time.Second)
		for !ok() {
			select {
			case f := <-posts:
				f()
			case <-time.After(5 * time.Millisecond):
			case <-late:
				t.Fatalf("%s does not come; t1 got %q, t2 %q", what, daemon.of("t1"), daemon.of("t2"))
			}
		}
	}
	typed := func(text string) {
		for _, r := range text {
			p.Handle(desktop.Input{Kind: desktop.Char, Rune: r})
		}
	}
	paste := func() {
		p.Handle(desktop.Input{Kind: desktop.KeyDown, Key: desktop.Character, Rune: 'v', Mods: desktop.Ctrl | desktop.Shift})
	}
	focus := func(id string) {
		t.Helper()
		if err := p.desk.Focus(id); err != nil {
			t.Fatal(err)
		}
	}
	until("the terminals", func() bool { return len(p.views) == 2 })
	focus("t1")
	typed("a")
	paste()
	typed("b")
	paste()
	typed("c")
	p.Handle(desktop.Input{Kind: desktop.KeyDown, Key: desktop.KeyEnter})
	focus("t2")
	typed("other")
	until("the other one", func() bool { return daemon.of("t2") == "other" })
	if got := daemon.of("t1"); got != "a" || len(screen.asked) != 2 {
		t.Fatalf("before the clipboard answers: %q, asked %d times", got, len(screen.asked))
	}
	screen.asked[1]("second") // answers may come in any order
	screen.asked[0]("first")
	until("the pastes in order", func() bool { return daemon.of("t1") == "a(first)b(second)c|" })

	focus("t1")
	paste()
	typed("d")
	screen.asked[2]("") // there was none
	typed("e")
	until("what is behind an empty one", func() bool { return strings.HasSuffix(daemon.of("t1"), "c|de") })

	paste()
	for range 2 * maxHeld { // without end
		typed("x")
	}
	if n := len(p.held["t1"].steps); n != maxHeld {
		t.Errorf("%d inputs wait", n)
	}
	screen.asked[3]("end")
	until("the paste and what waited", func() bool { return strings.HasSuffix(daemon.of("t1"), "de(end)"+strings.Repeat("x", maxHeld-1)) })
	if len(p.held) != 0 {
		t.Errorf("%d terminals wait", len(p.held))
	}

	paste()
	typed("lost")
	p.gone(p.desk) // with the daemon
	screen.asked[4]("late")
	if len(p.held) != 0 || strings.Contains(daemon.of("t1"), "lost") {
		t.Errorf("after the daemon: %d wait, %q", len(p.held), daemon.of("t1"))
	}
}

// TestOpenedIsAwaited: whoever entered a line waits for a terminal for long only while nothing else is typed.
func TestOpenedIsAwaited(t *testing.T) {
	entered := time.Unix(1000, 0)
	for _, c := range []struct {
		after, typed time.Duration
		want         bool
	}{{time.Second, 0, true}, {time.Second, time.Second / 2, true}, {5 * time.Second, 0, true}, {5 * time.Second, time.Second, false}, {11 * time.Second, 0, false}} {
		p := &Program{entered: entered}
		p.typing.typed("t1", entered.Add(c.typed))
		if got := p.awaited(entered.Add(c.after)); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
