package signal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// windowServer serves one window with script, and keeps what that says.
func windowServer(t *testing.T, script func(ctx context.Context, p *Peer) error) (o *Operator, said func() []string) {
	var mu sync.Mutex
	var got []string
	note := func(method string, params json.RawMessage) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, method+" "+string(params))
	}
	o = operatorServer(t, func(ctx context.Context, p *Peer, method string, params json.RawMessage) (any, error) {
		note(method, params)
		switch method {
		case MethodWindow:
			return struct{}{}, script(ctx, p)
		case MethodTermNew:
			return Term{ID: "t7"}, nil
		case MethodTermText:
			var r TermRange
			if err := DecodeParams(params, &r); err != nil {
				return nil, err
			}
			return TermText{Data: fmt.Appendf(nil, "line %d\n", r.From.Line), More: r.From.Line < 3, From: TermPos{Line: r.From.Line + 1}}, nil
		}
		return nil, NoMethod(method)
	})
	return o, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), got...)
	}
}

func TestWindowHearsInOrder(t *testing.T) {
	big := bytes.Repeat([]byte("x"), MaxTermPiece)
	events := make(chan TermEvent, 16)
	o, said := windowServer(t, func(ctx context.Context, p *Peer) error {
		for _, n := range []struct {
			method string
			params any
		}{
			{MethodTermList, []Term{{ID: "t1", Cols: 80, Rows: 24, Holds: TermPrompt, Prompt: true}}},
			{MethodTermOpened, Term{ID: "t2"}},
			{MethodTermFrame, TermFrame{ID: "t1", Version: 4, Data: big, More: true}},
			{MethodTermBell, TermParams{ID: "t2"}},
			{"term.later", TermParams{ID: "t2"}}, // of a later version
			{MethodTermFrame, TermFrame{ID: "t1", Version: 4, Data: []byte("end")}},
			{MethodTermClipboard, TermClipboard{ID: "t2", Target: "c", Text: []byte{0xff}}},
			{MethodTermOffer, TermOffer{ID: "t1", At: TermPos{3, 10}, Items: []TermSuggestion{{Text: "start", Help: "start an app"}}}},
			{MethodTermClosed, TermParams{ID: "t2"}},
		} {
			if err := p.Notify(ctx, n.method, n.params); err != nil {
				return err
			}
		}
		<-ctx.Done()
		return nil
	})
	w, err := o.Window(within(t), WindowParams{Name: "test"}, WindowHandler{Event: func(e TermEvent) { events <- e }})
	if err != nil {
		t.Fatal(err)
	}
	want := []TermEvent{
		{Method: MethodTermList, Terms: []Term{{ID: "t1", Cols: 80, Rows: 24, Holds: TermPrompt, Prompt: true}}},
		{Method: MethodTermOpened, ID: "t2", Term: Term{ID: "t2"}},
		{Method: MethodTermBell, ID: "t2"},
		{Method: MethodTermFrame, ID: "t1", Version: 4, Update: append(big, "end"...)},
		{Method: MethodTermClipboard, ID: "t2", Clipboard: TermClipboard{ID: "t2", Target: "c", Text: []byte{0xff}}},
		{Method: MethodTermOffer, ID: "t1", Offer: TermOffer{ID: "t1", At: TermPos{3, 10}, Items: []TermSuggestion{{Text: "start", Help: "start an app"}}}},
		{Method: MethodTermClosed, ID: "t2"},
	}
	for _, want := range want {
		if got := <-events; !reflect.DeepEqual(got, want) {
			t.Fatalf("got %.300v, want %.300v", got, want)
		}
	}
	if term, err := w.New(within(t), TermNew{Args: []string{"vim"}}); err != nil || term.ID != "t7" {
		t.Errorf("new: %v, %v", term, err)
	}
	if text, err := w.Text(within(t), TermRange{ID: "t1", From: TermPos{Line: 1}}); err != nil || text != "line 1\nline 2\nline 3\n" {
		t.Errorf("text: %q, %v", text, err)
	}
	if err := w.CloseTerm(within(t), "t1"); CodeOf(err) != CodeNoMethod {
		t.Errorf("close: %v", err)
	}
	if got := said(); got[0] != `window {"name":"test"}` {
		t.Errorf("asked %q", got)
	}
	w.Close()
	if w.Err() == nil {
		t.Error("no reason after Close")
	}
}

func TestWindowIsAsked(t *testing.T) {
	answers := make(chan string, 8)
	o, _ := windowServer(t, func(ctx context.Context, p *Peer) error {
		if err := p.Notify(ctx, MethodTermList, []Term{}); err != nil {
			return err
		}
		for _, q := range []struct {
			method string
			params any
		}{{MethodWindowList, nil}, {MethodWindowFocus, TermParams{"t1"}}, {MethodWindowMove, WindowMove{3, -4}}, {MethodWindowDefocus, nil}, {"window.later", nil}} {
			var answer json.RawMessage
			err := p.Call(ctx, q.method, q.params, &answer)
			answers <- fmt.Sprint(string(answer), " ", CodeOf(err))
		}
		return nil
	})
	w, err := o.Window(within(t), WindowParams{Desktop: true}, WindowHandler{
		List:  func(context.Context) ([]WindowTerm, error) { return nil, nil },
		Focus: func(_ context.Context, id string) error { return Errorf(CodeNoTerm, "no %s", id) },
		Move: func(_ context.Context, x, y int) error {
			if x != 3 || y != -4 {
				return errors.New("elsewhere")
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"[] 0", fmt.Sprint(" ", CodeNoTerm), "{} 0", fmt.Sprint(" ", CodeNoMethod), fmt.Sprint(" ", CodeNoMethod)} {
		if got := <-answers; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	<-w.Done()
	if w.Err() != nil {
		t.Errorf("the daemon's end: %v", w.Err())
	}
	w.Close()
}

func TestWindowEnds(t *testing.T) {
	o, _ := windowServer(t, func(ctx context.Context, p *Peer) error {
		return Errorf(CodeUnavailable, "no terminals here")
	})
	if _, err := o.Window(within(t), WindowParams{}, WindowHandler{}); CodeOf(err) != CodeUnavailable {
		t.Errorf("refused: %v", err)
	}
	o, _ = windowServer(t, func(ctx context.Context, p *Peer) error {
		p.Notify(ctx, MethodTermList, []Term{})
		p.Flush(ctx)
		p.Close()
		return nil
	})
	w, err := o.Window(within(t), WindowParams{}, WindowHandler{})
	if err == nil {
		<-w.Done()
		err = w.Err()
		w.Paste("t1", "lost")
		w.Close()
	}
	if !errors.Is(err, ErrClosed) {
		t.Errorf("the daemon went away: %v", err)
	}
	o, _ = windowServer(t, func(ctx context.Context, p *Peer) error { <-ctx.Done(); return nil })
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := o.Window(ctx, WindowParams{}, WindowHandler{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no list came: %v", err)
	}
}

func TestWindowPasteIsBounded(t *testing.T) {
	got := make(chan TermPaste, 1)
	here, there := net.Pipe()
	w := &WindowConn{peer: NewPeer(NewFrames(here), PeerOptions{}), ctx: within(t)}
	other := NewPeer(NewFrames(there), PeerOptions{Notify: func(_ string, params json.RawMessage) {
		var p TermPaste
		_ = DecodeParams(params, &p)
		got <- p
	}})
	var wg sync.WaitGroup
	wg.Go(func() { w.peer.Run(w.ctx) })
	wg.Go(func() { other.Run(w.ctx) })
	w.Paste("t1", strings.Repeat("é", MaxTermPaste))
	if p := <-got; len(p.Text) != MaxTermPaste {
		t.Errorf("%d bytes", len(p.Text))
	}
	w.peer.Close()
	wg.Wait()
}
