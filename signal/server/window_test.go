//go:build linux

package server

import (
	"context"
	"encoding/json"
	"sync"
	"testing"

	sig "github.com/skycoin/viscript/signal"
)

// mirror is a window's other side that keeps what it hears.
type mirror struct {
	peer *sig.Peer
	end  chan struct{}

	mu   sync.Mutex
	said []string
}

func (m *mirror) Run(ctx context.Context) error {
	if err := m.peer.Notify(ctx, sig.MethodTermList, []sig.Term{{ID: "t1"}}); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-m.end:
	}
	return nil
}

func (m *mirror) Ask(_ context.Context, method string, params json.RawMessage) (any, error) {
	if method == sig.MethodTermNew {
		return sig.Term{ID: "t2"}, nil
	}
	return nil, sig.Errorf(sig.CodeNoTerm, "none")
}

func (m *mirror) Say(method string, params json.RawMessage) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.said = append(m.said, method+string(params))
}

func (m *mirror) heard() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.said)
}

func TestWindow(t *testing.T) {
	m := &mirror{end: make(chan struct{})}
	s := serve(t, func(c *Config) {
		c.Window = func(p sig.WindowParams, peer *sig.Peer) (Window, error) {
			if p.Name == "unwanted" {
				return nil, sig.Errorf(sig.CodeStopping, "the daemon is ending")
			}
			m.peer = peer
			return m, nil
		}
	})
	o := operatorOf(t, s)
	if _, err := o.Window(t.Context(), sig.WindowParams{Name: "unwanted"}, sig.WindowHandler{}); sig.CodeOf(err) != sig.CodeStopping {
		t.Errorf("refused: %v", err)
	}
	var first []sig.Term
	w, err := o.Window(t.Context(), sig.WindowParams{}, sig.WindowHandler{Event: func(e sig.TermEvent) { first = e.Terms }})
	if err != nil || len(first) != 1 {
		t.Fatalf("%v, %v", first, err)
	}
	w.Char("t1", 'x')
	w.Resize("t1", 3, 4)
	if n, err := w.New(t.Context(), sig.TermNew{}); err != nil || n.ID != "t2" {
		t.Errorf("new: %v, %v", n, err)
	}
	if _, err := w.Search(t.Context(), sig.TermSearch{ID: "t1"}); sig.CodeOf(err) != sig.CodeNoTerm {
		t.Errorf("search: %v", err)
	}
	eventually(t, "what is said", func() bool { return m.heard() == 2 })
	if m.said[0] != `term.char{"id":"t1","rune":120}` {
		t.Errorf("heard %q", m.said)
	}
	close(m.end)
	<-w.Done()
	if err := w.Err(); err != nil {
		t.Errorf("ended: %v", err)
	}
	w.Close()
}

// TestNoWindow asks what only a window may, and a daemon without terminals.
func TestNoWindow(t *testing.T) {
	s := serve(t, nil)
	o := operatorOf(t, s)
	if _, err := o.Window(t.Context(), sig.WindowParams{}, sig.WindowHandler{}); sig.CodeOf(err) != sig.CodeUnavailable {
		t.Errorf("no terminals: %v", err)
	}
	conn, err := sig.DialSocket(t.Context(), s.Socket())
	if err != nil {
		t.Fatal(err)
	}
	peer := sig.NewPeer(sig.NewFrames(conn), sig.PeerOptions{})
	done := make(chan struct{})
	go func() { defer close(done); peer.Run(t.Context()) }()
	for _, m := range []string{sig.MethodTermNew, sig.MethodTermClose, sig.MethodTermSearch, sig.MethodTermLines, sig.MethodTermText} {
		if err := peer.Call(t.Context(), m, sig.TermParams{ID: "t1"}, nil); sig.CodeOf(err) != sig.CodeRequest {
			t.Errorf("%s: %v", m, err)
		}
	}
	peer.Notify(t.Context(), sig.MethodTermChar, sig.TermChar{ID: "t1", Rune: 'x'}) // nobody hears it
	if err := peer.Call(t.Context(), sig.MethodAppList, nil, nil); err != nil {
		t.Errorf("the connection does not go on: %v", err)
	}
	peer.Close()
	<-done
}
