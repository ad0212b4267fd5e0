package desktop

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/skycoin/viscript/viscript/desktop/scene"
)

// A fakeLines is the text of terminals, by id and line.
type fakeLines struct {
	text  map[TermID]map[uint64]string // "text" or "text\\" if it is wrapped
	links map[uint32]string            // of cells that stand between { and }: link 1
}

func (f *fakeLines) Line(id TermID, n uint64, into *Line) bool {
	s, ok := f.text[id][n]
	if !ok {
		return false
	}
	s, into.Wrapped = strings.CutSuffix(s, `\`)
	link := uint32(0)
	for _, r := range s {
		switch r {
		case '{':
			link = 1
		case '}':
			link = 0
		default:
			into.Cells, into.Links = append(into.Cells, r), append(into.Links, link)
			if r >= 0x2e80 {
				into.Cells, into.Links = append(into.Cells, 0), append(into.Links, link)
			}
		}
	}
	return true
}

func (f *fakeLines) Link(_ TermID, link uint32) string { return f.links[link] }

// A stage is a desktop that follows a script.
type stage struct {
	*Desktop
	t     *testing.T
	lines *fakeLines
	at    time.Duration
	mods  Mods
	did   []string // requests
}

func newStage(t *testing.T) *stage {
	lines := &fakeLines{map[TermID]map[uint64]string{}, map[uint32]string{}}
	s := &stage{Desktop: New(Config{Lines: lines}), t: t, lines: lines}
	s.Handle(Input{Kind: Resized, X: 1000, Y: 700, Scale: 1})
	return s
}

// play does the steps of a script, one between semicolons:
//
//	open ID COLSxROWS [fixed] | report ID COLSxROWS [first base] [alt] [mouse N] [prompt] | gone ID | size WxH [scale]
//	mods [ctrl][shift][alt] | press|middle|right|move|release PLACE | click PLACE | wheel N PLACE | wait DURATION
//	key NAME | type TEXT | out | in
//
// A PLACE is X,Y, +DX,+DY from the pointer, ID.PART or ID.body:COL,ROW, start, task N, or menu TEXT.
func (s *stage) play(script string) {
	s.t.Helper()
	for _, step := range strings.Split(script, ";") {
		if step = strings.TrimSpace(step); step != "" {
			s.step(step)
			for _, r := range s.Requests() {
				s.did = append(s.did, requestText(r))
			}
			s.check()
		}
	}
}

func (s *stage) step(step string) {
	word, rest, _ := strings.Cut(step, " ")
	input := Input{At: s.at, Mods: s.mods, Button: Left}
	switch word {
	case "open", "report":
		s.report(word, strings.Fields(rest))
		return
	case "gone":
		s.TermClosed(TermID(rest))
		return
	case "size":
		input.Kind, input.Scale = Resized, 1
		fmt.Sscanf(rest, "%gx%g %g", &input.X, &input.Y, &input.Scale)
	case "mods":
		s.mods = 0
		for name, m := range map[string]Mods{"ctrl": Ctrl, "shift": Shift, "alt": Alt} {
			if strings.Contains(rest, name) {
				s.mods |= m
			}
		}
		return
	case "wait":
		dur, err := time.ParseDuration(rest)
		if err != nil {
			s.t.Fatal(err)
		}
		s.at += dur
		input.Kind, input.At = Tick, s.at
	case "click":
		s.step("press " + rest)
		s.step("release " + rest)
		return
	case "wheel":
		n, where, _ := strings.Cut(rest, " ")
		dy, _ := strconv.Atoi(n)
		input.Kind, input.DY = Wheel, float32(dy)
		input.X, input.Y = s.place(where)
	case "key":
		input.Kind, input.Key, input.Rune = KeyDown, keyNames[rest], []rune(rest)[0]
		if _, ok := keyNames[rest]; !ok && rest != "space" {
			input.Key = Character
		} else if rest == "space" {
			input.Rune = ' '
		}
	case "type":
		for _, r := range rest {
			input.Kind, input.Rune = Char, r
			s.Handle(input)
		}
		return
	case "out", "in":
		input.Kind = map[string]InputKind{"out": FocusOut, "in": FocusIn}[word]
	case "press", "middle", "right", "move", "release", "rightrelease":
		input.Kind = map[string]InputKind{"press": Press, "middle": Press, "right": Press, "move": Motion, "release": Release, "rightrelease": Release}[word]
		input.Button = map[string]Button{"press": Left, "middle": Middle, "right": Right, "release": Left, "rightrelease": Right}[word]
		input.X, input.Y = s.place(rest)
	default:
		s.t.Fatalf("no step %q", step)
	}
	s.Handle(input)
}

var keyNames = map[string]KeyCode{
	"enter": KeyEnter, "tab": KeyTab, "escape": KeyEscape, "up": KeyUpArrow, "down": KeyDownArrow, "left": KeyLeft, "right": KeyRight,
	"home": KeyHome, "end": KeyEnd, "pageup": KeyPageUp, "pagedown": KeyPageDown, "backspace": KeyBackspace, "f1": KeyF1,
}

func (s *stage) report(word string, f []string) {
	t := Term{ID: TermID(f[0]), Title: "term " + f[0]}
	if w := s.termWindow(t.ID); w != nil {
		t = w.term.Term
	}
	fmt.Sscanf(f[1], "%dx%d", &t.Cols, &t.Rows)
	for i := 2; i < len(f); i++ {
		switch f[i] {
		case "fixed":
			t.Fixed = true
		case "alt":
			t.AltScreen = true
		case "prompt":
			t.Prompt = true
		case "mouse":
			n, _ := strconv.Atoi(f[i+1])
			t.Mouse = MouseMode(n)
			i++
		default:
			t.First, _ = strconv.ParseUint(f[i], 10, 64)
			t.Base, _ = strconv.ParseUint(f[i+1], 10, 64)
			i++
		}
	}
	t.Version++
	if word == "open" {
		s.TermOpened(t)
	} else {
		s.TermChanged(t)
	}
}

func (s *stage) place(where string) (x, y float32) {
	s.t.Helper()
	id, part, dotted := strings.Cut(where, ".")
	switch {
	case where == "start":
		return center(s.startRect())
	case strings.HasPrefix(where, "task "):
		n, _ := strconv.Atoi(where[5:])
		return center(s.taskRect(n))
	case strings.HasPrefix(where, "menu "):
		for i, it := range s.menu.items {
			if it.text == where[5:] {
				return center(s.menuItemRect(i))
			}
		}
		s.t.Fatalf("no %q in the menu", where)
	case where == "notice":
		return center(s.noticeRect(0))
	case strings.HasPrefix(where, "+"), strings.HasPrefix(where, "-"):
		fmt.Sscanf(where, "%g,%g", &x, &y)
		return s.pointer.X + x, s.pointer.Y + y
	case !dotted:
		fmt.Sscanf(where, "%g,%g", &x, &y)
		return x, y
	}
	w := s.termWindow(TermID(id))
	if w == nil {
		s.t.Fatalf("no terminal %q", id)
	}
	f := w.frame()
	switch {
	case part == "tab":
		return f.tab.X + 40, f.tab.Y + 10
	case part == "close":
		return center(f.close)
	case part == "right":
		return f.outer.Right() - 2, f.body.Y + 10
	case part == "bottom":
		return f.body.X + 10, f.outer.Bottom() - 2
	case part == "corner":
		return f.outer.Right() - 2, f.outer.Bottom() - 2
	case part == "backscroll":
		return f.body.X + 30, f.body.Y + 4
	}
	col, row := 1.0, 1.0
	fmt.Sscanf(part, "body:%g,%g", &col, &row)
	return f.body.X + float32(col)*w.font.Advance, f.body.Y + float32(row)*w.font.Line
}

func center(r scene.Rect) (x, y float32) { c := r.Center(); return c.X, c.Y }

// state is the windows from bottom to top: * focused, columns x rows @ column, row of the desktop.
func (s *stage) state() string {
	var out []string
	for _, w := range s.stack {
		mark := ""
		if w == s.focus {
			mark = "*"
		}
		name := s.name(w)
		if w.term != nil {
			name = string(w.term.ID)
		}
		out = append(out, fmt.Sprintf("%s%s %dx%d@%.4g,%.4g", mark, name, w.cols, w.rows, w.pos.X/s.font.Advance, w.pos.Y/s.font.Line))
	}
	return strings.Join(out, " | ")
}

// requests are those since the last call but for reports of the focus, which every test would have.
func (s *stage) requests() string {
	var out []string
	for _, r := range s.did {
		if !strings.HasPrefix(r, "focus") {
			out = append(out, r)
		}
	}
	s.did = nil
	return strings.Join(out, " | ")
}

func requestText(r Request) string {
	switch r.Kind {
	case NewTerm:
		return "new " + r.Text
	case CloseTerm:
		return "close " + string(r.Term)
	case ResizeTerm:
		return fmt.Sprintf("resize %s %dx%d", r.Term, r.Cols, r.Rows)
	case SendKey:
		return fmt.Sprintf("key %s %d %q %d", r.Term, r.Key, r.Rune, r.Mods)
	case SendChar:
		return fmt.Sprintf("char %s %c", r.Term, r.Rune)
	case SendMouse:
		return fmt.Sprintf("mouse %s %d/%d %d,%d", r.Term, r.Mouse.Action, r.Mouse.Button, r.Mouse.X, r.Mouse.Y)
	case TellFocus:
		return fmt.Sprintf("focus %s %v", r.Term, r.On)
	case StartApp:
		return fmt.Sprintf("start %s in %q", r.Text, r.Term)
	case AppAction:
		return fmt.Sprintf("%s app %d", r.Text, r.App)
	case Act:
		return "act " + r.Text
	case Search:
		return fmt.Sprintf("search %s %q from %d,%d back %v", r.Term, r.Text, r.From.Line, r.From.X, r.Back)
	case Complete:
		return fmt.Sprintf("complete %s %d %s", r.Term, r.Index, r.Text)
	case EndCompletion:
		return "end completion " + string(r.Term)
	case Watch:
		return fmt.Sprintf("watch %s %d %v", r.Content, r.App, r.On)
	case Copy:
		return fmt.Sprintf("copy %s %d,%d-%d,%d block %v primary %v", r.Term, r.From.Line, r.From.X, r.To.Line, r.To.X, r.Block, r.Primary)
	case Paste:
		return fmt.Sprintf("paste %s primary %v", r.Term, r.Primary)
	case Visit:
		return "visit " + r.Text
	}
	return fmt.Sprintf("request %d", r.Kind)
}
