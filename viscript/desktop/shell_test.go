package desktop

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/skycoin/viscript/viscript/desktop/panel"
	"github.com/skycoin/viscript/viscript/desktop/scene"
)

func TestMenu(t *testing.T) {
	for _, c := range []struct{ name, script, requests string }{
		{"start in the focused terminal", "open 1 40x10 prompt; click start; click menu Start node", `start node in "1"`},
		{"not where a program reads the keys", "open 1 40x10; open 2 40x10 prompt; click start; click menu Start node; type x", `start node in "2" | char 2 x`},
		{"in a new one else", "open 1 40x10; click start; click menu Start node; open 2 40x10 prompt; type x", `start node in "" | char 2 x`},
		{"start without terminal", "click start; click menu Start socks", `start socks in ""`},
		{"new terminal", "click start; click menu New Terminal", "new "},
		{"defocus", "open 1 40x10; click start; click menu Defocus; type x", ""},
		{"closes on a click outside, which counts", "open 1 40x10; open 2 40x10; click start; click task 1; type x", "char 2 x"},
		{"opens and closes", "open 1 40x10; click start; click start; type x", "char 1 x"},
		{"keys are the menu's", "open 1 40x10; click start; type x; key f1; mods ctrl; key c", ""},
		{"Escape closes", "open 1 40x10; click start; key escape; key escape", "key 1 4 'e' 0"},
		{"by keys", "open 1 40x10 prompt; mods ctrl shift; key space; mods; key down; key down; key enter", `start socks in "1"`},
		{"around, past dividers", "open 1 40x10; mods ctrl shift; key space; mods; key up; key up; key up; key enter", "watch Keys 0 true"},
		{"the ends", "mods ctrl shift; key space; mods; key home; key end; key enter", "new "},
		{"nothing selected", "mods ctrl shift; key space; mods; key enter", ""},
		{"the pointer selects", "click start; move menu Start socks; key enter", `start socks in ""`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t)
			s.Apps([]App{{"node", "a node of the mesh"}, {"socks", ""}, {"bad\x1b", ""}, {"", ""}})
			s.play(strings.ReplaceAll(c.script, "key f1", "key f1"))
			if got := s.requests(); got != c.requests {
				t.Errorf("got %s, want %s", got, c.requests)
			}
		})
	}
}

func TestLongMenu(t *testing.T) {
	s := newStage(t)
	var apps []App
	for i := range 1000 {
		apps = append(apps, App{fmt.Sprintf("app%d", i), strings.Repeat("very long ", 50)})
	}
	s.Apps(apps)
	s.play("click start; wheel 3 100,300; key home; key enter")
	if got := s.requests(); got != `start app0 in ""` {
		t.Error(got)
	}
	s.play("click start; wheel 1000 100,300; wheel 1000 100,300; wheel 1000 100,300; click menu Start app1")
	if got := s.requests(); got != `start app1 in ""` {
		t.Error(got)
	}
	s.play("size 100x20; click start; key down; key down")
}

func TestTaskbarFits(t *testing.T) {
	s := newStage(t)
	var picture scene.Scene
	for i := range 60 {
		s.TermOpened(Term{ID: TermID(fmt.Sprint(i)), Title: "a long title of a terminal", Cols: 20, Rows: 5})
		s.Scene(&picture)
		right := float32(0)
		for j := range s.windows {
			r := s.taskRect(j)
			if r.X < right || r.Right() > s.size.W || r.W <= 0 {
				t.Fatalf("button %d of %d: %v", j, i+1, r)
			}
			right = r.Right()
			if h := s.At(r.Center()); h.Part != OnTask || h.Index != j {
				t.Fatalf("button %d of %d is not hit: %+v", j, i+1, h)
			}
		}
		for _, it := range picture.Items {
			if it.Owner == OwnBar && it.Kind == scene.Text && it.Rect.Right() > s.size.W {
				t.Fatalf("%q is out of the bar", it.Text)
			}
		}
		if text := string(picture.AppendText(nil)); i == 8 && !strings.Contains(text, `"0 a long..."`) {
			t.Error("no button with three dots")
		}
	}
}

func TestNotices(t *testing.T) {
	s := newStage(t)
	s.play("open 1 40x10; wait 20s")
	s.Notify(Notice{Title: "node crashed", Text: "exit 1", Level: Alarm, Action: "logs 3"})
	if at, ok := s.NextTick(); !ok || at != s.now+alarmTime-fadeTime {
		t.Errorf("next tick %v %v", at-s.now, ok)
	}
	s.play("click notice")
	if got := s.requests(); got != "act logs 3" || len(s.notices) != 0 {
		t.Error(got)
	}
	for i := range 20 {
		s.Notify(Notice{Title: fmt.Sprint("n", i%7)})
	}
	if len(s.notices) != maxNotices || s.notices[4].Title != "n5" {
		t.Errorf("%+v", s.notices)
	}
	x, y := center(noticeClose(s.noticeRect(4), s.font))
	s.play(fmt.Sprintf("click %v,%v", x, y))
	if len(s.notices) != 4 || s.requests() != "" {
		t.Error("not dismissed")
	}
	s.play("move 10,10; wait 5500ms")
	if o := s.notices[0].opacity(s.now); o != 0.5 {
		t.Errorf("opacity %v", o)
	}
	steps := 0
	for at, ok := s.NextTick(); ok && steps < 100 && len(s.notices) > 0; at, ok = s.NextTick() {
		steps++
		s.at = at
		s.play("wait 0s")
	}
	if steps > 2*fadeSteps || len(s.notices) != 0 {
		t.Errorf("%d steps, %d left", steps, len(s.notices))
	}
	if at, ok := s.NextTick(); ok {
		t.Errorf("a tick is wanted in %v though nothing moves", at-s.now)
	}
	s.Notify(Notice{Title: "it is\x1bso", Level: Alarm})
	s.Notify(Notice{Title: "it is\x1bso", Text: "otherwise", Level: Alarm})
	if s.Withdraw(Notice{Title: "it is\x1bso", Level: Alarm}); len(s.notices) != 1 || s.notices[0].Text == "" {
		t.Errorf("after one was taken back: %+v", s.notices)
	}
	s.dismiss(0)
	s.Notify(Notice{Title: "read me"})
	s.play("move notice; wait 5500ms; wait 3s")
	if len(s.notices) != 1 {
		t.Error("it goes while it is read")
	}
	s.play("mods ctrl shift; key n")
	if len(s.notices) != 0 {
		t.Error("not by keys")
	}
}

func TestIdle(t *testing.T) {
	s := newStage(t)
	s.play("open 1 40x10; type x")
	ticks := 0
	for at, ok := s.NextTick(); ok && ticks < 1000; at, ok = s.NextTick() {
		s.at, ticks = at, ticks+1
		s.play("wait 0s")
	}
	if want := int(cursorTime / cursorStep); ticks > want {
		t.Errorf("%d ticks, want at most %d", ticks, want)
	}
	s.Bell("1")
	if _, ok := s.NextTick(); !ok || s.focus.term.bell {
		t.Error("the bell of the focused terminal only flashes")
	}
	s.play("open 2 40x10; wait 1s")
	s.Bell("2")
	if l := s.ListTerms(); !l[1].Bell {
		t.Error("the bell is not marked")
	}
	s.play("click task 1")
	if l := s.ListTerms(); l[1].Bell {
		t.Error("the bell stays")
	}
}

func TestFocusReports(t *testing.T) {
	s := newStage(t)
	s.play("open 1 40x10; open 2 40x10; click task 1; out; in; gone 2")
	if got := strings.Join(s.did, " | "); got != "focus 1 true | focus 1 false | focus 2 true | focus 2 false | focus 2 true | focus 1 true" {
		t.Error(got)
	}
}

func TestPointerShapes(t *testing.T) {
	for place, want := range map[string]scene.Pointer{
		"1.tab": scene.Hand, "1.close": scene.Hand, "1.body": scene.IBeam, "1.right": scene.Horizontal, "1.bottom": scene.Vertical,
		"1.corner": scene.Diagonal, "900,600": scene.Arrow, "start": scene.Hand, "task 0": scene.Hand, "600,690": scene.Arrow,
	} {
		s := newStage(t)
		s.play("open 1 40x10; move " + place)
		if got := s.shape(); got != want {
			t.Errorf("%s: %s, want %s", place, got, want)
		}
	}
	s := newStage(t)
	s.play("open 1 40x10; mods alt; move 1.body")
	if s.shape() != scene.Move {
		t.Error("Alt moves")
	}
	s.play("mods; press 1.corner; move 5,5")
	if s.shape() != scene.Diagonal {
		t.Error("the shape of a drag stays")
	}
}

func sample() (d []panel.Process, m panel.Mesh, l []panel.LogLine) {
	d = []panel.Process{
		{ID: 1, Name: "apptracker", State: "ready", CPU: []float32{1, 2, 30, 4}, Memory: []float32{1 << 20, 2 << 20}},
		{ID: 2, Name: "node", State: "failed"},
	}
	m = panel.Mesh{
		Nodes:  []panel.Node{{ID: "a", Label: "node1", State: "up", Self: true}, {ID: "b", Label: "node2", State: "up"}, {ID: "c", Label: "node3", State: "lost"}},
		Links:  []panel.Link{{A: "a", B: "b", Rate: 1 << 20, Latency: 3 * time.Millisecond}, {A: "b", B: "c", Latency: 45 * time.Millisecond}},
		Routes: []panel.Route{{ID: "r1", Label: "to node3", Hops: []string{"a", "b", "c"}}},
	}
	l = []panel.LogLine{{Time: "12:00:01", App: 1, Name: "apptracker", Text: "listening"}, {Time: "12:00:02", App: 2, Name: "node", Text: "no route", Error: true}}
	return d, m, l
}

func (s *stage) feed() {
	d, m, l := sample()
	s.Processes(d)
	s.Mesh(m)
	s.Logs(l)
}

// tap clicks the nth hit of an action in the focused panel.
func (s *stage) tap(a panel.Action, nth int) {
	s.t.Helper()
	s.refresh(s.focus)
	for _, h := range s.focus.view.result.Hits {
		if h.Action == a {
			if nth--; nth < 0 {
				c := h.Rect.Center()
				s.play(fmt.Sprintf("wait 1s; click %v,%v", c.X, c.Y))
				return
			}
		}
	}
	s.t.Fatalf("no hit %d in %s", a, s.state())
}

func TestPanelsFitTheDesktop(t *testing.T) {
	for size, want := range map[string]string{"1280x800": "112x24", "640x400": "74x18", "90x60": "16x4"} {
		s := newStage(t)
		s.play("size " + size + "; mods ctrl shift; key p")
		if got := fmt.Sprintf("%dx%d", s.focus.cols, s.focus.rows); got != want {
			t.Errorf("%s: %s, want %s", size, got, want)
		}
	}
	s := newStage(t)
	s.feed()
	s.play("size 1280x800; mods ctrl shift; key p")
	s.Scene(&s.scratch)
	curves := 0
	for _, it := range s.scratch.Items {
		if it.Kind == scene.Line && (it.Color == s.theme.Series[0] || it.Color == s.theme.Series[1]) {
			curves++
		}
	}
	if curves != 2 { // of the one app that has samples
		t.Errorf("%d sparklines", curves)
	}
}

func TestProcessesPanel(t *testing.T) {
	s := newStage(t)
	s.feed()
	s.play("open 1 40x10; mods ctrl shift; key p; mods")
	s.tap(panel.Ping, 1)
	s.tap(panel.Restart, 0)
	s.tap(panel.Stop, 0)
	if got := s.requests(); got != "watch Processes 0 true | ping app 2 | restart app 1 | stop app 1" {
		t.Error(got)
	}
	s.tap(panel.Logs, 1)
	if s.focus.content != LogsContent || !s.data.logApps[0].Off || s.data.logApps[1].Off {
		t.Errorf("%s %+v", s.state(), s.data.logApps)
	}
	s.play("mods ctrl shift; key w; mods")
	if got := s.requests(); got != "watch Logs 0 true | watch Logs 0 false" {
		t.Error(got)
	}
	s.play("key down; key enter") // a row: its page
	if s.focus.content != AppContent || s.focus.view.app != 1 {
		t.Error(s.state())
	}
	s.AppPage(panel.App{ID: 1, Name: "apptracker", State: "ready", Pid: 9, CPU: []float32{1, 2, 3}, Lines: []panel.LogLine{{Text: "hello"}}})
	s.AppPage(panel.App{ID: 77})
	if len(s.data.pages) != 1 {
		t.Error("a page nobody looks at is kept")
	}
	s.tap(panel.Stop, 0)
	if got := s.requests(); got != "watch App 1 true | stop app 1" {
		t.Error(got)
	}
	s.play("mods ctrl shift; key p; mods; key escape; key tab; key tab; key enter")
	if got := s.requests(); got != "ping app 1" {
		t.Error(got)
	}
}

func TestLogsPanel(t *testing.T) {
	s := newStage(t)
	s.feed()
	s.play("mods ctrl shift; key l; mods; type route")
	s.refresh(s.focus)
	if v := s.focus.view; v.filter != "route" || len(v.matches) != 1 || v.matches[0] != 1 {
		t.Errorf("%q %v", v.filter, v.matches)
	}
	s.play("key backspace; mods ctrl; key u; mods")
	s.tap(panel.ToggleApp, 1)
	s.refresh(s.focus)
	if v := s.focus.view; v.filter != "" || len(v.matches) != 1 || v.matches[0] != 0 {
		t.Errorf("%q %v", v.filter, v.matches)
	}
	s.tap(panel.ToggleApp, 1)
	for range 20 {
		s.Logs(make([]panel.LogLine, 1000))
	}
	if n := len(s.data.lines); n != panel.MaxLines {
		t.Errorf("%d lines", n)
	}
	s.play("key home")
	if v := s.focus.view; v.scroll != v.result.Rows-v.result.Shown {
		t.Errorf("scroll %d of %d", v.scroll, v.result.Rows)
	}
	s.play("key pagedown; key end; wheel 1 " + fmt.Sprintf("%v,%v", s.focus.pos.X+50, s.focus.pos.Y+200))
	if v := s.focus.view; v.scroll != wheelLines {
		t.Errorf("scroll %d", v.scroll)
	}
}

func TestMeshPanel(t *testing.T) {
	s := newStage(t)
	s.feed()
	s.play("mods ctrl shift; key m; mods")
	s.tap(panel.PickRoute, 0)
	if s.focus.view.picked != "r1" {
		t.Error("not picked")
	}
	s.tap(panel.PickRoute, 0)
	if s.focus.view.picked != "" {
		t.Error("picked for ever")
	}
	before := s.data.places["a"]
	_, m, _ := sample()
	s.Mesh(m)
	if s.data.places["a"] != before {
		t.Error("the same map moves")
	}
}

func TestThemesByKey(t *testing.T) {
	s := newStage(t)
	var names []string
	s.play("mods ctrl shift")
	for range 4 {
		names = append(names, s.theme.Name)
		s.play("key y")
	}
	if got := strings.Join(names, " "); got != "dark light contrast dark" {
		t.Error(got)
	}
}
