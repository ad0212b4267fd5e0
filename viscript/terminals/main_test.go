//go:build linux

package terminals

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/skycoin/viscript/signal"
	"github.com/skycoin/viscript/viscript/term"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what happens at once on an idle machine.
const patience = 2 * time.Minute

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// echo is a prompt that repeats what is typed, and is left by Ctrl-D.
func echo(ctx context.Context, s *Seat) bool {
	io.WriteString(s, "ready\r\n")
	for {
		select {
		case <-ctx.Done():
			return false
		case <-s.Resized():
			cols, rows := s.Size()
			fmt.Fprintf(s, "[%dx%d]", cols, rows)
		case text := <-s.Taken():
			fmt.Fprintf(s, "<%s>", text)
		case p, ok := <-s.Input():
			switch {
			case !ok:
				return false
			case p[0] == 4:
				return true
			case p[0] == '\t':
				if !s.Offer(2, []signal.TermSuggestion{{Text: "one"}, {Text: "two", Help: "2"}}) {
					io.WriteString(s, "nobody")
				}
			default:
				s.Write(p)
			}
		}
	}
}

// bench is a daemon's terminals behind a socket.
type bench struct {
	testing.TB
	*Terminals
	op *signal.Operator
}

func newBench(t testing.TB, cfg Config) *bench {
	if cfg.Prompt == nil {
		cfg.Prompt = echo
	}
	b := &bench{TB: t, Terminals: New(cfg)}
	path := t.TempDir() + "/s"
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { serve(ctx, b.Terminals, conn) })
		}
	})
	t.Cleanup(func() {
		b.Terminals.Close()
		listener.Close()
		cancel()
		wg.Wait()
	})
	if b.op, err = signal.DialOperator(within(t), path); err != nil {
		t.Fatal(err)
	}
	return b
}

// serve is what the signal server does with a window.
func serve(ctx context.Context, a *Terminals, conn net.Conn) {
	var w *Window
	var p *signal.Peer
	var mu sync.Mutex
	p = signal.NewPeer(signal.NewFrames(conn), signal.PeerOptions{
		Handle: func(ctx context.Context, method string, params json.RawMessage) (any, error) {
			if method != signal.MethodWindow {
				mu.Lock()
				defer mu.Unlock()
				return w.Ask(ctx, method, params)
			}
			var asked signal.WindowParams
			if err := signal.DecodeParams(params, &asked); err != nil {
				return nil, err
			}
			mu.Lock()
			w = a.Window(asked, p)
			mu.Unlock()
			return struct{}{}, w.Run(ctx)
		},
		Notify: func(method string, params json.RawMessage) {
			mu.Lock()
			on := w
			mu.Unlock()
			if on != nil {
				on.Say(method, params)
			}
		},
	})
	_ = p.Run(ctx)
}

// viewer is a window and what is seen in it.
type viewer struct {
	testing.TB
	*signal.WindowConn
	changed chan struct{} // capacity 1

	mu     sync.Mutex // guards the following
	shots  map[string]*term.Snapshot
	terms  map[string]signal.Term
	order  []string
	events []signal.TermEvent // but frames
	frames int
	lazy   bool // frames are not confirmed
	wrong  error
}

// look opens a window; h may have what a desktop answers.
func (b *bench) look(p signal.WindowParams, h signal.WindowHandler) *viewer {
	b.Helper()
	v := &viewer{TB: b.TB, changed: make(chan struct{}, 1), shots: map[string]*term.Snapshot{}, terms: map[string]signal.Term{}}
	h.Event = v.event
	ctx, cancel := context.WithCancel(context.Background())
	conn, err := b.op.Window(ctx, p, h)
	if err != nil {
		cancel()
		b.Fatal(err)
	}
	v.mu.Lock()
	v.WindowConn = conn // frames come later: nothing is watched
	v.mu.Unlock()
	b.Cleanup(func() {
		cancel()
		v.WindowConn.Close()
		if v.wrong != nil {
			b.Errorf("an update: %v", v.wrong)
		}
	})
	return v
}

func (v *viewer) event(e signal.TermEvent) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch e.Method {
	case signal.MethodTermFrame:
		v.frames++
		s := v.shots[e.ID]
		if s == nil || v.wrong != nil {
			return
		}
		if v.wrong = s.Apply(e.Update); v.wrong == nil && s.Version != e.Version {
			v.wrong = fmt.Errorf("version %d in a frame of %d", s.Version, e.Version)
		}
		if !v.lazy {
			v.Shown(e.ID, e.Version)
		}
	case signal.MethodTermList:
		for _, t := range e.Terms {
			v.terms[t.ID] = t
			v.order = append(v.order, t.ID)
		}
	case signal.MethodTermOpened:
		v.order = append(v.order, e.ID)
		v.terms[e.ID] = e.Term
	case signal.MethodTermChanged:
		v.terms[e.ID] = e.Term
	case signal.MethodTermClosed:
		delete(v.terms, e.ID)
	}
	if e.Method != signal.MethodTermFrame {
		v.events = append(v.events, e)
	}
	select {
	case v.changed <- struct{}{}:
	default:
	}
}

// watch shows a terminal from now on.
func (v *viewer) watch(id string) {
	v.mu.Lock()
	v.shots[id] = &term.Snapshot{}
	conn := v.WindowConn
	v.mu.Unlock()
	conn.Watch(id, true)
}

// screen is what is seen of a terminal.
func (v *viewer) screen(id string) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return text(v.shots[id])
}

func text(s *term.Snapshot) string {
	var b strings.Builder
	for i := range s.Lines {
		b.WriteString(s.Lines[i].String() + "\n")
	}
	return strings.TrimRight(b.String(), "\n")
}

// count is how many frames have come.
func (v *viewer) count() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.frames
}

// until waits for a condition.
func (v *viewer) until(what string, ok func() bool) {
	v.Helper()
	late := time.After(patience)
	for {
		v.mu.Lock()
		yes, wrong := ok(), v.wrong
		v.mu.Unlock()
		if yes {
			return
		}
		select {
		case <-v.changed:
		case <-late:
			v.Fatalf("%s does not happen; wrong %v, screens %v", what, wrong, v.all())
		}
	}
}

func (v *viewer) all() map[string]string {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := map[string]string{}
	for id, s := range v.shots {
		out[id] = text(s)
	}
	return out
}

// sees waits for text on the screen.
func (v *viewer) sees(id, want string) {
	v.Helper()
	v.until(fmt.Sprintf("%q in %s", want, id), func() bool { return strings.Contains(text(v.shots[id]), want) })
}

// heard waits for an event of a kind.
func (v *viewer) heard(method string) (found signal.TermEvent) {
	v.Helper()
	v.until(method, func() bool {
		for i, e := range v.events {
			if e.Method == method {
				found = e
				v.events = append(v.events[:i:i], v.events[i+1:]...)
				return true
			}
		}
		return false
	})
	return found
}

// open opens a terminal in the daemon.
func (b *bench) open(p signal.TermNew) string {
	b.Helper()
	t, err := b.Terminals.Open(within(b.TB), p)
	if err != nil {
		b.Fatal(err)
	}
	return t.ID
}
