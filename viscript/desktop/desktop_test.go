package desktop

import (
	"strings"
	"testing"
)

func TestWindows(t *testing.T) {
	for _, c := range []struct{ name, script, state, requests string }{
		{"cascade", "open 1 40x10; open 2 40x10; open 3 40x10", "2 40x10@5,4 | 3 40x10@8,7 | *1 40x10@2,1", ""},
		{"cascade wraps at the edges", "open 1 100x30; open 2 100x30; open 3 100x30; open 4 100x20", "2 100x30@5,4 | 3 100x30@8,7 | 4 100x20@11,10 | *1 100x30@2,1", ""},
		{"what was asked for gets the focus", "open 1 40x10; mods ctrl shift; key t; open 2 40x10; open 3 40x10", "1 40x10@2,1 | 3 40x10@8,7 | *2 40x10@5,4", "new "},
		{"not when it comes late", "open 1 40x10; mods ctrl shift; key t; wait 6s; open 2 40x10", "2 40x10@5,4 | *1 40x10@2,1", "new "},
		{"a click raises", "open 1 40x10; open 2 40x10; click 2.body:38,9", "1 40x10@2,1 | *2 40x10@5,4", ""},
		{"the topmost is clicked", "open 1 40x10; open 2 40x10; click task 1; click 5,300; click 1.body:20,5", "1 40x10@2,1 | *2 40x10@5,4", ""},
		{"a tab moves by cells", "open 1 40x10; press 1.tab; move +30,+30; release +0,+0", "*1 40x10@6,3", ""},
		{"with Alt smoothly", "open 1 40x10; press 1.tab; mods alt; move +30,+30; release +0,+0", "*1 40x10@5.75,2.875", ""},
		{"Alt moves from the body", "open 1 40x10; mods alt; press 1.body; move +32,+16; mods; move +1,+1; release +0,+0", "*1 40x10@6,2", ""},
		{"never off the desktop to the left", "open 1 40x10; press 1.tab; move -900,-900; release +0,+0", "*1 40x10@-34.25,0", ""},
		{"never off the desktop to the right", "open 1 40x10; press 1.tab; move 5000,5000; release +0,+0", "*1 40x10@118,40.5", ""},
		{"the right edge resizes", "open 1 40x10; press 1.right; move +33,+50; release +0,+0", "*1 44x10@2,1", "resize 1 44x10"},
		{"the bottom resizes", "open 1 40x10; press 1.bottom; move +33,+50; release +0,+0", "*1 40x13@2,1", "resize 1 40x13"},
		{"the corner resizes", "open 1 40x10; press 1.corner; move +33,+50; release +0,+0", "*1 44x13@2,1", "resize 1 44x13"},
		{"not below the minimum", "open 1 40x10; press 1.corner; move -900,-900; release +0,+0", "*1 16x4@2,1", "resize 1 16x4"},
		{"fixed ones do not", "open 1 40x10 fixed; press 1.corner; move +33,+50; release +0,+0", "*1 40x10@2,1", ""},
		{"reported size counts", "open 1 40x10; report 1 50x12", "*1 50x12@2,1", ""},
		{"even a tiny one", "open 1 1x1; report 1 500x200", "*1 500x200@2,1", ""},
		{"not while it is dragged", "open 1 40x10; press 1.corner; move +33,+50; report 1 50x12", "*1 44x13@2,1", "resize 1 44x13"},
		{"a window that goes ends the drag", "open 1 40x10; open 2 40x10; press 1.corner; gone 1; move +33,+50", "*2 40x10@5,4", ""},
		{"close", "open 1 40x10; open 2 40x10; click 1.close", "2 40x10@5,4 | *1 40x10@2,1", "close 1"},
		{"the focus goes on when it is gone", "open 1 40x10; open 2 40x10; click 1.close; gone 1", "*2 40x10@5,4", "close 1"},
		{"the last one stays", "open 1 40x10; click 1.close", "*1 40x10@2,1", ""},
		{"and of two one", "open 1 40x10; open 2 40x10; click 1.close; click 2.close", "1 40x10@2,1 | *2 40x10@5,4", "close 1"},
		{"cycle", "open 1 40x10; open 2 40x10; open 3 40x10; mods ctrl; key tab; key tab", "1 40x10@2,1 | 2 40x10@5,4 | *3 40x10@8,7", ""},
		{"cycle back", "open 1 40x10; open 2 40x10; open 3 40x10; mods ctrl shift; key tab; key tab; key tab; key tab", "2 40x10@5,4 | 1 40x10@2,1 | *3 40x10@8,7", ""},
		{"moved by keys", "open 1 40x10; mods ctrl shift; key right; key down; key down; key left; key left", "*1 40x10@1,3", ""},
		{"resized by keys", "open 1 40x10; mods ctrl shift alt; key right; key down; key down; key up", "*1 41x11@2,1", "resize 1 41x10 | resize 1 41x11 | resize 1 41x12 | resize 1 41x11"},
		{"taskbar", "open 1 40x10; open 2 40x10; click task 1", "1 40x10@2,1 | *2 40x10@5,4", ""},
		{"a smaller window", "open 1 40x10; press 1.tab; move 900,600; release 900,600; size 300x200", "*1 40x10@30.5,9.25", ""},
		{"a higher scale", "open 1 40x10; size 1000x700 2", "*1 40x10@1.882,0.9697", ""},
		{"sizes that are none", "open 1 40x10; size 0x0 0; size 1x1 100", "*1 40x10@0,0", ""},
		{"defocus", "open 1 40x10; mods ctrl shift; key d; mods; key enter; type a", "1 40x10@2,1", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t)
			s.play(c.script)
			if got := s.state(); got != c.state {
				t.Errorf("state\n%s, want\n%s", got, c.state)
			}
			if got := s.requests(); got != c.requests {
				t.Errorf("requests\n%s, want\n%s", got, c.requests)
			}
		})
	}
}

func TestKeys(t *testing.T) {
	for _, c := range []struct{ name, script, requests string }{
		{"Escape goes to the program", "open 1 40x10; key escape", "key 1 4 'e' 0"},
		{"text", "open 1 40x10; type aé世", "char 1 a | char 1 é | char 1 世"},
		{"a character's key waits for its text", "open 1 40x10; key x", ""},
		{"Ctrl goes to the program", "open 1 40x10; mods ctrl; key c; key w; key t", "key 1 0 'c' 4 | key 1 0 'w' 4 | key 1 0 't' 4"},
		{"Alt goes to the program", "open 1 40x10; mods alt; key f; key left", "key 1 0 'f' 2 | key 1 8 'l' 2"},
		{"Ctrl-arrows too", "open 1 40x10; mods ctrl; key left; key up", "key 1 8 'l' 4 | key 1 5 'u' 4"},
		{"unknown Ctrl-Shift too", "open 1 40x10; mods ctrl shift; key g", "key 1 0 'g' 5"},
		{"PageUp is the program's", "open 1 40x10; key pageup", "key 1 13 'p' 0"},
		{"but not at the prompt", "open 1 40x10 0 100 prompt; key pageup", ""},
		{"Shift-PageUp is the program's on the other screen", "open 1 40x10 alt; mods shift; key pageup", "key 1 13 'p' 1"},
		{"without focus nowhere", "open 1 40x10; mods ctrl shift; key d; mods; key escape; type x", ""},
		{"paste", "open 1 40x10; mods ctrl shift; key v", "paste 1 primary false"},
		{"copy without selection", "open 1 40x10; mods ctrl shift; key c", ""},
		{"paste primary", "open 1 40x10; middle 1.body", "paste 1 primary true"},
		{"close by keys", "open 1 40x10; open 2 40x10; mods ctrl shift; key w", "close 1"},
		{"control characters are no text", "open 1 40x10; type \x7f\u0003", ""},
		{"the keyboard is elsewhere", "open 1 40x10; out; in", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t)
			s.play(c.script)
			if got := s.requests(); got != c.requests {
				t.Errorf("got %s, want %s", got, c.requests)
			}
		})
	}
}

func TestProgramsMouse(t *testing.T) {
	for _, c := range []struct{ name, script, requests string }{
		{"off", "open 1 40x10; click 1.body:3.5,2.5", ""},
		{"presses", "open 1 40x10 mouse 1; click 1.body:3.5,2.5", "mouse 1 0/1 3,2 | mouse 1 1/1 3,2"},
		{"no motion unasked", "open 1 40x10 mouse 1; press 1.body:3.5,2.5; move 1.body:5.5,2.5; release 1.body:5.5,2.5", "mouse 1 0/1 3,2 | mouse 1 1/1 5,2"},
		{"drags once a cell", "open 1 40x10 mouse 2; press 1.body:3.5,2.5; move 1.body:5.5,2.5; move 1.body:5.6,2.6; release 1.body:5.5,2.5; move 1.body:9,9", "mouse 1 0/1 3,2 | mouse 1 2/1 5,2 | mouse 1 1/1 5,2"},
		{"a drag beyond the edge", "open 1 40x10 mouse 2; press 1.body:3.5,2.5; move 990,690; release +0,+0", "mouse 1 0/1 3,2 | mouse 1 2/1 39,9 | mouse 1 1/1 39,9"},
		{"moves", "open 1 40x10 mouse 3; move 1.body:5.5,2.5", "mouse 1 2/0 5,2"},
		{"Shift keeps it here", "open 1 40x10 mouse 3; mods shift; press 1.body:3,2; move 1.body:5,2; release 1.body:5,2", "copy 1 2,3-2,5 block false primary true"},
		{"wheel", "open 1 40x10 mouse 1; wheel 2 1.body:3.5,2.5; wheel -1 1.body:3.5,2.5", "mouse 1 0/4 3,2 | mouse 1 0/4 3,2 | mouse 1 0/5 3,2"},
		{"wheel on the other screen", "open 1 40x10 alt; wheel 1 1.body:3.5,2.5", "mouse 1 0/4 3,2"},
		{"middle", "open 1 40x10 mouse 1; middle 1.body:3.5,2.5", "mouse 1 0/2 3,2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t)
			s.play(c.script)
			if got := s.requests(); got != c.requests {
				t.Errorf("got %s, want %s", got, c.requests)
			}
		})
	}
}

func TestRequestsWait(t *testing.T) {
	s := newStage(t)
	s.play("open 1 40x10; open 2 40x10 mouse 3; press 1.corner")
	for i := range 50 {
		s.Handle(Input{Kind: Motion, X: 400 + float32(i), Y: 300 + float32(i)})
	}
	if r := s.Requests(); len(r) != 1 || r[0].Cols != s.termWindow("1").cols {
		t.Errorf("%+v", r)
	}
	s.step("release +0,+0")
	for range 2 * maxRequests {
		s.step("type x")
	}
	if r := s.Requests(); len(r) != maxRequests || r[0].Rune != 'x' {
		t.Errorf("%d requests", len(r))
	}
	if r := s.Requests(); len(r) != 0 {
		t.Errorf("%d requests again", len(r))
	}
}

func TestBackscroll(t *testing.T) {
	for _, c := range []struct {
		name, script string
		top          uint64
		bar          bool
	}{
		{"follows", "open 1 40x10 0 100; report 1 40x10 0 105", 105, false},
		{"wheel", "open 1 40x10 0 100; wheel 2 1.body", 94, true},
		{"stays while lines come", "open 1 40x10 0 100; wheel 2 1.body; report 1 40x10 0 120", 94, true},
		{"follows again at the end", "open 1 40x10 0 100; wheel 2 1.body; wheel -2 1.body; report 1 40x10 0 120", 120, false},
		{"Alt pages", "open 1 40x10 0 100; mods alt; wheel 1 1.body", 91, true},
		{"not before the oldest", "open 1 40x10 90 100; wheel 50 1.body", 90, true},
		{"moves on when lines are dropped", "open 1 40x10 0 100; wheel 50 1.body; report 1 40x10 20 120", 20, true},
		{"keys", "open 1 40x10 0 100; mods shift; key pageup; key pageup; key pagedown", 91, true},
		{"to the oldest", "open 1 40x10 0 100; mods shift; key home", 0, true},
		{"to the newest", "open 1 40x10 0 100; mods shift; key home; key end", 100, false},
		{"typing shows the end", "open 1 40x10 0 100; wheel 2 1.body; type x", 100, false},
		{"a click on the bar too", "open 1 40x10 0 100; wheel 2 1.body; click 1.backscroll", 100, false},
		{"none on the other screen", "open 1 40x10 0 100 alt; mods shift; wheel 2 1.body", 100, false},
		{"pages at the prompt", "open 1 40x10 0 100 prompt; key pageup; key pageup; key pagedown", 91, true},
		{"reset", "open 1 40x10 0 100; wheel 2 1.body; report 1 40x10 0 3", 3, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t)
			s.play(c.script)
			w := s.termWindow("1")
			if got := w.term.top(); got != c.top || w.backscrollRect().Empty() == c.bar {
				t.Errorf("top %d, bar %v", got, !w.backscrollRect().Empty())
			}
		})
	}
}

func TestZoom(t *testing.T) {
	s := newStage(t)
	s.play("open 1 40x10; mods ctrl; wheel 1 1.body")
	if l := s.ListTerms()[0]; l.Zoom < 1.09 || l.Zoom > 1.11 || l.Cols != 40 || l.Rows != 10 {
		t.Errorf("%+v", l)
	}
	s.play("wheel -1 1.body")
	if l := s.ListTerms()[0]; l.Zoom != 1 {
		t.Errorf("zoom %v", l.Zoom)
	}
	for range 30 {
		s.play("wheel 100 1.tab")
	}
	if l := s.ListTerms()[0]; l.Zoom != maxZoom {
		t.Errorf("zoom %v", l.Zoom)
	}
	s.play("mods ctrl shift; key 0; key -; key -")
	if l := s.ListTerms()[0]; l.Zoom > 0.83 || l.Zoom < 0.82 {
		t.Errorf("zoom %v", l.Zoom)
	}
	if got := s.requests(); got != "" {
		t.Errorf("zooming asks for %s", got)
	}
}

func TestMethods(t *testing.T) {
	s := newStage(t)
	s.play("open 10 40x10; open 11 40x10; open 2 40x10")
	for prefix, want := range map[string]error{"1": ErrAmbiguous, "3": ErrNoTerm, "": ErrNoTerm, "2": nil, "11": nil, "10": nil} {
		if err := s.Focus(prefix); err != want && !strings.Contains(err.Error(), want.Error()) {
			t.Errorf("focus %q: %v", prefix, err)
		}
	}
	_ = s.Focus("2")
	if err := s.MoveTerm(7, 9); err != nil {
		t.Fatal(err)
	}
	l := s.ListTerms()
	if len(l) != 3 || l[2].X != 7 || l[2].Y != 9 || !l[2].Focused || l[2].Depth != 0 || l[0].Focused {
		t.Errorf("%+v", l)
	}
	for _, far := range []int{1 << 62, -1 << 62} {
		_ = s.MoveTerm(far, far)
		s.check()
	}
	s.Defocus()
	if err := s.MoveTerm(1, 1); err != ErrNoFocus {
		t.Error(err)
	}
	if s.CloseTerm("2") != nil || s.CloseTerm("10") != nil || s.CloseTerm("11") != ErrLast {
		t.Error("which one is the last?")
	}
	s.play("wait 4s")
	if err := s.CloseTerm("11"); err != nil {
		t.Errorf("the others have not been closed after all: %v", err)
	}
	s.Terms([]Term{{ID: "11", Cols: 40, Rows: 10}, {ID: "12", Cols: 40, Rows: 10}})
	if l := s.ListTerms(); len(l) != 2 || l[0].ID != "11" || l[1].ID != "12" {
		t.Errorf("%+v", l)
	}
	s.TermOpened(Term{ID: "bad\x1b[2J", Cols: 1, Rows: 1})
	s.TermOpened(Term{ID: TermID(strings.Repeat("x", 100))})
	s.TermOpened(Term{})
	if l := s.ListTerms(); len(l) != 2 {
		t.Errorf("%+v", l)
	}
	s.play("gone 11; gone 12; gone 12; key escape; mods ctrl; key tab; move 50,50")
}
